import { readCosts, type Cost, type Costs } from '../bench/scale/costs.js';
import { simulate, type Scenario } from '../bench/scale/model.js';
import { storedBytes } from '../bench/scale/plan.js';
import { dayCurve, sourceShares, spread, useAt, type Plant } from '../bench/scale/plant.js';
import { arrivals, Histogram, Line, randomOf, Station } from '../bench/scale/queueing.js';

const EVENT = { few: costOf(3, 1.6, 1), many: costOf(0.4, 0.2, 0.04) };
const MAIL = { few: costOf(3.8, 2.3, 3), many: costOf(0.7, 1.1, 0.6) };
const COSTS: Costs = {
  measuredAt: '2026-11-26',
  machine: { node: '', platform: '', cores: 2, cpu: '', postgres: '', redis: '', flushesPerSecond: 400 },
  event: EVENT,
  mail: MAIL,
  perSecond: { web: 1300, worker: 600 },
  idle: { webCpuMs: 0, workerCpuMs: 5, postgresCpuMs: 30, redisCpuMs: 2 },
  latencyMs: { p50: 12, p99: 80 },
  redisBytesPerWaitingMail: 70,
  tables: [],
};
const PLANT: Plant = { partitions: 1, webs: 1, pages: 1, workers: 4 };
const NOON = 12 * 3600;
/** Ten minutes, all watched. */
const CALM: Scenario = {
  simulated: { from: NOON, to: NOON + 600 },
  watched: { from: NOON, to: NOON + 600 },
  perSecond: 200,
  seed: 1,
};

function costOf(processCpuMs: number, postgresCpuMs: number, commits: number): Cost {
  const redis = { redisCpuMs: commits / 10, redisCommands: commits * 10 };
  return { processCpuMs, postgresCpuMs, ...redis, walBytes: 4000, walFullPages: 0, commits, statements: commits * 8 };
}

describe('a queue', () => {
  it('waits as long as theory says where arrivals are random and each takes the same time (M/D/1)', () => {
    const [ticksOfOne, busy] = [20, 0.8];
    const [line, station, took, random] = [new Line(), new Station(), new Histogram(), randomOf(7)];
    for (let tick = 0; tick < 2_000_000; tick++) {
      line.add(tick, arrivals(busy / ticksOfOne, random));
      line.take(station.serve(1 / ticksOfOne, line.waiting), (born, count) => took.add(tick + 1 - born, count));
    }
    const expected = ticksOfOne * (1 + busy / (2 * (1 - busy)));
    expect(took.mean()).toBeGreaterThan(expected * 0.95);
    expect(took.mean()).toBeLessThan(expected * 1.05);
  });

  it('lets the first that came go first', () => {
    const line = new Line();
    line.add(1, 2);
    line.add(2, 3);
    const went: [number, number][] = [];
    line.take(4, (born, count) => went.push([born, count]));
    expect(went).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(line.waiting).toBe(1);
    expect(() => line.take(2, () => {})).toThrow(RangeError);
  });

  it('works ahead for nobody: a station without work has no more to give later', () => {
    const station = new Station();
    for (let tick = 0; tick < 100; tick++) station.serve(5, 0);
    expect(station.serve(5, 100)).toBe(5);
  });
});

describe('arrivals', () => {
  it.each([0.3, 12, 400])('are %d on average, and spread as chance has it', (mean) => {
    const random = randomOf(3);
    const counts = Array.from({ length: 20_000 }, () => arrivals(mean, random));
    const average = counts.reduce((sum, one) => sum + one, 0) / counts.length;
    const variance = counts.reduce((sum, one) => sum + (one - average) ** 2, 0) / counts.length;
    expect(average / mean).toBeCloseTo(1, 1);
    expect(variance / mean).toBeCloseTo(1, 1);
  });
});

describe('a day', () => {
  it('has the mails that were ordered, and a peak of two and a half times the mean', () => {
    const seconds = Array.from({ length: 86_400 }, (_, second) => dayCurve(second));
    expect(seconds.reduce((sum, one) => sum + one, 0) / 86_400).toBeCloseTo(1, 3);
    expect(Math.max(...seconds)).toBeGreaterThan(2.4);
    expect(Math.max(...seconds)).toBeLessThan(3);
  });
});

