import type { EntityManager } from 'typeorm';
import { domainOf } from '../platform/address.js';
import type { Transaction } from '../platform/database/database.js';
import { insertOrLock, run, selectRows, upsertRows } from '../platform/database/rows.js';
import { Breaker } from './breaker.entity.js';
import type { TransportOutcome } from './transports/transport.js';

/**
 * A breaker holds mails back from a domain or a transport that fails again and again, so that they take no connection
 * and no time from the others. It is shared by all processes through its row; a domain in good order has none.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> closed: no row
 *   closed --> closed: failed, fewer than 5 in a row
 *   closed --> open: failed for the 5th time in a row
 *   open --> open: news of a mail that left before it opened
 *   open --> trial: its time is over, one mail of all processes goes ahead
 *   open --> open: its time is over, and a straggler failed
 *   trial --> trial: nothing heard for two minutes, another mail goes ahead
 *   trial --> open: failed, for twice as long as before
 *   closed --> [*]: a mail was taken or refused for good
 *   open --> [*]: the same
 *   trial --> [*]: the same
 * ```
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** One or two may be about a single mailbox; greylisting refuses each new sender once or twice. */
const FAILURES_TO_OPEN = 5;
const FIRST_OPEN_MS = MINUTE;
const LONGEST_OPEN_MS = 30 * MINUTE;
/** A trial that is silent for so long was lost with its worker, or is as slow as what opened the breaker. */
const TRIAL_MS = 2 * MINUTE;
/** Mails that wait for a trial's result look again after this: most results are there within a second. */
const LOOK_AGAIN_MS = 10 * SECOND;

/** What a mail said about a domain or a transport. */
export interface Sign {
  key: string;
  ok: boolean;
}

export function domainKey(address: string): string {
  return `mail:${domainOf(address)}`;
}

export function transportKey(name: string): string {
  return `transport:${name}`;
}

/** What a try's outcome says about the recipient's domain and about the transport. */
export function signsOf({ to, transport }: { to: string; transport: string }, outcome: TransportOutcome): Sign[] {
  const domain = (ok: boolean): Sign => ({ key: domainKey(to), ok });
  const way = (ok: boolean): Sign => ({ key: transportKey(transport), ok });
  if (outcome.outcome === 'accepted' || outcome.outcome === 'rejected') return [domain(true), way(true)];
  // Nobody knows which of the two was too slow: a domain alone soon opens, a transport only if no other mail passes it.
  if (outcome.outcome === 'uncertain') return [domain(false), way(false)];
  if (outcome.scope === 'mail') return [domain(false), way(true)];
  // Whoever says when to come back is well, and busy.
  return outcome.retryAfterSeconds === undefined ? [way(false)] : [];
}

/** Which mails of a batch may go ahead. It belongs to one batch: a trial is given once. */
export class Gate {
  private readonly taken = new Set<string>();

  constructor(
    private readonly until: ReadonlyMap<string, number>,
    private readonly trials: Set<string>,
  ) {}

  /** Null: go ahead. Else the time, in ms since 1970, to look again. Asking may take the one trial: ask for mails that would go. */
  enter(key: string): number | null {
    if (!this.trials.delete(key)) return this.until.get(key) ?? null;
    this.taken.add(key);
    return null;
  }

  /** Whether a mail that was let in may go that way, also as its second: not if it is open and the trial another's. */
  isPassable(key: string): boolean {
    return !this.until.has(key) || this.taken.delete(key);
  }
}

/**
 * Asks for all domains and transports of a batch: one statement, unless the time of one is over and its trial is taken.
 * Of all processes one gets that, if its transaction commits.
 */
export async function askBreakers(tx: Transaction, keys: readonly string[], now: number): Promise<Gate> {
  const rows = await selectRows(tx, Breaker, 'WHERE key IN ? AND open_until IS NOT NULL', [[...new Set(keys)]]);
  const until = new Map(rows.map((row) => [row.key, lookAgainAt(row, now)]));
  const over = rows.filter((row) => row.openUntil! <= now).map(({ key }) => key);
  return new Gate(until, over.length === 0 ? new Set() : await takeTrials(tx, over, now));
}

