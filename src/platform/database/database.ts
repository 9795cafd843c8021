import { AsyncLocalStorage } from 'node:async_hooks';
import { DataSource, type EntityManager } from 'typeorm';
import {
  assertSqliteDurable,
  sqliteReader,
  writerOptions,
  type DatabaseSettings,
  type EntityClass,
} from './data-source.js';

/** A transaction: what is written with it is durable, all or nothing, when `write` returns. */
export type Transaction = EntityManager;

/** How often a Postgres transaction is tried again after a serialisation failure or deadlock. */
const TRIES = 4;
/** Key of the advisory lock under which Postgres is migrated: any number that no other program takes. */
const MIGRATION_LOCK = 7_067_837;

/**
 * The door to the database. On SQLite a TypeORM data source is one connection, and a write made while somebody else's
 * transaction is open falls into that transaction and is lost with it. So there every write goes through one queue to
 * one connection, and reads have a connection of their own.
 */
export class Database {
  private tail: Promise<unknown> = Promise.resolve();
  private readonly inside = new AsyncLocalStorage<true>();

  private constructor(
    readonly kind: 'sqlite' | 'postgres',
    private readonly writer: DataSource,
    private readonly reader: DataSource,
  ) {}

  /** Connects, migrates and checks. Throws if SQLite would not be durable. */
  static async open(settings: DatabaseSettings, entities: EntityClass[]): Promise<Database> {
    const writer = await new DataSource(writerOptions(settings, entities)).initialize();
    if (settings.kind === 'sqlite') await assertSqliteDurable(writer);
    await migrate(writer);
    const reader = settings.kind === 'sqlite' ? await sqliteReader(settings.path, entities).initialize() : writer;
    return new Database(settings.kind, writer, reader);
  }

  /** Reads what is committed. */
  read<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return work(this.reader.manager);
  }

  /** Runs `work` in one transaction; rolls back if it throws. No network call inside: on SQLite everybody waits. */
  write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (this.inside.getStore())
      throw new Error('a write inside a write would wait for itself: hand the transaction on');
    const run = () => this.inside.run(true, () => this.writer.transaction(work));
    if (this.kind === 'postgres') return retrySerialisation(run);
    const result = this.tail.then(run, run);
    this.tail = result.catch(() => undefined); // the caller gets the error; the next in line does not
    return result;
  }

  async close(): Promise<void> {
    await this.tail;
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

/** True if the database could not do it now (full, read-only, locked, gone), as against a fault of ours. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const code = String((error as { code?: unknown; driverError?: { code?: unknown } } | null)?.code ?? '');
  // SQLITE_FULL, _BUSY, _READONLY, _IOERR…; Postgres classes 08 (connection), 53 (resources), 57 (shutdown), and sockets.
  return (
    /^SQLITE_(FULL|BUSY|READONLY|IOERR|CANTOPEN|LOCKED)/.test(code) ||
    /^(08|53|57)\w{3}$/.test(code) ||
    /^(ECONN|ETIMEDOUT)/.test(code)
  );
}
