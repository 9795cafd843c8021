import { Entity, Index } from 'typeorm';
import type { TicketStatus } from '../events.js';
import type { Id } from '../ids.js';
import {
  AddedCountColumn,
  AddedTimeColumn,
  CountColumn,
  IdColumn,
  JsonColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';
import type { TemplateKey } from '../templates/values.js';
import type { DeliveryState } from './states.js';

/** One piece of news, and what must still hold when it is told. */
export interface Update {
  eventId: Id<'evt'>;
  templateKey: TemplateKey;
  occurredAt: number;
  /** The message it tells of: no news any more once that is retracted or internal. */
  messageId: Id<'msg'> | null;
  /** The status it tells of: no news any more once the ticket has another. Null where a message is the news. */
  status: TicketStatus | null;
}

/** What a mail is filled with besides the person's and the ticket's rows: all of it, so that every try is the same. */
export interface DeliveryInputs {
  ticketNumber: string;
  recipientName: string;
  guest: boolean;
  /** Of the participant when this was planned: once it was raised, nothing more is sent. */
  generation: number;
  timeZone: string;
  brand: string;
  occurredAt: number;
  /** What the mail tells of, oldest first; more than one where updates were gathered. Empty for what is no news: a code, a fresh link. */
  updates: Update[];
  /** A guest's link is signed anew at each render, with the key named here, and so is never stored. */
  link: { kind: 'guest'; source: string; expiresAt: number; kid: string } | { kind: 'account'; url: string } | null;
}

/**
 * One mail to one address: a notification through its one channel, or a code. A notification and its delivery share
 * this row and the random part of their ids: `dlv_X` delivers `ntf_X`.
 */
@Entity('deliveries')
@Index('deliveries_ticket_id_idx', ['ticketId'])
@Index('deliveries_provider_id_idx', ['providerId'], { where: 'provider_id IS NOT NULL' })
@Index('deliveries_check_reference_key', ['checkReference'], { unique: true, where: 'check_reference IS NOT NULL' })
@Index('deliveries_ended_at_idx', ['endedAt'], { where: "state = 'parked'" })
@Index('deliveries_ticket_id_participant_id_id_idx', ['ticketId', 'participantId', 'id'], {
  where: 'challenge_id IS NULL AND ended_at IS NULL',
})
@Index('deliveries_lane_next_attempt_at_idx', ['lane', 'nextAttemptAt'], { where: 'ended_at IS NULL' })
export class Delivery {
  @IdColumn() id: Id<'dlv'>;
  @TextColumn() lane: 'codes' | 'mail';
  @TextColumn() channel: 'email';
  @OptionalTextColumn() eventId: Id<'evt'> | null;
  @TextColumn() ticketId: Id<'tkt'>;
  @TextColumn() participantId: Id<'ptc'>;
  /** The code it carries: in the lane `codes`. Null for all that goes by the lane `mail`. */
  @OptionalTextColumn() challengeId: Id<'chl'> | null;
  @TextColumn() templateKey: TemplateKey;
  /** Of the words when it was planned; of those that it was first tried with, once it was: see `Renditions`. */
  @TextColumn() templateRevision: string;
  @TextColumn() locale: string;
  @TextColumn() localeReason: string;
  @TextColumn() recipient: string;
  /** Printed in the mail: by it the reader finds out that it is ours. Null in rows of a version that printed none. */
  @OptionalTextColumn() checkReference: string | null;
  @JsonColumn() inputs: DeliveryInputs;
  @TextColumn() state: DeliveryState;
  /** How often it was taken up; with the id the token by which a worker knows that its lease still stands. */
  @CountColumn() attempts: number;
  /** How many workers died while they held it. */
  @AddedCountColumn() deaths: number;
  /** The transport of the last try, written before the call: after a lost answer it is the only one that may try again. */
  @OptionalTextColumn() transport: string | null;
  /** The transport's own id of it, by which its feedback names it. */
  @OptionalTextColumn() providerId: string | null;
  /** When an answer was first lost. */
  @OptionalTimeColumn() uncertainAt: number | null;
  @TimeColumn() createdAt: number;
  /** When it was meant to leave: later than `createdAt` if it gathers the updates of a quiet window. */
  @AddedTimeColumn() dueAt: number;
  /** Due from then on; a lease's end while it is leased. */
  @TimeColumn() nextAttemptAt: number;
  @OptionalTimeColumn() endedAt: number | null;
  /** When its first try settled on the revision: every later one has the same words. Null in rows of a version that kept none. */
  @OptionalTimeColumn() revisionFixedAt: number | null;
}

/** One try of a delivery, written when it ended. Append-only. */
@Entity('attempts')
@Index('attempts_delivery_id_idx', ['deliveryId'])
export class Attempt {
  @IdColumn() id: Id<'atm'>;
  @TextColumn() deliveryId: Id<'dlv'>;
  @CountColumn() number: number;
  @TextColumn() transport: string;
  @TextColumn() outcome: string;
  /** The transport's own words, scrubbed of addresses. */
  @TextColumn() detail: string;
  @TimeColumn() startedAt: number;
  @TimeColumn() endedAt: number;
}
