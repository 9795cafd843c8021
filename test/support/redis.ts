import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './program.js';

/** A redis-server of one's own, to be ended and paused. It keeps nothing on disk. */
export interface TestRedis {
  url: string;
  /** Again on the same port, empty. */
  start(): Promise<void>;
  stop(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

export async function startRedis(options: string[] = []): Promise<TestRedis> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let server: ChildProcess | null = null;
  let folder = '';
  const redis: TestRedis = {
    url,
    async start() {
      folder = mkdtempSync(join(tmpdir(), 'postern-redis-'));
      const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', ...options];
      server = spawn('redis-server', args, { stdio: 'ignore' });
      const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: 500 });
      client.on('error', () => undefined); // not there yet
      await client.ping();
      client.disconnect();
    },
    async stop() {
      if (!server) return;
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      server = null;
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
    signal: (signal) => void server?.kill(signal),
  };
  await redis.start();
  return redis;
}
