import { Entity, Index, PrimaryColumn } from 'typeorm';
import type { Id } from '../ids.js';
import { IdColumn, JsonColumn, TextColumn, TimeColumn } from '../platform/database/columns.js';
import type { ReceivedFile } from './file-store.js';

/** What a guest said to "Is it solved?". Unique: (participantId, resolvedAt, answer), so each is told once. */
@Entity('solved_answers')
@Index('solved_answers_participant_id_resolved_at_answer_key', ['participantId', 'resolvedAt', 'answer'], {
  unique: true,
})
export class SolvedAnswer {
  @IdColumn() id: Id<'slv'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  /** Which resolution it is about. */
  @TimeColumn() resolvedAt: number;
  @TextColumn() answer: 'yes' | 'no';
  @TimeColumn() createdAt: number;
}

/** What waits for its reply: files uploaded while it is written, and text and files that came when the session was over. Unique: participantId. */
@Entity('drafts')
@Index('drafts_participant_id_key', ['participantId'], { unique: true })
@Index('drafts_expires_at_idx', ['expiresAt'])
export class Draft {
  @IdColumn() id: Id<'drf'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  /** The text, encrypted. */
  @TextColumn() sealed: string;
  @JsonColumn() files: ReceivedFile[];
  @TimeColumn() expiresAt: number;
}

/** The language that the reader of an address chose: over what sources say of them, on every ticket of theirs. */
@Entity('language_choices')
export class LanguageChoice {
  @PrimaryColumn({ type: 'text' }) emailKey: string;
  @TextColumn() locale: string;
  @TimeColumn() chosenAt: number;
}

/** How far somebody has read: up to the entries of that moment. */
@Entity('readings')
export class Reading {
  @PrimaryColumn({ type: 'text' }) participantId: Id<'ptc'>;
  @TimeColumn() seenUntil: number;
}
