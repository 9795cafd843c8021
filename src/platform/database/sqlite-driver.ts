import { createRequire } from 'node:module';

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
    throw new Error(
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

function loadNodeSqlite(): unknown {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return null;
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite') as unknown as NodeSqlite;
  return class {
    private readonly database: NodeDatabase;

    constructor(path: string, { readonly = false, timeout = 5000 }: { readonly?: boolean; timeout?: number } = {}) {
      this.database = new DatabaseSync(path, { readOnly: readonly, enableForeignKeyConstraints: true, timeout });
      this.database.exec(`PRAGMA busy_timeout = ${Math.trunc(timeout)}`);
    }

    pragma(text: string): object[] {
      return this.database.prepare(`PRAGMA ${text}`).all();
    }

    prepare(sql: string) {
      const statement = this.database.prepare(sql);
      const plain = (values: unknown[]) => values.map((value) => (typeof value === 'boolean' ? Number(value) : value));
      return {
        // better-sqlite3 calls a statement that gives rows a reader.
        reader: statement.columns().length > 0,
        all: (...values: unknown[]) => statement.all(...plain(values)).map((row) => ({ ...row })),
        run: (...values: unknown[]) => statement.run(...plain(values)),
      };
    }

    exec(sql: string): void {
      this.database.exec(sql);
    }

    close(): void {
      this.database.close();
    }
  };
}
