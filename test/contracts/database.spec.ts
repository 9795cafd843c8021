import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, QueryFailedError, type EntityManager } from 'typeorm';
import { FailedTries } from '../../src/access/access.entity.js';
import type { Id } from '../../src/ids.js';
import { entities } from '../../src/entities.js';
import { writerOptions, type DatabaseSettings } from '../../src/platform/database/data-source.js';
import { Database, isDatabaseUnavailable } from '../../src/platform/database/database.js';
import { loadNodeSqlite, loadSqliteDriver } from '../../src/platform/database/sqlite-driver.js';
import { databases, type TestDatabase } from '../support/databases.js';

/** Any table will do: one with a key and a number. */
const row = (key: string, inARow = 1) => ({ participantId: key as Id<'ptc'>, deadThrough: 0, inARow });
const keys = async (manager: EntityManager) =>
  (await manager.find(FailedTries, { order: { participantId: 'ASC' } })).map(
    ({ participantId }) => participantId as string,
  );

/** What both SQLite drivers are, as far as TypeORM and these tests go. */
type SqliteDriver = new (
  path: string,
  options?: { timeout?: number; readonly?: boolean },
) => {
  exec(sql: string): void;
  pragma(text: string): unknown;
  prepare(sql: string): { reader: boolean; all(...values: unknown[]): unknown[]; run(...values: unknown[]): unknown };
  close(): void;
};

type Write = <T>(work: (tx: EntityManager) => Promise<T>) => Promise<T>;

/** Three writers, of which the first fails while the others are at work. What was reported as written and is not there, and the reverse. */
async function compareWithReports(write: Write, read: () => Promise<string[]>) {
  let begun = () => {};
  const firstHasBegun = new Promise<void>((resolve) => (begun = resolve));
  const failing = write(async (tx) => {
    for (let i = 0; i < 20; i++) {
      await tx.insert(FailedTries, row(`a-${i}`));
      begun();
    }
    throw new Error('at its end');
  });
  const writer = (name: string) =>
    write(async (tx) => {
      await tx.insert(FailedTries, [row(`${name}-0`), row(`${name}-1`)]);
      return [`${name}-0`, `${name}-1`];
    });
  await firstHasBegun;
  const [reportedB, reportedC] = await Promise.all([writer('b'), writer('c'), expect(failing).rejects.toThrow()]);
  const reported = [...reportedB, ...reportedC];
  const kept = await read();
  return { lost: reported.filter((key) => !kept.includes(key)), stray: kept.filter((key) => !reported.includes(key)) };
}
const TRUE_REPORTS = { lost: [], stray: [] };

