import { cpus } from 'node:os';
import type { Finding, PartResult } from './part.js';
import { type Summary, summarise } from './statistics.js';
import { FIGURES, type Figure, type Figures, type System } from './system.js';

/** All rounds of one system. */
export interface Result {
  system: System;
  rounds: Figures[];
}

export interface Machine {
  node: string;
  platform: string;
  cores: number;
  cpu: string;
  sink: string;
}

/** What one of our figures must be as a multiple of the same figure of another system in the same run. */
interface Goal {
  system: string;
  figure: Figure;
  against: string;
  atLeast: number;
}

const GOALS: readonly Goal[] = [
  { system: 'postern', figure: 'mails_per_s', against: 'tutorial-react', atLeast: 6 },
  { system: 'postern', figure: 'mails_per_s', against: 'tutorial-handlebars', atLeast: 2 },
  { system: 'postern', figure: 'mails_per_s', against: 'compose', atLeast: 0.9 },
  { system: 'postern-drain', figure: 'mails_per_s', against: 'compose', atLeast: 1.2 },
  { system: 'postern-postgres', figure: 'mails_per_s', against: 'postern', atLeast: 0.8 },
  { system: 'postern-drain-postgres', figure: 'mails_per_s', against: 'postern-drain', atLeast: 0.8 },
  { system: 'postern-intake', figure: 'accepted_per_s', against: 'bare-route', atLeast: 0.5 },
];

const HEADINGS: Record<Figure, string> = {
  mails_per_s: 'mails/s',
  cpu_ms_per_mail: 'CPU ms/mail',
  accepted_per_s: 'webhooks/s',
  intake_p50_ms: 'p50 ms',
  intake_p99_ms: 'p99 ms',
};
const INTAKE = ['accepted_per_s', 'intake_p50_ms', 'intake_p99_ms'] as const;
const MAIL = ['mails_per_s', 'cpu_ms_per_mail'] as const;
const NOTHING = '–';

export function machineFacts(sink: 'smtp-sink' | 'node'): Machine {
  const cores = cpus();
  const cpu = cores[0]?.model.trim() || 'unknown';
  return { node: process.version, platform: `${process.platform} ${process.arch}`, cores: cores.length, cpu, sink };
}

export function describeMachine(machine: Machine): string {
  const sink = machine.sink === 'node' ? 'an SMTP server in node' : machine.sink;
  return `node ${machine.node} on ${machine.platform}, ${machine.cores} cores, ${machine.cpu}; mails go to ${sink}`;
}

/** Mails and CPU of every system that sends. Figures are median (lowest–highest). */
export function mailTable(results: readonly Result[]): string {
  const sending = results.filter(({ rounds }) => summaryOf(rounds, 'mails_per_s'));
  if (!sending.length) return '';
  const rows = sending.map(({ system, rounds }) => [
    system.title,
    ...MAIL.map((figure) => cell(summaryOf(rounds, figure))),
  ]);
  return align([['webhook in → SMTP accepted', ...MAIL.map((figure) => HEADINGS[figure])], ...rows]);
}

/** How our figures stand to those they are held against; empty when neither was measured. */
export function goalTable(results: readonly Result[]): string {
  const reached = reachedGoals(results);
  if (!reached.length) return '';
  const title = (name: string) => results.find(({ system }) => system.name === name)!.system.title;
  const rows = reached.map(({ system, figure, against, atLeast, ratio }) => [
    `${title(system)} : ${title(against)}`,
    HEADINGS[figure],
    `${number(ratio)}×`,
    `${number(atLeast)}×`,
    ratio >= atLeast ? 'reached' : 'not reached',
  ]);
  return align([['ours : theirs, medians', 'figure', 'is', 'wanted', ''], ...rows]);
}

/** How fast events were taken, for the systems that take any; empty when none does. */
export function intakeTable(results: readonly Result[]): string {
  const taking = results.filter(({ rounds }) => summaryOf(rounds, 'accepted_per_s'));
  if (!taking.length) return '';
  const rows = taking.map(({ system, rounds }) => [
    system.title,
    ...INTAKE.map((figure) => cell(summaryOf(rounds, figure))),
  ]);
  return align([['webhook in → answered', ...INTAKE.map((figure) => HEADINGS[figure])], ...rows]);
}

/** What the parts found, with the bounds that it must keep; empty when none was measured. */
export function partTable(parts: readonly PartResult[]): string {
  if (!parts.length) return '';
  const rows = parts.flatMap(({ part, findings }) => findings.map((finding) => partRow(part.title, finding)));
  return align([['once', 'is', 'wanted', ''], ...rows]);
}

function partRow(part: string, { title, value, atMost }: Finding): string[] {
  const bound = atMost === undefined ? ['', ''] : [`≤ ${number(atMost)}`, value <= atMost ? 'reached' : 'not reached'];
  return [`${part}: ${title}`, number(value), ...bound];
}

/** One JSON line per figure, the machine first, then the systems', their ratios, and the parts'. */
export function jsonLines(machine: Machine, results: readonly Result[], parts: readonly PartResult[]): string {
  const figures = results.flatMap(({ system, rounds }) =>
    FIGURES.flatMap((figure) => {
      const summary = summaryOf(rounds, figure);
      if (!summary) return [];
      const { median, min, max } = summary;
      const values = { median: rounded(median), min: rounded(min), max: rounded(max) };
      return [{ system: system.name, figure, ...values, rounds: rounds.length }];
    }),
  );
  const ratios = reachedGoals(results).map((one) => ({ ...one, ratio: rounded(one.ratio) }));
  const once = parts.flatMap(({ part, findings }) =>
    findings.map(({ figure, value, atMost }) => ({ part: part.name, figure, value: rounded(value), atMost })),
  );
  return [{ machine }, ...figures, ...ratios, ...once].map((line) => JSON.stringify(line)).join('\n');
}

function reachedGoals(results: readonly Result[]): (Goal & { ratio: number })[] {
  const medianOf = (name: string, figure: Figure) => {
    const rounds = results.find(({ system }) => system.name === name)?.rounds;
    return rounds && summaryOf(rounds, figure)?.median;
  };
  return GOALS.flatMap((goal) => {
    const [mine, theirs] = [medianOf(goal.system, goal.figure), medianOf(goal.against, goal.figure)];
    return mine === undefined || theirs === undefined ? [] : [{ ...goal, ratio: mine / theirs }];
  });
}

function summaryOf(rounds: readonly Figures[], figure: Figure): Summary | undefined {
  const values = rounds.flatMap((round) => round[figure] ?? []);
  return values.length ? summarise(values) : undefined;
}

function cell(summary: Summary | undefined): string {
  if (!summary) return NOTHING;
  const { median, min, max } = summary;
  return min === max ? number(median) : `${number(median)} (${number(min)}–${number(max)})`;
}

/** Three digits that count: 9,512 · 51.3 · 0.79. */
export function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const rounded = (value: number) => Number(value.toPrecision(4));

/** Columns two spaces apart, the first to the left and numbers to the right, a rule below the head. */
export function align(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((text, i) => (i ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0))).join('  '),
  );
  return [lines[0], '─'.repeat(lines[0]?.length ?? 0), ...lines.slice(1)].join('\n');
}
