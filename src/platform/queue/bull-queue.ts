import type { Queue as Jobs, Worker } from 'bullmq';
import type { Logger } from '../logger.js';
import { lanes, Queue, type Consumer, type Lane } from './queue.js';

/** How often due rows are looked for while the queue is empty. Each process begins at a moment of its own. */
const SWEEP_EVERY_MS = 1000;
/** Ids that one sweep brings in, and that wait in memory to be added while the server is slow. */
const MOST_WAITING = 2000;
/** Jobs per lane on the server. What is due beyond that waits in the database, where it costs nothing. */
const MOST_JOBS = 10_000;
const COUNT_EVERY_MS = 1000;
/** Ids that travel together: a round trip and a job for each mail would cost as much as the mail. */
const IDS_IN_JOB: Record<Lane, number> = { codes: 10, mail: 50, outbound: 1, lookups: 1 };
const POLL_MS = 2;

/** What a job holds: ids and nothing else, so that no word of a guest is ever on the server. */
export interface JobData {
  ids: string[];
}

interface LaneState {
  jobs: Jobs<JobData>;
  worker: Worker<JobData> | null;
  consumer: Consumer | null;
  unsent: Set<string>;
  sending: Promise<void> | null;
  sweeping: Promise<void> | null;
  /** The last sweep brought in as much as it may: there is more where that came from. */
  moreIsDue: boolean;
  /** Since the last sweep: what failed waits for the next one, or it would go in circles. */
  hasFailed: boolean;
  isFull: boolean;
  countedAt: number;
  timer: NodeJS.Timeout | null;
}

/**
 * The queue that any number of processes share, by BullMQ. It may forget or repeat all it likes: whoever gets an id
 * claims its row. While its server is away, each worker works off what its own sweeps find.
 */
export class BullQueue extends Queue {
  private readonly lanes: Record<Lane, LaneState>;
  private closed = false;
  private isAway = false;

  /** `workers` of the lanes that this process works on; they are started by `consume`. `sweepEveryMs` 0: only `drain` sweeps. */
  constructor(
    jobs: Record<Lane, Jobs<JobData>>,
    private readonly workers: Partial<Record<Lane, () => Worker<JobData>>>,
    private readonly logger: Logger,
    private readonly sweepEveryMs = SWEEP_EVERY_MS,
  ) {
    super();
    const state = (lane: Lane): LaneState => ({
      jobs: this.watched(jobs[lane]),
      worker: null,
      consumer: null,
      unsent: new Set(),
      sending: null,
      sweeping: null,
      moreIsDue: false,
      hasFailed: false,
      isFull: false,
      countedAt: 0,
      timer: null,
    });
    this.lanes = { codes: state('codes'), mail: state('mail'), outbound: state('outbound'), lookups: state('lookups') };
  }

  add(lane: Lane, ids: string[]): void {
    const state = this.lanes[lane];
    if (this.closed) return;
    for (const id of ids) if (state.unsent.size < MOST_WAITING) state.unsent.add(id);
    if (state.unsent.size > 0) state.sending ??= this.send(lane);
  }

  consume(lane: Lane, consumer: Consumer): void {
    const state = this.lanes[lane];
    const worker = this.watched(this.workers[lane]!());
    Object.assign(state, { consumer, worker });
    worker.concurrency = consumer.concurrency;
    worker.on('drained', () => state.moreIsDue && !state.hasFailed && void this.sweep(lane));
    worker.run().catch((error: unknown) => this.away(error));
    if (this.sweepEveryMs === 0) return;
    state.timer = setInterval(() => void this.sweep(lane), this.sweepEveryMs * (0.75 + Math.random() / 2));
    void this.sweep(lane);
  }

  /** Does the work of a job. What fails stays due, or leased, in the database: a sweep brings it back. */
  async process(lane: Lane, { ids }: JobData): Promise<void> {
    const state = this.lanes[lane];
    const consumer = state.consumer!;
    for (const batch of slices(ids, consumer.batchSize)) {
      try {
        await consumer.handle(batch);
      } catch (error) {
        state.hasFailed = true;
        this.logger.error('work failed and will be taken up again', { lane, ids: batch, error });
      }
    }
  }

