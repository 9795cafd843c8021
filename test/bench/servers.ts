import { execFileSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { Child, findTool, freePort, removeFolder, temporaryFolder, untilReady } from './processes.js';
import type { Tool } from './system.js';

export const REDIS: Tool = { name: 'redis-server', package: 'redis-server' };
export const POSTGRES: Tool = { name: 'initdb', package: 'postgresql' };

export interface Server {
  url: string;
  process: Child;
  stop(): Promise<void>;
}

/** A Redis that keeps nothing: the database is the truth. */
export async function startRedis(): Promise<Server> {
  const port = await freePort();
  const options = ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', '--port', `${port}`];
  const child = new Child(findTool(REDIS.name)!, options);
  return { url: `redis://127.0.0.1:${port}`, process: child, stop: () => child.stop() };
}

/** A Postgres of its own in a temporary folder, with its usual settings (and `more`): every commit is on the disk. */
export async function startPostgres(more: readonly string[] = []): Promise<Server> {
  const cluster = await createCluster();
  const server = await runCluster(cluster, more);
  return {
    ...server,
    stop: async () => {
      await server.stop();
      removeFolder(cluster.folder);
    },
  };
}

/** Where a Postgres keeps its data, and where it listens: it can be started there again and again. */
export interface Cluster {
  folder: string;
  port: number;
}

/** initdb refuses to run as root. */
const owner = (): { uid?: number; gid?: number } => (process.getuid?.() === 0 ? idsOf('postgres') : {});
const postgresBin = () => join(findTool(POSTGRES.name)!, '..');

export async function createCluster(): Promise<Cluster> {
  const [folder, port] = [temporaryFolder(), await freePort()];
  const { uid, gid } = owner();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  const fresh = ['-D', folder, '-U', 'postern', '--auth=trust', '-E', 'UTF8', '--locale=C'];
  execFileSync(join(postgresBin(), 'initdb'), fresh, { ...owner(), cwd: folder, stdio: 'ignore' });
  return { folder, port };
}

/** Returns when it takes connections. */
export async function runCluster({ folder, port }: Cluster, more: readonly string[] = []): Promise<Server> {
  const settings = ['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`];
  const options = ['-D', folder, '-p', `${port}`, ...settings.flatMap((setting) => ['-c', setting]), ...more];
  const child = new Child(join(postgresBin(), 'postgres'), options, { ...owner(), cwd: folder });
  const url = `postgres://postern@127.0.0.1:${port}/postgres`;
  await untilReady(child, () => takesConnections(url));
  return { url, process: child, stop: () => child.stop() };
}

async function takesConnections(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  return client.connect().then(
    () => client.end().then(() => true),
    () => false, // not yet
  );
}

function idsOf(user: string): { uid: number; gid: number } {
  const read = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: read('-u'), gid: read('-g') };
}
