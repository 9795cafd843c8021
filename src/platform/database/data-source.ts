import { chmodSync, closeSync, existsSync, openSync } from 'node:fs';
import { DataSource, type DataSourceOptions, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { StartError } from '../../errors.js';
import { SnakeCaseNames } from './columns.js';
import { migrations } from './migrations/all.js';
import { loadSqliteDriver } from './sqlite-driver.js';

export type DatabaseSettings = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string };
export type EntityClass<T extends ObjectLiteral = ObjectLiteral> = EntityTarget<T> & (new () => T);

const BUSY_TIMEOUT_MS = 5000;
/**
 * A page that many commits wrote is copied from the log into the file once: the more commits between, the less there is
 * to copy. 8,000 pages are 32 MB of log, read again in a tenth of a second after a crash.
 */
const CHECKPOINT_PAGES = 8000;
const CACHE_KIB = 16_384;
const OWNER_ONLY = 0o600;

/** Options of a connection that may write; also what the TypeORM command line uses. */
export function writerOptions(settings: DatabaseSettings, entities: EntityClass[]): DataSourceOptions {
  const shared = {
    entities,
    migrations,
    namingStrategy: new SnakeCaseNames(),
    synchronize: false,
    logging: false,
  } as const;
  if (settings.kind === 'postgres')
    return { ...shared, type: 'postgres', url: settings.url, extra: { max: 20 }, applicationName: 'postern' };
  return {
    ...shared,
    type: 'better-sqlite3',
    database: settings.path,
    driver: loadSqliteDriver(),
    enableWAL: true,
    timeout: BUSY_TIMEOUT_MS,
    prepareDatabase: (connection: { pragma(text: string): unknown }) =>
      ['synchronous = FULL', `wal_autocheckpoint = ${CHECKPOINT_PAGES}`, `cache_size = -${CACHE_KIB}`].forEach((text) =>
        connection.pragma(text),
      ),
  };
}

/** Makes the file, or finds it, so that only our own user of this machine can read it; SQLite gives its log the same mode. */
export function keepSqliteToOurselves(path: string): void {
  closeSync(openSync(path, 'a', OWNER_ONLY));
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (existsSync(file)) chmodSync(file, OWNER_ONLY);
}

/** A second connection to the same SQLite file, which can only read. */
export function sqliteReader(path: string, entities: EntityClass[]): DataSource {
  return new DataSource({
    type: 'better-sqlite3',
    database: path,
    driver: loadSqliteDriver(),
    readonly: true,
    timeout: BUSY_TIMEOUT_MS,
    entities,
    namingStrategy: new SnakeCaseNames(),
    synchronize: false,
    logging: false,
  });
}

/** What durability rests on; a file system without WAL, say, would take it away in silence. */
export async function assertSqliteDurable(writer: DataSource): Promise<void> {
  const read = async (name: string) => Object.values((await writer.query<object[]>(`PRAGMA ${name}`))[0] ?? {})[0];
  const expected = { journal_mode: 'wal', synchronous: 2, busy_timeout: BUSY_TIMEOUT_MS };
  for (const [name, value] of Object.entries(expected)) {
    const actual = await read(name);
    if (actual !== value)
      throw new StartError(
        `SQLite has ${name}=${String(actual)} instead of ${value}: is DATA_DIR on a network file system?`,
      );
  }
}
