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

export type OutboundState = 'queued' | 'leased' | 'delivered' | 'parked';

/** One webhook message to a source. Its id is the `webhook-id` of every try. */
@Entity('outbound_messages')
@Index('outbound_messages_next_attempt_at_idx', ['nextAttemptAt'], { where: 'ended_at IS NULL' })
@Index('outbound_messages_ended_at_idx', ['endedAt'], { where: "state = 'parked'" })
@Index('outbound_messages_subject_id_idx', ['subjectId'])
export class OutboundMessage {
  @IdColumn() id: Id<'out'>;
  @TextColumn() source: string;
  @TextColumn() type: string;
  /** What it tells of (a reply's id), for those who show how far it came. */
  @OptionalTextColumn() subjectId: string | null;
  /** `data` of the body. */
  @JsonColumn() data: object;
  @TextColumn() state: OutboundState;
  @CountColumn() attempts: number;
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
