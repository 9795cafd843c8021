import type { EntityManager } from 'typeorm';
import type { TicketStatus } from '../events.js';
import type { Holder, Id } from '../ids.js';
import { run } from '../platform/database/rows.js';

/** What a piece of news rests on; news that rests on neither stands as long as its ticket. */
export interface Grounds {
  messageId: Id<'msg'> | null;
  status: TicketStatus | null;
}

/** What is to be told, and to whom. Without news (a code, a fresh link) only the holder matters. */
export interface Telling<G extends Grounds> {
  holder: Holder;
  news: readonly G[];
}

interface Facts {
  people: Map<string, { ticketId: string; generation: number; wantsNews: boolean }>;
  tickets: Map<string, TicketStatus>;
  messages: Set<string>;
}

/**
 * What of each telling still stands, in the order given: the news whose grounds hold. Null if nothing must be told any
 * more: the holder's links were revoked, the person or ticket is gone, or there was news and none of it holds. At most three
 * statements, whatever their number.
 */
export async function whatStands<G extends Grounds>(
  manager: EntityManager,
  tellings: readonly Telling<G>[],
): Promise<(G[] | null)[]> {
  const facts = await findFacts(manager, tellings);
  return tellings.map((telling) => standing(telling, facts));
}

async function findFacts(manager: EntityManager, tellings: readonly Telling<Grounds>[]): Promise<Facts> {
  const people = await find<PersonRow>(
    manager,
    // Whoever took part in a ticket that was deleted has ended with it.
    'SELECT id, ticket_id, generation, denied_at, mail_stopped_at FROM participants WHERE id IN ? AND ended_at IS NULL',
    tellings.map(({ holder }) => holder.participantId),
  );
  const tickets = await find<{ id: string; status: TicketStatus }>(
    manager,
    'SELECT id, status FROM tickets WHERE id IN ? AND deleted_at IS NULL AND merged_into IS NULL',
    tellings.flatMap(({ holder, news }) => (news.length > 0 ? [holder.ticketId] : [])),
  );
  const messages = await find<{ id: string }>(
    manager,
    'SELECT id FROM messages WHERE id IN ? AND retracted_at IS NULL AND NOT hidden',
    tellings.flatMap(({ news }) => news.flatMap(({ messageId }) => messageId ?? [])),
  );
  return {
    people: new Map(people.map((one) => [one.id, personOf(one)])),
    tickets: new Map(tickets.map(({ id, status }) => [id, status])),
    messages: new Set(messages.map(({ id }) => id)),
  };
}

interface PersonRow {
  id: string;
  ticket_id: string;
  generation: number;
  denied_at: unknown;
  mail_stopped_at: unknown;
}

function personOf({ ticket_id: ticketId, generation, denied_at: deniedAt, mail_stopped_at: stoppedAt }: PersonRow) {
  return { ticketId, generation, wantsNews: deniedAt === null && stoppedAt === null };
}

async function find<T>(manager: EntityManager, text: string, ids: string[]): Promise<T[]> {
  return ids.length === 0 ? [] : run<T>(manager, text, [[...new Set(ids)]]);
}

function standing<G extends Grounds>({ holder, news }: Telling<G>, facts: Facts): G[] | null {
  const person = facts.people.get(holder.participantId);
  if (person?.ticketId !== holder.ticketId || person.generation !== holder.generation) return null;
  // The page of a merged ticket still opens by its code: that is no news, and the guest waits for it.
  if (news.length === 0) return [];
  if (!person.wantsNews) return null;
  const status = facts.tickets.get(holder.ticketId);
  if (status === undefined) return null;
  const held = news.filter(
    (one) =>
      (one.messageId === null || facts.messages.has(one.messageId)) &&
      (one.status === null || isSameToReader(one.status, status)),
  );
  return held.length > 0 ? held : null;
}

/** A reopened ticket is open to its reader whether it waits for them or not. */
function isSameToReader(one: TicketStatus, other: TicketStatus): boolean {
  return one === other || (isOpen(one) && isOpen(other));
}

function isOpen(status: TicketStatus): boolean {
  return status === 'open' || status === 'pending';
}
