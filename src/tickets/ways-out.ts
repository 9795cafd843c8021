import { IsNull, Not } from 'typeorm';
import type { Holder, Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { lockTicket } from './ticket-lock.js';
import { Participant } from './ticket.entity.js';

/*
 * What a person decides about the mails of their ticket. Each returns true for the one call that changed something, so
 * that it is told once. The ticket is locked first: the intake writes people back as it read them under that lock.
 */

/** "This is not my ticket." Not once its reader proved the mailbox: a forwarded link must not cut them off. */
export function deny(tx: Transaction, holder: Holder, now: number): Promise<boolean> {
  return change(tx, holder, { deniedAt: IsNull(), confirmedAt: IsNull() }, { deniedAt: now });
}

/** Somebody proved the mailbox: they are let in again, whatever was said by the link alone, and it can say that no more. */
export async function confirm(tx: Transaction, holder: Holder, now: number): Promise<void> {
  await change(tx, holder, {}, { deniedAt: null, confirmedAt: now });
}

/** "No more mails about this ticket." */
export function stopMails(tx: Transaction, holder: Holder, now: number): Promise<boolean> {
  return change(tx, holder, { mailStoppedAt: IsNull() }, { mailStoppedAt: now });
}

export function resumeMails(tx: Transaction, holder: Holder): Promise<boolean> {
  return change(tx, holder, { mailStoppedAt: Not(IsNull()) }, { mailStoppedAt: null });
}

/**
 * Kills the links, codes and sessions of a ticket that were made until now: of one address, or of all. Waiting mails that
 * carry such a link are cancelled when their turn comes; the next news bring a new one. Returns how many people it met.
 */
export async function revokeLinks(tx: Transaction, ticketId: Id<'tkt'>, emailKey?: string): Promise<number> {
  await lockTicket(tx, ticketId);
  const of = { ticketId, endedAt: IsNull(), ...(emailKey === undefined ? {} : { emailKey }) };
  return (await tx.increment(Participant, of, 'generation', 1)).affected ?? 0;
}

async function change(
  tx: Transaction,
  { ticketId, participantId: id, generation }: Holder,
  before: object,
  after: Partial<Participant>,
): Promise<boolean> {
  await lockTicket(tx, ticketId);
  const changed = await tx.update(Participant, { id, ticketId, generation, endedAt: IsNull(), ...before }, after);
  return changed.affected === 1;
}
