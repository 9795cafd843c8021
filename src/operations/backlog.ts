import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Gauge, Registry } from 'prom-client';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';
import { lanes, type Lane } from '../platform/queue/queue.js';
import { countParked, latenessMs, openRows } from './waiting.js';

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

  private running: Promise<string> | null = null;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Two that ask at once get one answer: they would empty the gauges under each other's hands. */
  text(): Promise<string> {
    this.running ??= this.countAll().finally(() => (this.running = null));
    return this.running;
  }

  private async countAll(): Promise<string> {
    await this.database.read(async (manager) => {
      this.waiting.reset();
      for (const lane of lanes) {
        this.lag.set({ lane }, (await latenessMs(manager, lane, this.clock.now())) / 1000);
        await this.count(manager, lane);
      }
      for (const [kind, n] of Object.entries(await countParked(manager))) this.parked.set({ kind }, n);
    });
    return this.registry.metrics();
  }

  private async count(manager: EntityManager, lane: Lane): Promise<void> {
    // An event that lacks something has one state only.
    const state = lane === 'lookups' ? `'waiting'` : 'state';
    const counts = await run<{ state: string; n: number | string }>(
      manager,
      `SELECT state, COUNT(*) AS n FROM (SELECT ${state} AS state FROM ${openRows[lane]} LIMIT ${MOST_COUNTED}) AS first_rows GROUP BY state`,
    );
    for (const { state, n } of counts) this.waiting.set({ lane, state }, Number(n));
  }

  private gauge<L extends string>(name: string, help: string, labelNames: L[]): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
