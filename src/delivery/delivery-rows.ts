import { Injectable } from '@nestjs/common';
import { Codes } from '../access/code.js';
import { Config } from '../config.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { asEntities, insertRows, run, updateRows } from '../platform/database/rows.js';
import { scrub } from '../platform/logger.js';
import { Renditions } from '../templates/renditions.js';
import { Attempt, Delivery } from './delivery.entity.js';
import { recordSigns, type Sign } from './breaker.js';
import { Receipts, type Turn } from './receipts.js';
import { isEnd, statesBefore, type DeliveryState, type EndState } from './states.js';
import type { Transport } from './transports/transport.js';

/** A worker that died this often over the same mail died of it. */
const DEATHS_TO_QUARANTINE = 3;

/** One try of one transport, as it went. */
export interface Tried {
  transport: string;
  outcome: string;
  detail: string;
  startedAt: number;
}

/** What became of a claimed delivery, to be written. */
export interface Verdict {
  delivery: Delivery;
  state: DeliveryState;
  tried: Tried[];
  /** What the tries say about domains and transports. */
  signs: Sign[];
  /** For a state that is none of the ends. */
  nextAttemptAt: number;
  providerId?: string;
}

/** A delivery that may go ahead, and by which transports, in their order. */
export interface Admitted {
  delivery: Delivery;
  transports: Transport[];
}

/** What becomes of claimed deliveries before anything is rendered. */
export interface Judged {
  admitted: Admitted[];
  verdicts: Verdict[];
  /** Those that tell of less than when they were planned: kept so, for every try has the same bytes. */
  shrunk: Delivery[];
}

/**
 * An earlier mail of the same ticket to the same person that has not ended: news of one ticket leave in order. Ids of
 * one planner sort by time, and the planner of a ticket is one at a time.
 */
const BEHIND_ANOTHER = `EXISTS (SELECT 1 FROM deliveries earlier WHERE earlier.ticket_id = waiting.ticket_id
  AND earlier.participant_id = waiting.participant_id AND earlier.id < waiting.id AND earlier.challenge_id IS NULL
  AND earlier.ended_at IS NULL)`;
const IS_FIRST = `(waiting.challenge_id IS NOT NULL OR NOT ${BEHIND_ANOTHER})`;

/**
 * The rows of the deliveries as workers share them. Who holds one is told by its id and `attempts`, which each claim
 * raises: whatever a worker writes after somebody else took the row over changes nothing. Every statement names the
 * states it may come from, as `states.ts` draws them.
 */
