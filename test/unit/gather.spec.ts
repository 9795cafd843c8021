import fc from 'fast-check';
import { gather, HOUR_MS, MOST_MAILS_PER_HOUR, type GatheringMail } from '../../src/notifications/gather.js';

const SECOND = 1000;

interface News {
  key: string;
  windowMs: number;
  n: number;
}
interface StoredMail extends GatheringMail {
  key: string;
  told: number[];
  plannedAt: number;
}

/** A mailbox room in which planned mails wait, are taken up when they are due, and are never forgotten. */
class Mails {
  readonly all: StoredMail[] = [];

  /** Plans as the planner does: news of one transaction, beside what is stored. */
  plan(news: News[], now: number): void {
    const recent = this.all.filter(({ open, dueAt }) => open || dueAt > now - HOUR_MS);
    const mailsOf = ({ key }: News) => recent.filter((mail) => mail.key === key);
    for (const { news: told, into, dueAt } of gather(news, mailsOf, now)) {
      const numbers = told.map(({ n }) => n);
      if (into) into.told.push(...numbers);
      else this.all.push({ key: told[0]!.key, told: numbers, dueAt, open: dueAt > now, plannedAt: now });
    }
  }

  /** The worker takes up what is due; `stuck` waits behind an earlier mail and stays open. */
  takeUp(now: number, stuck: boolean): void {
    for (const mail of this.all) if (mail.dueAt <= now && !stuck) mail.open = false;
  }

  of(key: string): StoredMail[] {
    return this.all.filter((mail) => mail.key === key);
  }
}

const windows = fc.constantFrom(0, 5, 30, 600, 3600).map((seconds) => seconds * SECOND);
/** Waits between transactions: within a second, around a window, and over hours. */
const waits = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 10 * SECOND }) },
  fc.constantFrom(0, 1, SECOND, 29_999, 30_000, 30_001, HOUR_MS - 1, HOUR_MS),
  fc.integer({ min: 0, max: 90 * SECOND }),
  fc.integer({ min: 0, max: 2 * HOUR_MS }),
);
const people = fc.constantFrom('siti', 'budi', 'ani');
const steps = fc.array(
  fc.record({
    wait: waits,
    told: fc.array(people, { minLength: 1, maxLength: 6 }),
    stuck: fc.boolean(),
  }),
  { maxLength: 60, size: 'max' },
);
type Steps = typeof steps extends fc.Arbitrary<infer T> ? T : never;

function run(windowMs: number, given: Steps, plan: (mails: Mails, news: News[], now: number) => void): Mails {
  const mails = new Mails();
  let now = 1_000_000 * SECOND;
  let n = 0;
  for (const { wait, told, stuck } of given) {
    mails.takeUp((now += wait), stuck);
    plan(
      mails,
      told.map((key) => ({ key, windowMs, n: n++ })),
      now,
    );
  }
  return mails;
}
const together = (mails: Mails, news: News[], now: number) => mails.plan(news, now);
const oneByOne = (mails: Mails, news: News[], now: number) => news.forEach((one) => mails.plan([one], now));

describe('gathering', () => {
  it('keeps its promises whatever happens, and whenever', () => {
    fc.assert(
      fc.property(windows, steps, people, (windowMs, given, key) => {
        const mails = run(windowMs, given, together).of(key);
        const times = mails.map(({ dueAt }) => dueAt);
        // The first leaves at once.
        if (mails[0]) expect(mails[0].dueAt).toBe(mails[0].plannedAt);
        // Never two within a window, never more than ten within an hour that begins anywhere.
        expect(times.every((at, i) => i === 0 || at - times[i - 1]! >= windowMs)).toBe(true);
        for (const at of times)
          expect(times.filter((other) => other >= at && other < at + HOUR_MS).length).toBeLessThanOrEqual(10);
        // Everything is told once, in its order.
        const news = given.flatMap(({ told }) => told).map((name, n) => ({ name, n }));
        expect(mails.flatMap(({ told }) => told)).toEqual(news.filter(({ name }) => name === key).map(({ n }) => n));
      }),
      { numRuns: 300 },
    );
  });

  it('makes nobody wait longer than the window and the hour ask for', () => {
    fc.assert(
      fc.property(windows, steps, (windowMs, given) => {
        const mails = run(windowMs, given, together).of('siti');
        for (const [i, { dueAt, plannedAt }] of mails.entries()) {
          const afterWindow = i > 0 ? mails[i - 1]!.dueAt + windowMs : 0;
          const afterHour = i >= MOST_MAILS_PER_HOUR ? mails[i - MOST_MAILS_PER_HOUR]!.dueAt + HOUR_MS : 0;
          expect(dueAt).toBe(Math.max(plannedAt, afterWindow, afterHour));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('plans many at once as it plans them one by one', () => {
    fc.assert(
      fc.property(windows, steps, (windowMs, given) => {
        const seen = (mails: Mails) =>
          ['siti', 'budi', 'ani'].map((key) => mails.of(key).map(({ told, dueAt, open }) => ({ told, dueAt, open })));
        expect(seen(run(windowMs, given, together))).toEqual(seen(run(windowMs, given, oneByOne)));
      }),
      { numRuns: 200 },
    );
  });

  const news = (count: number, windowMs = 30 * SECOND) =>
    Array.from({ length: count }, (_, n) => ({ key: 'siti', windowMs, n }));

  it('gathers what comes with the first mail into one for the end of the window', () => {
    const mails = new Mails();
    mails.plan(news(3), 100 * SECOND);
    expect(mails.all.map(({ told, dueAt }) => ({ told, dueAt }))).toEqual([
      { told: [0], dueAt: 100 * SECOND },
      { told: [1, 2], dueAt: 130 * SECOND },
    ]);
  });

  it('never adds to a mail that somebody has taken up, nor to one before the last', () => {
    const taken = { key: 'siti', told: [], plannedAt: 0, dueAt: 130 * SECOND, open: false };
    const passedOver = { ...taken, dueAt: 100 * SECOND, open: true };
    const [only, ...more] = gather(news(1), () => [passedOver, taken], 131 * SECOND);
    expect(more).toEqual([]);
    expect(only).toMatchObject({ into: null, dueAt: 160 * SECOND });
  });

  it('sums up what is past ten an hour, without a window too', () => {
    const mails = new Mails();
    mails.plan(news(14, 0), 0);
    expect(mails.all.map(({ told, dueAt }) => [told.length, dueAt])).toEqual([
      ...Array.from({ length: 10 }, () => [1, 0]),
      [4, HOUR_MS],
    ]);
  });
});
