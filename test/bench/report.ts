import { cpus } from 'node:os';
import { type Summary, summarise } from './statistics.js';
import { FIGURES, type Figure, type Figures, type System } from './systems.js';

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

/** A ratio of one of our figures to the same figure of a reference point. */
interface Ratio {
  system: string;
  figure: Figure;
  against: string;
  ratio: number;
}

const HEADINGS: Record<Figure, string> = {
  mails_per_s: 'mails/s',
  cpu_ms_per_mail: 'CPU ms/mail',
  accepted_per_s: 'webhooks/s',
  intake_p50_ms: 'p50 ms',
  intake_p99_ms: 'p99 ms',
};
const INTAKE = ['accepted_per_s', 'intake_p50_ms', 'intake_p99_ms'] as const;
const COMPARED = ['mails_per_s', 'cpu_ms_per_mail'] as const;
const OURS = 'postern';
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

/** Mails and CPU of every system, and what ours are as a multiple of them. Figures are median (lowest–highest). */
export function mailTable(results: readonly Result[]): string {
  const ratios = ratiosOf(results);
  const ratio = (system: System, figure: Figure) => {
    const found = ratios.find((one) => one.against === system.name && one.figure === figure);
    return found ? `${number(found.ratio)}×` : NOTHING;
  };
  const head = ['webhook in → SMTP accepted', ...COMPARED.map((figure) => HEADINGS[figure]), 'Postern mails/s', 'CPU'];
  const rows = results.map(({ system, rounds }) => [
    system.title,
    ...COMPARED.map((figure) => cell(summaryOf(rounds, figure))),
    ...COMPARED.map((figure) => ratio(system, figure)),
  ]);
  return align([head, ...rows]);
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

/** One JSON line per figure, the machine first, the ratios last. */
export function jsonLines(machine: Machine, results: readonly Result[]): string {
  const figures = results.flatMap(({ system, rounds }) =>
    FIGURES.flatMap((figure) => {
      const summary = summaryOf(rounds, figure);
      if (!summary) return [];
      const { median, min, max } = summary;
      const values = { median: rounded(median), min: rounded(min), max: rounded(max) };
      return [{ system: system.name, figure, ...values, rounds: rounds.length }];
    }),
  );
  const ratios = ratiosOf(results).map((one) => ({ ...one, ratio: rounded(one.ratio) }));
  return [{ machine }, ...figures, ...ratios].map((line) => JSON.stringify(line)).join('\n');
}

/** Our median through each reference point's, for what is compared. */
function ratiosOf(results: readonly Result[]): Ratio[] {
  const ours = results.find(({ system }) => system.name === OURS);
  if (!ours) return [];
  return results
    .filter((result) => result !== ours)
    .flatMap(({ system, rounds }) =>
      COMPARED.flatMap((figure) => {
        const [mine, theirs] = [summaryOf(ours.rounds, figure), summaryOf(rounds, figure)];
        if (!mine || !theirs) return [];
        return [{ system: OURS, figure, against: system.name, ratio: mine.median / theirs.median }];
      }),
    );
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
function number(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const rounded = (value: number) => Number(value.toPrecision(4));

/** Columns two spaces apart, the first to the left and numbers to the right, a rule below the head. */
function align(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row.map((text, i) => (i ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0))).join('  '),
  );
  return [lines[0], '─'.repeat(lines[0]?.length ?? 0), ...lines.slice(1)].join('\n');
}
