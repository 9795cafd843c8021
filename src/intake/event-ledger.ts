import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { isId } from '../ids.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Event } from './event.entity.js';
import { WaitingEvent } from './waiting-event.entity.js';

const PAGE = 100;

/** `waiting`: something is still asked for at the source. `parked`: that was given up. `done`: all else. */
const among = {
  done: 'id NOT IN (SELECT id FROM waiting_events) AND',
  waiting: 'id IN (SELECT id FROM waiting_events WHERE ended_at IS NULL) AND',
  parked: 'id IN (SELECT id FROM waiting_events WHERE ended_at IS NOT NULL) AND',
};
export type EventState = keyof typeof among;
export const eventStates = Object.keys(among) as EventState[];

export interface EventRecord {
  event: Event;
  /** What is asked for at the source, while it is. */
  waiting: WaitingEvent | null;
}

/** What an operator sees and does of the events that were taken. */
@Injectable()
export class EventLedger {
  constructor(private readonly clock: Clock) {}

  /** A page, newest first; `before` is the last id of the page before. */
  async list(manager: EntityManager, before: string, state?: EventState): Promise<EventRecord[]> {
    const where = state === undefined ? '' : among[state];
    const events = await selectRows(manager, Event, `WHERE ${where} id < ? ORDER BY id DESC LIMIT ${PAGE}`, [before]);
    return this.withLookUps(manager, events);
  }

  async show(manager: EntityManager, id: string): Promise<EventRecord | null> {
    const event = isId('evt', id) ? await manager.findOneBy(Event, { id }) : null;
    return event && (await this.withLookUps(manager, [event]))[0]!;
  }

  /**
   * Has the source asked again about an event that was given up, by the whole schedule. Of many at once one does it.
   * Wake it after the commit.
   */
  async retry(tx: Transaction, id: string): Promise<'queued' | 'not-parked' | 'unknown'> {
    const taken = await run(
      tx,
      `UPDATE waiting_events SET attempts = 0, next_attempt_at = ?, ended_at = NULL
       WHERE id = ? AND ended_at IS NOT NULL RETURNING id`,
      [this.clock.now(), id],
    );
    if (taken.length > 0) return 'queued';
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
