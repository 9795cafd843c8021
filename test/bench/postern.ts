import { load } from './load.js';
import { setTimeout as pause } from 'node:timers/promises';
import { join } from 'node:path';
import { Child, ROOT, answers, freePort, untilReady, withChild } from './processes.js';
import { onGround, onServers, onSqlite, SERVERS, type Ground, type Run } from './ground.js';
import { assertNoMore, counting, drive, perSecond, WARM_UP, type Figures, type System, type Task } from './system.js';

const RECEIPTS_POLL_MS = 10;

/** Postern in each of its parts and on each of its grounds. */
export const OURS: readonly System[] = [
  whole('postern', 'Postern, SQLite', onSqlite),
  { ...whole('postern-postgres', 'Postern, Postgres and Redis', () => onServers()), tools: SERVERS },
  {
    name: 'postern-receipts',
    title: 'Postern, SQLite, each mail told of to its source',
    times: 2,
    reference: false,
    measure: measureReceipts,
  },
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

/** The same with a source that hears of everything, until it has heard of the last mail. */
function measureReceipts(task: Task): Promise<Figures> {
  return onGround(onSqlite, task.sink, async ({ env, start, post, url }) => {
    const port = await freePort();
    const told = `http://127.0.0.1:${port}`;
    const endpoint = new Child(process.execPath, [join(ROOT, 'dist/test/bench/node-endpoint.js'), `${port}`]);
    const app = start({ ...env, OUTBOUND_URL: told, OUTBOUND_SECRET: env.SOURCE_SECRET }, 'src/main.js');
    const settled = async (mails: number) => {
      while (Number(await (await fetch(told)).text()) < mails) {
        if (app.failed) throw new Error('failed with receipts to go');
        await pause(RECEIPTS_POLL_MS);
      }
    };
    return withChild(endpoint, () =>
      withChild(app, async () => {
        await untilReady(endpoint, () => answers(told));
        await untilReady(app, () => answers(`${url}/health/ready`));
        return drive(app, `${url}/v1/sources/default/events`, post, task, settled);
      }),
    );
  });
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
