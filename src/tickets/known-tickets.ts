import type { EventMessage, EventType, TicketEvent } from '../events.js';
import { isId, newId, type Id } from '../ids.js';
import { sha256 } from '../platform/crypto.js';
import type { Transaction } from '../platform/database/database.js';
import { insertOrLock, insertRows, run, selectRows, upsertRows } from '../platform/database/rows.js';
import type { Order } from './projection-order.js';
import { Attachment, Message, Participant, Reply, Ticket } from './ticket.entity.js';

/** An event and the source that it came from. */
export interface EventOf {
  source: string;
  /** The source's own. */
  sourceEventId: string;
  event: TicketEvent;
  /** Its people are stand-ins, and it takes something away: nothing else of it counts. */
  namesNobody?: boolean;
}

/** What is known of one ticket, as far as some events touch it. It is changed in memory, and saved as a whole. */
export interface KnownTicket {
  ticket: Ticket;
  /** The ticket was not known before these events. */
  isNew: boolean;
  isChanged: boolean;
  /** Everybody who ever took part, by canonical address, oldest first. */
  people: Map<string, Participant>;
  changedPeople: Set<Participant>;
  /** The messages that the events name, by the source's id of them. */
  messages: Map<string, Message>;
  changedMessages: Set<Message>;
  /** The replies that the events name as echoed. */
  replies: Map<string, Pick<Reply, 'id' | 'participantId'>>;
  /** Files of the messages whose files the events name. */
  files: Map<Id<'msg'>, Attachment[]>;
  /** Messages whose files are others now. */
  changedFiles: Set<Id<'msg'>>;
  /** Where an event deletes the ticket: the files of its replies in our store. */
  storedFiles: string[];
}

export type KnownTickets = ReadonlyMap<string, KnownTicket>;

/** By what a ticket is found in `KnownTickets`; no source id holds a line break. */
export function ticketKey(source: string, sourceTicketId: string): string {
  return `${source}\n${sourceTicketId}`;
}

/**
 * What the events touch, in a handful of statements however many they are. On Postgres the tickets are locked from here
 * to the commit, so that events of one ticket take turns over all processes (SQLite has one writer): whoever changes
 * a ticket's people, messages or replies elsewhere has to lock it too.
 */
export async function loadTickets(tx: Transaction, events: readonly EventOf[], now: number): Promise<KnownTickets> {
  const proposed = new Map<string, Ticket>();
  for (const { source, event } of events) {
    const key = ticketKey(source, event.data.ticket.id);
    if (!proposed.has(key)) proposed.set(key, blank(source, event.data.ticket, now));
  }
  // In one order for every process: two that lock the same tickets never wait for each other in a circle.
  const inOrder = [...proposed].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, ticket]) => ticket);
  const known = new Map<string, KnownTicket>();
  for (const ticket of await insertOrLock(tx, Ticket, inOrder, ['source', 'sourceTicketId'])) {
    const key = ticketKey(ticket.source, ticket.sourceTicketId);
    known.set(key, knownTicket(ticket, ticket.id === proposed.get(key)!.id));
  }
  await loadRest(tx, known, events);
  return known;
}

/** Writes what was changed; one statement for each table. */
export async function saveTickets(tx: Transaction, tickets: KnownTickets): Promise<void> {
  const changed = [...tickets.values()].filter(({ isChanged }) => isChanged);
  await removeUnused(tx, [...tickets.values()]);
  await removeDeleted(tx, changed);
  await upsertRows(
    tx,
    Ticket,
    changed.map(({ ticket }) => ticket),
  );
  await upsertRows(
    tx,
    Participant,
    changed.flatMap(({ changedPeople }) => [...changedPeople]),
  );
  await upsertRows(
    tx,
    Message,
    changed.flatMap(({ changedMessages }) => [...changedMessages]),
  );
  const withFiles = changed.filter(({ changedFiles }) => changedFiles.size > 0);
  if (withFiles.length === 0) return;
  await run(tx, 'DELETE FROM attachments WHERE ticket_id IN ? AND message_id IN ?', [
    withFiles.map(({ ticket }) => ticket.id),
    withFiles.flatMap(({ changedFiles }) => [...changedFiles]),
  ]);
  const files = withFiles.flatMap(({ changedFiles, files }) => [...changedFiles].flatMap((id) => files.get(id) ?? []));
  await insertRows(tx, Attachment, files);
}

function blank(source: string, given: TicketEvent['data']['ticket'], now: number): Ticket {
  return {
    id: newId('tkt', now),
    source,
    sourceTicketId: given.id,
    number: given.number,
    subject: '',
    status: given.status,
    resolvedAt: null,
    url: null,
    createdAt: given.createdAt ?? given.updatedAt,
    deletedAt: null,
    mergedInto: null,
    version: given.version ?? null,
    updatedAt: given.updatedAt,
    stated: {},
  };
}

/** Of one moment, what usually follows the other: a ticket is answered and closed in one step, and reopened after that. */
const USUAL_ORDER: readonly EventType[] = [
  'ticket.created',
  'ticket.updated',
  'requester.changed',
  'message.updated',
  'message.retracted',
  'ticket.replied',
  'ticket.info_requested',
  'ticket.resolved',
  'ticket.closed',
  'ticket.reopened',
  'ticket.merged',
  'ticket.deleted',
];

