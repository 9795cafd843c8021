import type { EntityManager } from 'typeorm';
import { newId, type Holder } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { insertNew } from '../platform/database/rows.js';
import { findConversation, type Conversation } from './conversation.js';
import { lockTicket } from './ticket-lock.js';
import { SolvedAnswer } from './visit.entity.js';

export type Answer = SolvedAnswer['answer'];

/**
 * Keeps the answer to "Is it solved?". `isNew` once for each answer and resolution. "No" is the last word: it may follow
 * a "yes", and a form of before that says "yes" again changes nothing. Null if the ticket is not resolved (any more).
 */
export async function answerSolved(
  tx: Transaction,
  holder: Holder,
  answer: Answer,
  now: number,
): Promise<{ isNew: boolean; answer: Answer } | null> {
  // In turn with the events and the other answers of this ticket: "yes" must not slip in beside "no".
  await lockTicket(tx, holder.ticketId);
  const found = await findConversation(tx, holder);
  if (found?.ticket.status !== 'resolved') return null;
  const before = await lastAnswer(tx, found);
  if (before === 'no') return { isNew: false, answer: before };
  const row: SolvedAnswer = {
    id: newId('slv', now),
    ticketId: holder.ticketId,
    participantId: holder.participantId,
    resolvedAt: found.ticket.resolvedAt ?? 0,
    answer,
    createdAt: now,
  };
  const inserted = await insertNew(tx, SolvedAnswer, [row]);
  return { isNew: inserted.size > 0, answer };
}

/** What this person said last about the resolution that stands. */
export async function lastAnswer(
  manager: EntityManager,
  { ticket, participant }: Conversation,
): Promise<Answer | null> {
  if (ticket.status !== 'resolved') return null;
  const { id: participantId } = participant;
  const answers = await manager.findBy(SolvedAnswer, { participantId, resolvedAt: ticket.resolvedAt ?? 0 });
  return answers.find(({ answer }) => answer === 'no')?.answer ?? answers[0]?.answer ?? null;
}
