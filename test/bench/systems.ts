import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { type Post, load } from './load.js';
import {
  Child,
  ROOT,
  answers,
  findTool,
  freePort,
  removeFolder,
  temporaryFolder,
  untilReady,
  withChild,
} from './processes.js';
import { REFERENCE } from './reference.js';
import type { Sink } from './sink.js';

/** What can be measured, in the order in which it is shown. A system leaves out what it has not got. */
export const FIGURES = ['mails_per_s', 'cpu_ms_per_mail', 'accepted_per_s', 'intake_p50_ms', 'intake_p99_ms'] as const;
export type Figure = (typeof FIGURES)[number];
export type Figures = Partial<Record<Figure, number>>;

/** What one measurement gets: where mails go, how many to send, and whom to tell how far it is. */
export interface Task {
  sink: Sink;
  mails: number;
  progress: (text: string) => void;
}

export interface System {
  name: string;
  title: string;
  /** How many times the run's number of mails it sends: the fast ones need more for their time to mean something. */
  times: number;
  /** A tool of the machine that it cannot do without, and Debian's package of it. */
  tool?: { name: string; package: string };
  /** Whether it needs the reference's packages. */
  reference: boolean;
  measure(task: Task): Promise<Figures>;
}

const POSTFIX = { name: 'smtp-source', package: 'postfix' };
const REDIS = { name: 'redis-server', package: 'redis-server' };

/** Every system, the one that we make last. */
export const SYSTEMS: readonly System[] = [
  cLimit('smtp-source', 'smtp-source, C, a connection a mail', []),
  cLimit('smtp-source-kept', 'smtp-source, C, connections kept', ['-d']),
  bareLoop('compose', 'nodemailer, composing each mail'),
  bareLoop('mime', 'nodemailer, finished MIME'),
  tutorial('react', 'tutorial stack, React Email'),
  tutorial('handlebars', 'tutorial stack, Handlebars'),
  { name: 'postern', title: 'Postern', times: 1, reference: false, measure: measurePostern },
];

/** What keeps a system from being measured on this machine and how to get it; undefined when nothing does. */
export function missing({ tool }: System): string | undefined {
  if (!tool || findTool(tool.name)) return undefined;
  return `${tool.name} was not found (Debian: apt install ${tool.package})`;
}

/** Postfix' own load generator in C: what this machine and this sink can do at all. Mails of 12 kB, 10 sessions. */
function cLimit(name: string, title: string, options: string[]): System {
  const measure = async ({ sink, mails, progress }: Task): Promise<Figures> => {
    const envelope = ['-f', 'no-reply@support.example', '-t', 'guest@example.com'];
    const size = ['-s', '10', '-m', `${mails}`, '-l', '12000'];
    const before = sink.accepted();
    const startedAt = performance.now();
    const child = new Child(findTool(POSTFIX.name)!, [...options, ...size, ...envelope, `127.0.0.1:${sink.port}`]);
    return withChild(child, async () => {
      await sink.until(before + mails, child, counting(progress, before, mails));
      const mailsPerSecond = perSecond(mails, startedAt);
      await child.finish();
      return { mails_per_s: mailsPerSecond };
    });
  };
  return { name, title, times: 4, tool: POSTFIX, reference: false, measure };
}

function bareLoop(mode: 'compose' | 'mime', title: string): System {
  const measure = async ({ sink, mails, progress }: Task): Promise<Figures> => {
    const env = { ...process.env, NODE_ENV: 'production', SMTP_PORT: `${sink.port}` };
    const before = sink.accepted();
    const child = new Child(process.execPath, ['loop.mjs', mode, `${mails}`], { cwd: REFERENCE, env });
    return withChild(child, async () => {
      await sink.until(before + mails, child, counting(progress, before, mails));
      return JSON.parse(await child.finish()) as Figures;
    });
  };
  return { name: mode, title, times: 2, reference: true, measure };
}

