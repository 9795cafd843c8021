import { Injectable } from '@nestjs/common';
import { PosternError } from '../errors.js';
import { Clock } from '../platform/clock.js';
import { DiskSpace } from '../platform/disk-space.js';
import type { Source } from '../sources.js';

/** Webhooks of one process that wait for their commit, and their bytes: some four seconds of work. */
const MOST_WAITING = 5000;
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
const TRY_AGAIN_SECONDS = 5;
const FULL_DISK_SECONDS = 60;
const MINUTE_MS = 60_000;

/** Turns webhooks away before memory or disk suffer: nothing of them is taken, and the sender is told when to come again. */
@Injectable()
export class Admission {
  private waiting = 0;
  private waitingBytes = 0;
  /** What each source has left of its minute, which fills up again as time goes by. */
  private readonly left = new Map<string, { events: number; at: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly disk: DiskSpace,
  ) {}

  /**
   * Does the work of a webhook of so many bytes, if there is room for it.
   * @throws PosternError `unavailable`
   */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    if (this.waiting >= MOST_WAITING || this.waitingBytes + bytes > MOST_WAITING_BYTES)
      throw unavailable('There is more than can be written down.', TRY_AGAIN_SECONDS);
    this.waiting += 1;
    this.waitingBytes += bytes;
    try {
      if (await this.disk.isNearlyFull()) throw unavailable('The disk is nearly full.', FULL_DISK_SECONDS);
      return await work();
    } finally {
      this.waiting -= 1;
      this.waitingBytes -= bytes;
    }
  }

  /**
   * Counts genuine events of a source that has a limit, in this process.
   * @throws PosternError `too-many-requests`
   */
  count({ name, eventsPerMinute: most }: Source, events: number): void {
    if (most === null) return;
    const now = this.clock.now();
    const before = this.left.get(name) ?? { events: most, at: now };
    const left = Math.min(most, before.events + (Math.max(0, now - before.at) * most) / MINUTE_MS);
    // A batch larger than the whole minute goes alone, or it would never go.
    const needed = Math.min(events, most);
    if (left < needed) {
      this.left.set(name, { events: left, at: now });
      const retryAfterSeconds = Math.ceil(((needed - left) * MINUTE_MS) / most / 1000);
      throw new PosternError('too-many-requests', `This source may send ${most} events a minute.`, {
        retryAfterSeconds,
      });
    }
    this.left.set(name, { events: left - needed, at: now });
  }
}

function unavailable(detail: string, retryAfterSeconds: number): PosternError {
  return new PosternError('unavailable', `${detail} Nothing was taken: send it again.`, { retryAfterSeconds });
}
