import type { Post } from './load.js';
import { Child, answers, findTool, freePort, untilReady, withChild } from './processes.js';
import { REFERENCE } from './reference.js';
import { counting, drive, perSecond, type Figures, type System, type Task } from './system.js';

const POSTFIX = { name: 'smtp-source', package: 'postfix' };
const REDIS = { name: 'redis-server', package: 'redis-server' };

/** What Postern is measured against. */
export const REFERENCES: readonly System[] = [
  cLimit('smtp-source', 'smtp-source, C, a connection a mail', []),
  cLimit('smtp-source-kept', 'smtp-source, C, connections kept', ['-d']),
  bareLoop('compose', 'nodemailer, composing each mail'),
  bareLoop('mime', 'nodemailer, finished MIME'),
  tutorial('react', 'tutorial stack, React Email'),
  tutorial('handlebars', 'tutorial stack, Handlebars'),
];

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
  return { name, title, times: 4, tools: [POSTFIX], reference: false, measure };
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
  return { name: `tutorial-${render}`, title, times: 1, tools: [REDIS], reference: true, measure };
}

function tutorialPost(i: number): Post {
  const link = `https://support.example/t/${i}`;
  const to = `guest${i}@example.com`;
  return { body: JSON.stringify({ n: 12345 + i, name: 'Siti', subject: 'Penarikan tertunda', link, to }) };
}
