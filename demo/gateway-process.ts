import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { projectRoot } from './local-web.js';

const READY_WITHIN_SECONDS = 60;
const STOP_WITHIN_SECONDS = 25;
const LOOK_EVERY_MS = 100;
const KEPT_LINES = 200;

// What a program needs from the machine. The gateway's own settings are the demo's to give: a stray DATABASE_URL or
// NODE_ENV of this shell must not lead the demo to somebody's real data.
const INHERITED = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TEMP',
  'TMP',
  'SystemRoot',
  'LANG',
  'TZ',
  'NODE_OPTIONS',
  'NODE_EXTRA_CA_CERTS',
];

export interface GatewayOptions {
  /** Address for `/health/ready`. */
  url: string;
  /** The gateway's working folder, so that no `.env` or `sources.yaml` of the checkout counts. */
  folder: string;
  settings: Record<string, string>;
  /** Called with every line the gateway writes. */
  onLine?: (line: string) => void;
}

/** The gateway as a process of its own, as in production. */
export class GatewayProcess {
  private readonly lines: string[] = [];
  private child: ChildProcess | null = null;
  private startError: Error | null = null;

  constructor(private readonly options: GatewayOptions) {}

  /**
   * Starts it and resolves when `/health/ready` answers 200.
   * @throws if it is not built, ends early, or is not ready within 60 s; `lastLines` tell more
   */
  async start(): Promise<void> {
    const program = join(projectRoot, 'dist', 'src', 'main.js');
    if (!existsSync(program)) throw new Error('The gateway is not built (dist/src/main.js is missing): npm run build');
    const inherited = INHERITED.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
    this.child = spawn(process.execPath, [program], {
      cwd: this.options.folder,
      env: { ...Object.fromEntries(inherited), ...this.options.settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.once('error', (error) => (this.startError = error));
    // However this process ends, it leaves no gateway behind.
    process.once('exit', () => this.child?.kill('SIGKILL'));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.keep(line));
    }
    await this.waitUntilReady();
  }

  /** The newest lines it wrote, for when it failed. */
  lastLines(count: number): string[] {
    return this.lines.slice(-count);
  }

  /** Resolves with a description when it ends by itself. */
  async ended(): Promise<string> {
    if (!this.child) return 'was never started';
    if (this.isRunning()) await once(this.child, 'exit');
    return this.describeEnd();
  }

  /** Asks it to end and waits; after 25 s, or when `impatient`, ends it hard. */
  async stop({ impatient = false } = {}): Promise<void> {
    if (!this.child || !this.isRunning()) return;
    const exit = once(this.child, 'exit');
    this.child.kill(impatient ? 'SIGKILL' : 'SIGTERM');
    const timer = setTimeout(() => this.child?.kill('SIGKILL'), STOP_WITHIN_SECONDS * 1000);
    await exit;
    clearTimeout(timer);
  }

  private async waitUntilReady(): Promise<void> {
    const deadline = Date.now() + READY_WITHIN_SECONDS * 1000;
    let answer = 'no answer';
    while (Date.now() < deadline) {
      if (!this.isRunning()) throw new Error(`The gateway ${this.describeEnd()} before it was ready.`);
      answer = await this.askReady();
      if (answer === '200') return;
      await pause(LOOK_EVERY_MS);
    }
    throw new Error(`The gateway was not ready within ${READY_WITHIN_SECONDS} s (/health/ready: ${answer}).`);
  }

  private async askReady(): Promise<string> {
    try {
      const response = await fetch(`${this.options.url}/health/ready`, { signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      return String(response.status);
    } catch {
      return 'no answer'; // Not listening yet: the next look will tell.
    }
  }

  private isRunning(): boolean {
    return this.child !== null && !this.startError && this.child.exitCode === null && this.child.signalCode === null;
  }

  private describeEnd(): string {
    if (this.startError) return `could not be started (${this.startError.message})`;
    if (this.child?.signalCode) return `was ended by ${this.child.signalCode}`;
    return `ended with code ${this.child?.exitCode ?? '?'}`;
  }

  private keep(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
    this.options.onLine?.(line);
  }
}
