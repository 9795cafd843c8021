import { statfs } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';

/** Below this SQLite's log and the files on their way may not find room. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;
const KEPT_MS = 5000;

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
    const isFull = (await this.freeBytes()) < LEAST_FREE_BYTES;
    this.kept = { ...this.kept, isFull };
    return isFull;
  }

  private async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.config.dataDir);
    return bavail * bsize;
  }
}
