import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { In, IsNull, LessThanOrEqual } from 'typeorm';
import { Codes } from '../access/code.js';
import { Config } from '../config.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger, scrub } from '../platform/logger.js';
import { Queue } from '../platform/queue/queue.js';
import { whoTakesPart, type Access } from '../tickets/conversation.js';
import { Attempt, Delivery } from './delivery.entity.js';
import { MailRenderer, type CodeForMail } from './mail-renderer.js';
import { isEnd, type DeliveryState } from './states.js';
import type { Mail, Transport, TransportOutcome } from './transports/transport.js';
import { openTransports } from './transports/transports.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Waits before each further try; the last one repeats. Greylisting passes at the second or third (RFC 6647 2.6). */
const RETRY_AFTER_MS = [30 * SECOND, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR];
const JITTER = 0.2;
/** RFC 5321 4.5.4.1 wants four to five days. */
const GIVE_UP_AFTER_MS = 4 * 24 * HOUR;
const LEASE_MS = 60 * SECOND;
const HEARTBEAT_MS = 20 * SECOND;
/** Codes have connections of their own, so that no pile of notifications is in front of them. */
const lanes = {
  codes: { connections: 2, batchSize: 2, concurrency: 4 },
  mail: { connections: 10, batchSize: 10, concurrency: 2 },
} as const;
type MailLane = keyof typeof lanes;

type Verdict = { delivery: Delivery; state: DeliveryState; startedAt: number; outcome: TransportOutcome | null };

