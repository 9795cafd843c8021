import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import {
  CountColumn,
  IdColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';

/**
 * What the receiving side says of a mail after it was taken.
 * - `delivered`: it is in the mailbox
 * - `delayed`: still on its way
 * - `soft-bounced`: not taken for a reason that may pass (mailbox full, server down)
 * - `refused`: this mail is not taken, for good, and that is not about the address (policy, content, our own account)
 * - `bounced`: the address takes no mail
 * - `complained`: its reader marked it as unwanted
 */
export type FeedbackKind = 'delivered' | 'delayed' | 'soft-bounced' | 'refused' | 'bounced' | 'complained';

/**
 * One word about a delivery that came after its attempt. Append-only, and apart from the attempts: those are our tries,
 * these are what others say of them, at any time and as often as they like. Unique: (deliveryId, attempt, kind), so that
 * a word told twice, under whatever id, is one, and nobody can fill the table.
 */
@Entity('feedback')
@Index('feedback_delivery_id_attempt_kind_key', ['deliveryId', 'attempt', 'kind'], { unique: true })
export class Feedback {
  @IdColumn() id: Id<'fbk'>;
  @TextColumn() deliveryId: Id<'dlv'>;
  /** The newest attempt when it came: a mail that was sent again may bounce again. */
  @CountColumn() attempt: number;
  @TextColumn() kind: FeedbackKind;
  @TextColumn() origin: 'resend' | 'dsn';
  /** The other side's own words, scrubbed of addresses. */
  @TextColumn() detail: string;
  @TimeColumn() receivedAt: number;
}

export type SuppressionReason = 'hard-bounce' | 'complaint' | 'soft-bounces';

/** What is known of an address that mails came back from. Suppressed: `since` is set and `releasedAt` is not. */
@Entity('suppressions')
@Index('suppressions_address_key_key', ['addressKey'], { unique: true })
export class Suppression {
  @IdColumn() id: Id<'sup'>;
  /** `EmailAddress.key`. */
  @TextColumn() addressKey: string;
  /** Why it is suppressed, or was at last. */
  @OptionalTextColumn() reason: SuppressionReason | null;
  /** Soft bounces in a row. */
  @CountColumn() softCount: number;
  @OptionalTimeColumn() softAt: number | null;
  @OptionalTimeColumn() since: number | null;
  @OptionalTimeColumn() releasedAt: number | null;
}
