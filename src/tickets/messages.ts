import { tellingTypes, type EventMessage, type EventType } from '../events.js';
import { isId, newId, type Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { sanitiseHtml } from './message-body.js';
import { isStale, takeOver, type Order } from './projection-order.js';
import { Attachment, Message, Reply, type Ticket } from './ticket.entity.js';

/** How an event speaks of a message: as its subject, or in passing, as part of the history. */
export interface Mention {
  type: EventType | 'history';
  order: Order;
  /** Canonical address of its author, where they are known. */
  authorKey: string | null;
  now: number;
}

/**
 * Stores a message as it is now, or its absence. What does not say that it is public is internal: nothing of it is
 * stored, and a message that was public and no longer is disappears. Safe in any order. The message's id if this is the
 * first event that tells people of it, else null.
 */
export async function storeMessage(
  tx: Transaction,
  ticket: Ticket,
  given: EventMessage,
  mention: Mention,
): Promise<Id<'msg'> | null> {
  const known = await tx.findOneBy(Message, { ticketId: ticket.id, sourceMessageId: given.id });
  const { type, order, now } = mention;
  const isPublic = given.visibility === 'public';
  // An internal note leaves no trace. That of an edit or retraction says only that older words of it must not be shown.
  if (!known && !isPublic && type !== 'message.updated' && type !== 'message.retracted') return null;

  const message = known ?? blank(ticket, given, order, now);
  if (type === 'message.retracted') message.retractedAt = order.updatedAt;
  else takeOver(message, { hidden: !isPublic }, order);
  if (isPublic) {
    if (type === 'message.updated') message.editedAt = Math.max(message.editedAt ?? 0, order.updatedAt);
    takeOver(message, await author(tx, ticket, given, mention), order);
  }
  if (isPublic || type === 'message.retracted')
    message.createdAt = Math.min(message.createdAt, given.createdAt ?? order.updatedAt);
  const isShown = isPublic && !message.hidden && message.retractedAt === null;
  const hasNewFiles = isShown && given.attachments !== undefined && !isStale(message.stated, 'attachments', order);
  if (isShown) takeOver(message, content(given), order);
  if (hasNewFiles) message.stated.attachments = order;
  const isFirstNews = isShown && message.toldAt === null && (tellingTypes as readonly string[]).includes(type);
  if (isFirstNews) message.toldAt = now;

  if (message.hidden || message.retractedAt !== null) await wipe(tx, message);
  await tx.upsert(Message, message, ['id']);
  if (hasNewFiles) await replaceAttachments(tx, message, given, now);
  return isFirstNews ? message.id : null;
}

async function author(tx: Transaction, ticket: Ticket, given: EventMessage, { authorKey }: Mention) {
  return {
    authorKind: given.author.kind,
    authorName: given.author.name,
    authorKey: authorKey ?? undefined,
    replyId: (await echoedReply(tx, ticket, given)) ?? undefined,
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
async function wipe(tx: Transaction, message: Message): Promise<void> {
  Object.assign(message, { body: '', format: 'text' });
  await tx.delete(Attachment, { messageId: message.id });
}

async function echoedReply(tx: Transaction, ticket: Ticket, { replyId }: EventMessage): Promise<Id<'rpl'> | null> {
  if (!isId('rpl', replyId)) return null;
  return (await tx.existsBy(Reply, { id: replyId, ticketId: ticket.id })) ? replyId : null;
}

async function replaceAttachments(tx: Transaction, message: Message, given: EventMessage, now: number): Promise<void> {
  const known = await tx.find(Attachment, { where: { messageId: message.id }, order: { position: 'ASC' } });
  const wanted = given.attachments ?? [];
  const same =
    known.length === wanted.length &&
    wanted.every(({ name, url }, i) => known[i]!.name === name && known[i]!.url === url);
  // The files of an echo are those that the reply already shows.
  if (same || message.replyId !== null) return;
  await tx.delete(Attachment, { messageId: message.id });
  await insertAttachments(tx, message, wanted, now);
}

async function insertAttachments(
  tx: Transaction,
  message: Message,
  attachments: NonNullable<EventMessage['attachments']>,
  now: number,
): Promise<void> {
  const rows = attachments.map(({ name, contentType, size, url }, position) => ({
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
  }));
  if (rows.length > 0) await tx.insert(Attachment, rows);
}
