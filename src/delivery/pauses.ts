import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Ticket } from '../tickets/ticket.entity.js';
import type { Delivery } from './delivery.entity.js';
import { PausedSource } from './paused-source.entity.js';

/** How long this process goes on by what it knew. */
const KEPT_MS = 1000;
/** When a mail that waits is looked at again: `resume` does not wait for it, this is for what slipped past. */
const LOOK_AGAIN_MS = 10 * 60_000;

/** Which sources are paused: their events are taken and recorded, and their mails wait. */
@Injectable()
export class Pauses {
  private kept: { names: ReadonlySet<string>; until: number } = { names: new Set(), until: -Infinity };

  constructor(private readonly clock: Clock) {}

  /** False if it was already. */
  async pause(tx: Transaction, name: string): Promise<boolean> {
    const text =
      'INSERT INTO paused_sources (name, paused_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING RETURNING name';
    const inserted = await run(tx, text, [name, this.clock.now()]);
    this.forget();
    return inserted.length > 0;
  }

  /** Lets what waits go at once. False if the source was not paused. */
  async resume(tx: Transaction, name: string): Promise<boolean> {
    const now = this.clock.now();
    const { affected } = await tx.delete(PausedSource, { name });
    this.forget();
    if (affected !== 1) return false;
    await run(
      tx,
      `UPDATE deliveries SET next_attempt_at = ? WHERE ended_at IS NULL AND state = 'queued' AND lane = 'mail'
       AND next_attempt_at > ? AND due_at <= ? AND ticket_id IN (SELECT id FROM tickets WHERE source = ?)`,
      [now, now, now, name],
    );
    return true;
  }

  list(manager: EntityManager): Promise<PausedSource[]> {
    return selectRows(manager, PausedSource, 'ORDER BY name');
  }

  /** Of these, the mails that wait. What a guest just asked for, a code or a fresh link, does not. */
  async waiting(tx: Transaction, deliveries: readonly Delivery[]): Promise<ReadonlySet<string>> {
    const names = await this.names(tx);
    const news = deliveries.filter(({ inputs }) => inputs.updates.length > 0);
    if (names.size === 0 || news.length === 0) return new Set();
    const ticketIds = [...new Set(news.map(({ ticketId }) => ticketId))];
    const tickets = await selectRows(tx, Ticket, 'WHERE id IN ? AND source IN ?', [ticketIds, [...names]]);
    const paused = new Set(tickets.map(({ id }) => id));
    return new Set(news.filter(({ ticketId }) => paused.has(ticketId)).map(({ id }) => id));
  }

  lookAgainAt(): number {
    return this.clock.now() + LOOK_AGAIN_MS;
  }

  private async names(tx: Transaction): Promise<ReadonlySet<string>> {
    const now = this.clock.now();
    if (this.kept.until > now) return this.kept.names;
    const names = new Set((await this.list(tx)).map(({ name }) => name));
    this.kept = { names, until: now + KEPT_MS };
    return names;
  }

  private forget(): void {
    this.kept = { ...this.kept, until: -Infinity };
  }
}
