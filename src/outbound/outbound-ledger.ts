import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { isId } from '../ids.js';
import type { Between } from '../platform/admin-request.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { enableEndpoint } from './disabled-endpoint.js';
import { OutboundAttempt, OutboundMessage, type OutboundState } from './outbound.entity.js';

const PAGE = 100;
/** Complete, or the compiler would say so. */
const states: Record<OutboundState, true> = {
  queued: true,
  leased: true,
  delivered: true,
  parked: true,
  cancelled: true,
};
export const outboundStates = Object.keys(states) as OutboundState[];

export interface OutboundFilter extends Between<'out'> {
  state?: OutboundState;
  /** A ticket, by its source's own id. */
  of?: { source: string; ticket: string };
}

export interface OutboundRecord {
  message: OutboundMessage;
  attempts: OutboundAttempt[];
}

/** What an operator sees and does of the messages to the sources. */
@Injectable()
export class OutboundLedger {
  constructor(private readonly clock: Clock) {}

  /** A page, newest first. */
  async list(manager: EntityManager, { from, before, state, of }: OutboundFilter): Promise<OutboundMessage[]> {
    const texts = [of && 'source = ? AND source_ticket_id = ? AND', state && 'state = ? AND'].filter(Boolean);
    const rest = `WHERE ${texts.join(' ')} id >= ? AND id < ? ORDER BY id DESC LIMIT ${PAGE}`;
    const values = [...(of ? [of.source, of.ticket] : []), ...(state ? [state] : []), from, before];
    return selectRows(manager, OutboundMessage, rest, values);
  }

  async show(manager: EntityManager, id: string): Promise<OutboundRecord | null> {
    const message = isId('out', id) ? await manager.findOneBy(OutboundMessage, { id }) : null;
    if (message === null) return null;
    const attempts = await manager.find(OutboundAttempt, { where: { messageId: message.id }, order: { id: 'ASC' } });
    return { message, attempts };
  }

  /**
   * Queues a parked message again: with the same id, under which the source may know it, and the whole schedule before it.
   * The state decides, so that of many at once one does it. Wake it after the commit.
   */
  async replay(tx: Transaction, id: string): Promise<'queued' | 'not-parked' | 'unknown'> {
    const now = this.clock.now();
    const [queued] = await run<{ source: string }>(
      tx,
      `UPDATE outbound_messages SET state = 'queued', attempts_before = attempts, replayed_at = ?, next_attempt_at = ?,
       deaths = 0, ended_at = NULL WHERE id = ? AND state = 'parked' RETURNING source`,
      [now, now, id],
    );
    if (queued) {
      await enableEndpoint(tx, queued.source);
      return 'queued';
    }
    return isId('out', id) && (await tx.existsBy(OutboundMessage, { id })) ? 'not-parked' : 'unknown';
  }
}
