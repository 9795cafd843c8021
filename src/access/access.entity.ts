import { Entity, Index, PrimaryColumn } from 'typeorm';
import type { Id } from '../ids.js';
import {
  CountColumn,
  IdColumn,
  JsonColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';

/** One request to prove a mailbox. At most one of a participant is alive: the newest. */
@Entity('challenges')
@Index('challenges_participant_id_created_at_idx', ['participantId', 'createdAt'])
export class Challenge {
  @IdColumn() id: Id<'chl'>;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  @CountColumn() generation: number;
  @TextColumn() purpose: string;
  /** Three signs that page and mail both show; not secret. */
  @TextColumn() reference: string;
  /** HMAC of the code; with `codeKid` the key that made it. */
  @TextColumn() codeMac: string;
  @TextColumn() codeKid: string;
  /** The code, encrypted, until its mail was sent or it expired. */
  @OptionalTextColumn() sealedCode: string | null;
  @CountColumn() tries: number;
  @TimeColumn() createdAt: number;
  @TimeColumn() expiresAt: number;
  @OptionalTimeColumn() usedAt: number | null;
  @OptionalTimeColumn() supersededAt: number | null;
}

/** What a verified guest's browser holds: opens one ticket, for one participant. Unique: tokenHash. */
@Entity('sessions')
@Index('sessions_token_hash_key', ['tokenHash'], { unique: true })
@Index('sessions_participant_id_idx', ['participantId'])
export class Session {
  @IdColumn() id: Id<'ses'>;
  @TextColumn() tokenHash: string;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  @CountColumn() generation: number;
  @TimeColumn() createdAt: number;
  @TimeColumn() lastUsedAt: number;
  @TimeColumn() expiresAt: number;
  @OptionalTimeColumn() endedAt: number | null;
}

/** Wrong codes in a row of one participant, over all codes and links. */
@Entity('failed_tries')
export class FailedTries {
  @PrimaryColumn({ type: 'text' }) participantId: Id<'ptc'>;
  @CountColumn() inARow: number;
  /** Links that expire at this moment or before are dead: those made before too many tries had failed. 0: none is. */
  @TimeColumn() deadThrough: number;
}

/** Takes a verified guest to the source's own page, once. Unique: tokenHash. */
@Entity('handoffs')
@Index('handoffs_token_hash_key', ['tokenHash'], { unique: true })
@Index('handoffs_participant_id_idx', ['participantId'])
export class Handoff {
  @IdColumn() id: Id<'hof'>;
  @TextColumn() tokenHash: string;
  @TextColumn() source: string;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  /** The page's address without the token. */
  @TextColumn() target: string;
  @CountColumn() generation: number;
  @TimeColumn() createdAt: number;
  @TimeColumn() expiresAt: number;
  @OptionalTimeColumn() redeemedAt: number | null;
}

/** When one thing was last done, as often as its limit allows. */
@Entity('limits')
@Index('limits_ends_at_idx', ['endsAt'])
export class Limit {
  @PrimaryColumn({ type: 'text' }) key: string;
  /** ms since 1970, oldest first. */
  @JsonColumn() times: number[];
  /** From then on it holds nothing back. */
  @TimeColumn() endsAt: number;
}
