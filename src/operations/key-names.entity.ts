import { Entity } from 'typeorm';
import { IdColumn, JsonColumn, TimeColumn } from '../platform/database/columns.js';

/** The names of the keys of one setting as a process last started with them; never anything of a key itself. */
@Entity('key_names')
export class KeyNames {
  /** `LINK_KEYS`, `SECRET_KEYS`, `HANDOFF_KEYS`. */
  @IdColumn() ring: string;
  /** The first one signs. */
  @JsonColumn() kids: string[];
  @TimeColumn() notedAt: number;
}
