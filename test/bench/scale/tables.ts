import { align, number } from '../report.js';
import type { Cost, Costs } from './costs.js';
import { BOUNDS, storedBytes, type Candidate, type Fared } from './plan.js';
import { ASSUMED, IN_CODE, PARTS, useAt, type Part, type Plant } from './plant.js';

const SECONDS_A_DAY = 86_400;
const COSTS: readonly (readonly [keyof Cost, string])[] = [
  ['processCpuMs', 'CPU ms of the process'],
  ['postgresCpuMs', 'CPU ms of Postgres'],
  ['redisCpuMs', 'CPU ms of Redis'],
  ['walBytes', 'bytes of WAL'],
  ['commits', 'commits'],
  ['statements', 'statements'],
  ['redisCommands', 'commands of Redis'],
];
const HEADINGS: Record<Part, string> = {
  web: 'web',
  worker: 'worker',
  connections: 'SMTP',
  postgres: 'Postgres',
  wal: 'WAL',
  commits: 'commits',
  redis: 'Redis',
};

export function costTable({ event, mail }: Costs): string {
  const rows = COSTS.map(([name, title]) => [
    title,
    ...[event.few, event.many, mail.few, mail.many].map((cost) => number(cost[name])),
  ]);
  return align([['measured', 'an event, few', 'many', 'a mail, few', 'many'], ...rows]);
}

export function rowTable(costs: Costs): string {
  const rows = costs.tables.map(({ name, rowsPerMail, bytesPerRow, packedBytesPerRow }) => [
    name,
    number(rowsPerMail),
    number(bytesPerRow),
    number(packedBytesPerRow),
  ]);
  const { left, packed } = storedBytes(costs);
  return align([
    ['table, with its indexes', 'rows a mail', 'bytes a row', 'packed'],
    ...rows,
    ['all, for each mail', '', number(left), number(packed)],
  ]);
}

/** What one of each carries when nothing else is in its way, full to the brim. */
export function capacityTable(costs: Costs): string {
  const [few, many] = [carriedAt(costs, 1), carriedAt(costs, Infinity)];
  const lines = Object.keys(few).map((name) => [
    name,
    number(few[name]!),
    number(many[name]!),
    `${number((many[name]! * SECONDS_A_DAY) / 1e6)} M`,
  ]);
  return align([['carries, mails a second', 'in small groups', 'in large ones', 'a day of even load'], ...lines]);
}

/** By what is in its way, when a process handles so many in a second. */
function carriedAt(costs: Costs, perSecondOfProcess: number): Record<string, number> {
  const [event, mail] = [useAt(costs, 'event', perSecondOfProcess), useAt(costs, 'mail', perSecondOfProcess)];
  const { postgresCores, walBytesPerSecond, commitsPerSecond, handOverMs } = ASSUMED;
  return {
    [`one Postgres, CPU (${postgresCores} cores)`]: (postgresCores * 1000) / (event.postgresMs + mail.postgresMs),
    [`one Postgres, WAL (${walBytesPerSecond / 1e6} MB/s)`]: walBytesPerSecond / (event.walBytes + mail.walBytes),
    [`one Postgres, commits (${commitsPerSecond.toLocaleString('en')}/s)`]:
      commitsPerSecond / (event.commits + mail.commits),
    'one Redis, CPU (1 core)': 1000 / (event.redisMs + mail.redisMs),
    'one web process': 1000 / event.processMs,
    'one worker, CPU': 1000 / mail.processMs,
    [`one worker, ${IN_CODE.mailConnections} connections at ${handOverMs} ms`]:
      (IN_CODE.mailConnections * 1000) / handOverMs,
  };
}

export function candidateTable(candidates: readonly Candidate[]): string {
  const rows = candidates.map(({ plant, largestShare, fared, beyond, daysKept }) => [
    `${plant.partitions}`,
    percent(largestShare),
    `${plant.webs}+${plant.pages}`,
    `${plant.workers}`,
    ...PARTS.map((part) => percent(fared.peak[part])),
    time(fared.mail.p50),
    time(fared.mail.p99),
    time(fared.codes.p99),
    `${daysKept}`,
    beyond.length > 0 ? `beyond: ${beyond.join(', ')}` : 'holds',
  ]);
  const busy = PARTS.map((part) => HEADINGS[part]);
  return align([
    ['partitions', 'largest', 'web+pages', 'workers', ...busy, 'p50', 'p99', 'codes p99', 'days', ''],
    ...rows,
  ]);
}

export function scenarioTable(scenarios: readonly (readonly [string, Fared])[]): string {
  const rows = scenarios.map(([title, { mail, codes, longestBacklog, clearedAfter, peak }]) => [
    title,
    time(mail.p50),
    time(mail.p99),
    time(codes.p50),
    time(codes.p99),
    longestBacklog.toLocaleString('en'),
    clearedAfter === null ? '–' : time(clearedAfter * 1000),
    percent(peak.postgres),
  ]);
  return align([['', 'mails p50', 'p99', 'codes p50', 'p99', 'most waiting', 'worked off in', 'Postgres'], ...rows]);
}

export function storageTable(costs: Costs, mailsPerDay: number, { partitions }: Plant): string {
  const { left, packed } = storedBytes(costs);
  const rows = [1, 30, 90].map((days) => {
    const [all, tight] = [mailsPerDay * left * days, mailsPerDay * packed * days];
    return [`${days} day${days > 1 ? 's' : ''}`, tera(tight), tera(all), tera(all / partitions)];
  });
  return align([['kept', 'TB, packed', 'as left by updates', 'of which a partition'], ...rows]);
}

export function connectionLine({ partitions, webs, pages, workers }: Plant): string {
  const processes = webs + pages + workers;
  const connections = processes * IN_CODE.databaseConnections;
  return `${processes} processes a partition (${processes * partitions} in all) may open ${connections} connections to its Postgres, and hold ${
    workers * (IN_CODE.mailConnections + IN_CODE.codeConnections)
  } to mail servers.`;
}

export const boundsLine = `Bounds in the peak hour: ${time(BOUNDS.mail)} for 99 of 100 mails, ${time(BOUNDS.codes)} for codes, no part busier than ${percent(ASSUMED.headroom)}.`;

function percent(share: number): string {
  return `${number(share * 100)} %`;
}

function time(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : ms < 120_000 ? `${number(ms / 1000)} s` : `${number(ms / 60_000)} min`;
}

function tera(bytes: number): string {
  return number(bytes / 1e12);
}
