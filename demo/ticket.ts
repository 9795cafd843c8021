import { randomBytes } from 'node:crypto';
import type { Language, Requester } from './conversations.js';

export type TicketStatus = 'open' | 'pending' | 'resolved' | 'closed';

export interface TicketMessage {
  id: string;
  author: { kind: 'agent' | 'requester' | 'participant' | 'system'; name: string };
  body: string;
  createdAt: string;
  /** Set when it came through the gateway: the gateway's id of the reply. */
  replyId: string | null;
  edited: boolean;
  retracted: boolean;
  attachments: ReceivedAttachment[];
}

export interface Ticket {
  id: string;
  number: string;
  subject: string;
  status: TicketStatus;
  /** Counts up with every change, so that the gateway can put events in order. */
  version: number;
  createdAt: string;
  updatedAt: string;
  requester: Requester;
  language: Language;
  /** Its guest comes to the ticket system's own page after the code. */
  ownPage: boolean;
  messages: TicketMessage[];
  /** The ticket it was merged into. */
  mergedInto: string | null;
  deleted: boolean;
}

/** A file of a reply; `check` tells whether the bytes behind the signed URL are those that the webhook announced. */
export interface ReceivedAttachment {
  name: string;
  contentType: string;
  size: number;
  sha256: string;
  url: string;
  check: 'checking' | 'ok' | 'different' | 'unreachable';
}

export interface ReceivedReply {
  id: string;
  ticketId: string;
  ticketNumber: string;
  email: string;
  body: string;
  createdAt: string;
  attachments: ReceivedAttachment[];
}

export type EventType =
  | 'ticket.created'
  | 'ticket.replied'
  | 'ticket.info_requested'
  | 'ticket.resolved'
  | 'ticket.reopened'
  | 'ticket.closed'
  | 'ticket.updated'
  | 'message.updated'
  | 'message.retracted'
  | 'requester.changed'
  | 'ticket.merged'
  | 'ticket.deleted';

/** A new id of the ticket system's own. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(9).toString('base64url')}`;
}

/** @throws if no agent has written in the ticket yet */
export function lastOfAgent(ticket: Ticket): TicketMessage {
  const message = ticket.messages.findLast(({ author, retracted }) => author.kind === 'agent' && !retracted);
  if (!message) throw new Error('No agent has written in this ticket yet.');
  return message;
}

/** The body of an event, as the gateway's native format wants it. */
export function toEvent(type: EventType, ticket: Ticket, message: TicketMessage | null): object {
  const { id, number, subject, status, version, createdAt, updatedAt, requester, mergedInto } = ticket;
  return {
    type,
    timestamp: updatedAt,
    data: {
      ticket: { id, number, subject, status, version, createdAt, updatedAt },
      requester,
      ...(message && { message: toEventMessage(message) }),
      ...(mergedInto && { into: mergedInto }),
    },
  };
}

function toEventMessage({ id, author, body, createdAt, replyId }: TicketMessage): object {
  return { id, author, body, format: 'text', createdAt, visibility: 'public', replyId, attachments: [] };
}
