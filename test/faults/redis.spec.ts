import { Redis } from 'ioredis';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databases, type TestDatabase } from '../support/databases.js';
import { freePort, Program, programSettings } from '../support/program.js';
import { queues } from '../support/queues.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { isLong } from '../support/long.js';
import { Scene, unharmed } from './scene.js';

const postgres = databases.find(({ name }) => name === 'Postgres');
const isPossible = postgres !== undefined && queues.some(({ name }) => name === 'Redis');
const PAUSE_SECONDS = isLong ? 30 : 3;
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

(isPossible ? describe : describe.skip)('Redis, between two processes at work,', () => {
  let redis: TestRedis;
  let store: TestDatabase;
  let scene: Scene | null = null;
  beforeEach(async () => {
    redis = await startRedis();
    store = await postgres!.create('');
  });
  afterEach(async () => {
    await scene?.close();
    scene = null;
    await redis.stop();
    await store.drop();
  });

  const happenings: [string, () => Promise<void>][] = [
    [
      'killed, and started again with nothing in it',
      async () => {
        await redis.stop();
        await scene!.works();
        await redis.start();
      },
    ],
    [
      'emptied again and again (FLUSHALL)',
      async () => {
        const client = new Redis(redis.url);
        for (let i = 0; i < (isLong ? 100 : 10); i++) {
          await client.flushall();
          await scene!.works(2);
        }
        await client.quit();
      },
    ],
    [
      `paused for ${PAUSE_SECONDS} seconds`,
      async () => {
        const from = performance.now();
        redis.signal('SIGSTOP');
        try {
          await scene!.works();
          await sleep(Math.max(0, PAUSE_SECONDS - (performance.now() - from) / 1000));
        } finally {
          redis.signal('SIGCONT');
        }
      },
    ],
  ];
  it.each(happenings)('%s, holds nothing up; nothing is lost or doubled', async (_what, happen) => {
    scene = await Scene.open({ databaseUrl: () => store.url, programs: 2, settings: { QUEUE_URL: redis.url } });
    await scene.works();
    await happen();
    await scene.works();
    expect(await scene.finish()).toEqual(unharmed);
    expect(scene.load.refused).toBe(0);
  });

  it('that may evict what it was given is refused at the start, and why', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-evict-'));
    const client = new Redis(redis.url);
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await client.quit();
    const settings = { folder, databaseUrl: store.url, mailUrl: 'smtp://127.0.0.1:9', secret: '' };
    const program = new Program(folder, {
      ...programSettings({ ...settings, port: await freePort() }),
      QUEUE_URL: redis.url,
    });
    await expect(program.start()).rejects.toThrow(/maxmemory-policy allkeys-lru.*set maxmemory-policy noeviction/);
    expect(await program.end('SIGTERM')).toBe(1);
    rmSync(folder, { recursive: true, force: true });
  });
});
