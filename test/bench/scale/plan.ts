import type { Costs } from './costs.js';
import { simulate, TICK_MS, type Outcome, type Scenario, type Span } from './model.js';
import { ASSUMED, PARTS, sourceShares, spread, type Part, type Plant } from './plant.js';
import type { Histogram } from './queueing.js';

const HOUR = 3600;
const MINUTE = 60;
const SECONDS_A_DAY = 24 * HOUR;
const SEED = 20261126;
/** With the peak in its middle. */
const PEAK: Span = { from: 10 * HOUR, to: 11 * HOUR };
const MIDDLE = (PEAK.from + PEAK.to) / 2;
export const SURGE = { factor: 20, from: MIDDLE, to: MIDDLE + 10 * MINUTE };
const OUTAGE: Span = { from: MIDDLE, to: MIDDLE + 5 * MINUTE };
/** In ms, for 99 of 100. */
export const BOUNDS = { codes: 2000, mail: 5000 };
/** Beyond that a partition needs another way of working. */
const MOST_PROCESSES = 64;
export const MOST_PARTITIONS = 16;

export interface Took {
  p50: number;
  p99: number;
}

/** How a partition of a plant, or all of them, fared. */
export interface Fared {
  codes: Took;
  mail: Took;
  peak: Record<Part, number>;
  arrived: number;
  handedOver: number;
  waiting: number;
  longestBacklog: number;
  clearedAfter: number | null;
}

export interface Candidate {
  plant: Plant;
  /** Share of all mails at the partition that has most. */
  largestShare: number;
  fared: Fared;
  /** What is beyond its bound; empty if nothing is. */
  beyond: string[];
  /** Days that the disk of the fullest partition can keep. */
  daysKept: number;
}

/** Plans and their tests for so many mails a day. */
export class Plans {
  private readonly shares = sourceShares(ASSUMED.sources);
  private readonly perSecond: number;

  constructor(
    private readonly costs: Costs,
    private readonly mailsPerDay: number,
  ) {
    this.perSecond = mailsPerDay / SECONDS_A_DAY;
  }

  /** The fewest processes with which that many partitions keep the bounds in the peak hour, or the first plant that is no use. */
  candidate(partitions: number): Candidate {
    const largestShare = Math.max(...this.sharesOf(partitions));
    const plant = { partitions, webs: 1, pages: 1, workers: 1 };
    for (;;) {
      const fared = this.peakHour(plant, largestShare, { from: MIDDLE - 10 * MINUTE, to: MIDDLE + 10 * MINUTE });
      const { peak } = fared;
      const grown =
        (peak.web > ASSUMED.headroom && ++plant.webs) ||
        (Math.max(peak.worker, peak.connections) > ASSUMED.headroom && ++plant.workers);
      if (grown && plant.webs + plant.workers < MOST_PROCESSES) continue;
      const whole = this.peakHour(plant, largestShare, PEAK);
      return { plant, largestShare, fared: whole, beyond: beyond(whole), daysKept: this.daysKept(largestShare) };
    }
  }

  /** An ordinary day at every partition. */
  day(plant: Plant): Fared {
    const simulated = { from: 0, to: SECONDS_A_DAY };
    const outcomes = this.sharesOf(plant.partitions).map((share, place) =>
      simulate(this.costs, plant, this.scenario(share, simulated, PEAK, place)),
    );
    return this.told(outcomes);
  }

  /** The n-th largest source sends so much more for a while; told of its partition, and of who came meanwhile. */
  surge(plant: Plant, rank: number): Fared {
    const place = spread(this.shares, plant.partitions).findIndex((sources) => sources.includes(rank - 1));
    const more = this.shares[rank - 1]! * this.perSecond * (SURGE.factor - 1);
    const span = { from: SURGE.from, to: SURGE.to };
    const scenario = this.afterwards(this.sharesOf(plant.partitions)[place]!, span, place);
    return this.told([simulate(this.costs, plant, { ...scenario, surge: { ...span, perSecond: more } })]);
  }

  /** The largest partition is away for a while. */
  outage(plant: Plant): Fared {
    const shares = this.sharesOf(plant.partitions);
    const place = shares.indexOf(Math.max(...shares));
    const scenario = this.afterwards(shares[place]!, OUTAGE, place);
    return this.told([simulate(this.costs, plant, { ...scenario, outage: OUTAGE })]);
  }

  private daysKept(largestShare: number): number {
    const bytes = this.mailsPerDay * largestShare * storedBytes(this.costs).left;
    return Math.floor((ASSUMED.diskBytes * ASSUMED.diskFill) / bytes);
  }

  private sharesOf(partitions: number): number[] {
    const total = (sources: number[]) => sources.reduce((sum, source) => sum + this.shares[source]!, 0);
    return spread(this.shares, partitions).map(total);
  }

  private peakHour(plant: Plant, share: number, watched: Span): Fared {
    const simulated = { from: watched.from - 10 * MINUTE, to: watched.to + MINUTE };
    return this.told([simulate(this.costs, plant, this.scenario(share, simulated, watched, 0))]);
  }

  /** From before it happened until what it left is worked off. */
  private afterwards(share: number, watched: Span, place: number): Scenario {
    return this.scenario(share, { from: watched.from - 10 * MINUTE, to: watched.from + 3 * HOUR }, watched, place);
  }

  private scenario(share: number, simulated: Span, watched: Span, place: number): Scenario {
    return { simulated, watched, perSecond: this.perSecond * share, seed: SEED + place };
  }

  private told(outcomes: readonly Outcome[]): Fared {
    const [first, ...others] = outcomes;
    const { codes, mail } = first!.delays;
    for (const { delays } of others) {
      codes.addAll(delays.codes);
      mail.addAll(delays.mail);
    }
    const total = (name: 'arrived' | 'handedOver' | 'waiting') => outcomes.reduce((sum, one) => sum + one[name], 0);
    const highest = (part: Part) => Math.max(...outcomes.map(({ peak }) => peak[part]));
    return {
      codes: this.took(codes),
      mail: this.took(mail),
      peak: Object.fromEntries(PARTS.map((part) => [part, highest(part)])) as Record<Part, number>,
      arrived: total('arrived'),
      handedOver: total('handedOver'),
      waiting: total('waiting'),
      longestBacklog: Math.max(...outcomes.map(({ longestBacklog }) => longestBacklog)),
      clearedAfter: first!.clearedAfter,
    };
  }

  /** Ms: what waited in the simulation, and what one alone took when it was measured, the hand-over's own time on top. */
  private took(delays: Histogram): Took {
    const { p50, p99 } = this.costs.latencyMs;
    const of = (share: number, alone: number) => delays.percentile(share) * TICK_MS + alone + ASSUMED.handOverMs;
    return { p50: of(0.5, p50), p99: of(0.99, p99) };
  }
}

function beyond({ codes, mail, peak }: Fared): string[] {
  const busy = PARTS.filter((part) => peak[part] > ASSUMED.headroom);
  return [
    ...busy,
    ...(mail.p99 > BOUNDS.mail ? ['p99 of mails'] : []),
    ...(codes.p99 > BOUNDS.codes ? ['p99 of codes'] : []),
  ];
}

/** On the disk for each mail, each of which opens a ticket: as the updates of a row left it, and packed. */
export function storedBytes({ tables }: Costs): { left: number; packed: number } {
  const total = (column: 'bytesPerRow' | 'packedBytesPerRow') =>
    tables.reduce((sum, table) => sum + table.rowsPerMail * table[column], 0);
  return { left: total('bytesPerRow'), packed: total('packedBytesPerRow') };
}
