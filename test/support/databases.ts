import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';

/** A database of its own for one test file or test. */
export interface TestDatabase {
  /** For `DATABASE_URL`. */
  url: string;
  drop(): Promise<void>;
}

export interface DatabaseKind {
  name: 'SQLite' | 'Postgres';
  create(folder: string): Promise<TestDatabase>;
}

export const sqlite: DatabaseKind = {
  name: 'SQLite',
  // The folder is removed with everything in it by whoever made it.
  create: async (folder) => ({ url: `sqlite:${join(folder, 'postern.sqlite')}`, drop: async () => {} }),
};

export function postgresAt(server: string): DatabaseKind {
  return {
    name: 'Postgres',
    create: async () => {
      const name = `postern_${randomBytes(8).toString('hex')}`;
      await run(server, `CREATE DATABASE ${name}`);
      const url = new URL(server);
      url.pathname = `/${name}`;
      return { url: url.href, drop: () => run(server, `DROP DATABASE ${name} WITH (FORCE)`) };
    },
  };
}

async function run(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(sql);
  await client.end();
}

const server = process.env.POSTERN_TEST_POSTGRES;

/** Every database there is on this machine: `describe.each(databases)('… on $name', …)`. The run says if one is missing. */
export const databases: DatabaseKind[] = server ? [sqlite, postgresAt(server)] : [sqlite];
