import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { IsNull, LessThanOrEqual } from 'typeorm';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import type { TicketEvent } from '../events.js';
import type { Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { asEntities, run } from '../platform/database/rows.js';
import { Dispatcher } from '../platform/dispatcher.js';
import { Queue } from '../platform/queue/queue.js';
import { sourceNamed, type Source } from '../sources.js';
import { Event } from './event.entity.js';
import { Intake, type Missing } from './intake.js';
import { SourceApis } from './source-api.js';
import type { Completed, NativeEvent } from './sources/adapter.js';
import { adapters } from './sources/adapters.js';
import { completedOf } from './sources/read.js';
import { WaitingEvent } from './waiting-event.entity.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Waits before each further question: some two days in all, over a long weekend's outage of the ticket system. */
const RETRY_AFTER_MS = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  HOUR,
  3 * HOUR,
  8 * HOUR,
  12 * HOUR,
  24 * HOUR,
];
const LONGEST_RETRY_AFTER_MS = 24 * HOUR;
/** Longer than the questions of one event may take (15 s each), so that nobody asks them beside us. */
const LEASE_MS = 60 * SECOND;
const CONCURRENCY = 4;
/** An event that ended as many processes while it was asked about is asked about no more. */
const DEATHS_TO_QUARANTINE = 3;

