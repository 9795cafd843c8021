import type { Transaction } from '../platform/database/database.js';
import { Limit } from './access.entity.js';

/** At most `max` of one thing within a window of `seconds`. `key` holds no address in the clear. */
export interface LimitRule {
  key: string;
  max: number;
  seconds: number;
}

export type Taken = { ok: true } | { ok: false; retryAfterSeconds: number };

/**
 * Counts one more of each rule, or of none if one of them is full. Each count is one conditional update on its row, so
 * parallel requests and processes cannot pass a limit together. Rules are taken in one order: no deadlock on Postgres.
 */
export async function takeLimits(tx: Transaction, rules: LimitRule[], now: number): Promise<Taken> {
  const taken: LimitRule[] = [];
  for (const rule of [...rules].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    if (await takeOne(tx, rule, now)) {
      taken.push(rule);
      continue;
    }
    for (const { key } of taken) await tx.decrement(Limit, { key }, 'count', 1);
    const row = await tx.findOneByOrFail(Limit, { key: rule.key });
    return {
      ok: false,
      retryAfterSeconds: Math.max(1, Math.ceil((row.windowStartedAt + rule.seconds * 1000 - now) / 1000)),
    };
  }
  return { ok: true };
}

async function takeOne(tx: Transaction, { key, max, seconds }: LimitRule, now: number): Promise<boolean> {
  const row = { key, windowStartedAt: now, count: 0 };
  await tx.createQueryBuilder().insert().into(Limit).values(row).orIgnore().execute();
  await tx
    .createQueryBuilder()
    .update(Limit)
    .set({ windowStartedAt: now, count: 0 })
    .where('key = :key AND window_started_at <= :past', { key, past: now - seconds * 1000 })
    .execute();
  const counted = await tx
    .createQueryBuilder()
    .update(Limit)
    .set({ count: () => 'count + 1' })
    .where('key = :key AND count < :max', { key, max })
    .execute();
  return counted.affected === 1;
}
