import { Entity, Index } from 'typeorm';
import type { EventType } from '../events.js';
import type { Id } from '../ids.js';
import type { NoNews } from '../notifications/planner.js';
import { IdColumn, OptionalTextColumn, TextColumn, TimeColumn } from '../platform/database/columns.js';

/** Why nobody was told of an event that was taken. */
export type Untold =
  | NoNews
  | 'unknown-ticket' // nothing in it says that its ticket is public, and nobody knew the ticket
  | 'deleted-ticket'
  | 'internal' // its source says that it is
  | 'no-address' // its source names nobody who could be mailed
  | 'look-up-failed' // its source did not say whom it concerns
  | 'erased'; // whom it concerns was erased before anybody was told

/**
 * One verified event. Unique: (source, sourceEventId). Its body is not kept: it may hold an internal message, and what
 * the guest may see is in the projection.
 */
@Entity('events')
@Index('events_source_source_event_id_key', ['source', 'sourceEventId'], { unique: true })
@Index('events_source_source_ticket_id_id_idx', ['source', 'sourceTicketId', 'id'])
@Index('events_source_id_idx', ['source', 'id'])
@Index('events_type_id_idx', ['type', 'id'])
@Index('events_source_type_id_idx', ['source', 'type', 'id'])
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
  /** Null: somebody was told, its source is still being asked, or it is of a version that kept no reason. */
  @OptionalTextColumn() untold: Untold | null;
}
