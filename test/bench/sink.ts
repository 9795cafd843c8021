import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Child, ROOT, findTool, freePort, removeFolder, temporaryFolder, untilReady } from './processes.js';

const POLL_MS = 10;
const STALL_MS = 30_000;
// One line of counters is `sess=1 quit=1 mesg=1\r`; two of them always fit.
const TAIL_BYTES = 160;
const NOTES = 'arrivals';

export interface Arrival {
  /** When its last byte came, ms since 1970. */
  at: number;
  recipient: string;
}

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
    private readonly folder: string,
    private readonly counters: number,
    readonly port: number,
    readonly kind: 'smtp-sink' | 'node',
  ) {}

  /** With a domain it notes when each mail to that domain arrived, which smtp-sink cannot. */
  static async start(notedDomain?: string): Promise<Sink> {
    const [port, folder] = [await freePort(), temporaryFolder()];
    const counters = openSync(join(folder, 'counters'), 'a+');
    const tool = notedDomain === undefined ? findTool('smtp-sink') : undefined;
    const program = [join(ROOT, 'dist/test/bench/node-sink.js'), `${port}`];
    if (notedDomain !== undefined) program.push(notedDomain, join(folder, NOTES));
    const stdio = ['ignore', counters, 'pipe'] as const;
    // As root, smtp-sink insists on another user to become.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const child = tool
      ? new Child(tool, ['-c', ...user, `127.0.0.1:${port}`, '1000'], { stdio: [...stdio] })
      : new Child(process.execPath, program, { stdio: [...stdio] });
    await untilReady(child, () => listens(port));
    return new Sink(child, folder, counters, port, tool ? 'smtp-sink' : 'node');
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

  /** The mails to the noted domain, in the order in which they came. */
  arrivals(): Arrival[] {
    const file = join(this.folder, NOTES);
    return existsSync(file) ? readArrivals(readFileSync(file, 'utf8')) : [];
  }

  async stop(): Promise<void> {
    await this.child.stop();
    closeSync(this.counters);
    removeFolder(this.folder);
  }
}

/** The complete lines of what node-sink notes. */
export function readArrivals(notes: string): Arrival[] {
  return [...notes.matchAll(/^(\d+) (.+)\n/gm)].map(([, at, recipient = '']) => ({ at: Number(at), recipient }));
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
