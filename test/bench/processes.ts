import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The repository: compiled, this file is dist/test/bench/processes.js. */
export const ROOT = new URL('../../../', import.meta.url).pathname;

// Debian keeps mail tools in sbin, which is not on everybody's PATH.
const TOOL_FOLDERS = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/sbin',
  '/usr/local/sbin',
  ...postgresFolders('/usr/lib/postgresql'),
];
const STOP_PATIENCE_MS = 10_000;
const CLOCK_TICK_MS = 10;

/** Postgres' own programs, which Debian keeps apart by version; the newest first. */
function postgresFolders(root: string): string[] {
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin'));
}

const running = new Set<Child>();
const folders = new Set<string>();

/** Ends whatever still runs and removes every temporary folder, whichever way this process ends. */
export function cleanUpOnExit(): void {
  process.on('exit', () => {
    for (const child of running) child.process.kill('SIGKILL');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => process.exit(code));
  }
}

/** A child process whose last words are kept, because they say why it failed. */
export class Child {
  readonly process: ChildProcess;
  private output = '';
  private complaints = '';

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    running.add(this);
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.output = lastPart(this.output + text)));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => this.complain(text));
    this.process.on('error', (error) => this.complain(error.message));
    this.process.on('close', () => running.delete(this));
  }

  get ended(): boolean {
    return !running.has(this);
  }

  get failed(): boolean {
    return this.ended && this.process.exitCode !== 0;
  }

  /** CPU time used so far by the process and all its threads, in ms (steps of 10); undefined where there is no /proc. */
  cpuMs(): number | undefined {
    return statOf(this.process.pid)?.ownMs;
  }

  /** The same with its children, also those that have ended: a Postgres is as many processes as it has connections. */
  familyCpuMs(): number | undefined {
    const [parent, all] = [statOf(this.process.pid), readdirSync('/proc').filter((name) => /^\d+$/.test(name))];
    if (!parent) return undefined;
    const children = all.map((pid) => statOf(pid)).filter((stat) => stat?.parent === this.process.pid);
    return children.reduce((sum, child) => sum + child!.ownMs, parent.ownMs + parent.endedMs);
  }

  /** Memory of the process in MiB, now or at its highest; undefined where there is no /proc. */
  residentMib(which: 'now' | 'highest' = 'now'): number | undefined {
    const path = `/proc/${this.process.pid}/status`;
    if (!existsSync(path)) return undefined;
    const pattern = which === 'now' ? /^VmRSS:\s+(\d+) kB/m : /^VmHWM:\s+(\d+) kB/m;
    const kib = pattern.exec(readFileSync(path, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  }

  /** Waits for the end; returns what it printed. Throws when it failed. */
  async finish(): Promise<string> {
    if (!this.ended) await once(this.process, 'close');
    if (this.failed) throw new Error('failed');
    return this.output;
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const closed = once(this.process, 'close');
    this.process.kill('SIGTERM');
    const killer = setTimeout(() => this.process.kill('SIGKILL'), STOP_PATIENCE_MS);
    await closed;
    clearTimeout(killer);
  }

  /** How it ended, if it did, and the last lines it wrote. */
  lastWords(): string {
    const end = this.process.signalCode ?? this.process.exitCode;
    const words = lastPart(`${this.output}\n${this.complaints}`).trim().split('\n').slice(-12).join('\n');
    return `${end === null ? 'still running' : `ended with ${end}`}${words && `:\n${words}`}`;
  }

  private complain(text: string): void {
    this.complaints = lastPart(this.complaints + text);
  }
}

/** What /proc says of a process; undefined where there is none. */
function statOf(pid: number | string | undefined): { parent: number; ownMs: number; endedMs: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold spaces. After it comes field 3. Field 4 is the parent; 14 and 15 are user and
    // system time, 16 and 17 those of children that have ended (proc(5)).
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const time = (at: number) => (fields[at]! + fields[at + 1]!) * CLOCK_TICK_MS;
    return { parent: fields[1]!, ownMs: time(11), endedMs: time(13) };
  } catch {
    return undefined; // no /proc, or it ended meanwhile
  }
}

const lastPart = (text: string) => text.slice(-4000);

/** Does something with a child and ends the child. What goes wrong is told together with how the child ended and what it said last. */
export async function withChild<T>(child: Child, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const ended = child.ended;
    await child.stop();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason}; ${ended ? '' : 'stopped, it '}${child.lastWords()}`, { cause: error });
  } finally {
    await child.stop();
  }
}

/** Polls until `ready` answers true. Throws when the child ends first or `seconds` pass. */
export async function untilReady(child: Child, ready: () => Promise<boolean>, seconds = 30): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await ready())) {
    if (child.ended) throw new Error('did not start');
    if (performance.now() > deadline) throw new Error(`was not ready after ${seconds} s`);
    await pause(50);
  }
}

/** Whether a GET is answered by 2xx. A refused connection is an answer too: not yet. */
export async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}

/** Where a tool is, or undefined. */
export function findTool(name: string): string | undefined {
  return TOOL_FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // the question was whether it is there
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no free port');
  return address.port;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}
