import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';
import { Deliveries, type PlannedMail } from '../delivery/delivery.js';
import { PosternError } from '../errors.js';
import { newId, type Id } from '../ids.js';
import { Planner } from '../notifications/planner.js';
import { Clock } from '../platform/clock.js';
import { sha256 } from '../platform/crypto.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import type { WebhookHeaders } from '../platform/webhook-signature.js';
import { FileStore } from '../tickets/file-store.js';
import { applyEvent } from '../tickets/projection.js';
import { Event } from './event.entity.js';
import { readStandardEvent, type ReceivedEvent } from './sources/standard.js';

export interface Receipt {
  eventId: Id<'evt'>;
  duplicate: boolean;
}

interface Recorded extends Receipt {
  planned: PlannedMail[];
  orphanedFiles: string[];
}

/** A webhook from raw bytes to a committed plan: verified, normalised, deduped, recorded, planned. */
@Injectable()
export class Intake {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly planner: Planner,
    private readonly deliveries: Deliveries,
    private readonly files: FileStore,
    private readonly logger: Logger,
  ) {}

  /** Returns only after the commit. Throws `PosternError` for everything the sender must hear of. */
  async receive(sourceName: string, headers: WebhookHeaders, rawBody: Buffer): Promise<Receipt> {
    const source = this.config.sources.find(({ name }) => name === sourceName);
    if (!source) throw new PosternError('unknown-source', 'Check the source in the address of the webhook.');
    const received = readStandardEvent(source, headers, rawBody, this.clock.now());
    const bodyHash = sha256(rawBody).toString('hex');
    const recorded = await this.database.write((tx) => this.record(tx, source, received, bodyHash));
    this.deliveries.wake(recorded.planned);
    for (const file of recorded.orphanedFiles) await this.files.remove(file);
    const { eventId, duplicate } = recorded;
    this.logger.debug('event received', { eventId, source: source.name, type: received.event.type, duplicate });
    return { eventId, duplicate };
  }

  /** The event, what it changes and whom it tells, all or nothing. The unique key makes one of many copies the first. */
  private async record(
    tx: Transaction,
    source: Config['sources'][number],
    { sourceEventId, event }: ReceivedEvent,
    bodyHash: string,
  ): Promise<Recorded> {
    const now = this.clock.now();
    const row: Event = {
      id: newId('evt', now),
      source: source.name,
      sourceEventId,
      bodyHash,
      type: event.type,
      sourceTicketId: event.data.ticket.id,
      occurredAt: event.timestamp,
      receivedAt: now,
    };
    await tx.createQueryBuilder().insert().into(Event).values(row).orIgnore().execute();
    const kept = await tx.findOneByOrFail(Event, { source: source.name, sourceEventId });
    if (kept.bodyHash !== bodyHash)
      throw new PosternError(
        'event-conflict',
        'This webhook-id came before with another body. Give each event an id of its own.',
      );
    if (kept.id !== row.id) return { eventId: kept.id, duplicate: true, planned: [], orphanedFiles: [] };
    const applied = await applyEvent(tx, source.name, event, now);
    const planned = applied ? await this.planner.plan(tx, [{ source, eventId: row.id, event, applied }]) : [];
    return { eventId: row.id, duplicate: false, planned, orphanedFiles: applied?.orphanedFiles ?? [] };
  }
}
