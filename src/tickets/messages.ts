import { tellingTypes, type EventMessage, type EventType } from '../events.js';
import { newId } from '../ids.js';
import type { KnownTicket } from './known-tickets.js';
import { sanitiseHtml } from './message-body.js';
import { isStale, takeOver, type Order } from './projection-order.js';
import type { Message, Ticket } from './ticket.entity.js';

/** How an event speaks of a message: as its subject, or in passing, as part of the history. */
export interface Mention {
  type: EventType | 'history';
  order: Order;
  /** Canonical address of its author, where they are known. */
  authorKey: string | null;
  now: number;
}

/** What became of a message. */
export interface KeptMessage {
  /** As the guest sees it now; null if they don't. */
  shown: Message | null;
  /** The first event that tells people of it. */
  isFirstNews: boolean;
}

/**
 * Keeps a message as it is now, or its absence. What does not say that it is public is internal: nothing of it is
 * kept, and a message that was public and no longer is disappears. Safe in any order.
 */
export function keepMessage(known: KnownTicket, given: EventMessage, mention: Mention): KeptMessage {
  const found = known.messages.get(given.id);
  const { type, order, now } = mention;
  const isPublic = given.visibility === 'public';
  // An internal note leaves no trace. That of an edit or retraction says only that older words of it must not be shown.
  if (!found && !isPublic && type !== 'message.updated' && type !== 'message.retracted')
    return { shown: null, isFirstNews: false };

  const message = found ?? blank(known.ticket, given, order, now);
  known.messages.set(given.id, message);
  known.changedMessages.add(message);
  if (type === 'message.retracted') message.retractedAt = order.updatedAt;
  else takeOver(message, { hidden: !isPublic }, order);
  if (isPublic) {
    if (type === 'message.updated') message.editedAt = Math.max(message.editedAt ?? 0, order.updatedAt);
    takeOver(message, author(known, given, mention), order);
  }
  if (isPublic || type === 'message.retracted')
    message.createdAt = Math.min(message.createdAt, given.createdAt ?? order.updatedAt);
  const isShown = isPublic && !message.hidden && message.retractedAt === null;
  const hasNewFiles = isShown && given.attachments !== undefined && !isStale(message.stated, 'attachments', order);
  if (isShown) takeOver(message, content(given), order);
  if (hasNewFiles) message.stated.attachments = order;
  const isFirstNews = isShown && message.toldAt === null && (tellingTypes as readonly string[]).includes(type);
  if (isFirstNews) message.toldAt = now;

  if (message.hidden || message.retractedAt !== null) wipe(known, message);
  if (hasNewFiles) replaceFiles(known, message, given, now);
  return { shown: isShown ? message : null, isFirstNews };
}

function author({ replies }: KnownTicket, given: EventMessage, { authorKey }: Mention) {
  return {
    authorKind: given.author.kind,
    authorName: given.author.name,
    authorKey: authorKey ?? undefined,
    replyId: replies.get(given.replyId ?? '')?.id,
  };
}

function content({ body, format = 'text' }: EventMessage) {
  if (body === undefined) return {};
  return { body: format === 'html' ? sanitiseHtml(body) : body, format };
}

function blank(ticket: Ticket, given: EventMessage, order: Order, now: number): Message {
  return {
    id: newId('msg', now),
    ticketId: ticket.id,
    sourceMessageId: given.id,
    authorKind: given.author.kind,
    authorName: '',
    authorKey: null,
    body: '',
    format: 'text',
    replyId: null,
    createdAt: given.createdAt ?? order.updatedAt,
    editedAt: null,
    retractedAt: null,
    hidden: false,
    toldAt: null,
    stated: {},
  };
}

/** Nothing that was said stays behind, whoever reads the database. */
function wipe(known: KnownTicket, message: Message): void {
  Object.assign(message, { body: '', format: 'text' });
  known.files.set(message.id, []);
  known.changedFiles.add(message.id);
}

function replaceFiles(known: KnownTicket, message: Message, { attachments = [] }: EventMessage, now: number): void {
  const before = known.files.get(message.id) ?? [];
  const same =
    before.length === attachments.length &&
    attachments.every(({ name, url }, i) => before[i]!.name === name && before[i]!.url === url);
  // The files of an echo are those that the reply already shows.
  if (same || message.replyId !== null) return;
  const files = attachments.map(({ name, contentType, size, url }, position) => ({
    id: newId('att', now),
    ticketId: message.ticketId,
    messageId: message.id,
    replyId: null,
    position,
    name,
    contentType,
    size: size ?? null,
    url,
    file: null,
    sha256: null,
    width: null,
    height: null,
  }));
  known.files.set(message.id, files);
  known.changedFiles.add(message.id);
}
