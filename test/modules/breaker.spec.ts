import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Breaker } from '../../src/delivery/breaker.entity.js';
import { askBreakers, domainKey, recordSigns, signsOf, transportKey } from '../../src/delivery/breaker.js';
import type { TransportOutcome } from '../../src/delivery/transports/transport.js';
import { entities } from '../../src/entities.js';
import { Database } from '../../src/platform/database/database.js';
import { databases, type TestDatabase } from '../support/databases.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KEY = 'mail:slow.example';

describe.each(databases)('breakers on $name', (kind) => {
  let folder: string;
  let test: TestDatabase;
  /** Two processes on one database; on SQLite there is only ever one. */
  let processes: [Database, Database];
  let now: number;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
    test = await kind.create(folder);
    const settings = test.url.startsWith('sqlite:')
      ? { kind: 'sqlite' as const, path: test.url.slice('sqlite:'.length) }
      : { kind: 'postgres' as const, url: test.url };
    const first = await Database.open(settings, entities);
    processes = [first, settings.kind === 'sqlite' ? first : await Database.open(settings, entities)];
  });
  afterAll(async () => {
    for (const database of new Set(processes)) await database.close();
    await test.drop();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    now = Date.UTC(2026, 10, 24);
    await processes[0].write((tx) => tx.query('DELETE FROM breakers'));
  });

  const gate = (keys: string[], process = processes[0]) => process.write((tx) => askBreakers(tx, keys, now));
  /** What each of a batch of mails is told: null to go ahead, else how many ms to wait. */
  const ask = async (mails = 1, { key = KEY, process = processes[0] } = {}) => {
    const asked = await gate(Array<string>(mails).fill(key), process);
    return Array.from({ length: mails }, () => asked.enter(key)).map((until) => until && until - now);
  };
  const tell = (oks: boolean[], { key = KEY, process = processes[0] } = {}) =>
    process.write((tx) =>
      recordSigns(
        tx,
        oks.map((ok) => ({ key, ok })),
        now,
      ),
    );
  const rows = () => processes[0].read((manager) => manager.find(Breaker, { order: { key: 'ASC' } }));
  const fail = (times: number) => Array<boolean>(times).fill(false);

  it('let everything pass until the fifth failure in a row', async () => {
    await tell(fail(4));
    expect(await ask(3)).toEqual([null, null, null]);
    await tell([true]);
    await tell(fail(4));
    expect(await ask()).toEqual([null]);
    await tell([false]);
    expect(await ask(2)).toEqual([MINUTE, MINUTE]);
  });

  it('count what came after the last success of a batch', async () => {
    await tell([...fail(9), true, ...fail(4)]);
    expect(await ask()).toEqual([null]);
    await tell([...fail(4), true]);
    expect(await rows()).toEqual([]);
    await tell([true, ...fail(5)]);
    expect(await ask()).toEqual([MINUTE]);
  });

  it('let one trial pass when their time is over, and the rest look again soon', async () => {
    await tell(fail(5));
    now += MINUTE - 1;
    expect(await ask()).toEqual([1]);
    now += 1;
    expect(await ask(3)).toEqual([null, 10 * SECOND, 10 * SECOND]);
    now += SECOND;
    expect(await ask(2, { process: processes[1] })).toEqual([10 * SECOND, 10 * SECOND]);
  });

  it('close at once when the trial is answered, and leave nothing behind', async () => {
    await tell(fail(5));
    now += MINUTE;
    await ask();
    await tell([true], { process: processes[1] });
    expect(await ask(5)).toEqual([null, null, null, null, null]);
    expect(await rows()).toEqual([]);
    await tell(fail(5));
    expect(await ask()).toEqual([MINUTE]);
  });

  it('open for twice as long after each trial that fails, up to half an hour', async () => {
    await tell(fail(5));
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      const [wait] = await ask();
      waits.push(wait!);
      now += wait!;
      expect(await ask()).toEqual([null]);
      now += SECOND;
      await tell([false]);
    }
    expect(waits.map((wait) => wait / MINUTE)).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
    expect(await rows()).toMatchObject([{ openedAt: Date.UTC(2026, 10, 24), failures: 13 }]);
  });

  it('do not open for longer because of mails that left before', async () => {
    await tell(fail(5));
    now += 10 * SECOND;
    await tell(fail(40));
    expect(await ask()).toEqual([50 * SECOND]);
  });

  it('give another trial two minutes after one that was never heard of again', async () => {
    await tell(fail(5));
    now += MINUTE;
    expect(await ask()).toEqual([null]);
    now += 2 * MINUTE - 1;
    expect(await ask()).toEqual([1]);
    now += 1;
    expect(await ask(2)).toEqual([null, 10 * SECOND]);
  });

  it('give the trial back if the transaction that took it fails', async () => {
    await tell(fail(5));
    now += MINUTE;
    const failing = processes[0].write(async (tx) => {
      expect((await askBreakers(tx, [KEY], now)).enter(KEY)).toBeNull();
      throw new Error('the batch was not claimed');
    });
    await expect(failing).rejects.toThrow('not claimed');
    expect(await ask()).toEqual([null]);
  });

  it('give one trial to all processes that ask at the same time', async () => {
    for (let round = 0; round < 20; round++) {
      const key = `mail:d${round}.example`;
      await tell(fail(5), { key });
      now += MINUTE;
      const asked = await Promise.all(
        Array.from({ length: 10 }, (_, i) => ask(3, { key, process: processes[i % 2]! })),
      );
      expect(asked.flat().filter((wait) => wait === null)).toHaveLength(1);
    }
  });

  it('lose no failure when processes record at the same time, in whatever order', async () => {
    const keys = Array.from({ length: 8 }, (_, i) => `mail:d${i}.example`);
    const record = (i: number) => {
      const turned = i % 2 ? keys : [...keys].reverse();
      const signs = turned.map((key) => ({ key, ok: false }));
      return processes[i % 2]!.write((tx) => recordSigns(tx, signs, now));
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => record(i)));
    expect((await rows()).map(({ failures }) => failures)).toEqual(keys.map(() => 20));
  });

  it('hold up one domain and no other', async () => {
    await tell(fail(5));
    const asked = await gate([KEY, 'mail:good.example', 'transport:smtp']);
    expect(asked.enter(KEY)).toBe(now + MINUTE);
    expect(asked.enter('mail:good.example')).toBeNull();
    expect(asked.enter('transport:smtp')).toBeNull();
  });

  it('cost a domain in good order one statement to ask and one to record, and write nothing', async () => {
    const statements: string[] = [];
    await processes[0].write(async (tx) => {
      const runner = tx.queryRunner!;
      const query = runner.query.bind(runner) as (...given: unknown[]) => Promise<unknown>;
      const watched = (text: string, ...rest: unknown[]) => (statements.push(text), query(text, ...rest));
      Object.assign(runner, { query: watched });
      const keys = Array.from({ length: 100 }, (_, i) => `mail:d${i}.example`);
      await askBreakers(tx, keys, now);
      await recordSigns(
        tx,
        keys.map((key) => ({ key, ok: true })),
        now,
      );
      Object.assign(runner, { query });
    });
    expect(statements).toEqual([expect.stringMatching(/^SELECT/), expect.stringMatching(/^SELECT/)]);
  });

  /**
   * Any order of what two processes do about one domain. Checked by what is seen from outside: who passed when, and what
   * was recorded; the rows are not looked at.
   */
  it('hold whatever happens in whatever order: few trials, never stuck, never in the way of what works', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), mails: fc.integer({ min: 1, max: 4 }) }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant('tell' as const), oks: signs() }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: waits() }) },
    );
    const steps = fc.array(fc.tuple(step, fc.nat(1)), { minLength: 5, maxLength: 40 });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const key = `mail:run${++runs}.example`;
        const seen = { failures: 0, openedAt: 0, lastTrialAt: 0 };
        for (const [what, which] of taken) {
          const process = processes[which]!;
          if (what.do === 'wait') now += what.ms;
          else if (what.do === 'tell') {
            await tell(what.oks, { key, process });
            const lastOk = what.oks.lastIndexOf(true);
            const failed = what.oks.length - 1 - lastOk;
            const wasOpen = lastOk < 0 && seen.failures >= 5;
            seen.failures = lastOk < 0 ? seen.failures + failed : failed;
            if (!wasOpen && seen.failures >= 5) Object.assign(seen, { openedAt: now, lastTrialAt: 0 });
            // A failure with a trial on its way is taken for the trial's: open again, from now on.
            if (wasOpen && failed > 0 && seen.lastTrialAt > 0) Object.assign(seen, { openedAt: now, lastTrialAt: 0 });
          } else {
            const passed = (await ask(what.mails, { key, process })).filter((wait) => wait === null).length;
            if (seen.failures < 5) expect(passed).toBe(what.mails);
            else {
              expect(passed).toBeLessThanOrEqual(1);
              if (passed === 1) {
                expect(now - seen.openedAt).toBeGreaterThanOrEqual(MINUTE);
                expect(now - seen.lastTrialAt).toBeGreaterThanOrEqual(2 * MINUTE);
                seen.lastTrialAt = now;
              }
            }
          }
        }
        // Never stuck: half an hour later it is open to all, or to a trial; and that one decides.
        now += 30 * MINUTE;
        const passed = (await ask(3, { key })).filter((wait) => wait === null).length;
        expect(passed).toBe(seen.failures < 5 ? 3 : 1);
        await tell([true], { key, process: processes[1] });
        expect(await ask(3, { key })).toEqual([null, null, null]);
      }),
      { numRuns: 60 },
    );
  });
});