/** Where an event stands among those of its ticket. */
export function orderOf({ event, sourceEventId }: EventOf): Order {
  const { version = null, updatedAt } = event.data.ticket;
  const place = USUAL_ORDER.indexOf(event.type).toString(36);
  const tie = `${place}${sha256(sourceEventId).toString('hex').slice(0, 8)}`;
  return { version, updatedAt, occurredAt: event.timestamp, tie };
}

function knownTicket(ticket: Ticket, isNew: boolean): KnownTicket {
  return {
    ticket,
    isNew,
    isChanged: false,
    people: new Map(),
    changedPeople: new Set(),
    messages: new Map(),
    changedMessages: new Set(),
    replies: new Map(),
    files: new Map(),
    changedFiles: new Set(),
    storedFiles: [],
  };
}

/** People, messages, replies and files. Tickets that are new have none, and of those that were deleted none is wanted. */
async function loadRest(tx: Transaction, all: KnownTickets, events: readonly EventOf[]): Promise<void> {
  const byId = new Map<string, KnownTicket>();
  for (const known of all.values())
    if (!known.isNew && known.ticket.deletedAt === null) byId.set(known.ticket.id, known);
  if (byId.size === 0) return;

  const people = await selectRows(tx, Participant, 'WHERE ticket_id IN ? ORDER BY id', [[...byId.keys()]]);
  for (const person of people) byId.get(person.ticketId)!.people.set(person.emailKey, person);

  const mentions = events.flatMap(({ source, event }) => {
    const known = all.get(ticketKey(source, event.data.ticket.id))!;
    return byId.has(known.ticket.id) ? messagesOf(event).map((given) => ({ known, given })) : [];
  });
  await loadMessages(tx, byId, mentions);
  await loadReplies(tx, byId, mentions);
  await loadFiles(tx, byId, mentions);
  await loadStoredFiles(tx, byId, all, events);
}

interface MessageOf {
  known: KnownTicket;
  given: EventMessage;
}

function messagesOf({ data: { history, message } }: TicketEvent): EventMessage[] {
  return message ? [...history, message] : history;
}

async function loadMessages(
  tx: Transaction,
  byId: ReadonlyMap<string, KnownTicket>,
  mentions: readonly MessageOf[],
): Promise<void> {
  if (mentions.length === 0) return;
  const pairs = mentions.map(({ known, given }) => [known.ticket.id, given.id]);
  const messages = await selectRows(tx, Message, 'WHERE (ticket_id, source_message_id) IN PAIRS ?', [pairs]);
  for (const message of messages) byId.get(message.ticketId)!.messages.set(message.sourceMessageId, message);
}

async function loadReplies(
  tx: Transaction,
  byId: ReadonlyMap<string, KnownTicket>,
  mentions: readonly MessageOf[],
): Promise<void> {
  const ids = mentions.flatMap(({ given: { replyId } }) => (isId('rpl', replyId) ? [replyId] : []));
  if (ids.length === 0) return;
  const found = await selectRows(tx, Reply, 'WHERE ticket_id IN ? AND id IN ?', [[...byId.keys()], ids]);
  for (const reply of found) byId.get(reply.ticketId)!.replies.set(reply.id, reply);
}

async function loadFiles(
  tx: Transaction,
  byId: ReadonlyMap<string, KnownTicket>,
  mentions: readonly MessageOf[],
): Promise<void> {
  const messages = mentions.flatMap(({ known, given }) =>
    given.attachments === undefined ? [] : (known.messages.get(given.id) ?? []),
  );
  if (messages.length === 0) return;
  const found = await selectRows(tx, Attachment, 'WHERE ticket_id IN ? AND message_id IN ? ORDER BY position', [
    messages.map(({ ticketId }) => ticketId),
    messages.map(({ id }) => id),
  ]);
  for (const file of found) {
    const { files } = byId.get(file.ticketId)!;
    files.set(file.messageId!, [...(files.get(file.messageId!) ?? []), file]);
  }
}

async function loadStoredFiles(
  tx: Transaction,
  byId: ReadonlyMap<string, KnownTicket>,
  all: KnownTickets,
  events: readonly EventOf[],
): Promise<void> {
  const ids = events
    .filter(({ event }) => event.type === 'ticket.deleted')
    .map(({ source, event }) => all.get(ticketKey(source, event.data.ticket.id))!.ticket.id);
  if (ids.length === 0) return;
  const found = await selectRows(tx, Attachment, 'WHERE ticket_id IN ? AND file IS NOT NULL', [ids]);
  for (const { ticketId, file } of found) byId.get(ticketId)?.storedFiles.push(file!);
}

/** Rows that were made to be locked, for events that were not applied. */
async function removeUnused(tx: Transaction, tickets: readonly KnownTicket[]): Promise<void> {
  const unused = tickets.filter(({ isNew, isChanged }) => isNew && !isChanged).map(({ ticket }) => ticket.id);
  if (unused.length > 0) await run(tx, 'DELETE FROM tickets WHERE id IN ?', [unused]);
}

/** Everything that was said in tickets that an event deleted. */
async function removeDeleted(tx: Transaction, changed: readonly KnownTicket[]): Promise<void> {
  const deleted = changed.flatMap(({ ticket }) => (ticket.deletedAt === null ? [] : [ticket.id]));
  if (deleted.length === 0) return;
  for (const table of ['attachments', 'messages', 'replies'])
    await run(tx, `DELETE FROM ${table} WHERE ticket_id IN ?`, [deleted]);
}
