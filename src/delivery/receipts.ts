import { Injectable } from '@nestjs/common';
import { siblingId, type Id } from '../ids.js';
import { Outbound } from '../outbound/outbound.js';
import { Clock, isoTime } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Ticket } from '../tickets/ticket.entity.js';
import type { Delivery } from './delivery.entity.js';
import type { DeliveryState } from './states.js';

/** A delivery that has just come into a state. */
export interface Turn {
  delivery: Delivery;
  state: DeliveryState;
  /** Why, in the transport's own words, scrubbed of addresses. */
  detail?: string;
}

const types: Partial<Record<DeliveryState, string>> = {
  sent: 'notification.sent',
  failed: 'notification.failed',
  bounced: 'notification.bounced',
  suppressed: 'notification.suppressed',
};

/** Tells the sources what became of their notifications: of a code's mail nothing, it is no news of a ticket. */
@Injectable()
export class Receipts {
  constructor(
    private readonly outbound: Outbound,
    private readonly clock: Clock,
  ) {}

  /** In the transaction that wrote these states, for those alone that it changed; hand the ids to `wake` after the commit. */
  async write(tx: Transaction, turns: readonly Turn[]): Promise<Id<'out'>[]> {
    const telling = turns.filter(({ delivery, state }) => delivery.challengeId === null && this.isWanted(state));
    if (telling.length === 0) return [];
    const named = await this.stillNamed(tx, telling);
    const ticketIds = [...new Set(telling.map(({ delivery }) => delivery.ticketId))];
    const tickets = new Map((await selectRows(tx, Ticket, 'WHERE id IN ?', [ticketIds])).map((one) => [one.id, one]));
    const at = isoTime(this.clock.now());
    const news = telling.flatMap(({ delivery, state, detail }) => {
      const ticket = tickets.get(delivery.ticketId);
      return ticket && named.has(delivery.id)
        ? [{ source: ticket.source, type: types[state]!, data: dataOf(delivery, ticket, at, detail) }]
        : [];
    });
    return this.outbound.enqueueAll(tx, news);
  }

  wake(ids: Id<'out'>[]): void {
    this.outbound.wake(ids);
  }

  /** Those whose person was not forgotten while the mail was on its way: what a worker holds is of before. */
  private async stillNamed(tx: Transaction, turns: readonly Turn[]): Promise<Set<string>> {
    const found = await run<{ id: string }>(tx, `SELECT id FROM deliveries WHERE id IN ? AND recipient <> ''`, [
      turns.map(({ delivery }) => delivery.id),
    ]);
    return new Set(found.map(({ id }) => id));
  }

  /** So that nobody who does not listen costs a look at the tickets. */
  private isWanted(state: DeliveryState): boolean {
    const type = types[state];
    return type !== undefined && this.outbound.isHeard(type);
  }
}

function dataOf(delivery: Delivery, ticket: Ticket, at: string, detail: string | undefined): object {
  const { id, eventId, templateKey, locale, recipient, attempts } = delivery;
  return {
    ticket: { id: ticket.sourceTicketId, number: ticket.number },
    notification: { id: siblingId('ntf', id), eventId, template: templateKey, locale, attempts },
    email: recipient,
    at,
    ...(detail && { detail }),
  };
}
