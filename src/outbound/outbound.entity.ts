import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import {
  AddedCountColumn,
  CountColumn,
  IdColumn,
  JsonColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';

/** `cancelled`: what it told of was forgotten before it arrived. */
export type OutboundState = 'queued' | 'leased' | 'delivered' | 'parked' | 'cancelled';

/** What guests said, which comes before what became of mails; also as the index and the look for what is due have it. */
export const GUEST_WORDS = ['ticket.guest_replied', 'ticket.guest_solved', 'ticket.guest_unsolved'];
export const IS_GUEST_WORDS = `type IN (${GUEST_WORDS.map((type) => `'${type}'`).join(', ')})`;

/** One webhook message to a source. Its id is the `webhook-id` of every try. */
@Entity('outbound_messages')
@Index('outbound_messages_next_attempt_at_idx', ['nextAttemptAt'], { where: 'ended_at IS NULL' })
@Index('outbound_messages_ended_at_idx', ['endedAt'], { where: "state = 'parked'" })
@Index('outbound_messages_subject_id_idx', ['subjectId'])
@Index('outbound_messages_source_source_ticket_id_idx', ['source', 'sourceTicketId'])
@Index('outbound_messages_source_next_attempt_at_idx', ['source', 'nextAttemptAt'], { where: 'ended_at IS NULL' })
@Index('outbound_messages_words_idx', ['source', 'nextAttemptAt'], { where: `ended_at IS NULL AND ${IS_GUEST_WORDS}` })
export class OutboundMessage {
  @IdColumn() id: Id<'out'>;
  @TextColumn() source: string;
  @TextColumn() type: string;
  /** What it tells of (a reply's id), for those who show how far it came. */
  @OptionalTextColumn() subjectId: string | null;
  /** The ticket that it is about, by the source's own id. */
  @OptionalTextColumn() sourceTicketId: string | null;
  /** `data` of the body; empty once the ticket or the person in it was forgotten. */
  @JsonColumn() data: object;
  @TextColumn() state: OutboundState;
  @CountColumn() attempts: number;
  /** How often its lease ran out: its worker ended while it held it. */
  @AddedCountColumn() deaths: number;
  /** Those before its last replay: with it the schedule began anew. */
  @AddedCountColumn() attemptsBefore: number;
  @TimeColumn() createdAt: number;
  /** Due from then on; a lease's end while it is leased. */
  @TimeColumn() nextAttemptAt: number;
  @OptionalTimeColumn() endedAt: number | null;
  @OptionalTimeColumn() replayedAt: number | null;
}

/** One try, written when it ended. Append-only. */
@Entity('outbound_attempts')
@Index('outbound_attempts_message_id_idx', ['messageId'])
export class OutboundAttempt {
  @IdColumn() id: Id<'atm'>;
  @TextColumn() messageId: Id<'out'>;
  @CountColumn() number: number;
  /** HTTP status, or 0 where there was none. */
  @CountColumn() status: number;
  @TextColumn() outcome: string;
  @TimeColumn() startedAt: number;
  @TimeColumn() endedAt: number;
}

/** The webhook endpoint of a source that wants to hear nothing more (410). */
@Entity('disabled_endpoints')
export class DisabledEndpoint {
  @IdColumn() source: string;
  /** Of the URL that said it: another one in the settings is asked again. */
  @TextColumn() urlHash: string;
  @TimeColumn() disabledAt: number;
}