/** Takes due deliveries, renders, hands them over, records what it knows. */
@Injectable()
export class DeliveryWorker implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly transports = new Map<MailLane, Transport>();

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: Queue,
    private readonly clock: Clock,
    private readonly codes: Codes,
    private readonly renderer: MailRenderer,
    private readonly logger: Logger,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.config.roles.worker) return;
    for (const lane of Object.keys(lanes) as MailLane[]) {
      const [transport] = await openTransports(this.config.mail.transports, lanes[lane].connections);
      if (!transport) return;
      this.transports.set(lane, transport);
      this.queue.consume(lane, {
        ...lanes[lane],
        handle: (ids) => this.deliver(lane, ids as Id<'dlv'>[]),
        due: (limit) => this.due(lane, limit),
      });
    }
  }

  onApplicationShutdown(): void {
    for (const transport of this.transports.values()) transport.close();
  }

  private async due(lane: MailLane, limit: number): Promise<string[]> {
    if (lane === 'codes') await this.codes.wipeExpired();
    const rows = await this.database.read((manager) =>
      manager.find(Delivery, {
        select: { id: true },
        where: { lane, endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
        order: { nextAttemptAt: 'ASC', id: 'ASC' },
        take: limit,
      }),
    );
    return rows.map(({ id }) => id);
  }

  private async deliver(lane: MailLane, ids: Id<'dlv'>[]): Promise<void> {
    const leased = await this.claim(ids);
    if (leased.length === 0) return;
    const heartbeat = setInterval(() => void this.extend(leased), HEARTBEAT_MS);
    try {
      const takesPart = await this.database.read((manager) => whoTakesPart(manager, leased.map(accessOf)));
      const prepared = await Promise.all(
        leased.map((delivery) => this.prepare(delivery, takesPart(accessOf(delivery)))),
      );
      const mails = prepared.flatMap((one) => ('mail' in one ? [one] : []));
      if (mails.length > 0) await this.markSubmitting(mails.map(({ delivery }) => delivery));
      const submitted = mails.map(({ delivery, mail }) => this.submit(lane, delivery, mail));
      const refused = prepared.flatMap((one) => ('state' in one ? [one] : []));
      await this.record([...refused, ...(await Promise.all(submitted))]);
    } finally {
      clearInterval(heartbeat);
    }
  }

  /** Takes what is due and not taken, for the length of a lease. */
  private claim(ids: Id<'dlv'>[]): Promise<Delivery[]> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const due = { id: In(ids), endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(now) };
      const rows = await tx.find(Delivery, { where: due, order: { id: 'ASC' }, lock: this.database.claimLock });
      const lease = { state: 'leased' as const, nextAttemptAt: now + LEASE_MS };
      if (rows.length > 0)
        await tx.update(Delivery, { id: In(rows.map(({ id }) => id)) }, { ...lease, attempts: () => 'attempts + 1' });
      return rows.map((row) => ({ ...row, ...lease, attempts: row.attempts + 1 }));
    });
  }

  private async extend(leased: Delivery[]): Promise<void> {
    const until = this.clock.now() + LEASE_MS;
    const ids = leased.map(({ id }) => id);
    try {
      await this.database.write((tx) =>
        tx.update(Delivery, { id: In(ids), endedAt: IsNull() }, { nextAttemptAt: until }),
      );
    } catch (error) {
      this.logger.warn('a lease could not be extended; the mail may be sent twice if this goes on', { error });
    }
  }

  /** The finished mail, or why there is none any more. */
  private async prepare(delivery: Delivery, isWanted: boolean): Promise<{ delivery: Delivery; mail: Mail } | Verdict> {
    const startedAt = this.clock.now();
    const end = (state: DeliveryState): Verdict => ({ delivery, state, startedAt, outcome: null });
    const { challengeId } = delivery;
    if (!isWanted) return end('cancelled');
    let code: CodeForMail | null = null;
    if (challengeId !== null) {
      code = await this.codes.forMail(challengeId);
      if (code === null) return end('expired');
    }
    try {
      return { delivery, mail: await this.renderer.render(delivery, code) };
    } catch (error) {
      // One mail that cannot be rendered must not hold up the others; it is kept for a person to look at.
      this.logger.error('a mail could not be rendered and is parked', {
        id: delivery.id,
        template: delivery.templateKey,
        error,
      });
      return {
        ...end('parked'),
        outcome: { outcome: 'rejected', detail: `not rendered: ${(error as Error).message}` },
      };
    }
  }

  /** Durable before the network call: after a crash it is known that the mail may have left. */
  private async markSubmitting(deliveries: Delivery[]): Promise<void> {
    const ids = deliveries.map(({ id }) => id);
    await this.database.write((tx) => tx.update(Delivery, { id: In(ids), state: 'leased' }, { state: 'submitting' }));
  }

  private async submit(lane: MailLane, delivery: Delivery, mail: Mail): Promise<Verdict> {
    const startedAt = this.clock.now();
    const outcome = await this.transports.get(lane)!.send(mail);
    return { delivery, state: this.stateAfter(outcome, delivery), startedAt, outcome };
  }

  private stateAfter({ outcome }: TransportOutcome, { createdAt }: Delivery): DeliveryState {
    if (outcome === 'accepted') return 'sent';
    if (outcome === 'rejected' || this.clock.now() - createdAt >= GIVE_UP_AFTER_MS) return 'failed';
    return outcome;
  }

  private async record(verdicts: Verdict[]): Promise<void> {
    const endedAt = this.clock.now();
    const attempts = verdicts.map((verdict) => attemptOf(verdict, endedAt));
    const [sent, others] = [verdicts.filter(isSent), verdicts.filter((verdict) => !isSent(verdict))];
    await this.database.write(async (tx) => {
      await tx.insert(Attempt, attempts);
      // Most of a batch ends alike: one statement for them.
      const ids = sent.map(({ delivery }) => delivery.id);
      if (ids.length > 0) await tx.update(Delivery, { id: In(ids), endedAt: IsNull() }, { state: 'sent', endedAt });
      for (const { delivery, state } of others) {
        const next = isEnd(state) ? { endedAt } : { nextAttemptAt: endedAt + waitBefore(delivery.attempts) };
        await tx.update(Delivery, { id: delivery.id, endedAt: IsNull() }, { state, ...next });
      }
      for (const { delivery, state } of verdicts)
        if (isEnd(state) && delivery.challengeId !== null) await this.codes.wipe(tx, delivery.challengeId);
    });
    for (const { delivery, state, outcome } of verdicts) this.tell(delivery, state, outcome);
  }

  private tell({ id, templateKey, attempts }: Delivery, state: DeliveryState, outcome: TransportOutcome | null): void {
    const fields = { id, template: templateKey, attempt: attempts, state, detail: outcome?.detail };
    if (state === 'sent') this.logger.debug('mail sent', fields);
    else if (state === 'failed') this.logger.error('a mail failed for good', fields);
    else if (outcome) this.logger.warn('a mail was not taken; trying again', fields);
    else this.logger.info('a mail is no longer needed', fields);
  }
}

function accessOf({ ticketId, participantId, inputs }: Delivery): Access {
  return { ticketId, participantId, generation: inputs.generation };
}

function isSent({ state }: Verdict): boolean {
  return state === 'sent';
}

function attemptOf({ delivery, state, startedAt, outcome }: Verdict, endedAt: number): Attempt {
  return {
    id: newId('atm', endedAt),
    deliveryId: delivery.id,
    number: delivery.attempts,
    transport: outcome ? 'smtp' : 'none',
    outcome: outcome?.outcome ?? state,
    detail: scrub(outcome?.detail ?? ''),
    startedAt,
    endedAt,
  };
}

function waitBefore(attempts: number): number {
  const wait = RETRY_AFTER_MS[Math.min(attempts, RETRY_AFTER_MS.length) - 1] ?? RETRY_AFTER_MS[0]!;
  return Math.ceil(wait * (1 + JITTER * Math.random()));
}
