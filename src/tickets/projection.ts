import { IsNull } from 'typeorm';
import type { EventMessage, EventPerson, TicketEvent } from '../events.js';
import { newId, type Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { storeMessage } from './messages.js';
import { isOlder, type Order } from './projection-order.js';
import { Attachment, Message, Participant, Reply, Ticket } from './ticket.entity.js';

/** What an event changed, for those who decide whom to tell. */
export interface AppliedEvent {
  ticket: Ticket;
  /** The ticket was not known before. */
  isNewTicket: boolean;
  /** Nothing newer was known: the event's status and people are those of now. */
  isNewest: boolean;
  /** The event brought a public message that was not known before. */
  isNewMessage: boolean;
  /** Everybody who takes part now. */
  participants: Participant[];
  /** Who wrote the event's message, if it is one of them. */
  author: Participant | null;
  /** Files that nothing refers to any more. */
  orphanedFiles: string[];
}

/**
 * Brings an event into the projection. Safe in any order: an older event adds what is missing and overwrites nothing
 * newer. Null if the ticket was deleted: nothing is ever added to it again.
 */
export async function applyEvent(
  tx: Transaction,
  source: string,
  { type, data }: TicketEvent,
  now: number,
): Promise<AppliedEvent | null> {
  const { ticket, isNewTicket } = await findOrCreate(tx, source, data.ticket, now);
  if (ticket.deletedAt !== null) return null;
  const isNewest = isNewTicket || !isOlder(order(data.ticket), ticket);
  if (type === 'ticket.deleted') return { ...(await deleteTicket(tx, ticket, now)), isNewTicket, isNewest };

  if (isNewest) {
    Object.assign(ticket, {
      number: data.ticket.number,
      subject: data.ticket.subject ?? ticket.subject,
      status: type === 'ticket.merged' ? 'closed' : data.ticket.status,
      url: data.ticket.url ?? ticket.url,
      mergedInto: data.into ?? ticket.mergedInto,
      ...order(data.ticket),
    });
    const { id, ...changes } = ticket;
    await tx.update(Ticket, { id }, changes);
    await syncPeople(tx, ticket, data.requester, data.participants, now);
  }
  const everybody = await tx.findBy(Participant, { ticketId: ticket.id });
  let isNewMessage = false;
  for (const message of [...data.history, ...(data.message ? [data.message] : [])]) {
    const isRetracted = type === 'message.retracted' && message === data.message;
    const author = authorOf(message, everybody);
    const stored = await storeMessage(tx, ticket, message, author, order(data.ticket), { type, isRetracted, now });
    if (message === data.message) isNewMessage = stored;
  }
  const participants = everybody.filter((one) => one.endedAt === null);
  const author = data.message ? await authorOrReplier(tx, ticket, data.message, participants) : null;
  return { ticket, isNewTicket, isNewest, isNewMessage, participants, author, orphanedFiles: [] };
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
      subject: given.subject ?? '',
      status: given.status,
      url: given.url ?? null,
      createdAt: given.createdAt ?? given.updatedAt,
      deletedAt: null,
      mergedInto: null,
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

/** Requester and participants as the newest event names them. Who is no longer named loses mails, links, sessions. */
async function syncPeople(
  tx: Transaction,
  ticket: Ticket,
  requester: EventPerson,
  participants: EventPerson[] | undefined,
  now: number,
): Promise<void> {
  const known = await tx.findBy(Participant, { ticketId: ticket.id });
  const named = new Map<string, { person: EventPerson; role: Participant['role'] }>();
  for (const person of participants ?? []) named.set(person.email.key, { person, role: 'participant' });
  named.set(requester.email.key, { person: requester, role: 'requester' });

  for (const { person, role } of named.values()) {
    const row = known.find((one) => one.emailKey === person.email.key);
    if (row) await tx.update(Participant, { id: row.id }, { ...details(person, row), role, endedAt: null });
    else
      await tx.insert(Participant, {
        ...details(person),
        id: newId('ptc', now),
        ticketId: ticket.id,
        emailKey: person.email.key,
        role,
        generation: 1,
        endedAt: null,
      });
  }
  // A list that is not given says nothing about participants; the requester is always given.
  const gone = known.filter(
    (one) =>
      one.endedAt === null && !named.has(one.emailKey) && (one.role === 'requester' || participants !== undefined),
  );
  for (const one of gone)
    await tx.update(Participant, { id: one.id }, { endedAt: now, generation: one.generation + 1 });
}

function details(person: EventPerson, known?: Participant) {
  return {
    kind: person.kind,
    accountId: person.id ?? known?.accountId ?? null,
    email: person.email.given,
    name: person.name ?? known?.name ?? '',
    locale: person.locale ?? known?.locale ?? null,
    timeZone: person.timeZone ?? known?.timeZone ?? null,
  };
}

function authorOf({ author }: EventMessage, everybody: Participant[]): Participant | null {
  if (author.kind === 'agent' || author.kind === 'system') return null;
  const byAddress = author.email && everybody.find((one) => one.emailKey === author.email!.key);
  const byAccount = author.id && everybody.find((one) => one.accountId === author.id);
  const requester =
    author.kind === 'requester' && everybody.find((one) => one.role === 'requester' && one.endedAt === null);
  return byAddress || byAccount || requester || null;
}

/** An echo says by `replyId` who wrote it, also where the source names itself as the author. */
async function authorOrReplier(
  tx: Transaction,
  ticket: Ticket,
  message: EventMessage,
  participants: Participant[],
): Promise<Participant | null> {
  const reply = message.replyId
    ? await tx.findOneBy(Reply, { id: message.replyId as Id<'rpl'>, ticketId: ticket.id })
    : null;
  const replier = reply && participants.find((one) => one.id === reply.participantId);
  return replier ?? authorOf(message, participants);
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
    participants: [],
    author: null,
    orphanedFiles: files.flatMap(({ file }) => file ?? []),
  };
}
