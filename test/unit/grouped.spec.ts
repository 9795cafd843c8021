import fc from 'fast-check';
import { Grouped } from '../../src/platform/grouped.js';

interface Call {
  items: readonly number[];
  /** Lets the group end. */
  end: () => void;
}

/** Groups whose work ends when the test says so: each item's answer is ten times itself. */
function gather(most: number, atOnce: number) {
  const calls: Call[] = [];
  const grouped = new Grouped<number, number>({
    most,
    atOnce,
    work: (items) =>
      new Promise((resolve) => calls.push({ items, end: () => resolve(items.map((item) => item * 10)) })),
    concernsAll: () => false,
  });
  return { grouped, calls };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('callers who are served in groups', () => {
  it('are served at once when nothing is at work, and together with whoever came in the same turn', async () => {
    const { grouped, calls } = gather(10, 1);
    const answers = Promise.all([1, 2, 3].map((item) => grouped.add(item)));
    await nextTurn();
    expect(calls.map(({ items }) => items)).toEqual([[1, 2, 3]]);
    calls[0]!.end();
    expect(await answers).toEqual([10, 20, 30]);
  });

  it('gather while a group is at work, up to the most that a group may have', async () => {
    const { grouped, calls } = gather(3, 1);
    const first = grouped.add(0);
    await nextTurn();
    const rest = Promise.all([1, 2, 3, 4, 5].map((item) => grouped.add(item)));
    await nextTurn();
    expect(calls).toHaveLength(1);
    calls[0]!.end();
    await first;
    for (let i = 1; i < 3; i++) {
      while (calls.length <= i) await nextTurn();
      calls[i]!.end();
    }
    expect(await rest).toEqual([10, 20, 30, 40, 50]);
    expect(calls.map(({ items }) => items)).toEqual([[0], [1, 2, 3], [4, 5]]);
  });

  it('are at work in no more groups than may be at once', async () => {
    const { grouped, calls } = gather(1, 2);
    const answers = Promise.all([1, 2, 3].map((item) => grouped.add(item)));
    for (let i = 0; i < 5; i++) await nextTurn();
    expect(calls.map(({ items }) => items)).toEqual([[1], [2]]);
    calls[1]!.end();
    while (calls.length < 3) await nextTurn();
    for (const { end } of calls) end();
    expect(await answers).toEqual([10, 20, 30]);
  });

  it('all hear of an error that concerns them all, and nothing is tried again', async () => {
    let tries = 0;
    const grouped = new Grouped<number, number>({
      most: 10,
      atOnce: 1,
      work: () => {
        tries++;
        return Promise.reject(new Error('gone'));
      },
      concernsAll: (error) => (error as Error).message === 'gone',
    });
    const outcomes = await Promise.allSettled([1, 2, 3].map((item) => grouped.add(item)));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(tries).toBe(1);
  });

  it('get one answer each, their own, whoever comes when and whatever breaks: only a bad item hears of an error', async () => {
    const arrivals = fc.array(fc.array(fc.boolean(), { maxLength: 12 }), { maxLength: 6 });
    const limits = { most: fc.integer({ min: 1, max: 8 }), atOnce: fc.integer({ min: 1, max: 3 }) };
    await fc.assert(
      fc.asyncProperty(arrivals, fc.record(limits), async (turns, { most, atOnce }) => {
        const done: number[] = [];
        let working = 0;
        const grouped = new Grouped<{ id: number; isBad: boolean }, number>({
          most,
          atOnce,
          work: async (items) => {
            expect(items.length).toBeLessThanOrEqual(most);
            expect(items.length).toBeGreaterThan(0);
            expect(++working).toBeLessThanOrEqual(atOnce);
            await nextTurn();
            working--;
            if (items.some(({ isBad }) => isBad)) throw new Error(`bad ${items.find(({ isBad }) => isBad)!.id}`);
            done.push(...items.map(({ id }) => id));
            return items.map(({ id }) => id * 10);
          },
          concernsAll: () => false,
        });
        const asked: { id: number; isBad: boolean; outcome: Promise<unknown> }[] = [];
        for (const turn of turns) {
          for (const isBad of turn) {
            const id = asked.length;
            const outcome = grouped.add({ id, isBad }).catch((error: Error) => error.message);
            asked.push({ id, isBad, outcome });
          }
          await nextTurn();
        }
        for (const { id, isBad, outcome } of asked) expect(await outcome).toBe(isBad ? `bad ${id}` : id * 10);
        const good = asked.filter(({ isBad }) => !isBad).map(({ id }) => id);
        expect(done.toSorted((a, b) => a - b)).toEqual(good);
        if (atOnce === 1) expect(done).toEqual(good); // in the order in which they came
      }),
      { numRuns: 300 },
    );
  });
});