describe('sources over partitions', () => {
  it('are each at one, and the partitions nearly even', () => {
    const shares = sourceShares(1000);
    const placed = spread(shares, 4);
    expect(placed.flat().toSorted((one, other) => one - other)).toEqual(shares.map((_, source) => source));
    for (const sources of placed) {
      expect(sources.reduce((sum, source) => sum + shares[source]!, 0)).toBeCloseTo(0.25, 2);
    }
  });
});

describe('what one costs', () => {
  it('stands in the repository as it was measured', () => {
    const { event, mail, tables } = readCosts('test/bench/costs.json');
    expect(event.many.postgresCpuMs + mail.many.postgresCpuMs).toBeGreaterThan(0);
    expect(storedBytes({ ...COSTS, tables }).left).toBeGreaterThan(1000);
  });

  it('is never outside of what was measured', () => {
    const { few, many } = COSTS.mail;
    expect(useAt(COSTS, 'mail', 1).processMs).toBeCloseTo(few.processCpuMs);
    expect(useAt(COSTS, 'mail', 1e9).processMs).toBeCloseTo(many.processCpuMs);
    expect(useAt(COSTS, 'mail', 1e9).commits).toBe(many.commits);
  });

  it('falls as more share a commit', () => {
    const [slow, fast] = [useAt(COSTS, 'event', 100), useAt(COSTS, 'event', 1000)];
    expect(fast.commits).toBeLessThan(slow.commits);
    expect(fast.postgresMs).toBeLessThan(slow.postgresMs);
  });

  it('adds up all tables for each mail', () => {
    const tables = [
      { name: 'one', rowsPerMail: 2, bytesPerRow: 100, packedBytesPerRow: 50 },
      { name: 'other', rowsPerMail: 1, bytesPerRow: 10, packedBytesPerRow: 5 },
    ];
    expect(storedBytes({ ...COSTS, tables } satisfies Costs)).toEqual({ left: 210, packed: 105 });
  });
});

describe('a simulated partition', () => {
  it('loses nothing: all that came was handed over or waits', () => {
    const surge = { from: NOON + 60, to: NOON + 600, perSecond: 20_000 };
    for (const scenario of [CALM, { ...CALM, surge }, { ...CALM, outage: { from: NOON + 60, to: NOON + 580 } }]) {
      const { arrived, handedOver, waiting } = simulate(COSTS, PLANT, scenario);
      expect(arrived).toBeGreaterThan(100_000);
      expect(handedOver + waiting).toBe(arrived);
    }
  });

  it('is the same each time for the same seed', () => {
    expect(simulate(COSTS, PLANT, CALM)).toEqual(simulate(COSTS, PLANT, CALM));
    expect(simulate(COSTS, PLANT, { ...CALM, seed: 2 }).arrived).not.toBe(simulate(COSTS, PLANT, CALM).arrived);
  });

  it('hands over no more than its connections can, however many wait', () => {
    const surge = { from: NOON, to: NOON + 600, perSecond: 20_000 };
    const { peak, waiting } = simulate(COSTS, { ...PLANT, webs: 20 }, { ...CALM, surge });
    expect(waiting).toBeGreaterThan(1_000_000);
    for (const share of Object.values(peak)) expect(share).toBeLessThanOrEqual(1.001);
  });

  it('keeps codes in front of a burst of events if their pages have processes of their own, and only then', () => {
    const surge = { from: NOON + 60, to: NOON + 300, perSecond: 20_000 };
    const apart = simulate(COSTS, PLANT, { ...CALM, surge });
    const together = simulate(COSTS, { ...PLANT, webs: 2, pages: 0 }, { ...CALM, surge });
    expect(apart.delays.codes.percentile(0.99)).toBeLessThan(10);
    expect(together.delays.codes.percentile(0.99)).toBeGreaterThan(100);
  });

  it('tells when what a loss left behind is worked off', () => {
    const outage = { from: NOON + 60, to: NOON + 120 };
    const { clearedAfter } = simulate(COSTS, PLANT, { ...CALM, simulated: { from: NOON, to: NOON + 900 }, outage });
    expect(clearedAfter).toBeGreaterThan(200);
    expect(clearedAfter).toBeLessThan(400);
  });
});
