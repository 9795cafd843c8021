import type { EventMessage, EventPerson, TicketEvent } from '../events.js';
import { newId, type Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import {
  loadTickets,
  orderOf,
  saveTickets,
  ticketKey,
  type EventOf,
  type KnownTicket,
  type KnownTickets,
} from './known-tickets.js';
import { keepMessage } from './messages.js';
import { isOlder, isStale, takeOver, type Order, type Stated } from './projection-order.js';
import type { Participant, Ticket } from './ticket.entity.js';

/** What an event changed, for those who decide whom to tell. Its rows are copies: later events don't change them. */
export interface AppliedEvent {
  ticket: Ticket;
  /** The ticket was not known before. */
  isNewTicket: boolean;
  /** Nothing newer was known: the event's status and people are those of now. */
  isNewest: boolean;
  /** The event says that the ticket was created, and none said so before. */
  isFirstCreation: boolean;
  /** The ticket has another status than before the event. */
  isNewStatus: boolean;
  /** The event brought a public message that nobody was told of before. */
  isNewMessage: boolean;
  /** The event's public message, if the guest sees it. */
  messageId: Id<'msg'> | null;
  /** Everybody who takes part now. */
  participants: Participant[];
  /** Who wrote the event's message, if it is one of them. */
  author: Participant | null;
  /** Files that nothing refers to any more. */
  orphanedFiles: string[];
}

/**
 * Brings events into what Postern knows: loads what they touch, applies them in memory one after the other, saves what
 * changed. The same events in any groups end in the same rows.
 */
export class Projection {
  private constructor(
    private readonly tx: Transaction,
    private readonly tickets: KnownTickets,
    private readonly now: number,
  ) {}

  /** For these events and no others. On Postgres their tickets are locked until the transaction ends. */
  static async load(tx: Transaction, events: readonly EventOf[], now: number): Promise<Projection> {
    return new Projection(tx, await loadTickets(tx, events, now), now);
  }

  /** False as long as none of the events that were applied made the ticket of this one. */
  knows({ source, event }: Pick<EventOf, 'source' | 'event'>): boolean {
    const known = this.tickets.get(ticketKey(source, event.data.ticket.id));
    return known !== undefined && (!known.isNew || known.isChanged);
  }

  /**
   * Applies one of the events. Safe in any order: an older event adds what is missing and overwrites nothing newer. Null
   * if the ticket was deleted: nothing is ever added to it again.
   */
  apply(given: EventOf): AppliedEvent | null {
    const { source, event, namesNobody } = given;
    const known = this.tickets.get(ticketKey(source, event.data.ticket.id));
    if (!known) throw new Error('this event was not loaded');
    const { ticket } = known;
    if (ticket.deletedAt !== null) return null;
    const isNewTicket = known.isNew && !known.isChanged;
    const order = orderOf(given);
    const isNewest = isNewTicket || !isOlder(order, ticket.stated.newest ?? ticket);
    known.isChanged = true;
    if (event.type === 'ticket.deleted') return { ...deleteTicket(known, this.now), isNewTicket, isNewest };
    if (namesNobody) return { ...takeAway(known, event, order, this.now), isNewTicket, isNewest: false };
    return { ...applyTo(known, event, { order, isNewest, now: this.now }), isNewTicket, isNewest };
  }

  /** Writes what changed. */
  save(): Promise<void> {
    return saveTickets(this.tx, this.tickets);
  }
}

type Change = Omit<AppliedEvent, 'isNewTicket' | 'isNewest'>;

interface Applying {
  order: Order;
  isNewest: boolean;
  now: number;
}

function applyTo(known: KnownTicket, { type, data }: TicketEvent, applying: Applying): Change {
  const { ticket } = known;
  const { order, isNewest, now } = applying;
  syncPeople(known, data, applying);
  const everybody = [...known.people.values()];
  const { number, subject, url } = data.ticket;
  const status = type === 'ticket.merged' ? ('closed' as const) : data.ticket.status;
  const mergedInto = type === 'ticket.merged' ? data.into : undefined;
  const before = ticket.status;
  const isFirstCreation = type === 'ticket.created' && ticket.stated.created === undefined;
  if (type === 'ticket.created' && !isStale(ticket.stated, 'created', order)) ticket.stated.created = order;
  takeOver(ticket, { number, subject, status, url, mergedInto }, order);
  if (ticket.status === 'resolved' && (before !== 'resolved' || ticket.resolvedAt === null))
    ticket.resolvedAt = order.updatedAt;
  ticket.createdAt = Math.min(ticket.createdAt, data.ticket.createdAt ?? order.updatedAt);
  if (isNewest) {
    Object.assign(ticket, { version: order.version, updatedAt: order.updatedAt });
    ticket.stated.newest = order;
  }

  for (const message of data.history) {
    const authorKey = authorKeyOf(message, data.requester, everybody);
    keepMessage(known, message, { type: 'history', order, authorKey, now });
  }
  const authorKey = data.message ? authorKeyOf(data.message, data.requester, everybody) : null;
  const kept = data.message && keepMessage(known, data.message, { type, order, authorKey, now });
  const participants = everybody.filter((one) => one.endedAt === null).map(copyOf);
  // An echo says by `replyId` who wrote it, also where the source names itself as the author.
  const replier = known.replies.get(data.message?.replyId ?? '')?.participantId;
  const author = participants.find((one) => one.id === replier || (!replier && one.emailKey === authorKey)) ?? null;
  return {
    ticket: copyOf(ticket),
    isFirstCreation,
    isNewStatus: ticket.status !== before,
    isNewMessage: kept?.isFirstNews ?? false,
    messageId: kept?.shown?.id ?? null,
    participants,
    author,
    orphanedFiles: [],
  };
}

function copyOf<T extends { stated: Stated }>(row: T): T {
  return { ...row, stated: { ...row.stated } };
}

/**
 * Requester and participants: who they are, and who of them belongs to the ticket now. That is the requester of the
 * newest event and everybody on the newest list; who is neither any more loses mails, links and sessions.
 */
function syncPeople(
  { ticket, people, changedPeople }: KnownTicket,
  { requester, participants }: TicketEvent['data'],
  { order, isNewest, now }: Applying,
): void {
  const others = (participants ?? []).filter(({ email }) => email.key !== requester.email.key);
  for (const person of [requester, ...others]) {
    const row = people.get(person.email.key) ?? blank(ticket, person, now);
    takeOver(row, details(person), order);
    people.set(row.emailKey, row);
    changedPeople.add(row);
  }
  // An event without a list says nothing about participants; the requester is always given.
  const list = isStale(ticket.stated, 'participants', order) ? undefined : participants?.map(({ email }) => email.key);
  if (list) ticket.stated.participants = order;
  for (const row of people.values()) {
    const { listed, role, endedAt } = row;
    if (list) row.listed = list.includes(row.emailKey);
    if (isNewest) row.role = row.emailKey === requester.email.key ? 'requester' : 'participant';
    const belongs = row.role === 'requester' || row.listed;
    if (!belongs) end(row, now);
    if (belongs) row.endedAt = null;
    if (row.listed !== listed || row.role !== role || row.endedAt !== endedAt) changedPeople.add(row);
  }
}

function end(person: Participant, now: number): void {
  if (person.endedAt === null) Object.assign(person, { endedAt: now, generation: person.generation + 1 });
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
    deniedAt: null,
    confirmedAt: null,
    mailStoppedAt: null,
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

/** Hides the event's message, and leaves all else to what says whom it concerns. */
function takeAway(known: KnownTicket, { type, data }: TicketEvent, order: Order, now: number): Change {
  if (data.message) keepMessage(known, data.message, { type, order, authorKey: null, now });
  return nothingTold(known, []);
}

/** Keeps the row, so that a late event cannot bring the ticket back; everything that was said is removed. */
function deleteTicket(known: KnownTicket, now: number): Change {
  const { ticket, people, changedPeople } = known;
  for (const person of people.values()) {
    if (person.endedAt === null) changedPeople.add(person);
    end(person, now);
  }
  for (const said of [known.messages, known.changedMessages, known.files, known.changedFiles]) said.clear();
  Object.assign(ticket, { deletedAt: now, subject: '' });
  return nothingTold(known, known.storedFiles);
}

function nothingTold({ ticket }: KnownTicket, orphanedFiles: string[]): Change {
  return {
    ticket: copyOf(ticket),
    isFirstCreation: false,
    isNewStatus: false,
    isNewMessage: false,
    messageId: null,
    participants: [],
    author: null,
    orphanedFiles,
  };
}