describe.each(databases)('storage on $name', (kind) => {
  let folder: string;
  let test: TestDatabase;
  let settings: DatabaseSettings;
  let database: Database;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
    test = await kind.create(folder);
    settings = test.url.startsWith('sqlite:')
      ? { kind: 'sqlite', path: test.url.slice('sqlite:'.length) }
      : { kind: 'postgres', url: test.url };
    database = await Database.open(settings, entities);
  });
  afterEach(async () => {
    await database.close();
    await test.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const migrationsRun = () =>
    database.read((manager) => manager.query<{ name: string }[]>('SELECT name FROM migrations ORDER BY id'));

  /** A data source of its own, without our door in front of it. */
  async function bare<T>(work: (source: DataSource) => Promise<T>): Promise<T> {
    const source = await new DataSource(writerOptions(settings, entities)).initialize();
    try {
      return await work(source);
    } finally {
      await source.destroy();
    }
  }

  it('is made from nothing, and a second start changes nothing', async () => {
    await database.write((tx) => tx.insert(FailedTries, row('kept')));
    const before = await migrationsRun();
    expect(before.length).toBeGreaterThan(0);
    await database.close();
    database = await Database.open(settings, entities);
    expect(await migrationsRun()).toEqual(before);
    expect(await database.read(keys)).toEqual(['kept']);
  });

  it('is migrated once when several processes start at once', async () => {
    await bare((source) => source.dropDatabase());
    const opened = await Promise.all([1, 2, 3].map(() => Database.open(settings, entities)));
    const names = (await migrationsRun()).map(({ name }) => name);
    for (const one of opened) await one.close();
    expect(new Set(names).size).toBe(names.length);
  });

  it('has the tables and keys that the entities say, no more and no less', async () => {
    const log = await bare((source) => source.driver.createSchemaBuilder().log());
    expect(log.upQueries.map(({ query }) => query)).toEqual([]);
  });

  it('can be taken back to nothing and made again', async () => {
    await bare(async (source) => {
      for (const _ of source.migrations) await source.undoLastMigration({ transaction: 'all' });
      const runner = source.createQueryRunner();
      for (const { tableName } of source.entityMetadatas) expect(await runner.hasTable(tableName)).toBe(false);
      await source.runMigrations({ transaction: 'all' });
    });
    await database.write((tx) => tx.insert(FailedTries, row('again')));
    expect(await database.read(keys)).toEqual(['again']);
  });

  it('keeps what other writers wrote when one of three fails', async () => {
    const result = await compareWithReports(
      (work) => database.write(work),
      () => database.read(keys),
    );
    expect(result).toEqual(TRUE_REPORTS);
  });

  it('keeps every write of a hundred at once, each whole or not at all', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        database.write(async (tx) => {
          await tx.insert(FailedTries, row(`${i}-a`));
          await tx.insert(FailedTries, row(`${i}-b`));
          if (i % 3 === 0) throw new Error('every third fails');
          return [`${i}-a`, `${i}-b`];
        }),
      ),
    );
    const reported = outcomes.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    expect(reported).toHaveLength(132);
    expect(await database.read(keys)).toEqual(reported.sort());
  });

  it('answers every caller, however long after the last one it comes', async () => {
    for (let steps = 0; steps < 30; steps++) {
      await database.write((tx) => tx.insert(FailedTries, row(`after ${steps}`)));
      for (let step = 0; step < steps; step++) await Promise.resolve();
    }
    expect(await database.read(keys)).toHaveLength(30);
  });

  it('gives a failed write its own error and the next one a clean start', async () => {
    const failed = database.write(async (tx) => {
      await tx.insert(FailedTries, row('gone'));
      throw new TypeError('a fault of ours');
    });
    const next = database.write((tx) => tx.insert(FailedTries, row('next')));
    await expect(failed).rejects.toThrow(new TypeError('a fault of ours'));
    await next;
    expect(await database.read(keys)).toEqual(['next']);
  });

  it('refuses a write inside a write at once instead of waiting for itself', async () => {
    const outer = database.write(async (tx) => {
      await tx.insert(FailedTries, row('outer'));
      await database.write((inner) => inner.insert(FailedTries, row('inner')));
    });
    await expect(outer).rejects.toThrow(/hand the transaction on/);
    expect(await database.read(keys)).toEqual([]);
  });

  it('shows readers only what is committed, and never makes them wait for a writer', async () => {
    const seen = await database.write(async (tx) => {
      await tx.insert(FailedTries, row('new'));
      return database.read(keys);
    });
    expect(seen).toEqual([]);
    expect(await database.read(keys)).toEqual(['new']);
  });

  it('closes only after the writes that are under way', async () => {
    const writes = Array.from({ length: 10 }, (_, i) => database.write((tx) => tx.insert(FailedTries, row(`w${i}`))));
    if (settings.kind === 'postgres') await Promise.all(writes); // its pool has no line to wait for
    await database.close();
    await Promise.all(writes);
    database = await Database.open(settings, entities);
    expect(await database.read(keys)).toHaveLength(10);
  });

  it('keeps times in milliseconds and text of every script as they were', async () => {
    const at = 8_640_000_000_000_000; // the last moment that a Date knows
    const kept = { ...row('नमस्ते 👩‍🚀 "\'\\%', 2_147_483_647), deadThrough: at };
    await database.write((tx) => tx.insert(FailedTries, kept));
    expect(await database.read((manager) => manager.find(FailedTries))).toEqual([kept]);
  });
});

