import { newId } from '../ids.js';
import { AuditEntry } from './audit.entity.js';
import type { Transaction } from './database/database.js';
import { scrub } from './logger.js';

const LONGEST_DETAIL = 1000;

/** Notes what was done in the transaction that does it: neither is there without the other. */
export async function audit(
  tx: Transaction,
  { actor, action, subject, detail }: Pick<AuditEntry, 'actor' | 'action' | 'subject' | 'detail'>,
  now: number,
): Promise<void> {
  const entry = { id: newId('aud', now), at: now, actor, action, subject };
  await tx.insert(AuditEntry, { ...entry, detail: scrub(detail).slice(0, LONGEST_DETAIL) });
}
