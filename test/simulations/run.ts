// npm run simulate:day: the long form. npm run simulate:day -- --help says more.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { cleanUpOnExit } from '../bench/processes.js';
import { startPostgres } from '../bench/servers.js';
import { postgresAt, sqlite } from '../support/databases.js';
import { ends, type Balance } from './balance.js';
import { simulateDay } from './day.js';
import { silences } from './rules.js';

const EVENTS = 50_000;
const MOST_FAULTS_SHOWN = 20;
const HELP = `npm run simulate:day -- [--events ${EVENTS}] [--database sqlite|postgres] [--seed 1]

A day of so many posts by all ticket systems at once, 5 % of them duplicates, 5 % out of order and 1 % malformed, against
the real gateway and a real SMTP server. Then the books are compared: accepted = sent + cancelled + parked + internal.
The table comes at the end; it ends with 1 if the difference is not 0 or anything else is not as it must be.`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: String(EVENTS) },
      database: { type: 'string', default: 'sqlite' },
      seed: { type: 'string', default: '1' },
      help: { type: 'boolean' },
    },
  });
  const [posts, seed] = [Number(values.events), Number(values.seed)];
  if (!Number.isInteger(posts) || posts < 100) throw new Error('--events must be a whole number of at least 100');
  if (!Number.isInteger(seed)) throw new Error('--seed must be a whole number');
  if (values.database !== 'sqlite' && values.database !== 'postgres')
    throw new Error(`--database ${values.database} is neither sqlite nor postgres`);
  return { posts, seed, kind: values.database, help: values.help };
}

function tableOf({ accepted, ended, ...all }: Balance): string {
  const of = (names: readonly (typeof ends | typeof silences)[number][]) =>
    names.reduce((sum, name) => sum + (ended.get(name) ?? 0), 0);
  const part = (names: readonly (typeof ends | typeof silences)[number][]) =>
    names.map((name): [string, number] => [`– ${name}`, ended.get(name) ?? 0]);
  const groups = { sent: ends.slice(0, 2), cancelled: ends.slice(2, 5), parked: ends.slice(5), internal: silences };
  const lines: [string, number][] = [
    ['posts', all.posts],
    ['refused, malformed', all.refused],
    ['duplicates', all.duplicates],
    ['**accepted**', accepted],
    ...Object.entries(groups).flatMap(([name, names]) => [
      [`**${name}**`, of(names)] as [string, number],
      ...part(names),
    ]),
    ['**difference**', all.difference],
    ['other faults', all.faults.length],
  ];
  const marks = ['', 'Events'];
  return [
    `| ${marks.join(' | ')} |`,
    '| --- | ---: |',
    ...lines.map(([name, n]) => `| ${name} | ${n.toLocaleString('en')} |`),
  ].join('\n');
}

async function main(): Promise<void> {
  const { posts, seed, kind, help } = readOptions();
  if (help) return console.log(HELP);
  cleanUpOnExit();
  const server = kind === 'postgres' ? await startPostgres() : null;
  const from = performance.now();
  let saidAt = from;
  const result = await simulateDay({
    database: server ? postgresAt(server.url) : sqlite,
    posts,
    seed,
    onProgress: ({ posts: done, mails, time }) => {
      if (performance.now() - saidAt < 5000) return;
      saidAt = performance.now();
      process.stderr.write(`${time}  ${done.toLocaleString('en')} posts, ${mails.toLocaleString('en')} mails\n`);
    },
  });
  const seconds = Math.round((performance.now() - from) / 1000);
  await server?.stop();
  for (const fault of result.faults.slice(0, MOST_FAULTS_SHOWN)) process.stderr.write(`  ${fault}\n`);
  const { mails, news, late, difference, faults } = result;
  console.log(
    `node ${process.version}, ${cpus().length} cores, ${server ? 'Postgres' : 'SQLite'}, seed ${seed}: ${seconds} seconds\n\n${tableOf(result)}\n`,
  );
  console.log(
    `${late.toLocaleString('en')} events came out of order. ${news.ended.toLocaleString('en')} of ${news.due.toLocaleString('en')} pieces of news for one person each ended somewhere. ` +
      `${mails.planned.toLocaleString('en')} mails were planned, ${mails.sent.toLocaleString('en')} sent, ${mails.taken.toLocaleString('en')} taken by the mail server, ${mails.returned.toLocaleString('en')} of which came back.`,
  );
  process.exit(difference === 0 && faults.length === 0 ? 0 : 1);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
