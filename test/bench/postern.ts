import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { load } from './load.js';
import { Child, ROOT, answers, freePort, removeFolder, temporaryFolder, untilReady, withChild } from './processes.js';
import { POSTGRES, REDIS, startPostgres, startRedis, type Server } from './servers.js';
import type { Sink } from './sink.js';
import { assertNoMore, counting, drive, perSecond, WARM_UP, type Figures, type System, type Task } from './system.js';

/** Where a gateway keeps its data and what wakes its workers. */
interface Ground {
  dataDir: string;
  settings: Record<string, string>;
  stop(): Promise<void>;
}

/** One of servers, whose own cost can be asked for. */
export interface ServerGround extends Ground {
  postgres: Server;
  redis: Server;
}

/** Of `npm start`. */
const START_FLAGS = ['--max-semi-space-size=32'];
export const SERVERS = [POSTGRES, REDIS];

/** Postern in each of its parts and on each of its grounds. */
export const OURS: readonly System[] = [
  whole('postern', 'Postern, SQLite', onSqlite),
  { ...whole('postern-postgres', 'Postern, Postgres and Redis', () => onServers()), tools: SERVERS },
  drain('postern-drain', 'Postern, a backlog, SQLite', onSqlite),
  { ...drain('postern-drain-postgres', 'Postern, a backlog, Postgres and Redis', () => onServers()), tools: SERVERS },
  {
    name: 'bare-route',
    title: 'a bare Nest route that verifies',
    times: 6,
    reference: false,
    measure: measureBareRoute,
  },
  { name: 'postern-intake', title: 'Postern, intake alone', times: 3, reference: false, measure: measureIntake },
];

/** Webhook in, mail out, both at once. */
function whole(name: string, title: string, lay: () => Promise<Ground>): System {
  const measure = (task: Task) =>
    onGround(lay, task.sink, ({ env, start, post, url }) => {
      const app = start(env, 'src/main.js');
      return withChild(app, async () => {
        await untilReady(app, () => answers(`${url}/health/ready`));
        return drive(app, `${url}/v1/sources/default/events`, post, task);
      });
    });
  return { name, title, times: 2, reference: false, measure };
}

/** Events are taken while nothing is sent; then a worker starts and has all of them before it. */
function drain(name: string, title: string, lay: () => Promise<Ground>): System {
  const measure = (task: Task): Promise<Figures> =>
    onGround(lay, task.sink, async ({ env, start, post, url }) => {
      const { sink, mails, progress } = task;
      const total = mails + WARM_UP;
      const web = start({ ...env, BENCH_ROLE: 'web' }, 'test/bench/one-role.js');
      await withChild(web, async () => {
        await untilReady(web, () => answers(`${url}/health/ready`));
        progress('filling the backlog');
        await load(
          `${url}/v1/sources/default/events`,
          Array.from({ length: total }, (_, i) => post(i)),
        );
      });
      const before = sink.accepted();
      const worker = start({ ...env, BENCH_ROLE: 'worker' }, 'test/bench/one-role.js');
      return withChild(worker, async () => {
        await sink.until(before + WARM_UP, worker);
        const [already, cpuBefore, startedAt] = [sink.accepted(), worker.cpuMs() ?? 0, performance.now()];
        await sink.until(before + total, worker, counting(progress, before, total));
        const left = before + total - already;
        const figures = {
          mails_per_s: perSecond(left, startedAt),
          cpu_ms_per_mail: ((worker.cpuMs() ?? 0) - cpuBefore) / left,
        };
        await assertNoMore(sink, before + total);
        return figures;
      });
    });
  return { name, title, times: 4, reference: false, measure };
}

/** Webhooks taken, committed and planned while nothing is sent. */
function measureIntake(task: Task): Promise<Figures> {
  return onGround(onSqlite, task.sink, ({ env, start, post, url }) =>
    taken(start({ ...env, BENCH_ROLE: 'web' }, 'test/bench/one-role.js'), url, post, task.mails),
  );
}

function measureBareRoute(task: Task): Promise<Figures> {
  return onGround(onSqlite, task.sink, ({ env, start, post, url }) =>
    taken(start(env, 'test/bench/bare-route.js'), url, post, task.mails),
  );
}

async function taken(app: Child, url: string, post: Run['post'], events: number): Promise<Figures> {
  const posts = Array.from({ length: WARM_UP + events }, (_, i) => post(i));
  return withChild(app, async () => {
    await untilReady(app, () => answers(`${url}/health/ready`));
    await load(`${url}/v1/sources/default/events`, posts.slice(0, WARM_UP));
    const cpuBefore = app.cpuMs() ?? 0;
    const { acceptedPerSecond, p50Ms, p99Ms } = await load(`${url}/v1/sources/default/events`, posts.slice(WARM_UP));
    const cpu = ((app.cpuMs() ?? 0) - cpuBefore) / events;
    return { accepted_per_s: acceptedPerSecond, intake_p50_ms: p50Ms, intake_p99_ms: p99Ms, cpu_ms_per_mail: cpu };
  });
}

/** One gateway to be measured: its settings, how a program of it is started, the i-th signed event. */
export interface Run<G extends Ground = Ground> {
  ground: G;
  env: Record<string, string | undefined>;
  url: string;
  start(env: Record<string, string | undefined>, program: string): Child;
  post(i: number): { body: string; headers: Record<string, string> };
}

export async function onGround<T, G extends Ground = Ground>(
  lay: () => Promise<G>,
  sink: Sink,
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
    });
  } finally {
    await ground.stop();
  }
}

function onSqlite(): Promise<Ground> {
  const dataDir = temporaryFolder();
  return Promise.resolve({ dataDir, settings: {}, stop: async () => removeFolder(dataDir) });
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
    stop: async () => {
      await postgres.stop();
      await redis.stop();
      removeFolder(dataDir);
    },
  };
}

const randomKey = () => randomBytes(32).toString('base64');

function posternSettings(port: number, dataDir: string, secret: string, sink: Sink): Record<string, string> {
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
