import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Redis } from 'ioredis';
import { Logger } from '../../src/platform/logger.js';
import { BrokerError, prepareBroker } from '../../src/platform/queue/broker.js';
import { EmbeddedQueue } from '../../src/platform/queue/embedded-queue.js';
import { lanes, Queue, type Consumer, type Lane } from '../../src/platform/queue/queue.js';
import { QueueModule, type QueueOptions } from '../../src/platform/queue/queue.module.js';
import { queues, type TestBroker } from '../support/queues.js';
import { startRedis } from '../support/redis.js';

/** Rows as the database would hold them: due until they are done. */
class Rows {
  readonly due = new Set<string>();
  readonly handled: string[] = [];
  /** Most ids that a sweep asked for. */
  limit = 0;
  sweeps = 0;

  add(ids: string[]): string[] {
    for (const id of ids) this.due.add(id);
    return ids;
  }

  consumer(given: Partial<Consumer> = {}): Consumer {
    return {
      batchSize: 3,
      concurrency: 2,
      handle: async (ids) => {
        for (const id of ids) if (this.due.delete(id)) this.handled.push(id);
      },
      due: async (limit) => {
        this.limit = limit;
        this.sweeps++;
        return [...this.due].slice(0, limit);
      },
      ...given,
    };
  }
}

const ids = (count: number, prefix = 'dlv_') => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** Handles a batch as `rows` do, and calls `done` once nothing is due. */
const handleUntil = (rows: Rows, done: () => void) => async (batch: string[]) => {
  await rows.consumer().handle(batch);
  if (rows.due.size === 0) done();
};

/** A promise and its end, to hold a handler where a test wants it. */
function hold(): { until: Promise<void>; release: () => void } {
  let release = () => {};
  const until = new Promise<void>((resolve) => (release = resolve));
  return { until, release };
}

/** As the gateway opens it, with a log to read. Close the context. */
async function open(
  options: Omit<QueueOptions, 'logger' | 'sweepEveryMs'> & { sweepEveryMs?: number },
  logs: string[],
) {
  if (options.config.queue.kind !== 'embedded') await prepareBroker(options.config.queue);
  const logger = new Logger('debug', { write: (line) => logs.push(line) });
  const module = QueueModule.with({ sweepEveryMs: 0, ...options, logger });
  return NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
}
async function close(context: INestApplicationContext): Promise<void> {
  await context.get(Queue).close();
  await context.close();
}
const both = { web: true, worker: true };

