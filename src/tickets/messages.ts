import type { EventMessage, EventType } from '../events.js';
import { isId, newId } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { sanitiseHtml } from './message-body.js';
import { isOlder } from './projection-order.js';
import { Attachment, Message, Reply, type Participant, type Ticket } from './ticket.entity.js';

interface Context {
  type: EventType;
  isRetracted: boolean;
  now: number;
}

/**
 * Stores a message as it is now, or its absence. What does not say that it is public is internal: it is not stored, and
 * a message that was public and no longer is disappears. True if a public message is new.
 */
export async function storeMessage(
  tx: Transaction,
  ticket: Ticket,
  given: EventMessage,
  author: Participant | null,
  order: Pick<Message, 'version' | 'updatedAt'>,
  { type, isRetracted, now }: Context,
): Promise<boolean> {
  const known = await tx.findOneBy(Message, { ticketId: ticket.id, sourceMessageId: given.id });
  if (known && (known.retractedAt !== null || isOlder(order, known))) return false;
  const isGone = isRetracted || given.visibility !== 'public';
  if (isGone) {
    // Without the row, an older event that comes late would show what was taken back.
    if (known) await retract(tx, known, order, now);
    else if (isRetracted) await tx.insert(Message, { ...blank(ticket, given, now), ...order, retractedAt: now });
    return false;
  }
  if (known) {
    await tx.update(Message, { id: known.id }, { ...content(given), ...order, ...edited(known, given, type, now) });
    await replaceAttachments(tx, known, given, now);
    return false;
  }
  const replyId = await echoedReply(tx, ticket, given);
  const message = {
    ...blank(ticket, given, now),
    ...content(given),
    ...order,
    replyId,
    authorKey: author?.emailKey ?? null,
  };
  await tx.insert(Message, message);
  // The files of an echo are those that the reply already shows.
  if (replyId === null) await insertAttachments(tx, message, given, now);
  return true;
}

function content(given: EventMessage) {
  return { body: given.format === 'html' ? sanitiseHtml(given.body) : given.body, format: given.format };
}

/** Only an update says that a message was edited; a repeat in somebody's `history` does not. */
function edited(known: Message, given: EventMessage, type: EventType, now: number) {
  const { body, format } = content(given);
  const isEdit = type === 'message.updated' && (body !== known.body || format !== known.format);
  return isEdit ? { editedAt: now } : {};
}

function blank(ticket: Ticket, given: EventMessage, now: number) {
  return {
    id: newId('msg', now),
    ticketId: ticket.id,
    sourceMessageId: given.id,
    authorKind: given.author.kind,
    authorName: given.author.name ?? '',
    authorKey: null,
    body: '',
    format: 'text' as const,
    replyId: null,
    createdAt: given.createdAt ?? ticket.updatedAt,
    editedAt: null,
    retractedAt: null,
  };
}

async function retract(
  tx: Transaction,
  { id }: Message,
  order: Pick<Message, 'version' | 'updatedAt'>,
  now: number,
): Promise<void> {
  await tx.update(Message, { id }, { ...order, body: '', format: 'text', retractedAt: now });
  await tx.delete(Attachment, { messageId: id });
}

async function echoedReply(tx: Transaction, ticket: Ticket, { replyId }: EventMessage) {
  if (!isId('rpl', replyId)) return null;
  return (await tx.existsBy(Reply, { id: replyId, ticketId: ticket.id })) ? replyId : null;
}

async function replaceAttachments(tx: Transaction, message: Message, given: EventMessage, now: number): Promise<void> {
  const known = await tx.find(Attachment, { where: { messageId: message.id }, order: { position: 'ASC' } });
  const same =
    known.length === given.attachments.length &&
    given.attachments.every(({ name, url }, i) => known[i]!.name === name && known[i]!.url === url);
  if (same || message.replyId !== null) return;
  await tx.delete(Attachment, { messageId: message.id });
  await insertAttachments(tx, message, given, now);
}

async function insertAttachments(
  tx: Transaction,
  message: Pick<Message, 'id' | 'ticketId'>,
  given: EventMessage,
  now: number,
): Promise<void> {
  const rows = given.attachments.map(({ name, contentType, size, url }, position) => ({
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
