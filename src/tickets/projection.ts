import { IsNull } from 'typeorm';
import type { EventMessage, EventPerson, TicketEvent } from '../events.js';
import { isId, newId, type Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { storeMessage } from './messages.js';
import { isOlder, isStale, takeOver, type Order } from './projection-order.js';
import { Attachment, Message, Participant, Reply, Ticket } from './ticket.entity.js';

/** What an event changed, for those who decide whom to tell. */
export interface AppliedEvent {
  ticket: Ticket;
  /** The ticket was not known before. */
  isNewTicket: boolean;
  /** Nothing newer was known: the event's status and people are those of now. */
  isNewest: boolean;
  /** The event brought a public message that nobody was told of before. */
  isNewMessage: boolean;
  /** That message. */
  messageId: Id<'msg'> | null;
  /** Everybody who takes part now. */
  participants: Participant[];
  /** Who wrote the event's message, if it is one of them. */
  author: Participant | null;
  /** Files that nothing refers to any more. */
  orphanedFiles: string[];
}

/**
 * Brings an event into the projection. Safe in any order: an older event adds what is missing and overwrites nothing
 * newer, so that the same events always end in the same state. Null if the ticket was deleted: nothing is ever added to
 * it again.
 */
export async function applyEvent(
  tx: Transaction,
  source: string,
  { type, data }: TicketEvent,
  now: number,
): Promise<AppliedEvent | null> {
  const { ticket, isNewTicket } = await findOrCreate(tx, source, data.ticket, now);
  if (ticket.deletedAt !== null) return null;
  const at = order(data.ticket);
  const isNewest = isNewTicket || !isOlder(at, ticket);
  if (type === 'ticket.deleted') return { ...(await deleteTicket(tx, ticket, now)), isNewTicket, isNewest };

  const everybody = await syncPeople(tx, ticket, data, isNewest, now);
  const { number, subject, url } = data.ticket;
  const status = type === 'ticket.merged' ? ('closed' as const) : data.ticket.status;
  const mergedInto = type === 'ticket.merged' ? data.into : undefined;
  takeOver(ticket, { number, subject, status, url, mergedInto }, at);
  ticket.createdAt = Math.min(ticket.createdAt, data.ticket.createdAt ?? at.updatedAt);
  if (isNewest) Object.assign(ticket, at);
  await tx.upsert(Ticket, ticket, ['id']);

  for (const message of data.history) {
    const authorKey = authorKeyOf(message, data.requester, everybody);
    await storeMessage(tx, ticket, message, { type: 'history', order: at, authorKey, now });
  }
  const authorKey = data.message ? authorKeyOf(data.message, data.requester, everybody) : null;
  const messageId = data.message
    ? await storeMessage(tx, ticket, data.message, { type, order: at, authorKey, now })
    : null;
  const isNewMessage = messageId !== null;
  const participants = everybody.filter((one) => one.endedAt === null);
  const replier = data.message ? await replierOf(tx, ticket, data.message) : null;
  const author = participants.find((one) => one.id === replier || (!replier && one.emailKey === authorKey)) ?? null;
  return { ticket, isNewTicket, isNewest, isNewMessage, messageId, participants, author, orphanedFiles: [] };
}

function order(ticket: TicketEvent['data']['ticket']): Order {
  return { version: ticket.version ?? null, updatedAt: ticket.updatedAt };
}

async function findOrCreate(
  tx: Transaction,
  source: string,
  given: TicketEvent['data']['ticket'],
  now: number,
): Promise<{ ticket: Ticket; isNewTicket: boolean }> {
  const id = newId('tkt', now);
  await tx
    .createQueryBuilder()
    .insert()
    .into(Ticket)
    .values({
      id,
      source,
      sourceTicketId: given.id,
      number: given.number,
      subject: '',
      status: given.status,
      url: null,
      createdAt: given.createdAt ?? given.updatedAt,
      deletedAt: null,
      mergedInto: null,
      stated: {},
      ...order(given),
    })
    .orIgnore()
    .execute();
  const key = { source, sourceTicketId: given.id };
  // Events of one ticket take turns: on Postgres this update locks the row until the commit (SQLite has one writer).
  await tx
    .createQueryBuilder()
    .update(Ticket)
    .set({ updatedAt: () => 'updated_at' })
    .where(key)
    .execute();
  const ticket = await tx.findOneByOrFail(Ticket, key);
  return { ticket, isNewTicket: ticket.id === id };
}

/**
 * Requester and participants: who they are, and who of them belongs to the ticket now. That is the requester of the
 * newest event and everybody on the newest list; who is neither any more loses mails, links and sessions.
 */
async function syncPeople(
  tx: Transaction,
  ticket: Ticket,
  { ticket: given, requester, participants }: TicketEvent['data'],
  isNewest: boolean,
  now: number,
): Promise<Participant[]> {
  const at = order(given);
  const known = await tx.find(Participant, { where: { ticketId: ticket.id }, order: { id: 'ASC' } });
  const people = new Map(known.map((one) => [one.emailKey, one]));
  const others = (participants ?? []).filter(({ email }) => email.key !== requester.email.key);
  for (const person of [requester, ...others]) {
    const row = people.get(person.email.key) ?? blank(ticket, person, now);
    takeOver(row, details(person), at);
    people.set(row.emailKey, row);
  }
  // An event without a list says nothing about participants; the requester is always given.
  const list = isStale(ticket.stated, 'participants', at) ? undefined : participants?.map(({ email }) => email.key);
  if (list) ticket.stated.participants = at;
  for (const row of people.values()) {
    if (list) row.listed = list.includes(row.emailKey);
    if (isNewest) row.role = row.emailKey === requester.email.key ? 'requester' : 'participant';
    const belongs = row.role === 'requester' || row.listed;
    if (!belongs && row.endedAt === null) Object.assign(row, { endedAt: now, generation: row.generation + 1 });
    if (belongs) row.endedAt = null;
  }
  await tx.upsert(Participant, [...people.values()], ['id']);
  return [...people.values()];
}

/** Somebody who does not belong to the ticket yet. */
function blank(ticket: Ticket, person: EventPerson, now: number): Participant {
  return {
    id: newId('ptc', now),
    ticketId: ticket.id,
    role: 'participant',
    kind: person.kind,
    accountId: null,
    email: person.email.given,
    emailKey: person.email.key,
    name: '',
    locale: null,
    timeZone: null,
    generation: 1,
    endedAt: now,
    listed: false,
    stated: {},
  };
}

function details({ kind, id, email, name, locale, timeZone }: EventPerson) {
  return {
    kind,
    accountId: id,
    email: email.given,
    name,
    locale: locale ?? undefined,
    timeZone: timeZone ?? undefined,
  };
}

/** The canonical address of who wrote a message, as far as it is one of the people of the ticket. */
function authorKeyOf({ author }: EventMessage, requester: EventPerson, everybody: Participant[]): string | null {
  const byAddress = everybody.find((one) => one.emailKey === author.email?.key);
  if (byAddress) return byAddress.emailKey;
  // Agents and accounts may be counted alike, so an agent's id says nothing about an account.
  if (author.kind === 'agent' || author.kind === 'system') return null;
  const byAccount = author.id === undefined ? undefined : everybody.find((one) => one.accountId === author.id);
  // "The requester" is the one whom this event names, not whoever it is by now.
  return byAccount?.emailKey ?? (author.kind === 'requester' ? requester.email.key : null);
}

/** An echo says by `replyId` who wrote it, also where the source names itself as the author. */
async function replierOf(tx: Transaction, ticket: Ticket, { replyId }: EventMessage) {
  const reply = isId('rpl', replyId) ? await tx.findOneBy(Reply, { id: replyId, ticketId: ticket.id }) : null;
  return reply?.participantId ?? null;
}

/** Keeps the row, so that a late event cannot bring the ticket back; everything that was said is removed. */
async function deleteTicket(
  tx: Transaction,
  ticket: Ticket,
  now: number,
): Promise<Omit<AppliedEvent, 'isNewTicket' | 'isNewest'>> {
  const ticketId = ticket.id;
  const files = await tx.findBy(Attachment, { ticketId });
  await tx.delete(Attachment, { ticketId });
  await tx.delete(Message, { ticketId });
  await tx.delete(Reply, { ticketId });
  await tx.update(Participant, { ticketId, endedAt: IsNull() }, { endedAt: now, generation: () => 'generation + 1' });
  await tx.update(Ticket, { id: ticketId }, { deletedAt: now, subject: '' });
  return {
    ticket: { ...ticket, deletedAt: now },
    isNewMessage: false,
    messageId: null,
    participants: [],
    author: null,
    orphanedFiles: files.flatMap(({ file }) => file ?? []),
  };
}