describe('storage on SQLite alone', () => {
  let folder: string;
  let settings: { kind: 'sqlite'; path: string };
  let database: Database;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
    settings = { kind: 'sqlite', path: join(folder, 'postern.sqlite') };
    database = await Database.open(settings, entities);
  });
  afterEach(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const pragma = (name: string) =>
    database.write(async (tx) => Object.values((await tx.query<object[]>(`PRAGMA ${name}`))[0] ?? {})[0]);

  it.each([
    ['journal_mode', 'wal'],
    ['synchronous', 2],
    ['busy_timeout', 5000],
  ])('has %s = %s where it writes', async (name, value) => expect(await pragma(name)).toBe(value));

  it('does not start where it would not be durable', async () => {
    await expect(Database.open({ kind: 'sqlite', path: ':memory:' }, entities)).rejects.toThrow(/journal_mode=memory/);
    rmSync(':memory:'); // made as any other file, and SQLite's word for none
  });

  it('would lose reported rows without its door, where every write falls into whichever transaction is open', async () => {
    const source = await new DataSource(writerOptions(settings, entities)).initialize();
    let writers = 0;
    const result = await compareWithReports(
      (work) => (writers++ === 0 ? source.transaction(work) : work(source.manager)),
      () => keys(source.manager),
    );
    await source.destroy();
    expect(result.lost).toEqual(['b-0', 'b-1', 'c-0', 'c-1']);
  });

  it('cannot be written through its reader', async () => {
    await expect(database.read((manager) => manager.insert(FailedTries, row('x')))).rejects.toThrow(/readonly/);
  });

  it('takes the lock before it reads, so that another process cannot write in between', async () => {
    const other = new (loadSqliteDriver() as SqliteDriver)(settings.path, { timeout: 0 });
    await database.write(async (tx) => {
      await tx.find(FailedTries);
      expect(() => other.exec("INSERT INTO failed_tries VALUES ('other', 0, 0)")).toThrow(/locked/);
      await tx.insert(FailedTries, row('ours'));
    });
    other.exec("INSERT INTO failed_tries VALUES ('other', 0, 0)");
    other.close();
    expect(await database.read(keys)).toEqual(['other', 'ours']);
  });

  describe('on a full disk', () => {
    const pages = async () => Number(await pragma('page_count'));
    const big = (key: string) => row(key + 'x'.repeat(100_000));
    /** Fails in the middle: what fits into the page cache is written late, so some errors come only with the commit. */
    const fill = () =>
      database.write(async (tx) => {
        for (let i = 0; i < 100; i++) await tx.insert(FailedTries, big(String(i)));
      });

    it('says that it is unavailable, keeps nothing of the write, and goes on when there is room', async () => {
      await database.write((tx) => tx.insert(FailedTries, row('before')));
      await pragma(`max_page_count = ${(await pages()) + 20}`);
      for (let i = 0; i < 3; i++) {
        const error: unknown = await fill().catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(QueryFailedError);
        expect(isDatabaseUnavailable(error)).toBe(true);
      }
      await pragma('max_page_count = 1000000');
      await database.write((tx) => tx.insert(FailedTries, row('after')));
      expect(await database.read(keys)).toEqual(['after', 'before']);
    });

    it('leaves the next transactions whole: what fails after it is undone, what succeeds is kept', async () => {
      await pragma(`max_page_count = ${(await pages()) + 20}`);
      await fill().catch(() => {});
      await pragma('max_page_count = 1000000');
      const result = await compareWithReports(
        (work) => database.write(work),
        () => database.read(keys),
      );
      expect(result).toEqual(TRUE_REPORTS);
      // Another process sees it: it was committed, not left in a transaction that nobody ends.
      const other = await Database.open(settings, entities);
      expect(await other.read(keys)).toEqual(['b-0', 'b-1', 'c-0', 'c-1']);
      await other.write((tx) => tx.insert(FailedTries, row('other')));
      await other.close();
    });
  });

  it('says that it is unavailable while it can only be read', async () => {
    await pragma('query_only = 1');
    const error: unknown = await database
      .write((tx) => tx.insert(FailedTries, row('x')))
      .catch((thrown: unknown) => thrown);
    expect(isDatabaseUnavailable(error)).toBe(true);
  });
});

const drivers = [
  { name: 'the SQLite driver that is installed', driver: loadSqliteDriver() as SqliteDriver },
  { name: "node's own SQLite", driver: loadNodeSqlite() as SqliteDriver | null }, // node 20 has none
].flatMap(({ name, driver }) => (driver ? [{ name, driver }] : []));

describe.each(drivers)('$name', ({ driver: Driver }) => {
  const codeOf = (work: () => unknown) => {
    try {
      work();
      return 'no error';
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
  };

  it('tells statements that give rows from those that do not, and takes what TypeORM binds', () => {
    const connection = new Driver(':memory:');
    connection.exec('CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER)');
    const insert = connection.prepare('INSERT INTO t VALUES (?, ?)');
    expect(insert.reader).toBe(false);
    expect(insert.run('x', 2 ** 52)).toMatchObject({ changes: 1 });
    expect(insert.run('y', null)).toMatchObject({ changes: 1 });
    const select = connection.prepare('SELECT * FROM t ORDER BY a');
    expect(select.reader).toBe(true);
    expect(select.all()).toEqual([
      { a: 'x', b: 2 ** 52 },
      { a: 'y', b: null },
    ]);
    expect(connection.prepare('PRAGMA user_version').reader).toBe(true);
    connection.close();
  });

  it('names its errors, so that a full disk is known from a fault of ours', () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
    const path = join(folder, 'one.sqlite');
    const one = new Driver(path, { timeout: 0 });
    one.exec('CREATE TABLE t (a TEXT PRIMARY KEY)');
    one.exec("INSERT INTO t VALUES ('x')");
    const two = new Driver(path, { timeout: 0 });
    two.exec('BEGIN IMMEDIATE');
    expect(codeOf(() => one.exec("INSERT INTO t VALUES ('y')"))).toBe('SQLITE_BUSY');
    two.exec('ROLLBACK');
    expect(codeOf(() => one.exec("INSERT INTO t VALUES ('x')"))).toMatch(/^SQLITE_CONSTRAINT/);
    one.pragma('max_page_count = 3');
    expect(codeOf(() => one.prepare('INSERT INTO t VALUES (?)').run('z'.repeat(20_000)))).toBe('SQLITE_FULL');
    const reader = new Driver(path, { readonly: true });
    expect(codeOf(() => reader.exec("INSERT INTO t VALUES ('y')"))).toBe('SQLITE_READONLY');
    for (const connection of [one, two, reader]) connection.close();
    rmSync(folder, { recursive: true, force: true });
  });
});

