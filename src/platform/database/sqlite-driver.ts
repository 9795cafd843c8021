import { createRequire } from 'node:module';
import { StartError } from '../../errors.js';

const require = createRequire(import.meta.url);

/**
 * The SQLite driver for TypeORM: `better-sqlite3` where it is installed, else node's own `node:sqlite` (node ≥ 22.13)
 * behind the few methods of better-sqlite3 that TypeORM calls. Throws with the fix if there is neither.
 */
export function loadSqliteDriver(): unknown {
  try {
    const driver = require('better-sqlite3') as new (path: string) => { close(): void };
    new driver(':memory:').close(); // the package may be there without its binary
    return driver;
  } catch (error) {
    const builtIn = loadNodeSqlite();
    if (builtIn) return builtIn;
    throw new StartError(
      'No SQLite driver: better-sqlite3 has no binary for this machine. Run "npm rebuild better-sqlite3" ' +
        '(it needs python3, make and g++), or use node 22.13 or newer, or set DATABASE_URL=postgres://…',
      { cause: error },
    );
  }
}

interface NodeSqlite {
  DatabaseSync: new (
    path: string,
    options: { readOnly: boolean; enableForeignKeyConstraints: boolean; timeout: number },
  ) => NodeDatabase;
}
interface NodeDatabase {
  prepare(sql: string): NodeStatement;
  exec(sql: string): void;
  close(): void;
}
interface NodeStatement {
  columns(): unknown[];
  all(...values: unknown[]): object[];
  run(...values: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
}

/** SQLite's result codes (sqlite.org/rescode.html) that mean more than "a fault of ours", under better-sqlite3's names. */
const RESULT_CODES: Record<number, string> = {
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  8: 'SQLITE_READONLY',
  10: 'SQLITE_IOERR',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  19: 'SQLITE_CONSTRAINT',
};

/** Runs one call of node:sqlite, whose errors have a number only, in their low byte, where better-sqlite3's have a name. */
function named<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { errcode } = error as { errcode?: unknown };
    const code = typeof errcode === 'number' ? RESULT_CODES[errcode & 0xff] : undefined;
    throw code === undefined ? error : Object.assign(error as Error, { code });
  }
}

/** The part of better-sqlite3 that TypeORM calls, over node's own SQLite; null where node has none. */
export function loadNodeSqlite(): unknown {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return null;
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite') as unknown as NodeSqlite;
  return class {
    private readonly database: NodeDatabase;

    constructor(path: string, { readonly = false, timeout = 5000 }: { readonly?: boolean; timeout?: number } = {}) {
      const options = { readOnly: readonly, enableForeignKeyConstraints: true, timeout };
      this.database = named(() => new DatabaseSync(path, options));
      this.database.exec(`PRAGMA busy_timeout = ${Math.trunc(timeout)}`);
    }

    pragma(text: string): object[] {
      return named(() => this.database.prepare(`PRAGMA ${text}`).all());
    }

    prepare(sql: string) {
      const statement = named(() => this.database.prepare(sql));
      const plain = (values: unknown[]) => values.map((value) => (typeof value === 'boolean' ? Number(value) : value));
      return {
        // better-sqlite3 calls a statement that gives rows a reader.
        reader: statement.columns().length > 0,
        all: (...values: unknown[]) => named(() => statement.all(...plain(values)).map((row) => ({ ...row }))),
        run: (...values: unknown[]) => named(() => statement.run(...plain(values))),
      };
    }

    exec(sql: string): void {
      named(() => this.database.exec(sql));
    }

    close(): void {
      this.database.close();
    }
  };
}
