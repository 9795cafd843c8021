import type { EntityManager } from 'typeorm';
import { run } from '../platform/database/rows.js';
import type { Lane } from '../platform/queue/queue.js';

/*
 * What waits in the database. The tables are of several rooms, and no row of theirs is looked at here: only how many there
 * are, and since when.
 */

export const mailLanes = ['codes', 'mail'] as const satisfies Lane[];

/** The rows of each lane that have not ended, the longest due first. */
export const openRows: Record<Lane, string> = {
  codes: `deliveries WHERE lane = 'codes' AND ended_at IS NULL ORDER BY next_attempt_at`,
  mail: `deliveries WHERE lane = 'mail' AND ended_at IS NULL ORDER BY next_attempt_at`,
  outbound: 'outbound_messages WHERE ended_at IS NULL ORDER BY next_attempt_at',
  lookups: 'waiting_events WHERE ended_at IS NULL ORDER BY next_attempt_at',
};

const parkedRows = {
  deliveries: `deliveries WHERE state = 'parked' AND ended_at IS NOT NULL`,
  outbound: `outbound_messages WHERE state = 'parked' AND ended_at IS NOT NULL`,
  events: 'waiting_events WHERE ended_at IS NOT NULL',
};

/**
 * How long the first of a lane has been due, in ms; 0 if nothing is. What is deferred or held back is due only then, and
 * what is leased once its lease has ended.
 */
export async function latenessMs(manager: EntityManager, lane: Lane, now: number): Promise<number> {
  const text = `SELECT next_attempt_at AS at FROM ${openRows[lane]} LIMIT 1`;
  const [first] = await run<{ at: number | string }>(manager, text);
  return first ? Math.max(0, now - Number(first.at)) : 0;
}

/** What waits for a person, by its kind. */
export async function countParked(manager: EntityManager): Promise<Record<keyof typeof parkedRows, number>> {
  const counts = { deliveries: 0, outbound: 0, events: 0 };
  for (const kind of Object.keys(parkedRows) as (keyof typeof parkedRows)[]) {
    const [found] = await run<{ n: number | string }>(manager, `SELECT COUNT(*) AS n FROM ${parkedRows[kind]}`);
    counts[kind] = Number(found!.n);
  }
  return counts;
}
