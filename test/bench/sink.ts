import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child, ROOT, findTool, freePort, temporaryFolder, untilReady } from './processes.js';

const POLL_MS = 10;
const STALL_MS = 30_000;
// One line of counters is `sess=1 quit=1 mesg=1\r`; two of them always fit.
const TAIL_BYTES = 160;

/**
 * The SMTP server that every system hands its mails to, and the one place where mails are counted, for all in the same way.
 *
 * Postfix' smtp-sink prints running counters (`-c`) at each end of DATA. They go to a file whose last bytes are read every
 * 10 ms: no system is asked what it sent, no database is read beside it, no proxy stands between, and the load generator
 * is not woken by every mail.
 */
export class Sink {
  private constructor(
    private readonly child: Child,
    private readonly counters: number,
    readonly port: number,
    readonly kind: 'smtp-sink' | 'node',
  ) {}

  static async start(): Promise<Sink> {
    const port = await freePort();
    const counters = openSync(join(temporaryFolder(), 'counters'), 'a+');
    const tool = findTool('smtp-sink');
    const stdio = ['ignore', counters, 'pipe'] as const;
    // As root, smtp-sink insists on another user to become.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const child = tool
      ? new Child(tool, ['-c', ...user, `127.0.0.1:${port}`, '1000'], { stdio: [...stdio] })
      : new Child(process.execPath, [join(ROOT, 'dist/test/bench/node-sink.js'), `${port}`], { stdio: [...stdio] });
    await untilReady(child, () => listens(port));
    return new Sink(child, counters, port, tool ? 'smtp-sink' : 'node');
  }

  /** Mails accepted since the start. */
  accepted(): number {
    const { size } = fstatSync(this.counters);
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(this.counters, tail, 0, tail.length, size - tail.length);
    return lastCount(tail.toString('latin1'));
  }

  /** Waits until `target` mails are accepted in all. Throws when the sender fails, or when none comes in for 30 s. */
  async until(target: number, sender: Child, progress: (accepted: number) => void = () => {}): Promise<void> {
    let [seen, movedAt] = [this.accepted(), performance.now()];
    while (seen < target) {
      if (sender.failed) throw new Error(`failed with ${target - seen} mails to go`);
      if (performance.now() - movedAt > STALL_MS) throw new Error(`${target - seen} mails never came`);
      await pause(POLL_MS);
      const now = this.accepted();
      if (now !== seen) [seen, movedAt] = [now, performance.now()];
      progress(seen);
    }
  }

  async stop(): Promise<void> {
    await this.child.stop();
    closeSync(this.counters);
  }
}

/** The last complete `mesg=` count in a piece of smtp-sink's counter output; 0 before the first mail. */
export function lastCount(output: string): number {
  return Number([...output.matchAll(/mesg=(\d+)\r/g)].at(-1)?.[1] ?? 0);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
