import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import type { Order, Said } from './points.js';

/** A process that is there to be killed: `victim.ts`. */
export class Victim {
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private readonly told = new Map<Said, () => void>();
  private problems = '';

  /** Loads the program and waits to be told: that takes half of a start, while another victim works. */
  constructor(folder: string, environment: Record<string, string>) {
    this.child = fork(join(packageRoot, 'dist', 'test', 'faults', 'victim.js'), {
      cwd: folder,
      env: environment,
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.child.stderr!.on('data', (part: Buffer) => (this.problems += part.toString()));
    this.exited = once(this.child, 'exit');
    this.child.on('message', (said: Said) => this.told.get(said)?.());
  }

  get isDead(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Opens the database, listens, works. Returns when it is ready, or was killed before it was. */
  async start(order: Order): Promise<void> {
    const ready = new Promise<void>((resolve) => this.told.set('ready', resolve));
    this.child.send(order);
    await Promise.race([ready, this.exited]);
    this.check();
  }

  /** Dies if the one mail that the mail server holds is the only one on the wire. False if it is not. */
  async dieIfAlone(): Promise<boolean> {
    if (this.isDead) return true;
    const notNow = new Promise<false>((resolve) => this.told.set('not-now', () => resolve(false)));
    this.child.send('die');
    return Promise.race([notNow, this.exited.then(() => true)]);
  }

  async kill(): Promise<void> {
    if (!this.isDead) this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Throws if it ended in another way than by SIGKILL. */
  check(): void {
    const { exitCode, signalCode } = this.child;
    if (exitCode !== null || (signalCode !== null && signalCode !== 'SIGKILL'))
      throw new Error(`a process ended with ${signalCode ?? exitCode}: ${this.problems}`);
  }
}
