import { randomInt } from 'node:crypto';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Config } from '../../src/config.js';
import { databases } from './databases.js';

/** A queue of its own for one test. */
export interface TestBroker {
  /** For `QUEUE_URL`. */
  url: string;
  settings: Config['queue'];
  /** As FLUSHALL does: every job is gone. */
  forget(): Promise<void>;
  drop(): Promise<void>;
}

export interface QueueKind {
  name: 'embedded' | 'Redis' | 'Postgres';
  create(): Promise<TestBroker>;
}

const nothing = async () => {};
const embedded: QueueKind = {
  name: 'embedded',
  create: async () => ({ url: 'embedded', settings: { kind: 'embedded' }, forget: nothing, drop: nothing }),
};

/** The run's Redis has 10,000 databases, so that tests side by side have one each. */
function redis(server: string): QueueKind {
  return {
    name: 'Redis',
    create: async () => {
      const url = `${server}/${randomInt(10_000)}`;
      const forget = async () => {
        const client = new Redis(url);
        await client.flushdb();
        await client.quit();
      };
      await forget();
      return { url, settings: { kind: 'redis', url }, forget, drop: forget };
    },
  };
}

const postgres: QueueKind = {
  name: 'Postgres',
  create: async () => {
    const { url, drop } = await databases.find(({ name }) => name === 'Postgres')!.create('');
    const forget = async () => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('DELETE FROM postern_queue.job');
      await client.end();
    };
    return { url, settings: { kind: 'postgres', url }, forget, drop };
  },
};

const server = process.env.POSTERN_TEST_REDIS;

/** Every queue there can be on this machine: `describe.each(queues)('… on the $name queue', …)`. */
export const queues: QueueKind[] = [
  embedded,
  ...(server ? [redis(server)] : []),
  ...(databases.some(({ name }) => name === 'Postgres') ? [postgres] : []),
];
