import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { Child, ROOT, freePort, removeFolder, temporaryFolder } from './processes.js';
import { POSTGRES, REDIS, startPostgres, startRedis, type Server } from './servers.js';
import type { Sink } from './sink.js';

/** Where a gateway keeps its data and what wakes its workers. */
export interface Ground {
  dataDir: string;
  settings: Record<string, string>;
  /** Copies the data while no gateway runs; returns the settings of a gateway on the copy. */
  copy(): Promise<Record<string, string>>;
  stop(): Promise<void>;
}

/** One of servers, whose own cost can be asked for. */
export interface ServerGround extends Ground {
  postgres: Server;
  redis: Server;
}

/** Of `npm start`. */
const START_FLAGS = ['--max-semi-space-size=32', '--max-old-space-size=512'];
/** Tools that `onServers` cannot do without. */
export const SERVERS = [POSTGRES, REDIS];

/** One gateway to be measured: its settings, how a program of it is started, the i-th signed event. */
export interface Run<G extends Ground = Ground> {
  ground: G;
  env: Record<string, string | undefined>;
  url: string;
  start(env: Record<string, string | undefined>, program: string): Child;
  post(i: number): { body: string; headers: Record<string, string> };
  copyData: Ground['copy'];
}

/** Lays a ground, measures on it, and clears it away. */
export async function onGround<T, G extends Ground = Ground>(
  lay: () => Promise<G>,
  sink: Pick<Sink, 'port'>,
  measure: (run: Run<G>) => Promise<T>,
): Promise<T> {
  const ground = await lay();
  try {
    const [port, secret] = [await freePort(), `whsec_${randomKey()}`];
    const env = { ...withoutSettings(), ...posternSettings(port, ground.dataDir, secret, sink), ...ground.settings };
    const webhook = new Webhook(secret);
    return await measure({
      ground,
      env,
      url: `http://127.0.0.1:${port}`,
      start: (given, program) =>
        new Child(process.execPath, [...START_FLAGS, join(ROOT, 'dist', program)], { cwd: ground.dataDir, env: given }),
      post: (i) => posternPost(webhook, i),
      copyData: () => ground.copy(),
    });
  } finally {
    await ground.stop();
  }
}

export async function onSqlite(): Promise<Ground> {
  const dataDir = temporaryFolder();
  const folders = [dataDir];
  return {
    dataDir,
    settings: {},
    copy: async () => {
      const copy = temporaryFolder();
      folders.push(copy);
      cpSync(dataDir, copy, { recursive: true });
      return { DATA_DIR: copy };
    },
    stop: async () => folders.forEach(removeFolder),
  };
}

/** `options` are Postgres'. */
export async function onServers(options: readonly string[] = []): Promise<ServerGround> {
  const dataDir = temporaryFolder();
  const [postgres, redis] = [await startPostgres(options), await startRedis()];
  return {
    postgres,
    redis,
    dataDir,
    settings: { DATABASE_URL: postgres.url, QUEUE_URL: redis.url },
    copy: () => copyDatabase(postgres.url),
    stop: async () => {
      await postgres.stop();
      await redis.stop();
      removeFolder(dataDir);
    },
  };
}

async function copyDatabase(url: string): Promise<Record<string, string>> {
  const [origin, copy] = [new URL(url), new URL(url)];
  copy.pathname = '/copy';
  // Whoever is connected to it keeps a database from being copied, also the one who copies.
  const client = new pg.Client({ connectionString: Object.assign(new URL(url), { pathname: '/template1' }).href });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE copy TEMPLATE ${origin.pathname.slice(1)}`);
  } finally {
    await client.end();
  }
  return { DATABASE_URL: copy.href };
}

const randomKey = () => randomBytes(32).toString('base64');

function posternSettings(
  port: number,
  dataDir: string,
  secret: string,
  sink: Pick<Sink, 'port'>,
): Record<string, string> {
  return {
    NODE_ENV: 'production',
    PUBLIC_URL: 'https://support.example',
    HOST: '127.0.0.1',
    PORT: `${port}`,
    DATA_DIR: dataDir,
    MAIL_URL: `smtp://127.0.0.1:${sink.port}`,
    MAIL_FROM: 'Support <no-reply@support.example>',
    LINK_KEYS: `k1:${randomKey()}`,
    SECRET_KEYS: `k1:${randomKey()}`,
    SOURCE_SECRET: secret,
    ALLOW_PRIVATE_HOSTS: '127.0.0.1',
    LOG_LEVEL: 'warn',
  };
}

/** The surroundings without what could be a setting of the gateway: a developer's own must not change the figures. */
function withoutSettings(): Record<string, string | undefined> {
  const { PATH, HOME, TMPDIR, TZ } = process.env;
  return { PATH, HOME, TMPDIR, TZ };
}

/** A native event, signed: one ticket and one Indonesian guest for each. */
function posternPost(webhook: Webhook, i: number): { body: string; headers: Record<string, string> } {
  const now = new Date();
  const at = now.toISOString();
  const body = JSON.stringify({
    type: 'ticket.created',
    timestamp: at,
    data: {
      ticket: {
        id: `ticket-${i}`,
        number: `${12345 + i}`,
        subject: 'Penarikan tertunda',
        status: 'open',
        version: 1,
        createdAt: at,
        updatedAt: at,
      },
      requester: {
        kind: 'guest',
        email: `guest${i}@example.com`,
        name: 'Siti',
        locale: 'id-ID',
        timeZone: 'Asia/Jakarta',
      },
      message: {
        id: `message-${i}`,
        author: { kind: 'agent', name: 'Rina' },
        body: 'Mohon kirim ID transaksi.',
        format: 'text',
        createdAt: at,
        visibility: 'public',
        attachments: [],
      },
    },
  });
  const id = `msg_${i}`;
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': `${Math.floor(now.getTime() / 1000)}`,
    'webhook-signature': webhook.sign(id, now, body),
  };
  return { body, headers };
}
