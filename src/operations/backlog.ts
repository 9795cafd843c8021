import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Gauge, Registry } from 'prom-client';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';

/** Rows that are counted at most: a backlog of a million must not be read at each scrape. */
const MOST_COUNTED = 10_000;

/** What waits in the database, for all processes on it. */
@Injectable()
export class Backlog {
  private readonly registry = new Registry();
  private readonly waiting = this.gauge(
    'postern_waiting',
    `Rows that have not ended, by lane and state; ${MOST_COUNTED} of a lane means at least so many.`,
    ['lane', 'state'],
  );
  private readonly lag = this.gauge('postern_lag_seconds', 'How long the first of a lane has been due.', ['lane']);
  private readonly parked = this.gauge('postern_parked', 'What waits for a person.', ['kind']);

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  async text(): Promise<string> {
    await this.database.read(async (manager) => {
      this.waiting.reset();
      for (const lane of ['codes', 'mail']) {
        const of = `deliveries WHERE lane = '${lane}' AND ended_at IS NULL ORDER BY next_attempt_at`;
        await this.look(manager, lane, of);
      }
      await this.look(manager, 'outbound', 'outbound_messages WHERE ended_at IS NULL ORDER BY next_attempt_at');
      for (const [kind, table] of Object.entries({ deliveries: 'deliveries', outbound: 'outbound_messages' }))
        this.parked.set({ kind }, await countOf(manager, `${table} WHERE state = 'parked' AND ended_at IS NOT NULL`));
    });
    return this.registry.metrics();
  }

  private async look(manager: EntityManager, lane: string, of: string): Promise<void> {
    const first = await run<{ at: number | string }>(manager, `SELECT next_attempt_at AS at FROM ${of} LIMIT 1`);
    // What is leased is due only once its lease has ended.
    const lateMs = first[0] ? this.clock.now() - Number(first[0].at) : 0;
    this.lag.set({ lane }, Math.max(0, lateMs) / 1000);
    const counts = await run<{ state: string; n: number | string }>(
      manager,
      `SELECT state, COUNT(*) AS n FROM (SELECT state FROM ${of} LIMIT ${MOST_COUNTED}) AS first_rows GROUP BY state`,
    );
    for (const { state, n } of counts) this.waiting.set({ lane, state }, Number(n));
  }

  private gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}

async function countOf(manager: EntityManager, of: string): Promise<number> {
  const [found] = await run<{ n: number | string }>(manager, `SELECT COUNT(*) AS n FROM ${of}`);
  return Number(found!.n);
}
