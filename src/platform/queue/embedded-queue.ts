import type { Logger } from '../logger.js';
import { lanes, Queue, type Consumer, type Lane } from './queue.js';

/** How often due rows are looked for: retries whose time has come, and what a crash left behind. */
const SWEEP_EVERY_MS = 1000;
/** Ids kept in memory per lane; the rest waits in the database, so that a backlog of any size costs no memory. */
const MOST_WAITING = 2000;

interface LaneState {
  waiting: Set<string>;
  running: Set<Promise<void>>;
  consumer: Consumer | null;
  sweeping: Promise<void> | null;
  timer: NodeJS.Timeout | null;
}

/** The queue of one process, in memory. */
export class EmbeddedQueue extends Queue {
  private readonly lanes = new Map<Lane, LaneState>();
  private closed = false;

  /** `sweepEveryMs` 0: only `drain` sweeps, for tests that own the clock. */
  constructor(
    private readonly logger: Logger,
    private readonly sweepEveryMs = SWEEP_EVERY_MS,
  ) {
    super();
    for (const lane of lanes)
      this.lanes.set(lane, { waiting: new Set(), running: new Set(), consumer: null, sweeping: null, timer: null });
  }

  add(lane: Lane, ids: string[]): void {
    const state = this.state(lane);
    for (const id of ids) if (state.waiting.size < MOST_WAITING) state.waiting.add(id);
    this.pump(lane);
  }

  consume(lane: Lane, consumer: Consumer): void {
    const state = this.state(lane);
    state.consumer = consumer;
    if (this.sweepEveryMs > 0) {
      state.timer = setInterval(() => void this.sweep(lane), this.sweepEveryMs);
      void this.sweep(lane);
    }
    this.pump(lane);
  }

  async drain(): Promise<void> {
    // Twice round without work: what one lane did while another was looked at may have left work for that other.
    for (let quiet = 0; quiet < 2; quiet++) {
      let busy = false;
      for (const lane of lanes) {
        const state = this.state(lane);
        await this.sweep(lane);
        while (state.running.size > 0) {
          busy = true;
          await Promise.all(state.running);
        }
        if (await state.consumer?.settle?.()) busy = true;
      }
      if (busy) quiet = -1;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const { timer, consumer } of this.lanes.values()) {
      if (timer) clearInterval(timer);
      consumer?.stop?.();
    }
    for (const state of this.lanes.values()) await Promise.all([state.sweeping, ...state.running]);
    for (const { consumer } of this.lanes.values()) await consumer?.settle?.();
  }

  private state(lane: Lane): LaneState {
    return this.lanes.get(lane)!;
  }

  /** One sweep of a lane at a time: a slow database must not pile them up. */
  private sweep(lane: Lane): Promise<void> {
    const state = this.state(lane);
    if (this.closed || state.consumer === null || state.waiting.size > 0) return Promise.resolve();
    state.sweeping ??= state.consumer
      .due(MOST_WAITING)
      .then((ids) => this.add(lane, ids))
      .catch((error: unknown) => this.logger.error('due work could not be looked up; trying again', { lane, error }))
      .finally(() => (state.sweeping = null));
    return state.sweeping;
  }

  private pump(lane: Lane): void {
    const state = this.state(lane);
    const { consumer } = state;
    while (consumer && !this.closed && state.waiting.size > 0 && state.running.size < consumer.concurrency) {
      const ids = [...take(state.waiting, consumer.batchSize)];
      const work = consumer
        .handle(ids)
        .then(() => true)
        .catch((error: unknown) => {
          // The rows stay due or leased in the database, and a sweep brings them back.
          this.logger.error('work failed and will be taken up again', { lane, ids, error });
          return false;
        })
        .then((worked) => {
          state.running.delete(work);
          if (state.waiting.size > 0) return this.pump(lane);
          // A full bucket may have left rows behind: look at once. After a failure that would be a circle without a pause.
          if (worked && ids.length === consumer.batchSize && state.running.size === 0) void this.sweep(lane);
        });
      state.running.add(work);
    }
  }
}

function* take(ids: Set<string>, count: number): Generator<string> {
  for (const id of ids) {
    if (count-- === 0) return;
    ids.delete(id);
    yield id;
  }
}
