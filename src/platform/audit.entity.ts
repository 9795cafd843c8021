import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import { IdColumn, TextColumn, TimeColumn } from './database/columns.js';

/** Something that a person with power did. Append-only. */
@Entity('audit_log')
@Index('audit_log_subject_idx', ['subject'])
export class AuditEntry {
  @IdColumn() id: Id<'aud'>;
  @TimeColumn() at: number;
  /** Who: the id of a person of the studio, `operator` for the command line, `admin` for the admin API's token. */
  @TextColumn() actor: string;
  /** What, as `noun.verb`: `suppression.released`. */
  @TextColumn() action: string;
  /** To what: an id, a source's or brand's name, words and their language; never an address, so that erasing a person leaves the log whole. */
  @TextColumn() subject: string;
  /** The given reason and what was before, scrubbed of addresses. */
  @TextColumn() detail: string;
}