function tutorial(render: 'react' | 'handlebars', title: string): System {
  const measure = async (task: Task): Promise<Figures> => {
    const [port, redisPort] = [await freePort(), await freePort()];
    const keepNothing = ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', '--port', `${redisPort}`];
    const redis = new Child(findTool(REDIS.name)!, keepNothing);
    const ports = { PORT: `${port}`, SMTP_PORT: `${task.sink.port}`, REDIS_PORT: `${redisPort}` };
    const env = { ...process.env, NODE_ENV: 'production', RENDER: render, ...ports };
    const app = new Child(process.execPath, ['tutorial.mjs'], { cwd: REFERENCE, env });
    const base = `http://127.0.0.1:${port}`;
    try {
      return await withChild(app, async () => {
        await untilReady(app, () => answers(`${base}/ready`));
        return drive(app, `${base}/events`, tutorialPost, task);
      });
    } finally {
      await redis.stop();
    }
  };
  return { name: `tutorial-${render}`, title, times: 1, tool: REDIS, reference: true, measure };
}

/** The gateway as an operator starts it, production settings and all, on a SQLite file of its own. */
async function measurePostern(task: Task): Promise<Figures> {
  const [port, dataDir, secret] = [await freePort(), temporaryFolder(), `whsec_${randomKey()}`];
  const env = { ...withoutSettings(), ...posternSettings(port, dataDir, secret, task.sink) };
  const app = new Child(process.execPath, [join(ROOT, 'dist/src/main.js')], { cwd: dataDir, env });
  const webhook = new Webhook(secret);
  const base = `http://127.0.0.1:${port}`;
  try {
    return await withChild(app, async () => {
      await untilReady(app, () => answers(`${base}/health/ready`));
      return drive(app, `${base}/v1/sources/default/events`, (i) => posternPost(webhook, i), task);
    });
  } finally {
    removeFolder(dataDir);
  }
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

const WARM_UP = 200;

/** Makes the i-th event, another ticket and another person for each. */
type MakePost = (i: number) => Post;

/** Sends events to a running system, first to warm it up, and measures until the sink has the last mail. */
async function drive(app: Child, url: string, post: MakePost, task: Task): Promise<Figures> {
  const { sink, mails, progress } = task;
  const posts = Array.from({ length: WARM_UP + mails }, (_, i) => post(i));
  const start = sink.accepted() + WARM_UP;
  progress('warming up');
  await load(url, posts.slice(0, WARM_UP));
  await sink.until(start, app);

  progress('posting');
  const cpuBefore = app.cpuMs();
  const startedAt = performance.now();
  const intake = await load(url, posts.slice(WARM_UP));
  await sink.until(start + mails, app, counting(progress, start, mails));
  const mailsPerSecond = perSecond(mails, startedAt);
  const cpuAfter = app.cpuMs();
  await assertNoMore(sink, start + mails);
  return {
    mails_per_s: mailsPerSecond,
    ...(cpuBefore !== undefined && cpuAfter !== undefined && { cpu_ms_per_mail: (cpuAfter - cpuBefore) / mails }),
    accepted_per_s: intake.acceptedPerSecond,
    intake_p50_ms: intake.p50Ms,
    intake_p99_ms: intake.p99Ms,
  };
}

/** A mail sent twice would have stood in for one that was never sent. */
async function assertNoMore(sink: Sink, expected: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  const surplus = sink.accepted() - expected;
  if (surplus > 0) throw new Error(`${surplus} mails more than events`);
}

const perSecond = (count: number, startedAt: number) => (count * 1000) / (performance.now() - startedAt);

const counting = (progress: Task['progress'], before: number, mails: number) => (accepted: number) =>
  progress(`${Math.min(accepted - before, mails)} of ${mails} mails`);

function tutorialPost(i: number): Post {
  const link = `https://support.example/t/${i}`;
  const to = `guest${i}@example.com`;
  return { body: JSON.stringify({ n: 12345 + i, name: 'Siti', subject: 'Penarikan tertunda', link, to }) };
}

/** A native event, signed: one ticket and one Indonesian guest for each. */
function posternPost(webhook: Webhook, i: number): Post {
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
