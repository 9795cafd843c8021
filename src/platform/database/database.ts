import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { StartError } from '../../errors.js';
import {
  assertSqliteDurable,
  keepSqliteToOurselves,
  sqliteReader,
  writerOptions,
  type DatabaseSettings,
  type EntityClass,
} from './data-source.js';

/** A transaction: what is written with it is durable, all or nothing, when `write` returns. */
export type Transaction = EntityManager;

/** How often a Postgres transaction is tried again after a serialisation failure or deadlock. */
const TRIES = 4;
/** Writes of one SQLite transaction, and the longest pause between two while many wait. */
const MOST_TOGETHER = 50;
const LONGEST_REST_MS = 5;
/** Key of the advisory lock under which Postgres is migrated: any number that no other program takes. */
const MIGRATION_LOCK = 7_067_837;

/**
 * The door to the database. On SQLite a TypeORM data source is one connection, and a write made while somebody else's
 * transaction is open falls into that transaction and is lost with it. So there every write goes through one queue to
 * one connection, and reads have a connection of their own.
 */
export class Database {
  private readonly waiting: Write[] = [];
  private writing: Promise<void> | null = null;
  private lastWriteFailed = false;

  private constructor(
    readonly kind: 'sqlite' | 'postgres',
    private readonly writer: DataSource,
    private readonly reader: DataSource,
    /** Where it is looked whether a write is made inside a write. */
    private readonly inside: AsyncLocalStorage<true> | null,
  ) {}

  /**
   * Connects, migrates and checks. Throws `StartError` if the database cannot be reached, or SQLite would not be durable. `isWatched`: a write inside a write, which would
   * wait for itself for ever, throws. Not in production, where knowing it would cost a tenth of all the work there is.
   */
  static async open(settings: DatabaseSettings, entities: EntityClass[], isWatched = true): Promise<Database> {
    const writer = await connect(settings, entities);
    if (settings.kind === 'sqlite') await assertSqliteDurable(writer);
    await migrate(writer);
    const reader = settings.kind === 'sqlite' ? await sqliteReader(settings.path, entities).initialize() : writer;
    return new Database(settings.kind, writer, reader, isWatched ? new AsyncLocalStorage() : null);
  }

  /** Reads what is committed. */
  read<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return work(this.reader.manager);
  }

  /** The database's own clock, ms since 1970; null for SQLite, which has the clock of this process. */
  async now(): Promise<number | null> {
    if (this.kind === 'sqlite') return null;
    const [row] = await this.reader.query<{ now: string }[]>(
      'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now',
    );
    return Number(row!.now);
  }

  /** Runs `work` in one transaction; rolls back if it throws. No network call inside: on SQLite everybody waits. */
  write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (this.inside?.getStore())
      throw new Error('a write inside a write would wait for itself: hand the transaction on');
    const inTurn = this.kind === 'postgres' ? this.inParallel(work) : this.afterAnother(work);
    return inTurn.then(
      (result) => ((this.lastWriteFailed = false), result),
      (error: unknown) => {
        this.lastWriteFailed ||= isDatabaseUnavailable(error);
        throw error;
      },
    );
  }

  /** Throws while writing fails. It costs nothing until a write has failed; then each call tries one that changes nothing. */
  async checkWritable(): Promise<void> {
    if (this.lastWriteFailed) await this.write((tx) => tx.query('UPDATE migrations SET name = name'));
  }

  private inParallel<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return retrySerialisation(() => this.watched(() => this.writer.transaction(work)));
  }

  private afterAnother<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = (tx: Transaction) => this.watched(() => work(tx));
      this.waiting.push({ work: run, resolve: resolve as Write['resolve'], reject });
      this.writing ??= this.writeAll();
    });
  }

  /**
   * Whoever waits is written together: the disk is waited for once, not once for each, and everybody is answered after
   * that. It rests for about as long as it writes: SQLite's calls hold up the whole process, and those whose turn could
   * come together need a moment to arrive.
   */
  private async writeAll(): Promise<void> {
    let rest = 0;
    while (this.waiting.length > 0) {
      await (rest < 1 ? new Promise((resolve) => setImmediate(resolve)) : pause(rest));
      const from = performance.now();
      await sqliteTransaction(this.writer, this.waiting.splice(0, MOST_TOGETHER));
      rest = Math.min(performance.now() - from, LONGEST_REST_MS);
    }
    // In the same step as the last look at who waits, or whoever came between the two would wait for ever.
    this.writing = null;
  }

  private watched<T>(work: () => Promise<T>): Promise<T> {
    return this.inside ? this.inside.run(true, work) : work();
  }

  async close(): Promise<void> {
    await this.writing;
    if (this.reader !== this.writer) await this.reader.destroy();
    await this.writer.destroy();
  }
}