/** When a mail that must wait looks again: not later than a trial's result may be there. */
function lookAgainAt({ openUntil, trialAt }: Breaker, now: number): number {
  const soon = now + LOOK_AGAIN_MS;
  return openUntil! <= now ? soon : trialAt === null ? openUntil! : Math.min(openUntil!, soon);
}

/** Those of the keys whose trial is ours. Passes by a row that another transaction holds: it takes the trial, or ends it. */
async function takeTrials(tx: Transaction, keys: string[], now: number): Promise<Set<string>> {
  const lock = isPostgres(tx) ? 'FOR UPDATE SKIP LOCKED' : ''; // SQLite has one writer anyway
  const free = await selectRows(tx, Breaker, `WHERE key IN ? AND open_until <= ? ORDER BY key ${lock}`, [keys, now]);
  await upsertRows(
    tx,
    Breaker,
    free.map((row) => ({ ...row, trialAt: now, openUntil: now + TRIAL_MS, updatedAt: now })),
  );
  return new Set(free.map(({ key }) => key));
}

/**
 * Records what the mails of a batch said, in the order in which they ended. Where all is in good order this reads, and
 * writes nothing. Rows are held in the order of their keys, so that two batches never wait for one another in a circle.
 */
export async function recordSigns(tx: Transaction, signs: readonly Sign[], now: number): Promise<void> {
  const series = seriesOf(signs);
  const known = new Set(await knownKeys(tx, [...series.keys()]));
  const concerned = [...series].filter(([key, { failed }]) => failed > 0 || known.has(key)).sort(byKey);
  if (concerned.length === 0) return;
  const held = await insertOrLock(
    tx,
    Breaker,
    concerned.map(([key]) => closed(key, now)),
    ['key'],
  );
  const next = held.map((breaker) => afterSeries(breaker, series.get(breaker.key)!, now));
  await upsertRows(
    tx,
    Breaker,
    next.filter(({ failures }) => failures > 0),
  );
  const well = next.filter(({ failures }) => failures === 0).map(({ key }) => key);
  if (well.length > 0) await run(tx, 'DELETE FROM breakers WHERE key IN ?', [well]);
}

/** Of a batch all that counts about one key: whether it worked at all, and how often it failed since. */
interface Series {
  worked: boolean;
  failed: number;
}

function seriesOf(signs: readonly Sign[]): Map<string, Series> {
  const series = new Map<string, Series>();
  for (const { key, ok } of signs) {
    const { worked, failed } = series.get(key) ?? { worked: false, failed: 0 };
    series.set(key, ok ? { worked: true, failed: 0 } : { worked, failed: failed + 1 });
  }
  return series;
}

async function knownKeys(manager: EntityManager, keys: string[]): Promise<string[]> {
  if (keys.length === 0) return [];
  return (await run<{ key: string }>(manager, 'SELECT key FROM breakers WHERE key IN ?', [keys])).map(({ key }) => key);
}

function byKey([a]: [string, Series], [b]: [string, Series]): number {
  return a < b ? -1 : 1;
}

function closed(key: string, now: number): Breaker {
  return { key, failures: 0, openings: 0, openedAt: null, openUntil: null, trialAt: null, updatedAt: now };
}

function afterSeries(breaker: Breaker, { worked, failed }: Series, now: number): Breaker {
  const before = worked ? closed(breaker.key, now) : breaker;
  return failed === 0 ? before : afterFailures(before, failed, now);
}

function afterFailures(breaker: Breaker, failed: number, now: number): Breaker {
  const next = { ...breaker, failures: breaker.failures + failed, updatedAt: now };
  const { openUntil, trialAt } = breaker;
  if (openUntil === null) return next.failures < FAILURES_TO_OPEN ? next : opened(next, now);
  // What left before it opened comes in for a while, and says nothing new: only a trial's failure opens it for longer.
  return trialAt === null && now < openUntil ? next : opened(next, now);
}

function opened(breaker: Breaker, now: number): Breaker {
  const openMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** breaker.openings);
  return {
    ...breaker,
    openings: breaker.openings + 1,
    openedAt: breaker.openedAt ?? now,
    openUntil: now + openMs,
    trialAt: null,
  };
}

function isPostgres(manager: EntityManager): boolean {
  return manager.dataSource.options.type === 'postgres';
}