/** Asks the ticket systems for what their webhooks leave out, and lets an event count once it is whole. */
@Injectable()
export class Enricher implements OnApplicationBootstrap {
  private readonly suspects = new Dispatcher(1);

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: Queue,
    private readonly intake: Intake,
    private readonly apis: SourceApis,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.config.roles.worker) return;
    this.queue.consume('lookups', {
      batchSize: 1,
      concurrency: CONCURRENCY,
      handle: ([id]) => this.lineUp(id as Id<'evt'>),
      due: (limit) => this.due(limit),
    });
  }

  private async due(limit: number): Promise<string[]> {
    const rows = await this.database.read((manager) =>
      manager.find(WaitingEvent, {
        select: { id: true },
        where: { endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
        order: { nextAttemptAt: 'ASC', id: 'ASC' },
        take: limit,
      }),
    );
    return rows.map(({ id }) => id);
  }

  /** What a worker ended over goes one after the other: what ends the next one takes no innocent events along. */
  private async lineUp(id: Id<'evt'>): Promise<void> {
    const waiting = await this.database.read((manager) => manager.findOneBy(WaitingEvent, { id }));
    if (waiting === null) return;
    if (waiting.leasedAt === null) await this.enrich(id);
    else await this.suspects.run(waiting.source, () => this.enrich(id));
  }

  private async enrich(id: Id<'evt'>): Promise<void> {
    const waiting = await this.claim(id);
    if (waiting === null) return;
    if (waiting.deaths >= DEATHS_TO_QUARANTINE) return this.quarantine(waiting);
    const source = sourceNamed(this.config.sources, waiting.source);
    const missing = this.intake.missingOf(waiting);
    const completed = await this.complete(missing, source);
    if (!completed.ok) return this.record(waiting, completed);
    const checked = this.check(completed.native, source!);
    if (checked.ok) await this.intake.complete(source!, id, checked.event, missing!);
    else await this.record(waiting, checked);
  }

  /**
   * Takes the event for the length of a lease; null if another worker did, or it is not due. A lease that ran out is a
   * death, counted before anything is asked again.
   */
  private claim(id: Id<'evt'>): Promise<WaitingEvent | null> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const taken = await run(
        tx,
        `UPDATE waiting_events SET deaths = deaths + CASE WHEN leased_at IS NULL THEN 0 ELSE 1 END, leased_at = ?,
         next_attempt_at = ? WHERE id = ? AND ended_at IS NULL AND next_attempt_at <= ? RETURNING *`,
        [now, now + LEASE_MS, id, now],
      );
      return asEntities(tx, WaitingEvent, taken)[0] ?? null;
    });
  }

  private async quarantine({ id, source, deaths, nextAttemptAt }: WaitingEvent): Promise<void> {
    const outcome = `${deaths} workers ended while they asked about it`;
    const isParked = await this.end({ id, nextAttemptAt }, { outcome, endedAt: this.clock.now() });
    if (isParked)
      this.logger.error(`an event is parked: ${outcome}, and nobody is told; to ask again, ${againBy(id)}`, {
        id,
        source,
      });
  }

  /** Ends the lease, if it still stands: its end is also its name. What ends for good is told to nobody. */
  private end(
    { id, nextAttemptAt }: Pick<WaitingEvent, 'id' | 'nextAttemptAt'>,
    changes: Partial<WaitingEvent>,
  ): Promise<boolean> {
    return this.database.write(async (tx) => {
      const held = { id, endedAt: IsNull(), nextAttemptAt };
      const { affected } = await tx.update(WaitingEvent, held, { ...changes, leasedAt: null });
      if (affected === 1 && changes.endedAt) await tx.update(Event, { id }, { untold: 'look-up-failed' });
      return affected === 1;
    });
  }

  private async complete(missing: Missing | null, source: Source | undefined): Promise<Completed> {
    const { complete } = source ? adapters[source.adapter] : {};
    const api = source ? this.apis.of(source, this.clock.now()) : null;
    if (!missing) return { ok: false, reason: 'refused', detail: 'its key is no longer among SECRET_KEYS' };
    if (!complete || !api) return { ok: false, reason: 'refused', detail: 'the source has no api in the settings' };
    return complete(missing.native, missing.lookUp, api);
  }

  /** The whole event, or why it is none. */
  private check(
    native: NativeEvent,
    source: Source,
  ): { ok: true; event: TicketEvent } | Exclude<Completed, { ok: true }> {
    try {
      return { ok: true, event: completedOf(native, adapters[source.adapter]) };
    } catch (error) {
      if (!(error instanceof PosternError)) throw error;
      const places = (error.extra.errors ?? []).map(({ pointer }) => pointer);
      // An address that no mail can carry: asking again would not change it. All else waits for a person in the end.
      if (places.includes('/data/requester/email')) return { ok: false, reason: 'ignored', detail: 'no-address' };
      return {
        ok: false,
        reason: 'unavailable',
        detail: `what it said does not fit: ${places.join(', ')}`.slice(0, 200),
      };
    }
  }

  private async record(waiting: WaitingEvent, outcome: Exclude<Completed, { ok: true }>): Promise<void> {
    const { id, source } = waiting;
    const { reason, detail, retryAfterMs = 0 } = outcome;
    if (reason === 'ignored') {
      await this.database.write(async (tx) => {
        const { affected } = await tx.delete(WaitingEvent, { id });
        const untold = detail === 'internal' ? 'internal' : 'no-address';
        if (affected === 1) await tx.update(Event, { id }, { untold });
      });
      return this.logger.info('event ignored', { id, source, reason: detail });
    }
    const now = this.clock.now();
    const wait = RETRY_AFTER_MS[waiting.attempts];
    const isOurs = await this.end(waiting, {
      attempts: waiting.attempts + 1,
      deaths: 0,
      outcome: detail,
      ...(wait === undefined
        ? { endedAt: now }
        : { nextAttemptAt: now + Math.max(wait, Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS)) }),
    });
    if (!isOurs) return;
    const fields = { id, source, attempt: waiting.attempts + 1, outcome: detail };
    if (wait === undefined)
      this.logger.error(
        `an event is parked: its source did not say who the ticket belongs to, and nobody is told; mend the source's api, then ${againBy(id)}`,
        fields,
      );
    else if (reason === 'refused')
      this.logger.error(
        'a source refuses to say who a ticket belongs to: check its api in the sources; asking again',
        fields,
      );
    else this.logger.warn('a source did not answer who a ticket belongs to; asking again', fields);
  }
}

const againBy = (id: string) => `POST /v1/admin/events/${id}/retry`;