describe.each(queues)('the $name queue', ({ create }) => {
  let broker: TestBroker;
  let context: INestApplicationContext;
  let logs: string[];
  let queue: Queue;
  const start = async (sweepEveryMs = 0) => {
    logs = [];
    context = await open({ config: { queue: broker.settings, roles: both }, sweepEveryMs }, logs);
    queue = context.get(Queue);
  };
  const stop = () => close(context);
  beforeEach(async () => {
    broker = await create();
    await start();
  });
  afterEach(async () => {
    await stop();
    await broker.drop();
  });

  it.each(lanes)('hands every id of lane %s over, once, in batches that are not too large', async (lane) => {
    const rows = new Rows();
    const sizes: number[] = [];
    const { handle } = rows.consumer();
    queue.consume(lane, rows.consumer({ handle: (batch) => (sizes.push(batch.length), handle(batch)) }));
    queue.add(lane, rows.add(ids(100)));
    await queue.drain();
    expect([...rows.handled].sort()).toEqual(ids(100).sort());
    expect(Math.max(...sizes)).toBeLessThanOrEqual(3);
  });

  it('hands over what was added before anybody consumed', async () => {
    const rows = new Rows();
    queue.add('mail', rows.add(['dlv_1']));
    queue.consume('mail', rows.consumer());
    await queue.drain();
    expect(rows.handled).toEqual(['dlv_1']);
  });

  it('finds by itself what nobody added', async () => {
    const rows = new Rows();
    rows.add(ids(10));
    queue.consume('mail', rows.consumer());
    await queue.drain();
    expect(rows.handled).toHaveLength(10);
  });

  it('looks for due work as soon as it consumes, so that a restart goes on where it stopped', async () => {
    await stop();
    await start(3_600_000);
    const rows = new Rows();
    rows.add(['dlv_1']);
    const done = hold();
    const { handle } = rows.consumer();
    queue.consume('mail', rows.consumer({ handle: async (batch) => (await handle(batch), done.release()) }));
    await done.until;
    expect(rows.handled).toEqual(['dlv_1']);
  });

  it('keeps lanes apart: stuck mail does not hold up codes', async () => {
    const stuck = hold();
    const mail = new Rows();
    const codes = new Rows();
    const coded = hold();
    queue.consume('mail', mail.consumer({ handle: () => stuck.until }));
    const { handle } = codes.consumer();
    queue.consume('codes', codes.consumer({ handle: async (batch) => (await handle(batch), coded.release()) }));
    queue.add('mail', mail.add(ids(1000)));
    queue.add('codes', codes.add(['dlv_code']));
    await coded.until;
    expect(codes.handled).toEqual(['dlv_code']);
    mail.due.clear();
    stuck.release();
  });

  it('runs as many batches side by side as the consumer wants, and no more', async () => {
    const rows = new Rows();
    const gate = hold();
    let running = 0;
    let most = 0;
    const { handle } = rows.consumer();
    queue.consume(
      'mail',
      rows.consumer({
        concurrency: 4,
        handle: async (batch) => {
          most = Math.max(most, ++running);
          if (running === 4) gate.release();
          await gate.until;
          await handle(batch);
          running--;
        },
      }),
    );
    queue.add('mail', rows.add(ids(400)));
    await queue.drain();
    expect(most).toBe(4);
    expect(rows.handled).toHaveLength(400);
  });

  it('loses nothing to a handler that fails: the rows stay due and come back', async () => {
    const rows = new Rows();
    let failures = 5;
    const { handle } = rows.consumer();
    queue.consume(
      'mail',
      rows.consumer({
        handle: async (batch) => {
          if (failures-- > 0) throw new Error('half-way');
          await handle(batch);
        },
      }),
    );
    queue.add('mail', rows.add(ids(20)));
    await queue.drain();
    expect([...rows.handled].sort()).toEqual(ids(20).sort());
    expect(logs.filter((line) => line.includes('taken up again'))).toHaveLength(5);
  });

  it('does not race in circles while every handler fails: the next try is the next sweep', async () => {
    const rows = new Rows();
    let tries = 0;
    const tried = hold();
    const failed = hold();
    queue.consume(
      'mail',
      rows.consumer({
        batchSize: 1,
        concurrency: 1,
        handle: async () => {
          tried.release();
          if (++tries >= 50) failed.release();
          await Promise.reject(new Error('the disk is full'));
        },
      }),
    );
    queue.add('mail', rows.add(['dlv_1']));
    await tried.until;
    // Ten turns of the event loop are ten thousand times what a circle without a pause needs.
    const turns = (async () => {
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    })();
    await Promise.race([turns, failed.until]);
    expect(tries).toBe(1);
  });

  it('goes on after a sweep that failed', async () => {
    const rows = new Rows();
    rows.add(['dlv_1']);
    let broken = true;
    const { due } = rows.consumer();
    queue.consume('mail', rows.consumer({ due: (limit) => (broken ? Promise.reject(new Error('gone')) : due(limit)) }));
    await queue.drain();
    expect(rows.handled).toEqual([]);
    expect(logs.join()).toContain('due work could not be looked up');
    broken = false;
    await queue.drain();
    expect(rows.handled).toEqual(['dlv_1']);
  });

  it('begins nothing after it was closed', async () => {
    const rows = new Rows();
    queue.consume('mail', rows.consumer());
    await queue.close();
    queue.add('mail', rows.add(['dlv_late']));
    await queue.drain();
    expect(rows.handled).toEqual([]);
  });
});

