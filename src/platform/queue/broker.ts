import {
  createPostgresBackend,
  getDefaultBackendFactory,
  Queue,
  runMigrations,
  Worker,
  type BackendFactory,
  type ConnectionOptions,
  type Processor,
  type QueueBaseOptions,
  type QueueOptions,
  type RedisQueueBackend,
  type WorkerOptions,
} from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { StartError } from '../../errors.js';

/** Where BullMQ keeps its jobs. */
export type BrokerSettings = { kind: 'redis'; url: string } | { kind: 'postgres'; url: string };

/** Keys of Redis begin with it; in Postgres it is a schema of its own, beside our tables or on another server. */
const NAMESPACE = { redis: 'postern', postgres: 'postern_queue' };
const CONNECT_TIMEOUT_MS = 10_000;
/** A server that is paused answers nothing at all: after this long it counts as away. */
const COMMAND_TIMEOUT_MS = 2000;
/** Of a Postgres broker, per lane and use. */
const MOST_CONNECTIONS = 3;

/** The server of QUEUE_URL cannot be used; says why and what to do. */
export class BrokerError extends StartError {
  constructor(problem: string, cause?: unknown) {
    super(`QUEUE_URL: ${problem}`, { cause });
    this.name = 'BrokerError';
  }
}

/** Makes sure, before anything runs, that the server is there and keeps what it is given. Throws `BrokerError`. */
export function prepareBroker(settings: BrokerSettings): Promise<void> {
  return settings.kind === 'redis' ? inspectRedis(settings.url) : migratePostgres(settings.url);
}

/**
 * How a lane's queue is reached: to add to it, which is worth nothing once the caller has waited; or to work from it,
 * which waits for jobs on a connection of its own and goes on whenever the server is back.
 */
export function connectionTo({ kind, url }: BrokerSettings, use: 'add' | 'work') {
  const redis =
    use === 'add'
      ? { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: COMMAND_TIMEOUT_MS }
      : { maxRetriesPerRequest: null };
  const postgres = { connectionString: url, schema: NAMESPACE.postgres, max: MOST_CONNECTIONS };
  const connection = kind === 'redis' ? { url, ...redis, retryStrategy } : postgres;
  return { connection: connection as ConnectionOptions, prefix: NAMESPACE.redis };
}

/** BullMQ's classes, on the server that their connection is for. */
export class BrokerQueue extends Queue {
  constructor(name: string, options: QueueOptions) {
    super(name, options, backendOf(options));
  }
}
export class BrokerWorker extends Worker {
  constructor(name: string, processor: Processor, options: WorkerOptions) {
    super(name, processor, options, backendOf(options));
    // Until somebody consumes there is nobody to tell.
    this.on('error', () => undefined);
  }
}

/** The types are those of Redis on both: of a queue only what both servers can do is used. */
function backendOf({ connection }: QueueBaseOptions): BackendFactory<RedisQueueBackend, ConnectionOptions> {
  return 'connectionString' in connection ? (createPostgresBackend as never) : getDefaultBackendFactory();
}

const retryStrategy = (times: number) => Math.min(100 * times, 1000);

/** A Redis that may throw keys away under pressure throws jobs away, and whole queues with them. */
async function inspectRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: () => null,
  });
  // connect() rejects without saying why.
  let reason: Error | null = null;
  redis.on('error', (error) => (reason = error));
  try {
    await redis.connect();
    // INFO, because CONFIG is closed to the users of hosted servers.
    const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info('memory'))?.[1];
    if (policy !== undefined && policy !== 'noeviction')
      throw new BrokerError(
        `this Redis evicts keys (maxmemory-policy ${policy}) and would lose queued work; set maxmemory-policy noeviction, or use a Redis of its own`,
      );
  } catch (error) {
    if (error instanceof BrokerError) throw error;
    const cause = reason ?? (error as Error);
    throw new BrokerError(`Redis does not answer (${cause.message}); is it running, and is the URL right?`, cause);
  } finally {
    redis.disconnect();
  }
}

async function migratePostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => undefined); // whatever runs rejects with it
  try {
    await client.connect();
    await runMigrations(client as never, NAMESPACE.postgres);
  } catch (error) {
    throw new BrokerError(
      `Postgres cannot be used (${(error as Error).message}); is it running, and may the user create a schema?`,
      error,
    );
  } finally {
    await client.end();
  }
}
