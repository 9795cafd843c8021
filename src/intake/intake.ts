import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { Config } from '../config.js';
import type { Delivery } from '../delivery/delivery.entity.js';
import { Deliveries, type PlannedMail } from '../delivery/delivery.js';
import { forgetMails } from '../delivery/forget.js';
import { PosternError } from '../errors.js';
import type { TicketEvent } from '../events.js';
import { newId, type Id } from '../ids.js';
import { Planner, type News } from '../notifications/planner.js';
import { forgetNews } from '../outbound/forget.js';
import { Clock } from '../platform/clock.js';
import { Database, isDatabaseUnavailable, type Transaction } from '../platform/database/database.js';
import { insertNew, insertRows, selectRows, updateRows } from '../platform/database/rows.js';
import { Grouped } from '../platform/grouped.js';
import { Logger } from '../platform/logger.js';
import { Metrics } from '../platform/metrics.js';
import { Queue } from '../platform/queue/queue.js';
import { sourceNamed, type Source } from '../sources.js';
import { FileStore } from '../tickets/file-store.js';
import { Projection } from '../tickets/projection.js';
import { Ticket } from '../tickets/ticket.entity.js';
import { Admission } from './admission.js';
import { Event, type Untold } from './event.entity.js';
import type { IgnoredReason, IncomingWebhook, LookUp, NativeEvent } from './sources/adapter.js';
import { adapters } from './sources/adapters.js';
import { eventOf, readWebhook, takesAway, type Happening } from './sources/read.js';
import { BATCH } from './sources/cloudevents.js';
import { WaitingEvent } from './waiting-event.entity.js';

/** What the sender is told of one happening of its webhook. */
export type Receipt = { eventId: Id<'evt'>; duplicate: boolean } | { ignored: IgnoredReason };

/** What an accepted event is lacking. */
export interface Missing {
  native: NativeEvent;
  lookUp: LookUp;
  /** As `Normalised` has them; left out by an earlier release. */
  isInferred?: boolean;
  onlyIfKnown?: boolean;
}

/** A verified event on its way into the database. */
type Arrival = Extract<Happening, { kind: 'event' }> & { source: Source };

/** What became of an arrival. Null: its id came before with another body. */
type Recorded = {
  eventId: Id<'evt'>;
  duplicate: boolean;
  /** Why nobody is told of it; null for a duplicate. */
  untold: Untold | null;
  orphanedFiles: string[];
} | null;

/** An event that counts now. */
interface Whole {
  source: Source;
  eventId: Id<'evt'>;
  sourceEventId: string;
  event: TicketEvent;
  isInferred: boolean;
  onlyIfKnown: boolean;
  namesNobody: boolean;
  /** For what takes something away: without a ticket it waits until there is one, or until this is found out. */
  missing: Missing | null;
  createsIfUnknown?: boolean;
}

/** What an event did. */
interface Done {
  untold: Untold | null;
  /** Nothing yet: its ticket is not known. */
  waits: boolean;
  orphanedFiles: string[];
}

/** What would have become of an event. */
export interface Rehearsed {
  duplicate: boolean;
  /** Why there are no mails, unless it is a duplicate. */
  untold: Untold | null;
  mails: Delivery[];
}