describe('the embedded queue, in its own memory', () => {
  let queue: Queue;
  beforeEach(() => {
    queue = new EmbeddedQueue(new Logger('silent'), 0);
  });
  afterEach(() => queue.close());

  it('keeps at most 2,000 ids of a million, and still works all of them off', async () => {
    const rows = new Rows();
    const stuck = hold();
    queue.consume('mail', rows.consumer({ batchSize: 500, handle: () => stuck.until }));
    const million = ids(1_000_000);
    queue.add('mail', million);
    expect(mostKept(queue, 'mail')).toBeLessThanOrEqual(2000);
    stuck.release();
    await queue.drain();

    const { handle } = rows.consumer();
    queue.consume('outbound', rows.consumer({ batchSize: 500, handle }));
    queue.add('outbound', rows.add(million.slice(0, 20_000)));
    await queue.drain();
    expect(rows.handled).toHaveLength(20_000);
    expect(rows.limit).toBeLessThanOrEqual(2000);
  });

  it('keeps an id that is added many times once', async () => {
    const seen: string[] = [];
    const rows = new Rows();
    const first = hold();
    queue.consume(
      'mail',
      rows.consumer({
        concurrency: 1,
        batchSize: 1,
        handle: async (batch) => (await first.until, void seen.push(...batch)),
      }),
    );
    queue.add('mail', ['dlv_first']);
    for (let i = 0; i < 50; i++) queue.add('mail', ['dlv_again']);
    first.release();
    await queue.drain();
    expect(seen).toEqual(['dlv_first', 'dlv_again']);
  });

  it('closes only when what runs has ended, and begins nothing after that', async () => {
    const rows = new Rows();
    const gate = hold();
    const begun: string[] = [];
    const ended: string[] = [];
    queue.consume(
      'mail',
      rows.consumer({
        batchSize: 1,
        concurrency: 2,
        handle: async ([id]) => {
          begun.push(id!);
          await gate.until;
          ended.push(id!);
        },
      }),
    );
    queue.add('mail', rows.add(ids(10)));
    const closed = queue.close();
    gate.release();
    await closed;
    expect(ended).toEqual(['dlv_0', 'dlv_1']);
    queue.add('mail', ['dlv_late']);
    await queue.drain();
    expect(begun).toEqual(['dlv_0', 'dlv_1']);
  });
});

/** Ids that an embedded queue holds in memory for a lane. */
function mostKept(queue: Queue, lane: Lane): number {
  const state = (queue as unknown as { lanes: Map<Lane, { waiting: Set<string> }> }).lanes.get(lane);
  return state!.waiting.size;
}