const postgres = databases.filter(({ name }) => name === 'Postgres');
if (postgres.length > 0)
  describe.each(postgres)('storage on $name alone', (kind) => {
    let test: TestDatabase;
    let database: Database;
    beforeEach(async () => {
      test = await kind.create('');
      database = await Database.open({ kind: 'postgres', url: test.url }, entities);
    });
    afterEach(async () => {
      await database.close();
      await test.drop();
    });

    it('tries again what a deadlock threw out', async () => {
      await database.write((tx) => tx.insert(FailedTries, [row('ptc_a', 0), row('ptc_b', 0)]));
      const bothHaveOne = gate(2);
      let runs = 0;
      const crosswise = (first: Id<'ptc'>, second: Id<'ptc'>) =>
        database.write(async (tx) => {
          runs++;
          await tx.increment(FailedTries, { participantId: first }, 'inARow', 1);
          await bothHaveOne();
          await tx.increment(FailedTries, { participantId: second }, 'inARow', 1);
        });
      await Promise.all([crosswise('ptc_a', 'ptc_b'), crosswise('ptc_b', 'ptc_a')]);
      expect(runs).toBe(3);
      expect((await database.read((manager) => manager.find(FailedTries))).map(({ inARow }) => inARow)).toEqual([2, 2]);
    });

    it('tries a serialisation failure four times, anything else once', async () => {
      let tries = 0;
      const failing = (code: string) =>
        database.write(() => {
          tries++;
          return Promise.reject(Object.assign(new Error(code), { code }));
        });
      await expect(failing('40001')).rejects.toThrow('40001');
      expect(tries).toBe(4);
      await expect(failing('23505')).rejects.toThrow('23505');
      expect(tries).toBe(5);
    });

    it('survives that its connections are cut, and says meanwhile that it is unavailable', async () => {
      const error: unknown = await database
        .write(async (tx) => {
          await tx.insert(FailedTries, row('cut'));
          await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
        })
        .catch((thrown: unknown) => thrown);
      expect(isDatabaseUnavailable(error)).toBe(true);
      await database.write((tx) => tx.insert(FailedTries, row('after')));
      expect(await database.read(keys)).toEqual(['after']);
    });

    it('says that it is unavailable while it can only be read', async () => {
      const error: unknown = await database
        .write(async (tx) => {
          await tx.query('SET TRANSACTION READ ONLY');
          await tx.insert(FailedTries, row('x'));
        })
        .catch((thrown: unknown) => thrown);
      expect(isDatabaseUnavailable(error)).toBe(true);
    });
  });

describe('an error of the database', () => {
  it.each([
    ['SQLITE_FULL', true],
    ['SQLITE_READONLY_DBMOVED', true],
    ['SQLITE_IOERR_FSYNC', true],
    ['SQLITE_BUSY', true],
    ['SQLITE_CONSTRAINT_UNIQUE', false],
    ['SQLITE_ERROR', false],
    ['08006', true], // connection failure
    ['53100', true], // disk full
    ['53300', true], // too many connections
    ['57P01', true], // shut down by the administrator
    ['25006', true], // a standby, which only reads
    ['40001', true], // still in conflict after every try
    ['ECONNREFUSED', true],
    ['ENOTFOUND', true],
    ['EAI_AGAIN', true],
    ['23505', false],
    ['22021', false], // a text that Postgres cannot keep is our fault
    ['42P01', false],
  ])('%s: to be tried later is %s', (code, expected) =>
    expect(isDatabaseUnavailable(Object.assign(new Error('x'), { code }))).toBe(expected),
  );

  it.each([null, undefined, 'text', new Error('no code'), { code: 5 }])('is not seen in %o', (thrown) =>
    expect(isDatabaseUnavailable(thrown)).toBe(false),
  );

  it('is told as well where a lost connection has no code', () =>
    expect(isDatabaseUnavailable(new Error('Connection terminated unexpectedly'))).toBe(true));
});

/** Lets everybody through once `count` have come; later comers pass. */
function gate(count: number): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let open = false;
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      open ||= waiting.length >= count;
      if (open) for (const one of waiting.splice(0)) one();
    });
}
