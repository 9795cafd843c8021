import { Clock } from '../../src/platform/clock.js';

/**
 * A clock that tests move. It starts at the real time, because certificates and browsers go by theirs, and stands still
 * between moves, unless it `runs`: beside a ticket system that stamps its messages by the real time it must not stay behind.
 */
export class TestClock extends Clock {
  private readonly startedAt = Date.now();
  private moved = 0;

  constructor(private readonly runs = false) {
    super();
  }

  now(): number {
    return (this.runs ? Date.now() : this.startedAt) + this.moved;
  }

  /** Goes by nobody but the test. */
  follow(): void {}

  advance(step: { seconds?: number; minutes?: number; hours?: number; days?: number }): void {
    const { seconds = 0, minutes = 0, hours = 0, days = 0 } = step;
    this.moved += (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
  }
}
