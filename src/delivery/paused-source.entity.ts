import { Entity } from 'typeorm';
import { IdColumn, TimeColumn } from '../platform/database/columns.js';

/** A source whose events are taken while its mails wait. */
@Entity('paused_sources')
export class PausedSource {
  @IdColumn() name: string;
  @TimeColumn() pausedAt: number;
}
