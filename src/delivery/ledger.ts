import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isId, type Id } from '../ids.js';
import type { Between } from '../platform/admin-request.js';
import { addressKey } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Attempt, Delivery } from './delivery.entity.js';
import type { PlannedMail } from './delivery.js';
import { Feedback } from './feedback.entity.js';
import { isResendable, type DeliveryState } from './states.js';
import { Suppressions } from './suppression.js';

const PAGE = 100;
/** A provider takes a mail of the same id for a repeat, and drops it, for as long as this (Resend: idempotency keys). */
const REPEAT_MS = 24 * 3_600_000;

export interface DeliveryRecord {
  delivery: Delivery;
  attempts: Attempt[];
  feedback: Feedback[];
}

export interface DeliveryFilter extends Between<'dlv'> {
  state?: DeliveryState;
  ticket?: Id<'tkt'>;
}

export type Resent =
  | { ok: true; planned: PlannedMail; before: DeliveryState }
  | { ok: false; reason: 'unknown' | 'may-still-leave' | 'done' | 'code' | 'suppressed-address' | 'too-soon' };

/** What an operator sees and does of deliveries. */
@Injectable()
export class DeliveryLedger {
  constructor(
    private readonly suppressions: Suppressions,
    private readonly clock: Clock,
  ) {}

  /** A page, newest first. */
  async list(manager: EntityManager, { from, before, state, ticket }: DeliveryFilter): Promise<Delivery[]> {
    const given = [
      ...(state === undefined ? [] : [['state = ? AND', state] as const]),
      ...(ticket === undefined ? [] : [['ticket_id = ? AND', ticket] as const]),
    ];
    const where = given.map(([text]) => text).join(' ');
    const rest = `WHERE ${where} id >= ? AND id < ? ORDER BY id DESC LIMIT ${PAGE}`;
    return selectRows(manager, Delivery, rest, [...given.map(([, value]) => value), from, before]);
  }

  /** The mails about a ticket that tell of this event, alone or among others, however they ended. */
  tellingOf(manager: EntityManager, eventId: Id<'evt'>, ticketId: Id<'tkt'>): Promise<Delivery[]> {
    // The text of its updates names each event; the `_` of an id matches itself.
    const rest = 'WHERE ticket_id = ? AND (event_id = ? OR inputs LIKE ?) ORDER BY id';
    return selectRows(manager, Delivery, rest, [ticketId, eventId, `%"${eventId}"%`]);
  }

  async show(manager: EntityManager, id: string): Promise<DeliveryRecord | null> {
    const delivery = isId('dlv', id) ? await manager.findOneBy(Delivery, { id }) : null;
    if (delivery === null) return null;
    const of = { where: { deliveryId: delivery.id }, order: { id: 'ASC' } } as const;
    return { delivery, attempts: await manager.find(Attempt, of), feedback: await manager.find(Feedback, of) };
  }

  /**
   * Queues an ended delivery again, as it was: same bytes, same Message-ID. Its count of attempts goes on, because with
   * it a worker knows its lease. Wake `planned` after the commit.
   */
  async resend(tx: Transaction, id: string): Promise<Resent> {
    const now = this.clock.now();
    const delivery = isId('dlv', id) ? await tx.findOneBy(Delivery, { id }) : null;
    if (delivery === null) return { ok: false, reason: 'unknown' };
    const reason = await this.whyNot(tx, delivery, now);
    if (reason !== null) return { ok: false, reason };
    const queued = await run(
      tx,
      `UPDATE deliveries SET state = 'queued', deaths = 0, transport = NULL, uncertain_at = NULL,
       due_at = ?, next_attempt_at = ?, ended_at = NULL WHERE id = ? AND state = ? RETURNING id`,
      [now, now, id, delivery.state],
    );
    // Somebody else was quicker: by now it may leave by itself.
    if (queued.length === 0) return { ok: false, reason: 'may-still-leave' };
    return { ok: true, planned: { lane: delivery.lane, id: delivery.id }, before: delivery.state };
  }

  private async whyNot(
    tx: Transaction,
    delivery: Delivery,
    now: number,
  ): Promise<Extract<Resent, { ok: false }>['reason'] | null> {
    const { state, endedAt, challengeId, recipient } = delivery;
    if (endedAt === null) return 'may-still-leave';
    if (!isResendable(state)) return 'done';
    // Its code was wiped when it ended, and a code is never sent late.
    if (challengeId !== null) return 'code';
    if (await this.suppressions.isSuppressed(tx, addressKey(recipient))) return 'suppressed-address';
    return state === 'bounced' && now - endedAt < REPEAT_MS ? 'too-soon' : null;
  }
}
