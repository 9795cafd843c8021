// npm run test:faults: the long form. npm run test:faults -- --help says more.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/config.js';
import { cleanUpOnExit } from '../bench/processes.js';
import { startPostgres, startRedis } from '../bench/servers.js';
import { postgresAt, sqlite } from '../support/databases.js';
import { runCampaign, type CampaignOptions, type CampaignResult } from './campaign.js';
import { allPoints, points, type Point } from './points.js';

interface Ground extends Pick<CampaignOptions, 'database' | 'queueUrl'> {
  name: string;
  close: () => Promise<void>;
}

interface Way {
  kills: number;
  open: () => Promise<Ground>;
}

const grounds: Record<string, Way> = {
  sqlite: {
    kills: 100,
    open: async () => ({ name: 'SQLite', database: sqlite, queueUrl: 'embedded', close: async () => {} }),
  },
  'postgres-redis': {
    kills: 30,
    open: async () => {
      const [postgres, redis] = [await startPostgres(), await startRedis()];
      const close = async () => {
        await redis.stop();
        await postgres.stop();
      };
      return { name: 'Postgres, Redis', database: postgresAt(postgres.url), queueUrl: redis.url, close };
    },
  },
  postgres: {
    kills: 30,
    open: async () => {
      const server = await startPostgres();
      const close = () => server.stop();
      return { name: 'Postgres', database: postgresAt(server.url), queueUrl: 'embedded', close };
    },
  },
};

const HELP = `npm run test:faults -- [--on sqlite,postgres-redis] [--points name,name] [--kills 100] [--specs no]

Kills the gateway at each point, again and again, and compares what it acknowledged with what the mail server got:
${allPoints.map((point) => `  ${point.padEnd(18)}${points[point]}`).join('\n')}

Without --kills: ${Object.entries(grounds)
  .map(([name, { kills }]) => `${kills} at each point on ${name}`)
  .join(', ')}. After them the other faults, in their long form.
The table comes at the end; it ends with 1 if a promise was broken.`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      on: { type: 'string', default: Object.keys(grounds).join() },
      points: { type: 'string', default: allPoints.join() },
      kills: { type: 'string' },
      specs: { type: 'string', default: 'yes' },
      help: { type: 'boolean' },
    },
  });
  const on = among('--on', values.on, Object.keys(grounds));
  return {
    help: values.help,
    on,
    points: among('--points', values.points, allPoints) as Point[],
    kills: values.kills === undefined ? null : Number(values.kills),
    specs: values.specs !== 'no',
  };
}

function among(option: string, given: string, known: readonly string[]): string[] {
  const names = given.split(',').filter(Boolean);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`${option} ${unknown} is none of ${known.join(', ')}`);
  return names;
}

interface Line extends CampaignResult {
  ground: string;
  seconds: number;
}

const broken = ({ lost, different, surprises, points: ofPoints }: CampaignResult) =>
  [...lost, ...different, ...surprises].length > 0 || ofPoints.some(({ tooManyDoubled }) => tooManyDoubled > 0);

async function runAll(ground: Ground, kills: number, at: readonly Point[]): Promise<Line[]> {
  const lines: Line[] = [];
  for (const point of at) {
    const from = performance.now();
    const result = await runCampaign({
      ...ground,
      kills: Array.from({ length: kills }, () => point),
      onKill: (killed) => {
        if (killed % 10 === 0 || killed === kills)
          process.stderr.write(`${ground.name}: ${killed} of ${kills} killed ${points[point]}\n`);
      },
    });
    const seconds = Math.round((performance.now() - from) / 1000);
    for (const line of [...result.lost.map((id) => `lost: ${id}`), ...result.different, ...result.surprises])
      process.stderr.write(`  ${line}\n`);
    lines.push({ ...result, ground: ground.name, seconds });
  }
  return lines;
}

function table(lines: Line[]): string {
  const rows = lines.map(({ ground, seconds, points: [at], ...line }) => [
    ground,
    points[at!.point],
    at!.kills,
    line.acknowledged,
    line.repeated,
    line.mails,
    `**${line.lost.length}**`,
    at!.doubled,
    line.different.length,
    line.surprises.length + at!.tooManyDoubled,
    seconds,
  ]);
  const head = [
    'On',
    'Killed',
    'Kills',
    'Acknowledged',
    'Posted again',
    'Mails',
    'Lost',
    'Doubled',
    'Other bytes',
    'Other faults',
    'Seconds',
  ];
  const marks = head.map((_, i) => (i < 2 ? '---' : '---:'));
  return [head, marks, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The faults that are tests of their own, each at its full length. */
async function runSpecs(): Promise<boolean> {
  const vitest = join(packageRoot, 'node_modules', 'vitest', 'vitest.mjs');
  const specs = ['outages', 'redis', 'clocks', 'restarts', 'poison'].map((name) =>
    join('test', 'faults', `${name}.spec.ts`),
  );
  const child = spawn(process.execPath, [vitest, 'run', '--no-file-parallelism', '--testTimeout=300000', ...specs], {
    cwd: packageRoot,
    env: { ...process.env, POSTERN_LONG: '1' },
    stdio: 'inherit',
  });
  return ((await once(child, 'exit')) as [number | null])[0] === 0;
}

async function main(): Promise<void> {
  const { help, on, points: at, kills, specs } = readOptions();
  if (help) return console.log(HELP);
  cleanUpOnExit();
  const lines: Line[] = [];
  for (const name of on) {
    const { kills: usual, open } = grounds[name]!;
    const ground = await open();
    lines.push(...(await runAll(ground, kills ?? usual, at)));
    await ground.close();
  }
  const specsPassed = !specs || (await runSpecs());
  console.log(`node ${process.version}, ${cpus().length} cores, leases of 2 s\n\n${table(lines)}`);
  process.exit(lines.some(broken) || !specsPassed ? 1 : 0);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
