import { BullModule, getQueueToken, Processor, WorkerHost } from '@nestjs/bullmq';
import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import type { Job, Queue as Jobs } from 'bullmq';
import type { Config } from '../../config.js';
import type { Logger } from '../logger.js';
import { BrokerQueue, BrokerWorker, connectionTo, type BrokerSettings } from './broker.js';
import { BullQueue, type JobData } from './bull-queue.js';
import { EmbeddedQueue } from './embedded-queue.js';
import { lanes, Queue, type Lane } from './queue.js';

BullModule.queueClass = BrokerQueue;
BullModule.workerClass = BrokerWorker;

/** A worker that lost its server looks for it again after this long. */
const RUN_AGAIN_MS = 1000;

export interface QueueOptions {
  config: Pick<Config, 'queue' | 'roles'>;
  logger: Logger;
  /** 0: only `drain` sweeps, for tests that own the clock. */
  sweepEveryMs?: number;
}

/** The queue that QUEUE_URL names, as `Queue`. */
@Module({})
export class QueueModule {
  static with(options: QueueOptions): DynamicModule {
    const { queue } = options.config;
    const parts = queue.kind === 'embedded' ? embedded(options) : shared(queue, options);
    return { module: QueueModule, ...parts, exports: [Queue] };
  }
}

function embedded({ logger, sweepEveryMs }: QueueOptions): { providers: Provider[] } {
  return { providers: [{ provide: Queue, useValue: new EmbeddedQueue(logger, sweepEveryMs) }] };
}

function shared(broker: BrokerSettings, { config, logger, sweepEveryMs }: QueueOptions) {
  // Web processes only add: they have no workers, and no connections that wait for work.
  const processors = config.roles.worker ? lanes.map((lane) => ({ lane, type: processorOf(lane, broker) })) : [];
  const tokens = lanes.map((lane) => getQueueToken(lane));
  const queue: Provider = {
    provide: Queue,
    inject: [...tokens, ...processors.map(({ type }) => type)],
    useFactory: (...given: unknown[]) => {
      const jobs = Object.fromEntries(lanes.map((lane, i) => [lane, given[i]])) as Record<Lane, Jobs<JobData>>;
      const hosts = given.slice(lanes.length) as LaneProcessor[];
      const workers = Object.fromEntries(processors.map(({ lane }, i) => [lane, () => hosts[i]!.worker]));
      const made = new BullQueue(jobs, workers, logger, sweepEveryMs);
      for (const host of hosts) host.queue = made;
      return made;
    },
  };
  return {
    imports: [BullModule.registerQueue(...lanes.map((name) => ({ name, ...connectionTo(broker, 'add') })))],
    providers: [...processors.map(({ type }) => type), queue],
  };
}

/** BullMQ hands the jobs of a lane to it, once `BullQueue.consume` started its worker. */
abstract class LaneProcessor extends WorkerHost {
  queue: BullQueue;
  abstract readonly lane: Lane;

  process({ data }: Job<JobData>): Promise<void> {
    return this.queue.process(this.lane, data);
  }
}

function processorOf(lane: Lane, broker: BrokerSettings): new () => LaneProcessor {
  @Processor(lane, { autorun: false, runRetryDelay: RUN_AGAIN_MS, ...connectionTo(broker, 'work') })
  class Processing extends LaneProcessor {
    readonly lane = lane;
  }
  return Processing;
}