describe.each(queues.filter(({ name }) => name !== 'embedded'))(
  'the $name queue, shared by processes',
  ({ create }) => {
    let broker: TestBroker;
    const contexts: INestApplicationContext[] = [];
    const logs: string[] = [];
    const start = async (roles = both, sweepEveryMs = 0): Promise<Queue> => {
      const context = await open({ config: { queue: broker.settings, roles }, sweepEveryMs }, logs);
      contexts.push(context);
      return context.get(Queue);
    };
    beforeEach(async () => {
      broker = await create();
      logs.length = 0;
    });
    afterEach(async () => {
      for (const context of contexts.splice(0)) await close(context);
      await broker.drop();
    });

    it('hands what web processes add to all workers, each id to one of them', async () => {
      const rows = new Rows();
      const web = await Promise.all([start({ web: true, worker: false }), start({ web: true, worker: false })]);
      const workers = await Promise.all([start({ web: false, worker: true }), start({ web: false, worker: true })]);
      const met = hold();
      const begun = new Set<number>();
      workers.forEach((worker, i) =>
        worker.consume(
          'mail',
          rows.consumer({
            // A job for each before the first one ends: then both have worked.
            handle: async (batch) => {
              if (begun.add(i).size === workers.length) met.release();
              await met.until;
              for (const id of batch) if (rows.due.delete(id)) rows.handled.push(id);
            },
          }),
        ),
      );
      web.forEach((one, i) => one.add('mail', rows.add(ids(150, `dlv_${i}_`))));
      await Promise.all([...web, ...workers].map((one) => one.drain()));
      expect(rows.handled).toHaveLength(300);
      expect(new Set(rows.handled).size).toBe(300);
    });

    it('finds again by its sweeps what the server forgot', async () => {
      const rows = new Rows();
      const web = await start({ web: true, worker: false });
      web.add('mail', rows.add(ids(100)));
      await web.drain();
      await broker.forget();
      const done = hold();
      const worker = await start({ web: false, worker: true }, 50);
      worker.consume('mail', rows.consumer({ handle: handleUntil(rows, done.release) }));
      await done.until;
      expect([...rows.handled].sort()).toEqual(ids(100).sort());
    });

    it('ends a sweep that works off thousands, each once', async () => {
      const rows = new Rows();
      rows.add(ids(5000));
      const done = hold();
      const worker = await start(both, 50);
      worker.consume('mail', rows.consumer({ batchSize: 50, handle: handleUntil(rows, done.release) }));
      await done.until;
      expect(rows.handled).toHaveLength(5000);
      expect(rows.limit).toBe(2000);
    });
  },
);

const withRedis = queues.some(({ name }) => name === 'Redis') ? describe : describe.skip;
withRedis('a Redis for the queue', () => {
  it('is refused at start if it evicts keys', async () => {
    const redis = await startRedis(['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru']);
    await expect(prepareBroker({ kind: 'redis', url: redis.url })).rejects.toThrow(
      'QUEUE_URL: this Redis evicts keys (maxmemory-policy allkeys-lru) and would lose queued work; set maxmemory-policy noeviction',
    );
    await redis.stop();
  });

  it('is named when it does not answer', async () => {
    const answer = prepareBroker({ kind: 'redis', url: 'redis://127.0.0.1:1' });
    await expect(answer).rejects.toThrow(BrokerError);
    await expect(answer).rejects.toThrow('QUEUE_URL: Redis does not answer');
  });

  it('holds ids and nothing else; workers go on without it and use it again when it is back', async () => {
    const redis = await startRedis();
    const logs: string[] = [];
    const settings = { kind: 'redis', url: redis.url } as const;
    const web = await open({ config: { queue: settings, roles: { web: true, worker: false } } }, logs);
    const rows = new Rows();
    web.get(Queue).add('mail', rows.add(ids(3)));
    await close(web);
    const look = new Redis(redis.url);
    const jobs = (await look.keys('postern:mail:[0-9]*')).filter((key) => !key.includes('lock'));
    const data = await Promise.all(jobs.map((key) => look.hget(key, 'data')));
    expect(data.map((text) => JSON.parse(text!) as unknown)).toEqual([{ ids: ids(3) }]);
    await look.quit();

    const worker = await open({ config: { queue: settings, roles: both }, sweepEveryMs: 50 }, logs);
    const queue = worker.get(Queue);
    let done = hold();
    queue.consume('mail', rows.consumer({ handle: handleUntil(rows, () => done.release()) }));
    await done.until;
    await redis.stop();
    done = hold();
    queue.add('mail', rows.add(ids(10, 'dlv_without_')));
    await done.until;
    expect(logs.join()).toContain('the queue is away');

    await redis.start();
    const back = hold();
    const seen = setInterval(() => logs.join().includes('the queue is back') && back.release(), 10);
    queue.add('mail', rows.add(ids(10, 'dlv_again_')));
    await back.until;
    clearInterval(seen);
    await queue.drain();
    expect(rows.handled).toHaveLength(23);
    await close(worker);
    await redis.stop();
  });
});
