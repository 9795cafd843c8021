import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { IsNull } from 'typeorm';
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
/** Events that are asked about at once: three of one source, two of one whose API is slow. */
const PLACES = 4;
/** Of one source, in memory; the others of it stay in the database. */
const MOST_IN_LINE = 100;
/** Rows that are put in line at once. */
const CONCURRENCY = 16;
/** How long a source whose API fails for all is left alone: longer with each failure. */
const HELD_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE];
/** An event that ended as many processes while it was asked about is asked about no more. */
const DEATHS_TO_QUARANTINE = 3;

/** A source whose API does not answer at all, or refuses the credential: it is tried with one event, the others wait. */
interface Hold {
  failures: number;
  until: number;
  isTried: boolean;
}

/** Asks the ticket systems for what their webhooks leave out, and lets an event count once it is whole. */
@Injectable()
export class Enricher implements OnApplicationBootstrap {
  private readonly places = new Dispatcher(PLACES);
  private readonly suspects = new Dispatcher(1);
  /** In line or under way, by source. Those in line are not claimed: no lease runs out there. */
  private readonly lines = new Map<string, Map<string, Promise<void>>>();
  private readonly held = new Map<string, Hold>();
  private isStopping = false;

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
      settle: () => this.settle(),
      stop: () => void (this.isStopping = true),
      due: () => this.due(),
    });
  }

  /** Of each source the first that are due, in turn: nobody's backlog hides another's events. */
  private async due(): Promise<string[]> {
    const full = [...this.lines].filter(([, line]) => line.size >= MOST_IN_LINE).map(([source]) => source);
    const held = [...this.held.keys()].filter((source) => this.isHeld(source));
    const rows = await this.database.read((manager) =>
      run<{ id: string }>(
        manager,
        `SELECT id FROM (
           SELECT id, ROW_NUMBER() OVER (PARTITION BY source ORDER BY next_attempt_at, id) AS place FROM waiting_events
           WHERE ended_at IS NULL AND next_attempt_at <= ? AND NOT (source IN ?)
         ) AS due WHERE place <= ${MOST_IN_LINE} ORDER BY place, id`,
        [this.clock.now(), [...full, ...held]],
      ),
    );
    // Those in line are due until their turn comes.
    const inLine = new Set([...this.lines.values()].flatMap((line) => [...line.keys()]));
    return rows.flatMap(({ id }) => (inLine.has(id) ? [] : [id]));
  }

  /**
   * Behind those of its source; what has no room there is found again by a look for what is due. What a worker ended over
   * goes one after the other: what ends the next one takes no innocent events along.
   */
  private async lineUp(id: Id<'evt'>): Promise<void> {
    const waiting = await this.database.read((manager) => manager.findOneBy(WaitingEvent, { id }));
    if (waiting === null) return;
    const { source, leasedAt } = waiting;
    const line = this.lines.get(source) ?? new Map<string, Promise<void>>();
    if (line.has(id) || line.size >= MOST_IN_LINE || this.isHeld(source)) return;
    this.lines.set(source, line);
    const places = leasedAt === null ? this.places : this.suspects;
    const work = places
      .run(source, () => this.askInTurn(id, source))
      // The row stays due or leased in the database, and a look for what is due brings it back.
      .catch((error: unknown) => this.logger.error('work failed and will be taken up again', { id, source, error }))
      .finally(() => line.delete(id));
    line.set(id, work);
  }

  private async settle(): Promise<boolean> {
    const underWay = [...this.lines.values()].flatMap((line) => [...line.values()]);
    await Promise.all(underWay);
    return underWay.length > 0;
  }

  private isHeld(source: string): boolean {
    const hold = this.held.get(source);
    return hold !== undefined && (hold.isTried || hold.until > this.clock.now());
  }

  private async askInTurn(id: Id<'evt'>, source: string): Promise<void> {
    if (this.isStopping || this.isHeld(source)) return;
    const hold = this.held.get(source);
    if (hold) hold.isTried = true;
    try {
      await this.enrich(id);
    } finally {
      if (hold) hold.isTried = false;
    }
  }

  private holdOrRelease(source: string, completed: Completed): void {
    if (completed.ok || !completed.concernsAll) return void this.held.delete(source);
    const now = this.clock.now();
    const before = this.held.get(source);
    // Of several that were asked at once it is one failure.
    if (before && before.until > now) return;
    const failures = (before?.failures ?? 0) + 1;
    const until = now + HELD_MS[Math.min(failures, HELD_MS.length) - 1]!;
    this.held.set(source, { failures, until, isTried: false });
  }

  private async enrich(id: Id<'evt'>): Promise<void> {
    const waiting = await this.claim(id);
    if (waiting === null) return;
    if (waiting.deaths >= DEATHS_TO_QUARANTINE) return this.quarantine(waiting);
    const source = sourceNamed(this.config.sources, waiting.source);
    const missing = this.intake.missingOf(waiting);
    const completed = await this.complete(missing, source);
    this.holdOrRelease(waiting.source, completed);
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
