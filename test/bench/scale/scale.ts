// npm run simulate:scale: what many mails a day need, from measured costs. npm run simulate:scale -- --help says more.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanUpOnExit } from '../processes.js';
import { COSTS_FILE, readCosts } from './costs.js';
import { measureCosts } from './measure.js';
import { MOST_PARTITIONS, Plans, SURGE, type Candidate } from './plan.js';
import { ASSUMED } from './plant.js';
import {
  boundsLine,
  candidateTable,
  capacityTable,
  connectionLine,
  costTable,
  rowTable,
  scenarioTable,
  storageTable,
} from './tables.js';

const RETENTION_DAYS = 30;
const MAILS_PER_DAY = 100_000_000;
const HELP = `npm run simulate:scale -- [--mails-per-day ${MAILS_PER_DAY}] [--costs FILE]

Simulates a day of so many mails in steps of a tenth of a second and finds the smallest plant that keeps its bounds.
The same costs give the same figures each time.

npm run simulate:scale -- --measure [--costs FILE]

Measures the costs first, on a Postgres and a Redis of its own: about two minutes. Overwrites the file.`;

const say = (text: string) => process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      measure: { type: 'boolean' },
      costs: { type: 'string', default: COSTS_FILE },
      'mails-per-day': { type: 'string', default: `${MAILS_PER_DAY}` },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const mailsPerDay = Number(values['mails-per-day']);
  if (!Number.isInteger(mailsPerDay) || mailsPerDay < 1)
    throw new Error(`--mails-per-day ${values['mails-per-day']} is not a whole number above 0`);
  if (values.measure) writeFileSync(values.costs, `${JSON.stringify(await measureCosts(say), null, 2)}\n`);
  simulatePlans(values.costs, mailsPerDay);
}

function simulatePlans(file: string, mailsPerDay: number): void {
  const costs = readCosts(file);
  const { machine, measuredAt } = costs;
  console.log(
    `Costs of ${relative(process.cwd(), file)}, measured ${measuredAt}: node ${machine.node}, ${machine.cores} cores, ${machine.cpu}, Postgres ${machine.postgres}, Redis ${machine.redis}, ${machine.flushesPerSecond} flushes/s.\n`,
  );
  console.log(`${costTable(costs)}\n\n${rowTable(costs)}\n`);
  console.log(`${capacityTable(costs)}\n`);

  const plans = new Plans(costs, mailsPerDay);
  const { tried, chosen } = choose(plans);
  const { plant } = chosen;
  console.log(
    `${mailsPerDay.toLocaleString('en')} mails a day, ${ASSUMED.sources.toLocaleString('en')} sources. ${boundsLine}`,
  );
  console.log(`Figures are those of the partition with most mails, processes those of each partition.\n`);
  console.log(`${candidateTable(tried)}\n`);
  console.log(
    `The smallest that holds and keeps ${RETENTION_DAYS} days: ${plant.partitions} partition${plant.partitions > 1 ? 's' : ''}. ${connectionLine(plant)}\n`,
  );
  say('an ordinary day');
  const day = plans.day(plant);
  console.log(
    `Of a day's ${day.arrived.toLocaleString('en')} mails ${day.handedOver.toLocaleString('en')} were handed over and ${day.waiting.toLocaleString('en')} were on their way at midnight.\n`,
  );
  say('what goes wrong');
  const shared = { ...plant, webs: plant.webs + plant.pages, pages: 0 };
  const threefold = { ...plant, webs: plant.webs * 3, workers: plant.workers * 3 };
  const times = `sends ${SURGE.factor} times as much for 10 min`;
  const scenarios = [
    ['an ordinary day, its peak hour', day],
    [`the 10th source ${times}`, plans.surge(plant, 10)],
    ['  the same, twice the workers', plans.surge({ ...plant, workers: plant.workers * 2 }, 10)],
    [`the largest ${times}`, plans.surge(plant, 1)],
    ['  the same, pages and events by the same processes', plans.surge(shared, 1)],
    ['  the same, three times the web processes and workers', plans.surge(threefold, 1)],
    ['a partition is away for 5 min', plans.outage(plant)],
  ] as const;
  console.log(
    `${scenarioTable(scenarios)}\nOnly the partition it happens to is told of; the others have an ordinary day.\n`,
  );
  console.log(storageTable(costs, mailsPerDay, plant));
}

/** Partition after partition is added, until all bounds hold and the days fit; what was tried is told. */
function choose(plans: Plans): { tried: Candidate[]; chosen: Candidate } {
  const tried: Candidate[] = [];
  for (let partitions = 1; partitions <= MOST_PARTITIONS; partitions++) {
    say(`${partitions} partition${partitions > 1 ? 's' : ''}`);
    const candidate = plans.candidate(partitions);
    tried.push(candidate);
    if (candidate.beyond.length === 0 && candidate.daysKept >= RETENTION_DAYS) return { tried, chosen: candidate };
  }
  throw new Error(`${MOST_PARTITIONS} partitions are too few:\n${candidateTable(tried)}`);
}

cleanUpOnExit();
process.exitCode = await main().then(
  () => 0,
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  },
);
process.exit();
