import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import type { Delivery } from '../delivery/delivery.entity.js';
import { DeliveryLedger } from '../delivery/ledger.js';
import { silentTypes, type EventType } from '../events.js';
import { isId, type Id } from '../ids.js';
import type { Between } from '../platform/admin-request.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Ticket } from '../tickets/ticket.entity.js';
import { Event, type Untold } from './event.entity.js';
import { WaitingEvent } from './waiting-event.entity.js';

const PAGE = 100;

/** `waiting`: something is still asked for at the source. `parked`: that was given up. `done`: all else. */
const among = {
  done: 'id NOT IN (SELECT id FROM waiting_events)',
  waiting: 'id IN (SELECT id FROM waiting_events WHERE ended_at IS NULL)',
  parked: 'id IN (SELECT id FROM waiting_events WHERE ended_at IS NOT NULL)',
};
export type EventState = keyof typeof among;
export const eventStates = Object.keys(among) as EventState[];

/** Complete, or the compiler would say so. */
const reasons: Record<Untold, true> = {
  'silent-type': true,
  'no-new-message': true,
  superseded: true,
  'same-status': true,
  'own-words': true,
  'no-mails-wanted': true,
  'unknown-ticket': true,
  'deleted-ticket': true,
  internal: true,
  'no-address': true,
  'look-up-failed': true,
  erased: true,
};
export const untoldReasons = Object.keys(reasons) as Untold[];

/** Which events a list is of; an index serves each of them, alone and with others. */
export interface EventFilter extends Between<'evt'> {
  state?: EventState;
  source?: string;
  type?: EventType;
  /** By its source's own id; only with `source`. */
  ticket?: string;
}

export interface EventRecord {
  event: Event;
  /** What is asked for at the source, while it is. */
  waiting: WaitingEvent | null;
}

/** An event, and what came of it. */
export interface EventStory extends EventRecord {
  /** The mails that were planned for it, alone or with other news, as far as they are still kept. */
  deliveries: Delivery[];
  /** Why nobody was told; null where somebody was, or where it is not known. */
  untold: Untold | null;
}

/** What an operator sees and does of the events that were taken. */
@Injectable()
export class EventLedger {
  constructor(
    private readonly deliveries: DeliveryLedger,
    private readonly clock: Clock,
  ) {}

  /** A page, newest first. */
  async list(manager: EntityManager, filter: EventFilter): Promise<EventRecord[]> {
    const { from, before, state, ...equal } = filter;
    const { source, type, ticket } = equal;
    const given = [
      ...(source === undefined ? [] : [['source = ?', source] as const]),
      ...(type === undefined ? [] : [['type = ?', type] as const]),
      ...(ticket === undefined ? [] : [['source_ticket_id = ?', ticket] as const]),
    ];
    const where = [...given.map(([text]) => text), ...(state === undefined ? [] : [among[state]]), 'id >= ?', 'id < ?'];
    const rest = `WHERE ${where.join(' AND ')} ORDER BY id DESC LIMIT ${PAGE}`;
    const values = [...given.map(([, value]) => value), from, before];
    return this.withLookUps(manager, await selectRows(manager, Event, rest, values));
  }

  async show(manager: EntityManager, id: string): Promise<EventStory | null> {
    const event = isId('evt', id) ? await manager.findOneBy(Event, { id }) : null;
    if (event === null) return null;
    const [record] = await this.withLookUps(manager, [event]);
    const { source, sourceTicketId, untold } = event;
    const ticket = await manager.findOneBy(Ticket, { source, sourceTicketId });
    const deliveries = ticket ? await this.deliveries.tellingOf(manager, event.id, ticket.id) : [];
    const isSilent = (silentTypes as readonly EventType[]).includes(event.type);
    return { ...record!, deliveries, untold: untold ?? (isSilent && !record!.waiting ? 'silent-type' : null) };
  }

  /**
   * Has the source asked again about an event that was given up, by the whole schedule. Of many at once one does it.
   * Wake it after the commit.
   */
  async retry(tx: Transaction, id: string): Promise<'queued' | 'not-parked' | 'unknown'> {
    const taken = await run(
      tx,
      `UPDATE waiting_events SET attempts = 0, deaths = 0, next_attempt_at = ?, ended_at = NULL
       WHERE id = ? AND ended_at IS NOT NULL RETURNING id`,
      [this.clock.now(), id],
    );
    if (taken.length > 0) {
      await tx.update(Event, { id: id as Id<'evt'> }, { untold: null });
      return 'queued';
    }
    return isId('evt', id) && (await tx.existsBy(Event, { id })) ? 'not-parked' : 'unknown';
  }

  private async withLookUps(manager: EntityManager, events: Event[]): Promise<EventRecord[]> {
    const found = await manager.findBy(WaitingEvent, { id: In(events.map(({ id }) => id)) });
    const waiting = new Map(found.map((one) => [one.id, one]));
    return events.map((event) => ({ event, waiting: waiting.get(event.id) ?? null }));
  }
}

export function stateOf({ waiting }: EventRecord): EventState {
  return waiting === null ? 'done' : waiting.endedAt === null ? 'waiting' : 'parked';
}
