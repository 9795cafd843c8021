import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/config.js';
import { entities } from '../../src/entities.js';
import { generateKey } from '../../src/platform/crypto.js';
import { Database } from '../../src/platform/database/database.js';

/** The settings of a program with a folder, a port, a database and a mail server of its own. */
export function programSettings(given: {
  folder: string;
  port: number;
  databaseUrl: string;
  mailUrl: string;
  secret: string;
}): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    NODE_ENV: 'test',
    PUBLIC_URL: `http://127.0.0.1:${given.port}`,
    PORT: String(given.port),
    DATA_DIR: given.folder,
    DATABASE_URL: given.databaseUrl,
    MAIL_URL: given.mailUrl,
    MAIL_FROM: 'no-reply@support.example',
    LINK_KEYS: `l1:${generateKey()}`,
    SECRET_KEYS: `s1:${generateKey()}`,
    SOURCE_SECRET: given.secret,
  };
}

/** The built program as an operator runs it (`npm start`): a process of its own, started and ended any number of times. */
export class Program {
  /** Its log, of all its starts. */
  readonly logs: string[] = [];
  /** What it wrote to stderr since its start: nothing, if all is well. */
  problems: string[] = [];
  private child: ChildProcess | null = null;

  constructor(
    private readonly folder: string,
    readonly environment: Record<string, string>,
  ) {}

  get isRunning(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Starts it and returns when it says that it is ready. */
  async start(): Promise<void> {
    const main = join(packageRoot, 'dist', 'src', 'main.js');
    const child = spawn(process.execPath, [main], {
      cwd: this.folder,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.problems = [];
    child.stderr.on('data', (part: Buffer) => this.problems.push(part.toString()));
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        this.logs.push(line);
        if (line.includes('"Postern is ready"')) resolve();
      });
      child.once('exit', () =>
        reject(new Error(`it ended before it was ready (npm run build?): ${this.problems.join('')}`)),
      );
    });
  }

  /** Sends it a signal and waits for its end. Returns its exit code, null if the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (child === null) return null;
    if (!this.isRunning) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    return ((await exited) as [number | null])[0];
  }
}

/** Looks into a database beside the processes that use it, or while there is none. */
export async function lookInto<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const settings: Parameters<typeof Database.open>[0] = url.startsWith('sqlite:')
    ? { kind: 'sqlite', path: url.slice('sqlite:'.length) }
    : { kind: 'postgres', url };
  const opened = await Database.open(settings, entities);
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

export interface DeliveryRow {
  id: string;
  recipient: string;
  state: string;
  deaths: number;
  attempts: number;
  next_attempt_at: string | number;
}

/** All deliveries of a database, oldest first. */
export function deliveriesOf(url: string): Promise<DeliveryRow[]> {
  const columns = 'id, recipient, state, deaths, attempts, next_attempt_at';
  return lookInto(url, (database) =>
    database.read((manager) => manager.query<DeliveryRow[]>(`SELECT ${columns} FROM deliveries ORDER BY id`)),
  );
}

/**
 * A port that is free and stays so between a stop and the next start: from below those that systems give to outgoing
 * connections (49152 and up by IANA, 32768 and up on Linux), of which each may be taken at any moment.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await new Promise((resolve) => {
      server.once('listening', () => server.close(() => resolve(true)));
      server.once('error', () => resolve(false));
    });
    if (isFree) return port;
  }
}

/** Waits for what another process does. Throws if it does not come in time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { seconds = 30, everyMs = 5 }: { seconds?: number; everyMs?: number } = {},
): Promise<void> {
  for (const from = performance.now(); !(await holds()); await new Promise((resolve) => setTimeout(resolve, everyMs)))
    if (performance.now() - from > seconds * 1000) throw new Error(`${what}: not within ${seconds} seconds`);
}
