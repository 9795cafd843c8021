/** The only source of time. Tests hand in one that they can move. */
export abstract class Clock {
  /** Milliseconds since 1970. */
  abstract now(): number;
  /** Goes by another clock from now on, if it is one that may be wrong. */
  abstract follow(trueNow: number): void;
}

/** Less than that is how long the question took, or a clock that is well enough. */
const TOLERANCE_MS = 500;

/**
 * The machine's clock. Where several processes share a database they all go by the database's clock: a worker ten
 * minutes ahead would otherwise take every lease of the others for ended, and send what they are sending.
 */
export class SystemClock extends Clock {
  private offset = 0;

  constructor(private readonly machine: () => number = Date.now) {
    super();
  }

  now(): number {
    return this.machine() + this.offset;
  }

  follow(trueNow: number): void {
    // Whole milliseconds, as everywhere: a database that tells its time more finely takes no fraction into its columns.
    const offset = Math.round(trueNow - this.machine());
    if (Math.abs(offset - this.offset) > TOLERANCE_MS) this.offset = Math.abs(offset) > TOLERANCE_MS ? offset : 0;
  }
}

/** A time in ms since 1970 as APIs, events and files say it: ISO 8601 in UTC. */
export function isoTime(at: number): string;
export function isoTime(at: number | null): string | null;
export function isoTime(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
