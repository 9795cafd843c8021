import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import {
  AddedCountColumn,
  CountColumn,
  IdColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';

/**
 * An accepted event of which something must still be found out at its source: nobody is told before. The row goes when it
 * is; `endedAt` marks one that was given up and waits for a person (`EventLedger.retry`).
 */
@Entity('waiting_events')
@Index('waiting_events_next_attempt_at_idx', ['nextAttemptAt'], { where: 'ended_at IS NULL' })
@Index('waiting_events_ended_at_idx', ['endedAt'], { where: 'ended_at IS NOT NULL' })
export class WaitingEvent {
  /** That of the event. */
  @IdColumn() id: Id<'evt'>;
  @TextColumn() source: string;
  /** The native event as far as it is known, and what to ask for, encrypted. */
  @TextColumn() sealed: string;
  @CountColumn() attempts: number;
  /** How many workers ended while they asked. */
  @AddedCountColumn() deaths: number;
  /** Since when somebody asks; null: nobody does. Still set where the lease ran out: its worker ended. */
  @OptionalTimeColumn() leasedAt: number | null;
  @TextColumn() outcome: string;
  @TimeColumn() createdAt: number;
  /** Due from then on; a lease's end while somebody asks. */
  @TimeColumn() nextAttemptAt: number;
  @OptionalTimeColumn() endedAt: number | null;
}
