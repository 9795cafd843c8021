import { Entity, Index } from 'typeorm';
import type { AuthorKind, MessageFormat, TicketStatus } from '../events.js';
import type { Id } from '../ids.js';
import {
  CountColumn,
  FlagColumn,
  IdColumn,
  JsonColumn,
  OptionalCountColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';
import type { Stated } from './projection-order.js';

/** Postern's own projection of an upstream ticket: only what the guest may see. Unique: (source, sourceTicketId). */
@Entity('tickets')
@Index('tickets_source_source_ticket_id_key', ['source', 'sourceTicketId'], { unique: true })
export class Ticket {
  @IdColumn() id: Id<'tkt'>;
  @TextColumn() source: string;
  @TextColumn() sourceTicketId: string;
  @TextColumn() number: string;
  @TextColumn() subject: string;
  @TextColumn() status: TicketStatus;
  /** The event that resolved it last, by its time: what a guest's "solved" is about. */
  @OptionalTimeColumn() resolvedAt: number | null;
  /** The source's own version, where it counts them; `updatedAt` orders the rest. */
  @OptionalTimeColumn() version: number | null;
  @OptionalTextColumn() url: string | null;
  @TimeColumn() createdAt: number;
  @TimeColumn() updatedAt: number;
  @OptionalTimeColumn() deletedAt: number | null;
  @OptionalTextColumn() mergedInto: string | null;
  @JsonColumn() stated: Stated;
}

/** The requester or somebody who takes part, with mails and a link of their own. Unique: (ticketId, emailKey). */
@Entity('participants')
@Index('participants_ticket_id_email_key_key', ['ticketId', 'emailKey'], { unique: true })
@Index('participants_email_key_idx', ['emailKey'])
export class Participant {
  @IdColumn() id: Id<'ptc'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() role: 'requester' | 'participant';
  @TextColumn() kind: 'guest' | 'account';
  @OptionalTextColumn() accountId: string | null;
  /** As mailed; `emailKey` is what is compared. Once the person was erased it is empty, and the key `erased:` and the id. */
  @TextColumn() email: string;
  @TextColumn() emailKey: string;
  @TextColumn() name: string;
  @OptionalTextColumn() locale: string | null;
  @OptionalTextColumn() timeZone: string | null;
  /** Links and sessions made for a lower generation are dead. */
  @CountColumn() generation: number;
  /** Set when the person no longer belongs to the ticket: no mail, no link, no session. */
  @OptionalTimeColumn() endedAt: number | null;
  /** Set while this person says that the ticket is not theirs: no mail, no session, and a link that only offers a code. */
  @OptionalTimeColumn() deniedAt: number | null;
  /** When whoever reads the mailbox last proved it: from then on a link alone cannot say that the ticket is not theirs. */
  @OptionalTimeColumn() confirmedAt: number | null;
  /** Set while they want no mails about this ticket. Codes and fresh links they ask for are still sent. */
  @OptionalTimeColumn() mailStoppedAt: number | null;
  /** The newest list of participants names the person, whatever else they are. */
  @FlagColumn() listed: boolean;
  @JsonColumn() stated: Stated;
}

/** One public message of the conversation. Unique: (ticketId, sourceMessageId). */
@Entity('messages')
@Index('messages_ticket_id_source_message_id_key', ['ticketId', 'sourceMessageId'], { unique: true })
@Index('messages_ticket_id_created_at_idx', ['ticketId', 'createdAt'])
@Index('messages_reply_id_idx', ['replyId'], { where: 'reply_id IS NOT NULL' })
export class Message {
  @IdColumn() id: Id<'msg'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() sourceMessageId: string;
  @TextColumn() authorKind: AuthorKind;
  @TextColumn() authorName: string;
  /** Canonical address of a requester or participant, to show a message to its author as theirs. */
  @OptionalTextColumn() authorKey: string | null;
  /** Text and Markdown as given; HTML sanitised. Empty once retracted or hidden. */
  @TextColumn() body: string;
  @TextColumn() format: MessageFormat;
  /** The guest's reply that this message is the echo of: the two are shown as one. */
  @OptionalTextColumn() replyId: Id<'rpl'> | null;
  @TimeColumn() createdAt: number;
  /** When the source last said that it was edited. */
  @OptionalTimeColumn() editedAt: number | null;
  /** Taken back for good. */
  @OptionalTimeColumn() retractedAt: number | null;
  /** Internal now, so nothing of it is shown: the row only keeps an older event from showing it again. */
  @FlagColumn() hidden: boolean;
  /** Nobody is told of the same message twice. */
  @OptionalTimeColumn() toldAt: number | null;
  @JsonColumn() stated: Stated;
}

/** A file of a message (at the source, by `url`) or of a reply (ours, by `file`). */
@Entity('attachments')
@Index('attachments_ticket_id_idx', ['ticketId'])
@Index('attachments_file_idx', ['file'], { where: 'file IS NOT NULL' })
export class Attachment {
  @IdColumn() id: Id<'att'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @OptionalTextColumn() messageId: Id<'msg'> | null;
  @OptionalTextColumn() replyId: Id<'rpl'> | null;
  @CountColumn() position: number;
  @TextColumn() name: string;
  @TextColumn() contentType: string;
  /** Bytes; null where the source did not say. */
  @OptionalTimeColumn() size: number | null;
  @OptionalTextColumn() url: string | null;
  @OptionalTextColumn() file: string | null;
  @OptionalTextColumn() sha256: string | null;
  /** Of a picture of ours, as a reader sees it, in pixels: null for all that has no preview. */
  @OptionalCountColumn() width: number | null;
  @OptionalCountColumn() height: number | null;
}

/** What a guest wrote back. Its way to the source is the outbound message with the same subject. Unique: formKey. */
@Entity('replies')
@Index('replies_form_key_key', ['formKey'], { unique: true })
@Index('replies_ticket_id_created_at_idx', ['ticketId', 'createdAt'])
export class Reply {
  @IdColumn() id: Id<'rpl'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  @TextColumn() body: string;
  /** The hidden key of the form it came by: a second submit of the same form finds the first. */
  @TextColumn() formKey: string;
  @TimeColumn() createdAt: number;
}