@Injectable()
export class DeliveryRows {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly codes: Codes,
    private readonly renditions: Renditions,
    private readonly receipts: Receipts,
  ) {}

  /** When a lease taken or extended now runs out. */
  leaseEnd(): number {
    return this.clock.now() + this.config.leaseSeconds * 1000;
  }

  /** Ids of what is due in a lane, the longest due first. */
  due(lane: Delivery['lane'], limit: number): Promise<Id<'dlv'>[]> {
    // Sorted by the index's own column and nothing more: a million rows due at once must not be sorted to find the first.
    const text = `SELECT waiting.id AS id FROM deliveries waiting WHERE waiting.lane = ? AND waiting.ended_at IS NULL AND waiting.next_attempt_at <= ? AND ${IS_FIRST} ORDER BY waiting.next_attempt_at LIMIT ${limit}`;
    return this.database.read(async (manager) =>
      (await run<{ id: Id<'dlv'> }>(manager, text, [lane, this.clock.now()])).map(({ id }) => id),
    );
  }

  /**
   * Takes what is due of these and nobody holds, and hands it to `judge` in the same transaction. Verdicts of `judge`, and
   * those over rows that ended their workers, are written with it; whatever fails, nothing was taken.
   */
  async claim(
    ids: Id<'dlv'>[],
    judge: (tx: Transaction, claimed: Delivery[]) => Promise<Judged>,
  ): Promise<Pick<Judged, 'admitted' | 'verdicts'>> {
    if (ids.length === 0) return { admitted: [], verdicts: [] };
    const { admitted, verdicts, news } = await this.database.write(async (tx) => {
      const now = this.clock.now();
      const values = [now, this.leaseEnd(), ids, now, ids, now];
      const claimed = asEntities(tx, Delivery, await run(tx, claimText(this.database.kind), values));
      if (claimed.length === 0) return { admitted: [], verdicts: [], news: [] };
      const isFatal = ({ deaths }: Delivery) => deaths >= DEATHS_TO_QUARANTINE;
      const judged = await judge(
        tx,
        claimed.filter((row) => !isFatal(row)),
      );
      const verdicts = [...judged.verdicts, ...claimed.filter(isFatal).map((row) => quarantine(row, now))];
      await updateRows(tx, Delivery, judged.shrunk, {
        by: ['id', 'attempts'],
        set: ['templateKey', 'templateRevision', 'locale', 'localeReason', 'inputs'],
      });
      return { admitted: judged.admitted, verdicts, news: await this.write(tx, verdicts) };
    });
    this.receipts.wake(news);
    return { admitted, verdicts };
  }

  /** Keeps the leases of what is still worked on. Returns the ids of the rows that are still ours. */
  extend(held: Delivery[]): Promise<Set<string>> {
    const until = this.leaseEnd();
    const rows = held.map(({ id, attempts }) => ({ id, attempts, nextAttemptAt: until }));
    const where = `row.state IN ('leased', 'submitting')`;
    return this.database.write((tx) =>
      updateRows(tx, Delivery, rows, { by: ['id', 'attempts'], set: ['nextAttemptAt'], where }),
    );
  }

  /**
   * Durable before the network call: after a crash it is known that the mail may have left, by which transport and in
   * which words. Returns the ids of the rows that are still ours: only those may be sent.
   */
  async markSubmitting(deliveries: readonly Delivery[]): Promise<Set<string>> {
    const rows = deliveries.map(({ id, attempts, transport, ...words }) => ({
      id,
      attempts,
      transport,
      state: 'submitting' as const,
      locale: words.locale,
      localeReason: words.localeReason,
      templateRevision: words.templateRevision,
      revisionFixedAt: words.revisionFixedAt,
    }));
    const revisions = deliveries.map(({ templateRevision }) => templateRevision);
    const { ours, kept } = await this.database.write(async (tx) => {
      const kept = await this.renditions.keep(tx, revisions);
      const ours = await updateRows(tx, Delivery, rows, {
        by: ['id', 'attempts'],
        set: ['state', 'transport', 'locale', 'localeReason', 'templateRevision', 'revisionFixedAt'],
        // A second transport after the first could not: submitting already.
        where: `row.state IN ('leased', 'submitting')`,
      });
      return { ours, kept };
    });
    this.renditions.wereKept(kept);
    return ours;
  }

  /** Writes verdicts and what was tried. A verdict over a row that was taken over meanwhile leaves only its attempts. */
  async record(verdicts: readonly Verdict[]): Promise<void> {
    this.receipts.wake(await this.database.write((tx) => this.write(tx, verdicts)));
  }

  /** Returns the ids of what the sources are to be told of it. */
  private async write(tx: Transaction, verdicts: readonly Verdict[]): Promise<Id<'out'>[]> {
    const endedAt = this.clock.now();
    await insertRows(
      tx,
      Attempt,
      verdicts.flatMap((verdict) => attemptsOf(verdict, endedAt)),
    );
    const turns: Turn[] = [];
    for (const [state, group] of byState(verdicts)) {
      const rows = group.map((verdict) => rowAfter(verdict, endedAt));
      const set = ['state', 'nextAttemptAt', 'endedAt', 'providerId', 'uncertainAt'] as const;
      const where = 'row.state IN ?';
      const changed = await updateRows(tx, Delivery, rows, { by: ['id', 'attempts'], set, where }, [
        statesBefore(state),
      ]);
      turns.push(...group.filter(({ delivery }) => changed.has(delivery.id)).map(turnOf));
    }
    const signs = verdicts.flatMap((verdict) => verdict.signs);
    if (signs.length > 0) await recordSigns(tx, signs, endedAt);
    const spent = verdicts.filter(({ state, delivery }) => isEnd(state) && delivery.challengeId !== null);
    await this.codes.wipe(
      tx,
      spent.map(({ delivery }) => delivery.challengeId!),
    );
    return this.receipts.write(tx, turns);
  }
}

