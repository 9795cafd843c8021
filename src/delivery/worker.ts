import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Codes } from '../access/code.js';
import { Config } from '../config.js';
import type { Id } from '../ids.js';
import { domainOf } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import { Database, isDatabaseUnavailable } from '../platform/database/database.js';
import { Grouped } from '../platform/grouped.js';
import { Logger } from '../platform/logger.js';
import { Metrics } from '../platform/metrics.js';
import { Queue } from '../platform/queue/queue.js';
import type { Delivery } from './delivery.entity.js';
import { signsOf, type Sign } from './breaker.js';
import { DeliveryRows, ended, isSuspect, type Admitted, type Tried, type Verdict } from './delivery-rows.js';
import { Dispatcher } from '../platform/dispatcher.js';
import { Guard } from './guard.js';
import { MailRenderer } from './mail-renderer.js';
import { DeliveryWords } from './words.js';
import type { Mail, Transport, TransportOutcome } from './transports/transport.js';
import { isEnd, type DeliveryState } from './states.js';
import { openTransports } from './transports/transports.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/**
 * Waits before the next try, by how old the mail is: the first whose end is not past. Greylisting passes at the second
 * or third (RFC 6647 2.6). A code is worth nothing after ten minutes, so it is tried often.
 */
const RETRY_AFTER_MS = {
  mail: [30 * SECOND, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR],
  codes: [5 * SECOND, 10 * SECOND, 20 * SECOND, 30 * SECOND, MINUTE],
};
const JITTER = 0.2;
/** RFC 5321 4.5.4.1 wants four to five days. */
const GIVE_UP_AFTER_MS = 4 * 24 * HOUR;
/** How long a verdict waits for a database that is away before it is written again: the mail is sent, only we know it. */
const RECORD_AGAIN_MS = 250;
/** Codes have connections of their own, so that no pile of notifications is in front of them. */
export const lanes = {
  codes: { connections: 4, batchSize: 10, concurrency: 2, mostHeld: 40 },
  mail: { connections: 20, batchSize: 50, concurrency: 2, mostHeld: 300 },
} as const;
/**
 * Mails rendered and being written down as submitting, for each connection: the more of them, the more go into one
 * transaction. With 2 a transaction of Postgres held 6 mails; with 8 there are 25 in it, at half the cost of a mail.
 * SQLite's own writers commit together anyway.
 */
const UNDER_WAY_PER_CONNECTION = { postgres: 8, sqlite: 2 };
type LaneName = keyof typeof lanes;

/** What the log says of a verdict. A worker never leaves a mail in one of the last three states. */
const TOLD = {
  sent: ['debug', 'mail sent'],
  failed: ['error', 'a mail failed for good'],
  parked: ['error', 'a mail is parked: somebody has to look at it'],
  deferred: ['warn', 'a mail was not taken; trying again'],
  uncertain: ['warn', 'the answer to a mail was lost, and it may have arrived; the same transport is tried again'],
  expired: ['info', 'a code grew too old before its mail could leave; it is not sent'],
  cancelled: ['info', 'a mail is no longer needed'],
  suppressed: ['info', 'a mail is not sent: its address is suppressed'],
  queued: ['debug', 'a mail waits for its turn'],
  leased: ['debug', 'a mail is taken'],
  submitting: ['debug', 'a mail is handed over'],
  bounced: ['info', 'a mail came back'],
} as const satisfies Record<DeliveryState, readonly [level: string, message: string]>;
const HELD_BACK = ['debug', 'a mail is held back: its source is paused, or its domain or transport is spared'] as const;

/** A mail ready to go, and by which ways. */
interface Job extends Admitted {
  mail: Mail;
  /** A code mail must not leave after that. */
  expiresAt: number;
}

/** What a lane has under way. */
class Lane {
  readonly underWay = new Set<Promise<void>>();
  /** Places of those that are rendered and written down as submitting, and among them of those that are on the wire. */
  readonly places: Dispatcher;
  readonly connections: Dispatcher;

  constructor(
    readonly name: LaneName,
    readonly transports: Transport[],
    database: Database['kind'],
  ) {
    this.places = new Dispatcher(lanes[name].connections * UNDER_WAY_PER_CONNECTION[database]);
    this.connections = new Dispatcher(lanes[name].connections);
  }

  track(work: Promise<void>): void {
    const tracked = work.finally(() => this.underWay.delete(tracked));
    this.underWay.add(tracked);
  }

