import { Logger } from '../../src/platform/logger.js';
import { EmbeddedQueue } from '../../src/platform/queue/embedded-queue.js';
import { lanes, type Consumer, type Lane, type Queue } from '../../src/platform/queue/queue.js';

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

/** A promise and its end, to hold a handler where a test wants it. */
function hold(): { until: Promise<void>; release: () => void } {
  let release = () => {};
  const until = new Promise<void>((resolve) => (release = resolve));
  return { until, release };
}

const queues = [
  { name: 'embedded', create: (logger: Logger, sweepEveryMs?: number) => new EmbeddedQueue(logger, sweepEveryMs) },
];

describe.each(queues)('the $name queue', ({ create }) => {
  let logs: string[];
  let queue: Queue;
  const start = (sweepEveryMs = 0) => {
    logs = [];
    queue = create(new Logger('debug', { write: (line) => logs.push(line) }), sweepEveryMs);
  };
  beforeEach(() => start());
  afterEach(() => queue.close());

  it.each(lanes)('hands every id of lane %s over, once, in batches that are not too large', async (lane) => {
    const rows = new Rows();
    const sizes: number[] = [];
    const { handle } = rows.consumer();
    queue.consume(lane, rows.consumer({ handle: (batch) => (sizes.push(batch.length), handle(batch)) }));
    queue.add(lane, rows.add(ids(100)));
    await queue.drain();
    expect([...rows.handled].sort()).toEqual(ids(100).sort());
    expect(Math.max(...sizes)).toBe(3);
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
    await queue.close();
    start(3_600_000);
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
          await gate.until;
          await handle(batch);
          running--;
        },
      }),
    );
    queue.add('mail', rows.add(ids(100)));
    gate.release();
    await queue.drain();
    expect(most).toBe(4);
    expect(rows.handled).toHaveLength(100);
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
    const failed = hold();
    queue.consume(
      'mail',
      rows.consumer({
        batchSize: 1,
        concurrency: 1,
        handle: async () => {
          if (++tries >= 50) failed.release();
          await Promise.reject(new Error('the disk is full'));
        },
      }),
    );
    queue.add('mail', rows.add(['dlv_1']));
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