const signs = () =>
  fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }).chain((mixed) =>
    // Mostly failures, or it would seldom open.
    fc.oneof(
      { weight: 1, arbitrary: fc.constant(mixed) },
      { weight: 2, arbitrary: fc.constant(mixed.map(() => false)) },
    ),
  );
const waits = () => fc.constantFrom(1, SECOND, 30 * SECOND, MINUTE - 1, MINUTE, 2 * MINUTE, 5 * MINUTE, 31 * MINUTE);

describe('what an outcome says', () => {
  const domain = (ok: boolean) => ({ key: 'mail:example.com', ok });
  const way = (ok: boolean) => ({ key: 'transport:smtp-2', ok });
  it.each<[what: string, outcome: TransportOutcome, signs: object[]]>([
    ['taken', { outcome: 'accepted', detail: '' }, [domain(true), way(true)]],
    ['refused for good: they answer', { outcome: 'rejected', detail: '' }, [domain(true), way(true)]],
    ['refused for now', { outcome: 'deferred', scope: 'mail', detail: '' }, [domain(false), way(true)]],
    ['the transport is in trouble', { outcome: 'deferred', scope: 'transport', detail: '' }, [way(false)]],
    ['too many at once', { outcome: 'deferred', scope: 'transport', detail: '', retryAfterSeconds: 1 }, []],
    ['the answer was lost', { outcome: 'uncertain', detail: '' }, [domain(false), way(false)]],
  ])('%s', (_, outcome, expected) => {
    expect(signsOf({ to: 'Siti@Example.COM', transport: 'smtp-2' }, outcome)).toEqual(expected);
  });

  it('goes by the domain, not by the person', () => {
    expect(domainKey('Siti@Example.com')).toBe('mail:example.com');
    expect(transportKey('resend')).toBe('transport:resend');
  });
});