/** Brings the tables up to date. On Postgres several processes may start at once: one migrates, the others wait for it. */
async function migrate(writer: DataSource): Promise<void> {
  if (writer.options.type !== 'postgres') return void (await writer.runMigrations({ transaction: 'all' }));
  const runner = writer.createQueryRunner();
  try {
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await writer.runMigrations({ transaction: 'all' });
  } finally {
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await runner.release();
  }
}

/** One caller of `write` on SQLite. */
interface Write {
  work(transaction: Transaction): Promise<unknown>;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/**
 * Writes of several callers as one transaction on SQLite's one connection, each in a savepoint: what one of them breaks
 * it breaks for itself, what the database breaks it breaks for all. Not TypeORM's own transaction, which counts how deep
 * it is: when the disk is full SQLite rolls back by itself, the rollback after it fails, the count stays one too high, and
 * from then on every transaction would be a savepoint within one that nobody commits: reported as written, and lost.
 * Immediate, because a deferred one that reads before it writes fails without waiting for busy_timeout if another process
 * wrote in between. Answers every caller; never throws.
 */
async function sqliteTransaction(writer: DataSource, writes: readonly Write[]): Promise<void> {
  const runner = writer.createQueryRunner();
  const answers: (() => void)[] = [];
  try {
    await runner.query('BEGIN IMMEDIATE');
    Object.assign(runner, { isTransactionActive: true }); // so that `save` does not begin one within it
    for (const write of writes) answers.push(await inSavepoint(runner, write));
    await runner.query('COMMIT');
    for (const answer of answers) answer();
  } catch (error) {
    // There may be nothing to roll back any more. If it failed for another reason, the next BEGIN fails and says so.
    await runner.query('ROLLBACK').catch(() => undefined);
    for (const { reject } of writes) reject(error);
  } finally {
    Object.assign(runner, { isTransactionActive: false });
  }
}

/** What to tell the caller once all is committed. Throws if the transaction cannot go on. */
async function inSavepoint(runner: QueryRunner, { work, resolve, reject }: Write): Promise<() => void> {
  await runner.query('SAVEPOINT one');
  try {
    const result = await work(runner.manager);
    await runner.query('RELEASE one');
    return () => resolve(result);
  } catch (error) {
    if (isDatabaseUnavailable(error)) throw error;
    await runner.query('ROLLBACK TO one');
    await runner.query('RELEASE one');
    return () => reject(error);
  }
}

async function retrySerialisation<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      const state = (error as { code?: string }).code;
      if (attempt === TRIES || (state !== '40001' && state !== '40P01')) throw error;
    }
  }
}

/** @throws StartError that names the setting, if it is the server or the file that is not there or refuses us */
async function connect(settings: DatabaseSettings, entities: EntityClass[]): Promise<DataSource> {
  try {
    if (settings.kind === 'sqlite') keepSqliteToOurselves(settings.path);
    return await new DataSource(writerOptions(settings, entities)).initialize();
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    if (!isDatabaseUnavailable(error) && !NOT_LET_IN.test(code)) throw error;
    // Of a host with several addresses the message is empty.
    const reason = message || code;
    throw new StartError(
      settings.kind === 'sqlite'
        ? `DATABASE_URL: the file ${settings.path} cannot be opened (${reason}); may this user write there?`
        : `DATABASE_URL: Postgres cannot be used (${reason}); is it running, and is the URL right?`,
      { cause: error },
    );
  }
}

// Full, read-only, locked, gone. Postgres: classes 08 (connection), 53 (resources), 57 (shutdown), a standby that only
// reads (25006), a lock or conflict that lasted (55P03, 40001, 40P01).
const UNAVAILABLE = /^(SQLITE_(FULL|BUSY|READONLY|IOERR|CANTOPEN|LOCKED)\w*|(08|53|57)\w{3}|25006|55P03|40001|40P01)$/;
const NO_CONNECTION = /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)$/;
/** No such user or a wrong password, no such database, not allowed; a file that is none, or not ours. */
const NOT_LET_IN = /^(28\w{3}|3D000|42501|EISDIR|EACCES|EPERM|ENOENT|ENOTDIR|EROFS)$/;

/** True if the database could not do it now, as against a fault of ours. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string') return UNAVAILABLE.test(code) || NO_CONNECTION.test(code);
  // The Postgres driver gives a lost connection no code.
  return /^Connection terminated|timeout exceeded when trying to connect/.test(String(message ?? ''));
}
