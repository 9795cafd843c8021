import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSqliteDriver } from '../../src/platform/database/sqlite-driver.js';
import { findTool, removeFolder } from '../bench/processes.js';
import { createCluster, runCluster } from '../bench/servers.js';
import { until } from '../support/program.js';
import { isLong } from '../support/long.js';
import { Scene, unharmed } from './scene.js';

const sqliteIn = (folder: string) => `sqlite:${join(folder, 'postern.sqlite')}`;
const Sqlite = loadSqliteDriver() as new (path: string) => {
  exec(sql: string): void;
  pragma(text: string): unknown;
  close(): void;
};
const sleep = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

let scene: Scene | null = null;
afterEach(async () => {
  await scene?.close();
  scene = null;
});

const hasPostgres = findTool('initdb') !== undefined;
(hasPostgres ? describe : describe.skip)('Postgres', () => {
  it('stopped at once in the middle of work, and started again, loses nothing and doubles nothing', async () => {
    const cluster = await createCluster();
    let server = await runCluster(cluster);
    try {
      scene = await Scene.open({ databaseUrl: () => server.url, settings: { LEASE_SECONDS: '2' } });
      for (let round = 0; round < (isLong ? 5 : 1); round++) {
        await scene.works();
        // What `pg_ctl stop -m immediate` sends: no checkpoint, no word to anybody.
        const ended = once(server.process.process, 'exit');
        server.process.process.kill('SIGQUIT');
        await ended;
        await scene.refuses();
        expect(scene.program.isRunning).toBe(true);
        server = await runCluster(cluster);
      }
      await scene.works();
      expect(await scene.finish()).toEqual(unharmed);
    } finally {
      await scene?.close();
      await server.stop();
      removeFolder(cluster.folder);
    }
  });
});

describe('SQLite', () => {
  // Longer than it waits for a lock (5 s), or nobody would hear of it.
  it(`locked for ${isLong ? 30 : 7} seconds by another writer goes on as if nothing had been`, async () => {
    scene = await Scene.open({ databaseUrl: sqliteIn });
    await scene.works();
    const other = new Sqlite(join(scene.program.environment.DATA_DIR!, 'postern.sqlite'));
    other.exec('BEGIN IMMEDIATE');
    const locked = performance.now();
    await scene.refuses(1);
    await sleep(Math.max(0, (isLong ? 30 : 7) - (performance.now() - locked) / 1000));
    other.exec('COMMIT');
    other.close();
    await scene.works();
    expect(await scene.finish()).toEqual(unharmed);
  });
});

const canMount = mountable();
if (!canMount) process.stdout.write('\nNot possible here: mounting a tmpfs takes root. The full disk is left out.\n');
(canMount ? describe : describe.skip)('a disk of 50 MB', () => {
  it('that is full is told to those who post, and forgotten once there is room again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=50m', 'tmpfs', folder]);
    try {
      scene = await Scene.open({ databaseUrl: sqliteIn, folder });
      for (let round = 0; round < (isLong ? 5 : 1); round++) {
        await scene.works();
        const ballast = join(folder, 'ballast');
        fill(ballast);
        await scene.refuses();
        expect(scene.program.isRunning).toBe(true);
        rmSync(ballast);
      }
      await scene.works();
      expect(await scene.finish()).toEqual(unharmed);
      const database = new Sqlite(join(folder, 'postern.sqlite'));
      expect(database.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
      database.close();
    } finally {
      await scene?.close();
      // Somebody else may still be looking into it.
      await until('the disk is free', () => run('umount', folder));
      rmdirSync(folder);
    }
  });
});

function mountable(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'postern-disk-'));
  try {
    return run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder) && run('umount', folder);
  } finally {
    rmdirSync(folder);
  }
}

function run(command: string, ...given: string[]): boolean {
  try {
    execFileSync(command, given, { stdio: 'ignore' });
    return true;
  } catch {
    return false; // the question was whether it can be done
  }
}

/** Writes until there is no room for another byte. */
function fill(path: string): void {
  for (let size = 1024 * 1024; size >= 1;) {
    try {
      writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
      size = Math.floor(size / 2);
    }
  }
}
