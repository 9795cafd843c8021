import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import { IdColumn, TextColumn, TimeColumn } from './database/columns.js';

/** Something that a person with power did. Append-only. */
@Entity('audit_log')
@Index('audit_log_subject_idx', ['subject'])
export class AuditEntry {
  @IdColumn() id: Id<'aud'>;
  @TimeColumn() at: number;
  /** Who: for now the name of the token, `admin`. */
  @TextColumn() actor: string;
  /** What, as `noun.verb`: `suppression.released`. */
  @TextColumn() action: string;
  /** To what: an id, never an address, so that erasing a person leaves the log whole. */
  @TextColumn() subject: string;
  /** The given reason and what was before, scrubbed of addresses. */
  @TextColumn() detail: string;
}
