import { In, IsNull, type EntityManager } from 'typeorm';
import type { AuthorKind } from '../events.js';
import { isId, type Id } from '../ids.js';
import { bodyAsHtml } from './message-body.js';
import { Attachment, Message, Participant, Reply, Ticket } from './ticket.entity.js';

/** Whose view of which ticket: what a session or an opened link stands for. */
export interface Access {
  ticketId: Id<'tkt'>;
  participantId: Id<'ptc'>;
  generation: number;
}

export interface Conversation {
  ticket: Ticket;
  participant: Participant;
}

/** One entry of the conversation, message or reply, as this participant sees it. */
export interface Entry {
  id: string;
  authorKind: AuthorKind;
  authorName: string;
  mine: boolean;
  at: number;
  /** Safe HTML; empty once withdrawn. */
  html: string;
  edited: boolean;
  retracted: boolean;
  attachments: Attachment[];
  /** The guest's reply, where it is one: how far it came is known by its id. */
  replyId: Id<'rpl'> | null;
  /** The source has shown it back to us, so it has certainly arrived. */
  echoed: boolean;
}

/**
 * The ticket and the person, if this access still stands: ticket, person and generation are compared in the query itself,
 * so a session or link of another ticket, a revoked one, or one of somebody who left finds nothing.
 */
export async function findConversation(manager: EntityManager, access: Access): Promise<Conversation | null> {
  const found = await findByLink(manager, access);
  return found?.participant.deniedAt === null ? found : null;
}

/** The same also for somebody who said that the ticket is not theirs: their link still leads to the way back. */
export async function findByLink(manager: EntityManager, access: Access): Promise<Conversation | null> {
  const participant = await manager.findOneBy(Participant, {
    id: access.participantId,
    ticketId: access.ticketId,
    generation: access.generation,
    endedAt: IsNull(),
  });
  const ticket = participant && (await manager.findOneBy(Ticket, { id: access.ticketId, deletedAt: IsNull() }));
  return ticket && participant ? { ticket, participant } : null;
}

/** A file of that ticket, unless it came with a reply that the source has taken back. */
export async function findAttachment(
  manager: EntityManager,
  ticketId: Id<'tkt'>,
  id: string,
): Promise<Attachment | null> {
  if (!isId('att', id)) return null;
  const attachment = await manager.findOneBy(Attachment, { id, ticketId });
  if (!attachment?.replyId) return attachment;
  const echo = await manager.findOneBy(Message, { ticketId, replyId: attachment.replyId });
  return echo && (echo.hidden || echo.retractedAt !== null) ? null : attachment;
}

/** Everything that was said, oldest first. A reply and its echo are one entry. */
export async function listEntries(manager: EntityManager, { ticket, participant }: Conversation): Promise<Entry[]> {
  const ticketId = ticket.id;
  const messages = await manager.findBy(Message, { ticketId });
  const replies = await manager.findBy(Reply, { ticketId });
  const attachments = await manager.find(Attachment, { where: { ticketId }, order: { position: 'ASC' } });
  const writers = await manager.findBy(Participant, { id: In(replies.map((reply) => reply.participantId)) });

  const echoes = new Map(messages.flatMap((message) => (message.replyId ? [[message.replyId, message] as const] : [])));
  const ofMessages = messages
    .filter((message) => message.replyId === null && !message.hidden)
    .map((message) => ({
      ...fromMessage(message, participant),
      attachments: attachments.filter((one) => one.messageId === message.id),
    }));
  const ofReplies = replies
    .filter((reply) => !echoes.get(reply.id)?.hidden)
    .map((reply) => ({
      ...fromReply(
        reply,
        echoes.get(reply.id),
        writers.find((one) => one.id === reply.participantId),
        participant,
      ),
      attachments: echoes.get(reply.id)?.retractedAt ? [] : attachments.filter((one) => one.replyId === reply.id),
    }));
  return [...ofMessages, ...ofReplies].sort((a, b) => a.at - b.at || (a.id.slice(4) < b.id.slice(4) ? -1 : 1));
}

function fromMessage(message: Message, reader: Participant): Omit<Entry, 'attachments'> {
  return {
    id: message.id,
    authorKind: message.authorKind,
    authorName: message.authorName,
    mine: message.authorKey === reader.emailKey,
    at: message.createdAt,
    html: bodyAsHtml(message.body, message.format),
    edited: message.editedAt !== null,
    retracted: message.retractedAt !== null,
    replyId: null,
    echoed: false,
  };
}

function fromReply(
  reply: Reply,
  echo: Message | undefined,
  writer: Participant | undefined,
  reader: Participant,
): Omit<Entry, 'attachments'> {
  const wasEdited = echo?.editedAt != null;
  return {
    id: reply.id,
    authorKind: writer?.role ?? 'participant',
    authorName: writer?.name ?? '',
    mine: reply.participantId === reader.id,
    at: reply.createdAt,
    html: echo && (wasEdited || echo.retractedAt) ? bodyAsHtml(echo.body, echo.format) : bodyAsHtml(reply.body, 'text'),
    edited: wasEdited,
    retracted: echo?.retractedAt != null,
    replyId: reply.id,
    echoed: echo !== undefined,
  };
}
