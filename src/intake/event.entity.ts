import { Entity, Index } from 'typeorm';
import type { EventType } from '../events.js';
import type { Id } from '../ids.js';
import { IdColumn, TextColumn, TimeColumn } from '../platform/database/columns.js';

/**
 * One verified event. Unique: (source, sourceEventId). Its body is not kept: it may hold an internal message, and what
 * the guest may see is in the projection.
 */
@Entity('events')
@Index('events_source_source_event_id_key', ['source', 'sourceEventId'], { unique: true })
@Index('events_source_source_ticket_id_idx', ['source', 'sourceTicketId'])
export class Event {
  @IdColumn() id: Id<'evt'>;
  @TextColumn() source: string;
  /** The source's own id of it: `webhook-id`. */
  @TextColumn() sourceEventId: string;
  /** SHA-256 of the raw body, hex: the same id with another body is a conflict. */
  @TextColumn() bodyHash: string;
  @TextColumn() type: EventType;
  @TextColumn() sourceTicketId: string;
  @TimeColumn() occurredAt: number;
  @TimeColumn() receivedAt: number;
}