/** Ends a transaction of which nothing is to stay. */
class RolledBack extends Error {
  constructor(readonly rehearsed: Rehearsed) {
    super('rolled back on purpose');
  }
}

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
    private readonly queue: Queue,
    private readonly logger: Logger,
    private readonly metrics: Metrics,
    private readonly admission: Admission,
  ) {
    this.arrivals = new Grouped({
      most: MOST_EVENTS_OF_A_GROUP,
      // While Postgres makes one group durable, this process can work at another.
      atOnce: database.kind === 'postgres' ? 2 : 1,
      work: (group) => this.commit(group),
      concernsAll: isDatabaseUnavailable,
    });
  }

  /**
   * Returns only after the commit: what became of each happening that the body tells of.
   * @throws PosternError for everything that the sender must hear of. Then nothing of the body was taken, but for a
   *   conflict in a batch: its other events are, and are repeats when they come again
   */
  async receive(sourceName: string, webhook: Omit<IncomingWebhook, 'now'>): Promise<Receipt[]> {
    const source = this.source(sourceName);
    try {
      return await this.admission.run(webhook.rawBody.length, () => {
        const happenings = readWebhook(source, { ...webhook, now: this.clock.now() });
        this.admission.count(source, happenings.length);
        const isBatch = webhook.mediaType === BATCH;
        return Promise.all(
          happenings.map((one, place) => this.take(source, one, isBatch ? `/${place}/id` : undefined)),
        );
      });
    } catch (error) {
      const reason =
        error instanceof PosternError ? error.code : isDatabaseUnavailable(error) ? 'unavailable' : 'internal';
      this.metrics.events.inc({ source: source.name, outcome: 'refused', reason });
      throw error;
    }
  }

  /** @throws PosternError `unknown-source` */
  source(sourceName: string): Source {
    const source = sourceNamed(this.config.sources, sourceName);
    if (!source) throw new PosternError('unknown-source', 'Check the source in the address of the webhook.');
    return source;
  }

  /**
   * What `take` would do with an event that lacks nothing: it is done, looked at, and rolled back.
   * @throws PosternError `event-conflict`
   */
  async rehearse(source: Source, happening: Extract<Happening, { kind: 'event' }>): Promise<Rehearsed> {
    try {
      await this.database.write(async (tx) => {
        const { recorded } = await this.record(tx, [{ ...happening, source }]);
        if (recorded[0] == null) throw conflict();
        const { duplicate, untold, eventId } = recorded[0];
        const ticket = await tx.findOneBy(Ticket, {
          source: source.name,
          sourceTicketId: happening.event.data.ticket.id,
        });
        const mails = ticket && !duplicate ? await this.deliveries.tellingOf(tx, eventId, ticket.id) : [];
        throw new RolledBack({ duplicate, untold, mails });
      });
    } catch (error) {
      if (error instanceof RolledBack) return error.rehearsed;
      throw error;
    }
    throw new Error('a rehearsal was not rolled back');
  }

  /** What an event lacked was found: it counts from now on, once however often this is said. */
  async complete(
    source: Source,
    eventId: Id<'evt'>,
    event: TicketEvent,
    { isInferred = false, onlyIfKnown = false }: Pick<Missing, 'isInferred' | 'onlyIfKnown'>,
  ): Promise<void> {
    const done = await this.database.write(async (tx) => {
      const { affected } = await tx.delete(WaitingEvent, { id: eventId });
      if (affected !== 1) return null;
      const { sourceEventId } = await tx.findOneByOrFail(Event, { id: eventId });
      const whole = { isInferred, onlyIfKnown, namesNobody: false, missing: null };
      return this.apply(tx, [{ source, eventId, sourceEventId, event, ...whole }]);
    });
    if (done === null) return;
    this.deliveries.wake(done.planned);
    for (const file of done.done.flatMap(({ orphanedFiles }) => orphanedFiles)) await this.files.remove(file);
  }

  /** `at`: where its id stands, if it is one of several in a batch. */
  private async take(source: Source, happening: Happening, at?: string): Promise<Receipt> {
    if (happening.kind === 'ignored') return this.ignore(source, happening.reason);
    const recorded = await this.arrivals.add({ ...happening, source });
    if (recorded === null) throw conflict(at);
    const { eventId, duplicate, untold, orphanedFiles } = recorded;
    if (untold === 'unknown-ticket') return this.ignore(source, 'internal');
    for (const file of orphanedFiles) await this.files.remove(file);
    this.metrics.events.inc({ source: source.name, outcome: duplicate ? 'duplicate' : 'accepted', reason: '' });
    this.logger.debug('event received', { eventId, source: source.name, type: happening.event.type, duplicate });
    return { eventId, duplicate };
  }

  private ignore(source: Source, reason: IgnoredReason): Receipt {
    this.logger.info('event ignored', { source: source.name, reason });
    this.metrics.events.inc({ source: source.name, outcome: 'ignored', reason });
    return { ignored: reason };
  }

  private async commit(arrivals: readonly Arrival[]): Promise<Recorded[]> {
    const { recorded, planned, waiting } = await this.database.write((tx) => this.record(tx, arrivals));
    this.deliveries.wake(planned);
    if (waiting.length > 0) this.queue.add('lookups', waiting);
    return recorded;
  }

  /** The events, what they change and whom they tell, all or nothing. */
  private async record(
    tx: Transaction,
    arrivals: readonly Arrival[],
  ): Promise<{ recorded: Recorded[]; planned: PlannedMail[]; waiting: string[] }> {
    const now = this.clock.now();
    const rows = arrivals.map((arrival) => rowOf(arrival, now));
    const kept = await keepFirst(tx, rows);
    const first = arrivals
      .map((arrival, place) => ({ ...arrival, eventId: rows[place]!.id }))
      .filter((_, place) => kept[place] === rows[place]);
    const whole = first.filter(({ missing, namesNobody }) => missing === null || namesNobody);
    const { planned, done } = await this.apply(tx, whole);
    const doneBy = new Map(whole.map(({ eventId }, place) => [eventId, done[place]!]));
    const waiting = first.flatMap((one) =>
      one.missing && doneBy.get(one.eventId)?.waits !== false ? this.waitingOf(one, one.missing, now) : [],
    );
    if (waiting.length > 0) await insertRows(tx, WaitingEvent, waiting);
    // Their senders are told that they are ignored, so they leave nothing: when they come again they are no repeats.
    const ignored = new Set([...doneBy].filter(([, { untold }]) => untold === 'unknown-ticket').map(([id]) => id));
    if (ignored.size > 0) await tx.delete(Event, { id: In([...ignored]) });
    const nothing: Done = { untold: null, waits: false, orphanedFiles: [] };
    const recorded = arrivals.map(({ bodyHash }, place): Recorded => {
      const { id: eventId, bodyHash: keptHash } = kept[place]!;
      const isFirst = kept[place] === rows[place];
      if (!isFirst && keptHash !== bodyHash) return null;
      const became = isFirst || ignored.has(eventId) ? doneBy.get(eventId) : undefined;
      return { eventId, duplicate: !isFirst, ...(became ?? nothing) };
    });
    return { recorded, planned, waiting: waiting.map(({ id }) => id) };
  }

  /** Brings events into the projection and plans whom they tell. */
  private async apply(tx: Transaction, events: readonly Whole[]): Promise<{ planned: PlannedMail[]; done: Done[] }> {
    const given = events.map(({ source, ...one }) => ({ ...one, source: source.name }));
    const projection = await Projection.load(tx, given, this.clock.now());
    const news: News[] = [];
    const creating: Pick<Event, 'id' | 'type'>[] = [];
    const done = events.map((one, place): Done => {
      const { source, eventId, isInferred, onlyIfKnown, createsIfUnknown, namesNobody, missing } = one;
      const isKnown = projection.knows(given[place]!);
      const needsTicket = onlyIfKnown || (namesNobody && one.event.type !== 'ticket.deleted');
      if (needsTicket && !isKnown)
        return { untold: missing ? 'silent-type' : 'unknown-ticket', waits: missing !== null, orphanedFiles: [] };
      if (createsIfUnknown && !isKnown) {
        given[place]!.event = { ...given[place]!.event, type: 'ticket.created' };
        creating.push({ id: eventId, type: 'ticket.created' });
      }
      const { event } = given[place]!;
      const applied = projection.apply(given[place]!);
      if (!applied) return { untold: 'deleted-ticket', waits: false, orphanedFiles: [] };
      news.push({ source, eventId, event, applied, isInferred });
      return { untold: null, waits: false, orphanedFiles: applied.orphanedFiles };
    });
    await projection.save();
    await updateRows(tx, Event, creating, { by: ['id'], set: ['type'] });
    await this.takeAwayFrom(tx, news);
    const ended = await this.forget(tx, news);
    const { due, untold } = await this.planner.plan(tx, news);
    events.forEach(({ eventId }, place) => (done[place]!.untold ??= untold.get(eventId) ?? null));
    await this.keepReasons(tx, events, done);
    return { planned: [...ended, ...due], done };
  }

  /** What was to be taken away from tickets before they were known: their words are not shown first. */
  private async takeAwayFrom(tx: Transaction, news: readonly News[]): Promise<void> {
    const made = news.filter(({ applied: { isNewTicket, ticket } }) => isNewTicket && ticket.deletedAt === null);
    if (made.length === 0) return;
    const tickets = made.map(({ source, applied }) => [source.name, applied.ticket.sourceTicketId]);
    const taking = await selectRows(
      tx,
      Event,
      `WHERE type IN ('message.retracted', 'message.updated') AND (source, source_ticket_id) IN PAIRS ?
       AND id IN (SELECT id FROM waiting_events)`,
      [tickets],
    );
    const whole: Whole[] = [];
    for (const { id: eventId, sourceEventId, source: name } of taking) {
      const { source } = made.find((one) => one.source.name === name)!;
      const waiting = await tx.findOneByOrFail(WaitingEvent, { id: eventId });
      const missing = this.missingOf(waiting);
      if (!missing || !takesAway(missing.native)) continue;
      await tx.delete(WaitingEvent, { id: eventId });
      await tx.update(Event, { id: eventId }, { untold: null });
      const event = eventOf(missing.native, adapters[source.adapter]);
      const { isInferred = false, onlyIfKnown = false } = missing;
      whole.push({ source, eventId, sourceEventId, event, isInferred, onlyIfKnown, namesNobody: true, missing });
    }
    await this.apply(tx, whole);
  }

  /** What an event that waits is lacking; null where no key opens it. */
  missingOf({ id, sealed }: WaitingEvent): Missing | null {
    const opened = this.config.secretKeys.decrypt('event', sealed, id);
    return opened && (JSON.parse(opened.toString()) as Missing);
  }

  /** Why nobody was told of an event; its type says it already where it mails nobody. */
  private async keepReasons(tx: Transaction, events: readonly Whole[], done: readonly Done[]): Promise<void> {
    const untold = events.flatMap(({ eventId }, place) => {
      const reason = done[place]!.untold;
      return reason === null || reason === 'silent-type' ? [] : [{ id: eventId, untold: reason }];
    });
    await updateRows(tx, Event, untold, { by: ['id'], set: ['untold'] });
  }

  /** What mails and messages to the source say of tickets that were deleted. Returns the mails that end by it. */
  private async forget(tx: Transaction, news: readonly News[]): Promise<PlannedMail[]> {
    const ended: PlannedMail[] = [];
    for (const { event, applied } of news) {
      if (event.type !== 'ticket.deleted') continue;
      const { id: ticketId, source, sourceTicketId } = applied.ticket;
      await forgetNews(tx, { source, sourceTicketId }, this.clock.now());
      ended.push(...(await forgetMails(tx, { ticketId }, this.clock.now())).due);
    }
    return ended;
  }

  private waitingOf(
    { eventId, source }: Pick<Whole, 'eventId' | 'source'>,
    missing: Missing,
    now: number,
  ): WaitingEvent {
    return {
      id: eventId,
      source: source.name,
      sealed: this.config.secretKeys.encrypt('event', JSON.stringify(missing), eventId),
      attempts: 0,
      deaths: 0,
      leasedAt: null,
      outcome: '',
      createdAt: now,
      nextAttemptAt: now,
      endedAt: null,
    };
  }
}

function conflict(at?: string): PosternError {
  const detail = 'The id of this event came before with another body. Give each event an id of its own.';
  if (at === undefined) return new PosternError('event-conflict', detail);
  return new PosternError('event-conflict', `${detail} The others of the batch are taken; see errors.`, {
    errors: [{ pointer: at, detail: 'came before with another body' }],
  });
}

function rowOf({ source, sourceEventId, bodyHash, event }: Arrival, now: number): Event {
  return {
    id: newId('evt', now),
    source: source.name,
    sourceEventId,
    bodyHash,
    type: event.type,
    sourceTicketId: event.data.ticket.id,
    occurredAt: event.timestamp,
    receivedAt: now,
    untold: null,
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
