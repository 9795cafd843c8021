import type { Cost, Costs } from './costs.js';

/** What nobody measured. Each is a guess that a reader may replace; docs/scale.md says where it comes from. */
export const ASSUMED = {
  /** Systems that send events, the n-th with a share in proportion to 1/n. */
  sources: 1000,
  /** Code mails among all mails; a request for one is taken to cost what an event does. */
  codeShare: 0.03,
  /** Mean 1 over the day after scaling; the largest is the peak hour. */
  hours: [
    0.25, 0.2, 0.15, 0.15, 0.2, 0.3, 0.5, 0.9, 1.5, 2.1, 2.6, 2.3, 1.9, 1.8, 1.9, 1.8, 1.6, 1.3, 1, 0.8, 0.6, 0.5, 0.4,
    0.3,
  ],
  postgresCores: 16,
  walBytesPerSecond: 200e6,
  commitsPerSecond: 5000,
  /** Rows and indexes of a month are not in memory and deeper than those of the measurement. */
  postgresCpuFactor: 1.5,
  /** Pages of 8 KiB that go whole into the log because a checkpoint came between; the measurement had none. */
  fullPages: { event: 3, mail: 1 },
  /** From MAIL FROM to the provider's 250, on one of the worker's connections. */
  handOverMs: 50,
  /** A source tries again what found its partition away, spread over so long after it is back. */
  retrySpreadSeconds: 300,
  diskBytes: 8e12,
  diskFill: 0.7,
  /** No part is busier than that in the busiest minute of an ordinary day. */
  headroom: 0.7,
} as const;

/** In `src/delivery/worker.ts` and `src/platform/database/data-source.ts`. */
export const IN_CODE = { mailConnections: 20, codeConnections: 4, databaseConnections: 20 };

const PAGE_BYTES = 8192;

/** Of one partition. */
export interface Plant {
  partitions: number;
  /** Web processes that take events; those for guests' pages are apart, so that no burst of events is before them. */
  webs: number;
  pages: number;
  workers: number;
}

export const PARTS = ['web', 'worker', 'connections', 'postgres', 'wal', 'commits', 'redis'] as const;
export type Part = (typeof PARTS)[number];

/** What one takes of each part; CPU in ms. */
export interface Use {
  processMs: number;
  postgresMs: number;
  walBytes: number;
  commits: number;
  redisMs: number;
}

/**
 * What one event or mail takes when a process handles so many in a second. A process makes as many commits in a second as
 * it did when it was measured at its limit: the more come in that time, the more share a commit. Between the two measured
 * points what it costs is taken to grow with its commits; beyond them nothing is drawn.
 */
export function useAt(costs: Costs, kind: 'event' | 'mail', perSecondOfProcess: number): Use {
  const { few, many } = costs[kind];
  const limit = costs.perSecond[kind === 'event' ? 'web' : 'worker'] * many.commits;
  const commits = Math.min(few.commits, Math.max(many.commits, limit / perSecondOfProcess));
  const share = few.commits > many.commits ? (commits - many.commits) / (few.commits - many.commits) : 0;
  const between = (name: keyof Cost) => many[name] + share * (few[name] - many[name]);
  return {
    processMs: between('processCpuMs'),
    postgresMs: between('postgresCpuMs') * ASSUMED.postgresCpuFactor,
    walBytes: between('walBytes') + ASSUMED.fullPages[kind] * PAGE_BYTES,
    commits,
    redisMs: between('redisCpuMs'),
  };
}

/** Share of the day's mails of each source, the largest first. */
export function sourceShares(count: number): number[] {
  const weights = Array.from({ length: count }, (_, i) => 1 / (i + 1));
  const sum = weights.reduce((one, other) => one + other);
  return weights.map((weight) => weight / sum);
}

/** The sources of each partition: the largest first, each to whoever has least. A table decides, not a hash. */
export function spread(shares: readonly number[], partitions: number): number[][] {
  const made = Array.from({ length: partitions }, () => ({ sources: [] as number[], share: 0 }));
  shares.forEach((share, source) => {
    const least = made.reduce((one, other) => (other.share < one.share ? other : one));
    least.sources.push(source);
    least.share += share;
  });
  return made.map(({ sources }) => sources);
}

/** How much more than on average comes at this second of the day. */
export function dayCurve(second: number): number {
  const { hours } = ASSUMED;
  const mean = hours.reduce((sum: number, one) => sum + one, 0) / 24;
  // An hour's number stands for its middle.
  const at = (second / 3600 + 23.5) % 24;
  const [before, part] = [Math.floor(at), at % 1];
  return (hours[before]! * (1 - part) + hours[(before + 1) % 24]! * part) / mean;
}
