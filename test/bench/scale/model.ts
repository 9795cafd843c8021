import type { Costs } from './costs.js';
import { ASSUMED, dayCurve, IN_CODE, PARTS, useAt, type Part, type Plant, type Use } from './plant.js';
import { arrivals, Histogram, Line, randomOf, Station } from './queueing.js';

export const TICK_MS = 100;
const TICKS_PER_SECOND = 1000 / TICK_MS;
const TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND;

/** Seconds of the day, the end not among them. */
export interface Span {
  from: number;
  to: number;
}

export interface Scenario {
  /** What is simulated, and of which mails it is told how long they took. */
  simulated: Span;
  watched: Span;
  /** Mails of an average second of the day, at all sources of the partition. */
  perSecond: number;
  /** So many more come for a while, for an average second of the day. */
  surge?: Span & { perSecond: number };
  /** The partition is away: its sources are refused and try again. */
  outage?: Span;
  seed: number;
}

export interface Outcome {
  arrived: number;
  handedOver: number;
  /** Still under way at the end, those that their source has to send again among them. */
  waiting: number;
  /** From the event, or the guest's click, to the hand-over, without what one alone takes. */
  delays: { codes: Histogram; mail: Histogram };
  /** Of the busiest minute, 1 is all there is. */
  peak: Record<Part, number>;
  longestBacklog: number;
  /** Seconds from the end of what happened until not more waits than came in the last second; null: not in this run. */
  clearedAfter: number | null;
}

type LaneName = 'codes' | 'mail';

/** One partition in steps of a tenth of a second: events wait for a web process, mails for a worker, both for Postgres. */
export function simulate(costs: Costs, plant: Plant, scenario: Scenario): Outcome {
  return new Partition(costs, plant, scenario).run();
}

class Partition {
  private readonly random: () => number;
  private readonly taken = { codes: new Line(), mail: new Line() };
  private readonly planned = { codes: new Line(), mail: new Line() };
  private readonly stations = {
    taken: { codes: new Station(), mail: new Station() },
    planned: { codes: new Station(), mail: new Station() },
  };
  /** What a source will send again, by the tick at which it does. */
  private readonly again = new Map<number, { lane: LaneName; born: number; count: number }[]>();
  private away = 0;
  private readonly minute = Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<Part, number>;
  private readonly outcome: Outcome = {
    arrived: 0,
    handedOver: 0,
    waiting: 0,
    delays: { codes: new Histogram(), mail: new Histogram() },
    peak: Object.fromEntries(PARTS.map((part) => [part, 0])) as Record<Part, number>,
    longestBacklog: 0,
    clearedAfter: null,
  };

  constructor(
    private readonly costs: Costs,
    private readonly plant: Plant,
    private readonly scenario: Scenario,
  ) {
    this.random = randomOf(scenario.seed);
  }

  run(): Outcome {
    const { simulated, surge, outage } = this.scenario;
    const event = surge ?? outage;
    const lastTick = simulated.to * TICKS_PER_SECOND;
    for (let tick = simulated.from * TICKS_PER_SECOND; tick < lastTick; tick++) {
      const came = this.arrive(tick);
      if (!isWithin(tick, outage)) this.work(tick);
      const waiting = this.countWaiting();
      this.outcome.longestBacklog = Math.max(this.outcome.longestBacklog, waiting);
      const since = event && tick / TICKS_PER_SECOND - event.to;
      if (since !== undefined && since >= 0 && this.outcome.clearedAfter === null && waiting <= came * TICKS_PER_SECOND)
        this.outcome.clearedAfter = since;
      if ((tick + 1) % TICKS_PER_MINUTE === 0) this.endMinute();
    }
    this.outcome.waiting = this.countWaiting();
    return this.outcome;
  }

  /** Returns how many came. */
  private arrive(tick: number): number {
    const { perSecond, surge, outage } = this.scenario;
    const mean = (perSecond + (isWithin(tick, surge) ? surge!.perSecond : 0)) / TICKS_PER_SECOND;
    const now = mean * dayCurve(tick / TICKS_PER_SECOND);
    const usual = (perSecond / TICKS_PER_SECOND) * dayCurve(tick / TICKS_PER_SECOND);
    // Guests ask for codes as they always do: what comes more are events.
    const codes = arrivals(usual * ASSUMED.codeShare, this.random);
    const mail = arrivals(now - usual * ASSUMED.codeShare, this.random);
    this.outcome.arrived += codes + mail;
    for (const [lane, count] of [
      ['codes', codes],
      ['mail', mail],
    ] as const) {
      if (isWithin(tick, outage)) this.refuse(lane, tick, count);
      else this.taken[lane].add(tick, count);
    }
    for (const { lane, born, count } of this.again.get(tick) ?? []) {
      this.taken[lane].add(born, count);
      this.away -= count;
    }
    this.again.delete(tick);
    return codes + mail;
  }

  private refuse(lane: LaneName, born: number, count: number): void {
    const spread = Math.floor(this.random() * ASSUMED.retrySpreadSeconds * TICKS_PER_SECOND);
    const at = this.scenario.outage!.to * TICKS_PER_SECOND + spread;
    this.again.set(at, [...(this.again.get(at) ?? []), { lane, born, count }]);
    this.away += count;
  }

