// npm run bench: Postern next to what it is measured against, on this machine, in one run. npm run bench -- --help says more.
import { parseArgs } from 'node:util';
import { cleanUpOnExit } from './processes.js';
import { prepareReference } from './reference.js';
import {
  type Machine,
  type Result,
  describeMachine,
  goalTable,
  intakeTable,
  jsonLines,
  machineFacts,
  mailTable,
  partTable,
} from './report.js';
import { Sink } from './sink.js';
import { BACKLOGS } from './backlog.js';
import { MEMORY } from './memory.js';
import { WORDS } from './words.js';
import type { Part, PartResult, Sizes } from './part.js';
import { OURS } from './postern.js';
import { REFERENCES } from './references.js';
import { type Figures, type System, missing } from './system.js';

const SYSTEMS = [...REFERENCES, ...OURS];
const PARTS = [WORDS, ...BACKLOGS, MEMORY];
const NAMES = [...SYSTEMS, ...PARTS].map(({ name }) => name);
const titles = (named: readonly { name: string; title: string }[]) =>
  named.map(({ name, title }) => `  ${name.padEnd(24)}${title}`).join('\n');

const HELP = `npm run bench -- [--rounds 3] [--mails 1500] [--backlog 1000000] [--memory-mails 200000] [--only name,name]

Measures each system in turn, round after round, and shows the median (lowest–highest) of the rounds:
${titles(SYSTEMS)}

After the rounds it measures once, for many minutes:
${titles(PARTS)}

--mails is what a whole system sends in a round; a bare nodemailer loop sends twice and smtp-source four times as many.
--backlog is how many mails wait, --memory-mails over how many the memory is watched.
The tables come at the end, after them one JSON line per figure. What happens meanwhile is told on stderr.`;

const SLOW_SINK =
  'Mails go to a small SMTP server in node, because smtp-sink was not found (Debian: apt install postfix).\n' +
  'It works on the same cores and costs far more, so all figures are lower than with smtp-sink.';

interface Options {
  rounds: number;
  mails: number;
  systems: System[];
  sizes: Sizes;
  parts: Part[];
}

/** Reads the command line; undefined when help was asked for. Throws in words for a person. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      mails: { type: 'string', default: '1500' },
      backlog: { type: 'string', default: '1000000' },
      'memory-mails': { type: 'string', default: '200000' },
      only: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  const names = values.only?.flatMap((list) => list.split(',')) ?? NAMES;
  const unknown = names.find((name) => !NAMES.includes(name));
  if (unknown !== undefined) throw new Error(`--only ${unknown} is none of ${NAMES.join(', ')}`);
  return {
    rounds: positive('rounds', values.rounds),
    mails: positive('mails', values.mails),
    systems: SYSTEMS.filter(({ name }) => names.includes(name)),
    sizes: {
      backlog: positive('backlog', values.backlog),
      memoryMails: positive('memory-mails', values['memory-mails']),
    },
    parts: PARTS.filter(({ name }) => names.includes(name)),
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} ${text} is not a whole number above 0`);
  return value;
}

/** One line of progress: rewritten in place on a terminal; elsewhere only what does not change all the time is kept. */
class Progress {
  private readonly terminal = process.stderr.isTTY;
  private writtenAt = 0;

