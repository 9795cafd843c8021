import type { EntityManager } from 'typeorm';
import type { Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';
import { Reading } from './visit.entity.js';

/** Until when somebody has read, ms since 1970; null for who has never said so. */
export async function seenUntil(manager: EntityManager, participantId: Id<'ptc'>): Promise<number | null> {
  return (await manager.findOneBy(Reading, { participantId }))?.seenUntil ?? null;
}

/** Moves the mark on, never back: two tabs may tell in any order. */
export async function markSeen(tx: Transaction, participantId: Id<'ptc'>, until: number): Promise<void> {
  await run(
    tx,
    `INSERT INTO readings (participant_id, seen_until) VALUES (?, ?)
     ON CONFLICT (participant_id) DO UPDATE SET seen_until = excluded.seen_until
     WHERE readings.seen_until < excluded.seen_until`,
    [participantId, until],
  );
}
