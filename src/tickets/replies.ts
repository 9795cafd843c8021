import type { EntityManager } from 'typeorm';
import { newId, type Holder, type Id } from '../ids.js';
import { sha256 } from '../platform/crypto.js';
import type { Transaction } from '../platform/database/database.js';
import { findConversation, type Conversation } from './conversation.js';
import { limitFault, type ReceivedFile } from './file-store.js';
import { lockTicket } from './ticket-lock.js';
import { Attachment, Reply } from './ticket.entity.js';

const MOST_BYTES_PER_TICKET = 200 * 1024 * 1024;

export interface NewReply {
  body: string;
  files: ReceivedFile[];
  /** The form's hidden key. */
  formKey: string;
  /** Files of the draft that the form names are not there any more. */
  misses?: boolean;
}

export type AcceptedReply =
  | ({ ok: true; isRepeat: boolean; reply: Reply; attachments: Attachment[] } & Conversation)
  | { ok: false; reason: 'gone' | 'closed' | FilesFault }
  | { ok: false; reason: 'limited'; retryAfterSeconds: number };

export type FilesFault = 'files-gone' | 'too-many-files' | 'files-too-large' | 'ticket-full';

/**
 * Stores a reply, or finds the one that this form already brought. The caller sends it on in the same transaction.
 * `count` counts one more reply of this person; what a form brought before is none.
 */
export async function acceptReply(
  tx: Transaction,
  holder: Holder,
  given: NewReply,
  now: number,
  count: () => Promise<{ ok: true } | { ok: false; retryAfterSeconds: number }>,
): Promise<AcceptedReply> {
  // Replies of one ticket take turns, as its events do: else each of two at once would see room for itself alone.
  await lockTicket(tx, holder.ticketId);
  const conversation = await findConversation(tx, holder);
  if (conversation === null) return { ok: false, reason: 'gone' };
  const { ticket, participant } = conversation;
  const formKey = storedKey(holder, given.formKey);
  const earlier = await findByForm(tx, holder, given.formKey);
  if (earlier) return { ok: true, isRepeat: true, reply: earlier, attachments: [], ...conversation };
  if (ticket.status === 'closed') return { ok: false, reason: 'closed' };
  const counted = await count();
  if (!counted.ok) return { ok: false, reason: 'limited', retryAfterSeconds: counted.retryAfterSeconds };
  if (given.misses) return { ok: false, reason: 'files-gone' };
  const reason = limitFault(given.files) ?? ((await hasRoom(tx, ticket.id, given.files)) ? null : 'ticket-full');
  if (reason) return { ok: false, reason };

  const reply: Reply = {
    id: newId('rpl', now),
    ticketId: ticket.id,
    participantId: participant.id,
    body: given.body,
    formKey,
    createdAt: now,
  };
  await tx.createQueryBuilder().insert().into(Reply).values(reply).orIgnore().execute();
  const stored = await tx.findOneByOrFail(Reply, { formKey });
  // Two submits at the same moment: the unique key let one in, and this is the other.
  if (stored.id !== reply.id) return { ok: true, isRepeat: true, reply: stored, attachments: [], ...conversation };
  const attachments = given.files.map(({ name, contentType, size, file, sha256: hash, width, height }, position) => ({
    id: newId('att', now),
    ticketId: ticket.id,
    messageId: null,
    replyId: reply.id,
    position,
    name,
    contentType,
    size,
    url: null,
    file,
    sha256: hash,
    width,
    height,
  }));
  if (attachments.length > 0) await tx.insert(Attachment, attachments);
  return { ok: true, isRepeat: false, reply, attachments, ...conversation };
}

/** The reply that a form brought, if it did. */
async function findByForm(manager: EntityManager, holder: Holder, formKey: string): Promise<Reply | null> {
  return manager.findOneBy(Reply, { formKey: storedKey(holder, formKey) });
}

/** Bound to the person, so that nobody's key can collide with somebody else's. */
function storedKey({ participantId }: Holder, formKey: string): string {
  return sha256(`${participantId}:${formKey}`).toString('base64url');
}

/** Whether a ticket has room for these as well. */
export async function hasRoom(tx: Transaction, ticketId: Id<'tkt'>, files: ReceivedFile[]): Promise<boolean> {
  const there = await tx.find(Attachment, { where: { ticketId } });
  return sumOf(there.filter(({ file }) => file !== null)) + sumOf(files) <= MOST_BYTES_PER_TICKET;
}

function sumOf(files: { size: number | null }[]): number {
  return files.reduce((sum, { size }) => sum + (size ?? 0), 0);
}
