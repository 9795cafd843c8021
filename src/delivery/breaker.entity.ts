import { Entity } from 'typeorm';
import { CountColumn, IdColumn, OptionalTimeColumn, TimeColumn } from '../platform/database/columns.js';

/** A domain or transport that failed of late: see `breaker.ts`. One in good order has no row. */
@Entity('breakers')
export class Breaker {
  /** `mail:<domain>` or `transport:<name>`. */
  @IdColumn() key: string;
  /** In a row, the last success before them. */
  @CountColumn() failures: number;
  /** How often it opened since the last success: each time for twice as long. */
  @CountColumn() openings: number;
  /** When it opened first, since the last success; null while it is closed. */
  @OptionalTimeColumn() openedAt: number | null;
  /** Nothing passes before then; afterwards one trial. Null while it is closed. */
  @OptionalTimeColumn() openUntil: number | null;
  /** When a trial set out of which nothing is known yet. */
  @OptionalTimeColumn() trialAt: number | null;
  @TimeColumn() updatedAt: number;
}