  async drain(): Promise<void> {
    // Twice round without work: what one lane did while another was looked at may have left work for that other.
    for (let quiet = 0; quiet < 2; quiet++) {
      let busy = false;
      for (const lane of lanes) {
        const state = this.lanes[lane];
        if (this.closed || !state.consumer) continue;
        for (let isPast = await this.isEmpty(state); !isPast; isPast = await this.isEmpty(state)) {
          busy = true;
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
        const due = await this.due(lane, state.consumer);
        if (due.length > 0) busy = true;
        await this.workHere(lane, state.consumer, due);
        if (await state.consumer.settle?.()) busy = true;
      }
      if (busy) quiet = -1;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    const states = Object.values(this.lanes);
    for (const { timer, consumer } of states) {
      if (timer) clearInterval(timer);
      consumer?.stop?.();
    }
    await Promise.all(states.map(({ worker }) => worker?.close()));
    await Promise.all(states.flatMap(({ sending, sweeping }) => [sending, sweeping]));
    for (const { consumer } of states) await consumer?.settle?.();
  }

  /** Whatever is added while a round trip is under way goes with the next one. */
  private async send(lane: Lane): Promise<void> {
    const state = this.lanes[lane];
    await new Promise((resolve) => setImmediate(resolve)); // all that one group of events brought, in one go
    while (state.unsent.size > 0) {
      const ids = [...state.unsent];
      state.unsent.clear();
      await this.put(lane, ids);
    }
    // In the same step as the last look, or what came between the two would wait for the next sweep.
    state.sending = null;
  }

  /** False if the server did not take them. */
  private async put(lane: Lane, ids: string[]): Promise<boolean> {
    const state = this.lanes[lane];
    try {
      if (await this.isFull(state)) return false;
      const options = { removeOnComplete: true, removeOnFail: true };
      await state.jobs.addBulk(
        slices(ids, IDS_IN_JOB[lane]).map((some) => ({ name: lane, data: { ids: some }, opts: options })),
      );
      this.back();
      return true;
    } catch (error) {
      this.away(error);
      return false;
    }
  }

  private async isFull(state: LaneState): Promise<boolean> {
    if (Date.now() - state.countedAt < COUNT_EVERY_MS) return state.isFull;
    state.isFull = (await state.jobs.getWaitingCount()) >= MOST_JOBS;
    state.countedAt = Date.now();
    return state.isFull;
  }

  /** One sweep of a lane at a time: a slow database must not pile them up. */
  private sweep(lane: Lane): Promise<void> {
    const state = this.lanes[lane];
    if (this.closed || !state.consumer) return Promise.resolve();
    state.sweeping ??= this.refill(lane, state, state.consumer).finally(() => (state.sweeping = null));
    return state.sweeping;
  }

  private async refill(lane: Lane, state: LaneState, consumer: Consumer): Promise<void> {
    state.moreIsDue = false;
    state.hasFailed = false;
    try {
      // What waits is found by whoever takes it next. Nothing waits, or nobody knows: then the database is asked.
      const waiting = await state.jobs.getWaitingCount();
      this.back();
      if (waiting > 0) return;
    } catch (error) {
      this.away(error);
    }
    const ids = await this.due(lane, consumer);
    state.moreIsDue = ids.length === MOST_WAITING;
    if (ids.length === 0 || (await this.put(lane, ids))) return;
    await this.workHere(lane, consumer, ids);
  }

  private async due(lane: Lane, consumer: Consumer): Promise<string[]> {
    try {
      return await consumer.due(MOST_WAITING);
    } catch (error) {
      this.logger.error('due work could not be looked up; trying again', { lane, error });
      return [];
    }
  }

  private async workHere(lane: Lane, { batchSize, concurrency }: Consumer, ids: string[]): Promise<void> {
    const batches = slices(ids, batchSize).values();
    const one = async () => {
      for (const batch of batches) await this.process(lane, { ids: batch });
    };
    await Promise.all(Array.from({ length: concurrency }, one));
  }

  private async isEmpty({ jobs, sending }: LaneState): Promise<boolean> {
    if (sending) return false;
    const { waiting, active } = await jobs.getJobCounts('waiting', 'active');
    return waiting === 0 && active === 0;
  }

  /** Without a listener an error of its connection would end the process. */
  private watched<T extends Jobs<JobData> | Worker<JobData>>(one: T): T {
    (one as Worker).on('error', (error) => this.away(error));
    return one;
  }

  private away(error: unknown): void {
    if (!this.isAway && !this.closed)
      this.logger.warn('the queue is away; workers work off what is due in the database until it is back', { error });
    this.isAway = true;
  }

  private back(): void {
    if (this.isAway) this.logger.info('the queue is back');
    this.isAway = false;
  }
}

function slices(ids: string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, i) => ids.slice(i * size, (i + 1) * size));
}
