import { statfs } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';

/** Below this SQLite's log and the files on their way may not find room; of a small disk it is a tenth. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;
const LEAST_FREE_SHARE = 0.1;
const KEPT_MS = 5000;

/** True if a file could not be written because there is no room, or none may be written. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS'].includes(String((error as NodeJS.ErrnoException | null)?.code));
}

/** Whether the disk of DATA_DIR has room left. */
@Injectable()
export class DiskSpace {
  private kept = { isFull: false, until: 0 };

  constructor(private readonly config: Config) {}

  /** Asks the disk at most every five seconds. */
  async isNearlyFull(): Promise<boolean> {
    const now = performance.now();
    if (this.kept.until > now) return this.kept.isFull;
    this.kept = { ...this.kept, until: now + KEPT_MS };
    const { free, size } = await this.measure();
    const isFull = free < Math.min(LEAST_FREE_BYTES, size * LEAST_FREE_SHARE);
    this.kept = { ...this.kept, isFull };
    return isFull;
  }

  /** Bytes. */
  private async measure(): Promise<{ free: number; size: number }> {
    const { bavail, blocks, bsize } = await statfs(this.config.dataDir);
    return { free: bavail * bsize, size: blocks * bsize };
  }
}