  /** A line that stays. */
  note(text: string): void {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  /** A line that the next one replaces. */
  show(text: string): void {
    const now = performance.now();
    // Ten a second are enough to see it move, and cost the cores that are being measured nothing to speak of.
    if (!this.terminal || now - this.writtenAt < 100) return;
    this.writtenAt = now;
    process.stderr.write(`\r\x1b[K${text}`);
  }

  clear(): void {
    if (this.terminal) process.stderr.write('\r\x1b[K');
  }
}

/** Those whose tools this machine has. The others are named, with the reason and the way to get them. */
function withTools<T extends Pick<System, 'title' | 'tools'>>(named: readonly T[], progress: Progress): T[] {
  return named.filter((one) => {
    const reason = missing(one);
    if (reason) progress.note(`Left out: ${one.title}. ${reason}`);
    return !reason;
  });
}

/** The systems that can be measured here. */
async function available(systems: readonly System[], progress: Progress): Promise<System[]> {
  const left = withTools(systems, progress);
  if (!left.some(({ reference }) => reference)) return left;
  try {
    await prepareReference((text) => progress.note(text));
    return left;
  } catch (error) {
    progress.note(
      `Left out: everything on nodemailer or NestJS, whose packages could not be made ready. ${said(error)}`,
    );
    return left.filter(({ reference }) => !reference);
  }
}

/** Every system once per round, so that what the machine does meanwhile falls on all of them. One that fails is not tried again. */
async function measureAll({ rounds, mails }: Options, systems: readonly System[], sink: Sink, progress: Progress) {
  const results: Result[] = systems.map((system) => ({ system, rounds: [] }));
  const failed = new Set<System>();
  for (let round = 1; round <= rounds; round++) {
    for (const { system, rounds: measured } of results.filter((result) => !failed.has(result.system))) {
      const label = `round ${round} of ${rounds}  ${system.title}`;
      const show = (text: string) => progress.show(`${label}  ${text}`);
      show('starting');
      try {
        const figures = await system.measure({ sink, mails: mails * system.times, progress: show });
        measured.push(figures);
        progress.note(`${label}  ${inShort(figures)}`);
      } catch (error) {
        failed.add(system);
        progress.note(`${label}  failed: ${said(error)}`);
      }
    }
  }
  return { results: results.filter(({ system }) => !failed.has(system)), failed };
}

/** Each part once. One that fails is told of, and the others go on. */
async function measureParts({ sizes }: Options, parts: readonly Part[], sink: Sink, progress: Progress) {
  const results: PartResult[] = [];
  for (const part of parts) {
    const show = (text: string) => progress.show(`${part.title}  ${text}`);
    show('starting');
    try {
      results.push({ part, findings: await part.measure({ ...sizes, sink, progress: show }) });
      progress.note(`${part.title}  measured`);
    } catch (error) {
      progress.note(`${part.title}  failed: ${said(error)}`);
    }
  }
  return results;
}

const inShort = ({ mails_per_s: mails, accepted_per_s: accepted }: Figures) =>
  mails === undefined ? `${Math.round(accepted ?? 0)} webhooks/s` : `${Math.round(mails)} mails/s`;

const said = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function main(): Promise<number> {
  const options = readOptions();
  if (!options) {
    console.log(HELP);
    return 0;
  }
  const progress = new Progress();
  const systems = await available(options.systems, progress);
  const parts = withTools(options.parts, progress);
  const sink = await Sink.start();
  const machine = machineFacts(sink.kind);
  if (sink.kind === 'node') progress.note(SLOW_SINK);
  progress.note(describeMachine(machine));
  const { results, failed } = await measureAll(options, systems, sink, progress);
  const found = await measureParts(options, parts, sink, progress);
  await sink.stop();
  if (results.length || found.length) print(options, machine, results, found);
  const isWhole = failed.size === 0 && found.length === parts.length && results.length + found.length > 0;
  return isWhole ? 0 : 1;
}

function print(
  { rounds, mails }: Options,
  machine: Machine,
  results: readonly Result[],
  found: readonly PartResult[],
): void {
  const sections = [
    describeMachine(machine),
    results.length ? `rounds of ${mails} mails, ${rounds} each: median (lowest–highest)` : '',
    mailTable(results),
    intakeTable(results),
    goalTable(results),
    results.length && 'CPU is that of the system’s own process; Redis and Postgres, where it needs them, come on top.',
    partTable(found),
    jsonLines(machine, results, found),
  ];
  console.log(`\n${sections.filter(Boolean).join('\n\n')}`);
}

cleanUpOnExit();
process.exitCode = await main().catch((error: unknown) => {
  console.error(said(error));
  return 1;
});
process.exit();