  private work(tick: number): void {
    const { costs, plant, taken, planned, stations } = this;
    const { webs, pages, workers } = plant;
    const rate = (count: number, processes: number) => Math.max(1, (count * TICKS_PER_SECOND) / processes);
    const request = useAt(costs, 'event', rate(taken.codes.waiting, Math.max(1, pages)));
    const event = useAt(costs, 'event', rate(taken.mail.waiting, webs));
    // Codes first, as their lane and their web processes have it. Without such processes they wait among the events.
    const ofWebs = (webs * TICK_MS) / event.processMs;
    const atDoor = taken.codes.waiting + taken.mail.waiting;
    const ofCodes = pages > 0 || atDoor === 0 ? 0 : taken.codes.waiting / atDoor;
    const requests = least(taken.codes.waiting, pages > 0 ? (pages * TICK_MS) / request.processMs : ofWebs * ofCodes);
    const events = least(taken.mail.waiting, ofWebs * (1 - ofCodes));
    // However many wait, a worker's groups are no larger than what its connections let through.
    const ready = rate(planned.codes.waiting + planned.mail.waiting + requests + events, workers);
    const mail = useAt(costs, 'mail', Math.min(ready, (IN_CODE.mailConnections * 1000) / ASSUMED.handOverMs));
    const ofWorkers = (workers * TICK_MS) / mail.processMs;
    const perConnection = TICK_MS / ASSUMED.handOverMs;
    const codes = least(planned.codes.waiting + requests, ofWorkers, workers * IN_CODE.codeConnections * perConnection);
    const mails = least(
      planned.mail.waiting + events,
      ofWorkers - codes,
      workers * IN_CODE.mailConnections * perConnection,
    );
    const forCodes = sum([request, requests], [mail, codes]);
    const forMails = sum([event, events], [mail, mails]);
    const share = Math.min(
      1,
      ...BUDGETS.map(
        ([name, budget]) => Math.max(0, budget - forCodes[name]) / Math.max(forMails[name], Number.MIN_VALUE),
      ),
    );

    const done = {
      requests: this.pass(stations.taken.codes, taken.codes, requests, (born, count) => planned.codes.add(born, count)),
      events: this.pass(stations.taken.mail, taken.mail, events * share, (born, count) =>
        planned.mail.add(born, count),
      ),
      codes: this.pass(stations.planned.codes, planned.codes, codes, (born, count) =>
        this.handOver('codes', tick - born, born, count),
      ),
      mails: this.pass(stations.planned.mail, planned.mail, mails * share, (born, count) =>
        this.handOver('mail', tick - born, born, count),
      ),
    };
    const used = sum([request, done.requests], [event, done.events], [mail, done.codes + done.mails]);
    const { minute } = this;
    minute.web += (done.events * event.processMs) / webs;
    minute.worker += ((done.codes + done.mails) * mail.processMs) / workers;
    minute.connections += (done.mails * ASSUMED.handOverMs) / (workers * IN_CODE.mailConnections);
    minute.postgres += used.postgresMs / ASSUMED.postgresCores;
    minute.wal += (used.walBytes * 1000) / ASSUMED.walBytesPerSecond;
    minute.commits += (used.commits * 1000) / ASSUMED.commitsPerSecond;
    minute.redis += used.redisMs;
  }

  private pass(station: Station, line: Line, capacity: number, each: (born: number, count: number) => void): number {
    const done = station.serve(capacity, line.waiting);
    line.take(done, each);
    return done;
  }

  private handOver(lane: LaneName, ticks: number, born: number, count: number): void {
    this.outcome.handedOver += count;
    if (isWithin(born, this.scenario.watched)) this.outcome.delays[lane].add(ticks, count);
  }

  private countWaiting(): number {
    const { taken, planned, away } = this;
    return taken.codes.waiting + taken.mail.waiting + planned.codes.waiting + planned.mail.waiting + away;
  }

  private endMinute(): void {
    for (const part of PARTS) {
      this.outcome.peak[part] = Math.max(this.outcome.peak[part], this.minute[part] / 60_000);
      this.minute[part] = 0;
    }
  }
}

/** What all processes of a partition share, for a tick. */
const BUDGETS: readonly (readonly [keyof Use, number])[] = [
  ['postgresMs', ASSUMED.postgresCores * TICK_MS],
  ['walBytes', (ASSUMED.walBytesPerSecond * TICK_MS) / 1000],
  ['commits', (ASSUMED.commitsPerSecond * TICK_MS) / 1000],
  ['redisMs', TICK_MS],
];

const isWithin = (tick: number, span: Span | undefined) =>
  span !== undefined && tick >= span.from * TICKS_PER_SECOND && tick < span.to * TICKS_PER_SECOND;

const least = (...values: number[]) => Math.max(0, Math.min(...values));

function sum(...parts: [Use, number][]): Use {
  const total = { processMs: 0, postgresMs: 0, walBytes: 0, commits: 0, redisMs: 0 };
  for (const [use, count] of parts)
    for (const name of Object.keys(total) as (keyof Use)[]) total[name] += use[name] * count;
  return total;
}