function turnOf({ delivery, state, tried }: Verdict): Turn {
  const last = tried.at(-1);
  return { delivery, state, ...(state === 'failed' && last && { detail: scrub(last.detail) }) };
}

function claimText(kind: Database['kind']): string {
  // Whatever a worker died over is tried one after the other: what ends the next one takes no innocent rows along into
  // quarantine. The least suspect first: what is innocent is gone before that.
  const suspect = `state IN ('leased', 'submitting')`;
  // Said so that no database takes the index of what is due for it, and reads all that waits to find a few ids.
  const dueAt = `CASE WHEN waiting.ended_at IS NULL THEN waiting.next_attempt_at END`;
  const due = `SELECT waiting.id FROM deliveries waiting WHERE waiting.id IN ? AND ${dueAt} <= ? AND ${IS_FIRST} AND (NOT (${suspect})
    OR waiting.id = (SELECT id FROM deliveries WHERE id IN ? AND ${suspect} AND next_attempt_at <= ? ORDER BY deaths, id LIMIT 1))`;
  // Rows that another transaction is taking are its own.
  const free = kind === 'postgres' ? `${due} ORDER BY waiting.id FOR UPDATE SKIP LOCKED` : due;
  // Whoever left it in the middle of the call left no answer either.
  return `UPDATE deliveries SET attempts = attempts + 1,
    deaths = deaths + CASE WHEN state IN ('leased', 'submitting') THEN 1 ELSE 0 END,
    uncertain_at = CASE WHEN state = 'submitting' THEN COALESCE(uncertain_at, ?) ELSE uncertain_at END,
    state = 'leased', next_attempt_at = ?
    WHERE id IN (${free}) RETURNING *`;
}

/** Whether a worker died over a claimed delivery: of such ones a claim takes one, and leaves the others. */
export function isSuspect({ deaths }: Delivery): boolean {
  return deaths > 0;
}

function quarantine(delivery: Delivery, now: number): Verdict {
  const detail = `${delivery.deaths} workers ended while they held it`;
  return ended(delivery, 'parked', [{ transport: 'none', outcome: 'quarantined', detail, startedAt: now }]);
}

/** A verdict that ends a delivery. */
export function ended(delivery: Delivery, state: EndState, tried: Tried[] = [], signs: Sign[] = []): Verdict {
  return { delivery, state, tried, signs, nextAttemptAt: 0 };
}

function byState(verdicts: readonly Verdict[]): Map<DeliveryState, Verdict[]> {
  const groups = new Map<DeliveryState, Verdict[]>();
  for (const verdict of verdicts) groups.set(verdict.state, [...(groups.get(verdict.state) ?? []), verdict]);
  return groups;
}

function rowAfter({ delivery, state, nextAttemptAt, providerId }: Verdict, now: number) {
  const { id, attempts } = delivery;
  const uncertainAt = state === 'uncertain' ? (delivery.uncertainAt ?? now) : delivery.uncertainAt;
  const ended = isEnd(state) ? { nextAttemptAt: now, endedAt: now } : { nextAttemptAt, endedAt: null };
  return { id, attempts, state, uncertainAt, providerId: providerId ?? delivery.providerId, ...ended };
}

/** A verdict without a try is a decision of ours; it is an attempt too if it ended the delivery. */
function attemptsOf({ delivery, state, tried }: Verdict, endedAt: number): Attempt[] {
  const decided = isEnd(state) ? [{ transport: 'none', outcome: state, detail: '', startedAt: endedAt }] : [];
  return (tried.length > 0 ? tried : decided).map(({ transport, outcome, detail, startedAt }) => ({
    id: newId('atm', endedAt),
    deliveryId: delivery.id,
    number: delivery.attempts,
    transport,
    outcome,
    detail: scrub(detail),
    startedAt,
    endedAt,
  }));
}