  /** Waits for all that is under way; false if nothing was. */
  async settle(): Promise<boolean> {
    const had = this.underWay.size > 0;
    while (this.underWay.size > 0) await Promise.all(this.underWay);
    return had;
  }

  /** A slow mail keeps its place among the held, not its whole batch. */
  async untilRoom(): Promise<void> {
    while (this.underWay.size > lanes[this.name].mostHeld - lanes[this.name].batchSize)
      await Promise.race(this.underWay);
  }
}

/** Takes due deliveries, renders, hands them over, records what it knows. */
@Injectable()
export class DeliveryWorker implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly lanes: Lane[] = [];
  /** What this process holds the lease of. */
  private readonly held = new Map<string, Delivery>();
  private readonly marks: Grouped<Delivery, boolean>;
  private readonly records: Grouped<Verdict, Verdict>;
  private heartbeat: NodeJS.Timeout | null = null;

  constructor(
    private readonly config: Config,
    private readonly queue: Queue,
    private readonly clock: Clock,
    private readonly database: Database,
    private readonly rows: DeliveryRows,
    private readonly guard: Guard,
    private readonly codes: Codes,
    private readonly words: DeliveryWords,
    private readonly renderer: MailRenderer,
    private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {
    const limits = { most: 100, atOnce: database.kind === 'postgres' ? 2 : 1, concernsAll: isDatabaseUnavailable };
    this.marks = new Grouped({
      ...limits,
      work: async (deliveries) => {
        const ours = await this.rows.markSubmitting(deliveries);
        return deliveries.map(({ id }) => ours.has(id));
      },
    });
    this.records = new Grouped({
      ...limits,
      work: async (verdicts) => {
        await this.rows.record(verdicts);
        return verdicts;
      },
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.config.roles.worker) return;
    for (const name of Object.keys(lanes) as LaneName[]) {
      const lane = new Lane(name, await openTransports(this.config.mail, lanes[name].connections), this.database.kind);
      this.lanes.push(lane);
      this.queue.consume(name, {
        ...lanes[name],
        handle: (ids) => this.deliver(lane, ids as Id<'dlv'>[]),
        settle: () => lane.settle(),
        due: (limit) => this.due(name, limit),
      });
    }
    this.heartbeat = setInterval(() => void this.extendLeases(), (this.config.leaseSeconds * SECOND) / 3);
  }

  onApplicationShutdown(): void {
    if (this.heartbeat) clearInterval(this.heartbeat);
    for (const { transports } of this.lanes) for (const transport of transports) transport.close();
  }

  private async due(lane: LaneName, limit: number): Promise<string[]> {
    if (lane === 'codes') await this.codes.wipeExpired();
    // What is held is not due, whatever a clock that jumped says of its lease.
    return (await this.rows.due(lane, limit)).filter((id) => !this.held.has(id));
  }

  /** Claims a batch and sets each of its mails on its way; does not wait until the last one arrived. */
  private async deliver(lane: Lane, ids: Id<'dlv'>[]): Promise<void> {
    await lane.untilRoom();
    const { admitted, verdicts } = await this.rows.claim(ids, (tx, claimed) =>
      this.guard.judge(tx, lane.transports, claimed),
    );
    for (const verdict of verdicts) this.tell(verdict);
    const seenOff = admitted.map((one) => {
      this.held.set(one.delivery.id, one.delivery);
      return this.seeOff(lane, one);
    });
    for (const one of seenOff) lane.track(one);
    const isNextOneFree = [...admitted, ...verdicts].some(({ delivery }) => isSuspect(delivery));
    // Without this the next of many would wait for the next sweep, and so a second each.
    if (isNextOneFree) lane.track(Promise.all(seenOff).then(() => this.queue.add(lane.name, ids)));
  }

  /** One mail, from its lease to the verdict in its row. */
  private async seeOff(lane: Lane, admitted: Admitted): Promise<void> {
    const { id } = admitted.delivery;
    try {
      // Rendered once it has a place: what is only held costs the memory of its row, not that of its mail.
      const verdict = await lane.places.run(domainOf(admitted.delivery.recipient), async () => {
        const prepared = await this.prepare(admitted);
        return 'mail' in prepared ? this.submit(lane, prepared) : prepared;
      });
      if (verdict) await this.record(verdict);
    } catch (error) {
      this.logger.error('a delivery was left in the middle; it is taken up again when its lease has ended', {
        id,
        error,
      });
    } finally {
      this.held.delete(id);
    }
  }

  /** The finished mail, or why there is none any more. */
  private async prepare(admitted: Admitted): Promise<Job | Verdict> {
    const { delivery } = admitted;
    const { challengeId } = delivery;
    const code = challengeId === null ? null : await this.codes.forMail(challengeId);
    if (challengeId !== null && code === null) return ended(delivery, 'expired');
    const startedAt = this.clock.now();
    try {
      const words = await this.words.of(delivery);
      const brand = await this.renderer.brandOf(delivery);
      const mail = this.renderer.render(delivery, code, words, brand);
      return { ...admitted, mail, expiresAt: code?.expiresAt ?? Infinity };
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error; // it knows the words and the look of the first try
      // One mail that cannot be rendered must not hold up the others; it is kept for a person to look at.
      this.logger.error('a mail could not be rendered and is parked', {
        id: delivery.id,
        template: delivery.templateKey,
        error,
      });
      const detail = `not rendered: ${(error as Error).message}`;
      return ended(delivery, 'parked', [{ transport: 'none', outcome: 'rejected', detail, startedAt }]);
    }
  }

  /** Tries the transports in their order until one can. Null if somebody else has taken the mail over. */
  private async submit(lane: Lane, { delivery, transports, mail, expiresAt }: Job): Promise<Verdict | null> {
    const tried: Tried[] = [];
    const signs: Sign[] = [];
    const domain = domainOf(delivery.recipient);
    let outcome: TransportOutcome | null = null;
    for (const transport of transports) {
      delivery.transport = transport.name;
      if (!(await this.marks.add(delivery))) return null;
      let startedAt = 0;
      outcome = await lane.connections.run(domain, async () => {
        startedAt = this.clock.now();
        return expiresAt <= startedAt ? null : transport.send(mail);
      });
      if (outcome === null) return ended(delivery, 'expired', tried, signs);
      tried.push({ transport: transport.name, outcome: outcome.outcome, detail: outcome.detail, startedAt });
      signs.push(...signsOf({ to: mail.to, transport: transport.name }, outcome));
      // Only what certainly was not taken may go another way.
      if (outcome.outcome !== 'deferred' || outcome.scope !== 'transport') break;
    }
    // The guard lets nothing through that has no way.
    return this.judge(lane, delivery, outcome!, tried, signs);
  }

  private judge({ name }: Lane, delivery: Delivery, outcome: TransportOutcome, tried: Tried[], signs: Sign[]): Verdict {
    const now = this.clock.now();
    if (outcome.outcome === 'accepted')
      return { ...ended(delivery, 'sent', tried, signs), providerId: outcome.providerId };
    const age = now - delivery.dueAt;
    if (outcome.outcome === 'rejected' || age >= GIVE_UP_AFTER_MS) return ended(delivery, 'failed', tried, signs);
    const asked = outcome.outcome === 'deferred' ? (outcome.retryAfterSeconds ?? 0) * SECOND : 0;
    const nextAttemptAt = now + Math.max(asked, waitAt(age, name));
    return { delivery, state: outcome.outcome, tried, signs, nextAttemptAt };
  }

  /** Until it is written: while the database is away the mail is sent all the same, and only this process knows it. */
  private async record(verdict: Verdict): Promise<void> {
    for (;;) {
      try {
        await this.records.add(verdict);
        return this.tell(verdict);
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RECORD_AGAIN_MS));
      }
    }
  }

  private async extendLeases(): Promise<void> {
    const held = [...this.held.values()];
    if (held.length === 0) return;
    try {
      await this.rows.extend(held);
    } catch (error) {
      this.logger.warn('leases could not be extended; mails may be sent twice if this goes on', { error });
    }
  }

  private tell({ delivery: { id, lane, templateKey, attempts }, state, tried }: Verdict): void {
    for (const { transport, outcome } of tried) this.metrics.attempts.inc({ transport, outcome });
    this.metrics.deliveries.inc({ lane, state });
    const fields = { id, template: templateKey, attempt: attempts, state, detail: tried.at(-1)?.detail };
    const isHeldBack = tried.length === 0 && !isEnd(state);
    const [level, message] = isHeldBack ? HELD_BACK : TOLD[state];
    this.logger[level](message, fields);
  }
}

function waitAt(ageMs: number, lane: LaneName): number {
  const waits = RETRY_AFTER_MS[lane];
  let end = 0;
  const wait = waits.find((one) => (end += one) > ageMs) ?? waits.at(-1)!;
  return Math.ceil(wait * (1 + JITTER * Math.random()));
}
