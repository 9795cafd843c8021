import { Injectable } from '@nestjs/common';
import type { Id } from '../ids.js';
import { newId } from '../ids.js';
import { addressKey } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { insertNew, run } from '../platform/database/rows.js';
import { scrub } from '../platform/logger.js';
import { Delivery } from './delivery.entity.js';
import { Feedback, type FeedbackKind } from './feedback.entity.js';
import { Receipts } from './receipts.js';
import { hasLeft, leftStates, statesBefore } from './states.js';
import { Suppressions } from './suppression.js';

const LONGEST_DETAIL = 500;

/** What was said of one mail, by somebody whose right to say it was checked. */
export interface FeedbackReport {
  /** The mail by the transport's own id, or by ours; the first is tried first. */
  providerId?: string;
  deliveryId?: Id<'dlv'>;
  /** Whom it is about (`EmailAddress.key`): if none of them is the delivery's recipient, it is not about our mail. */
  recipientKeys: string[];
  kind: FeedbackKind;
  origin: Feedback['origin'];
  /** The other side's own words. */
  detail: string;
}

export type FeedbackOutcome =
  | { ok: true; deliveryId: Id<'dlv'>; isNew: boolean }
  | { ok: false; reason: 'unknown-mail' | 'foreign-recipient' | 'not-sent' };

/** Kinds after which the mail is certainly not in front of a willing reader. */
const ends: readonly FeedbackKind[] = ['bounced', 'refused', 'complained'];

/** The door for what receiving servers and providers say of mails that have left. */
@Injectable()
export class FeedbackRecorder {
  constructor(
    private readonly suppressions: Suppressions,
    private readonly receipts: Receipts,
    private readonly clock: Clock,
  ) {}

  /** Keeps it and draws the conclusions: the delivery's state, the address's suppression. Safe to do twice. */
  async record(tx: Transaction, report: FeedbackReport): Promise<FeedbackOutcome> {
    const delivery = await this.find(tx, report);
    if (delivery === null) return { ok: false, reason: 'unknown-mail' };
    const recipient = addressKey(delivery.recipient);
    if (!report.recipientKeys.includes(recipient)) return { ok: false, reason: 'foreign-recipient' };
    if (!hasLeft(delivery)) return { ok: false, reason: 'not-sent' };
    const deliveryId = delivery.id;
    if (!(await this.keep(tx, delivery, report))) return { ok: true, deliveryId, isNew: false };
    await this.settle(tx, delivery, report);
    await this.judgeAddress(tx, recipient, report.kind);
    return { ok: true, deliveryId, isNew: true };
  }

  private async find(tx: Transaction, { providerId, deliveryId }: FeedbackReport): Promise<Delivery | null> {
    const byProvider = providerId === undefined ? null : await tx.findOneBy(Delivery, { providerId });
    if (byProvider !== null || deliveryId === undefined) return byProvider;
    return tx.findOneBy(Delivery, { id: deliveryId });
  }

  /** False if it was said before: the unique key makes one of many copies the first. */
  private async keep(tx: Transaction, delivery: Delivery, { kind, origin, detail }: FeedbackReport): Promise<boolean> {
    const receivedAt = this.clock.now();
    const id = newId('fbk', receivedAt);
    const said = { deliveryId: delivery.id, attempt: delivery.attempts, kind, origin, detail: plain(detail) };
    return (await insertNew(tx, Feedback, [{ id, ...said, receivedAt }])).has(id);
  }

  /**
   * A mail that came back ends as `bounced`. Any other word proves that it has left, so one whose answer was lost is
   * `sent` and is not tried again. A worker that holds the row finds it ended and leaves it so.
   */
  private async settle(tx: Transaction, delivery: Delivery, { kind, detail }: FeedbackReport): Promise<void> {
    const state = ends.includes(kind) ? 'bounced' : 'sent';
    // What the worker is submitting now it will itself write down as sent.
    const from = statesBefore(state).filter((before) => state === 'bounced' || before !== 'submitting');
    // As `hasLeft` asks, but of the row as it is now; what was lost alone can turn out to be sent.
    const left = state === 'bounced' ? leftStates : [];
    const changed = await run(
      tx,
      `UPDATE deliveries SET state = ?, ended_at = ?
       WHERE id = ? AND state IN ? AND (state IN ? OR uncertain_at IS NOT NULL) RETURNING id`,
      [state, this.clock.now(), delivery.id, from, left],
    );
    // The next sweep finds what is to be told: nobody waits for it.
    if (changed.length > 0)
      await this.receipts.write(tx, [{ delivery, state, ...(state === 'bounced' && { detail: plain(detail) }) }]);
  }

  private async judgeAddress(tx: Transaction, recipient: string, kind: FeedbackKind): Promise<void> {
    if (kind === 'bounced') await this.suppressions.suppress(tx, recipient, 'hard-bounce');
    if (kind === 'complained') await this.suppressions.suppress(tx, recipient, 'complaint');
    if (kind === 'soft-bounced') await this.suppressions.countSoftBounce(tx, recipient);
    if (kind === 'delivered') await this.suppressions.forgetSoftBounces(tx, recipient);
  }
}

/** One line without addresses: it is a stranger's text. */
function plain(detail: string): string {
  return scrub(detail.replace(/[\p{C}\p{Z}]+/gu, ' ').trim()).slice(0, LONGEST_DETAIL);
}
