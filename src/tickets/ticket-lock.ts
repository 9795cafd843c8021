import type { Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { Ticket } from './ticket.entity.js';

/** Whoever changes something of a ticket waits here for who did before: until the commit, over all processes. */
export async function lockTicket(tx: Transaction, id: Id<'tkt'>): Promise<void> {
  await tx
    .createQueryBuilder()
    .update(Ticket)
    .set({ updatedAt: () => 'updated_at' })
    .where({ id })
    .execute();
}
