import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';
import { Deliveries, type PlannedMail } from '../delivery/delivery.js';
import { PosternError } from '../errors.js';
import { newId, type Id } from '../ids.js';
import { Planner, type News } from '../notifications/planner.js';
import { Clock } from '../platform/clock.js';
import { sha256 } from '../platform/crypto.js';
import { Database, isDatabaseUnavailable, type Transaction } from '../platform/database/database.js';
import { insertNew, selectRows } from '../platform/database/rows.js';
import { Grouped } from '../platform/grouped.js';
import { Logger } from '../platform/logger.js';
import type { WebhookHeaders } from '../platform/webhook-signature.js';
import type { Source } from '../sources.js';
import { FileStore } from '../tickets/file-store.js';
import { Projection } from '../tickets/projection.js';
import { Event } from './event.entity.js';
import { readStandardEvent, type ReceivedEvent } from './sources/standard.js';

export interface Receipt {
  eventId: Id<'evt'>;
  duplicate: boolean;
}

/** A verified event on its way into the database. */
interface Arrival extends ReceivedEvent {
  source: Source;
  /** SHA-256 of the raw body, hex. */
  bodyHash: string;
}

/** What became of an arrival. Null: its id came before with another body. */
type Recorded = (Receipt & { orphanedFiles: string[] }) | null;

/** Events of one transaction at most: the lock of SQLite's one writer is held for some 10 ms by so many. */
const MOST_EVENTS_OF_A_GROUP = 100;

/** A webhook from raw bytes to a committed plan: verified, normalised, deduped, recorded, planned. */
@Injectable()
export class Intake {
  private readonly arrivals: Grouped<Arrival, Recorded>;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly planner: Planner,
    private readonly deliveries: Deliveries,
    private readonly files: FileStore,
    private readonly logger: Logger,
  ) {
    this.arrivals = new Grouped({
      most: MOST_EVENTS_OF_A_GROUP,
      // While Postgres makes one group durable, this process can work at another.
      atOnce: database.kind === 'postgres' ? 2 : 1,
      work: (group) => this.commit(group),
      concernsAll: isDatabaseUnavailable,
    });
  }

  /** Returns only after the commit. Throws `PosternError` for everything the sender must hear of. */
  async receive(sourceName: string, headers: WebhookHeaders, rawBody: Buffer): Promise<Receipt> {
    const source = this.config.sources.find(({ name }) => name === sourceName);
    if (!source) throw new PosternError('unknown-source', 'Check the source in the address of the webhook.');
    const received = readStandardEvent(source, headers, rawBody, this.clock.now());
    const recorded = await this.arrivals.add({ ...received, source, bodyHash: sha256(rawBody).toString('hex') });
    if (recorded === null)
      throw new PosternError(
        'event-conflict',
        'This webhook-id came before with another body. Give each event an id of its own.',
      );
    const { eventId, duplicate, orphanedFiles } = recorded;
    for (const file of orphanedFiles) await this.files.remove(file);
    this.logger.debug('event received', { eventId, source: source.name, type: received.event.type, duplicate });
    return { eventId, duplicate };
  }

  private async commit(arrivals: readonly Arrival[]): Promise<Recorded[]> {
    const { recorded, planned } = await this.database.write((tx) => this.record(tx, arrivals));
    this.deliveries.wake(planned);
    return recorded;
  }

  /** The events, what they change and whom they tell, all or nothing. */
  private async record(
    tx: Transaction,
    arrivals: readonly Arrival[],
  ): Promise<{ recorded: Recorded[]; planned: PlannedMail[] }> {
    const now = this.clock.now();
    const rows = arrivals.map((arrival) => eventOf(arrival, now));
    const kept = await keepFirst(tx, rows);
    const isFirst = (place: number) => kept[place] === rows[place];
    const first = arrivals.map(({ source, event }) => ({ source: source.name, event }));
    const projection = await Projection.load(
      tx,
      first.filter((_, place) => isFirst(place)),
      now,
    );
    const news: News[] = [];
    const recorded = arrivals.map(({ source, event, bodyHash }, place): Recorded => {
      const { id: eventId, bodyHash: keptHash } = kept[place]!;
      if (!isFirst(place)) return keptHash === bodyHash ? { eventId, duplicate: true, orphanedFiles: [] } : null;
      const applied = projection.apply(first[place]!);
      if (applied) news.push({ source, eventId, event, applied });
      return { eventId, duplicate: false, orphanedFiles: applied?.orphanedFiles ?? [] };
    });
    await projection.save();
    return { recorded, planned: await this.planner.plan(tx, news) };
  }
}

function eventOf({ source, sourceEventId, bodyHash, event }: Arrival, now: number): Event {
  return {
    id: newId('evt', now),
    source: source.name,
    sourceEventId,
    bodyHash,
    type: event.type,
    sourceTicketId: event.data.ticket.id,
    occurredAt: event.timestamp,
    receivedAt: now,
  };
}

/**
 * Inserts each event whose (source, id) is not known, and returns the known one for each, in their order: a row itself
 * where it is the first. The unique key decides, within these rows and against other processes alike.
 */
async function keepFirst(tx: Transaction, rows: readonly Event[]): Promise<Event[]> {
  // In one order for every process: two that insert the same events never wait for each other in a circle. Of copies
  // the first that came stays the first.
  const inOrder = rows.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : keyOf(one) > keyOf(other) ? 1 : 0));
  const inserted = await insertNew(tx, Event, inOrder);
  if (inserted.size === rows.length) return [...rows];
  const known = new Map(rows.filter(({ id }) => inserted.has(id)).map((row) => [keyOf(row), row]));
  const missing = rows
    .filter((row) => !known.has(keyOf(row)))
    .map(({ source, sourceEventId }) => [source, sourceEventId]);
  const earlier =
    missing.length > 0 ? await selectRows(tx, Event, 'WHERE (source, source_event_id) IN PAIRS ?', [missing]) : [];
  for (const row of earlier) known.set(keyOf(row), row);
  return rows.map((row) => known.get(keyOf(row))!);
}

/** No source has a space in its name. */
function keyOf({ source, sourceEventId }: Event): string {
  return `${source} ${sourceEventId}`;
}
