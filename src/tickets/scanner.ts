import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';
import { Clamd } from '../platform/clamd.js';
import { Logger } from '../platform/logger.js';
import { Slots } from '../platform/slots.js';

const AT_ONCE = 4;
const MOST_WAITING = 40;

/** `unchecked`: nobody could say, so it is treated as if it were not clean. */
export type ScanVerdict = 'clean' | 'unsafe' | 'unchecked';

/** Looks into files before anybody gets them, where a scanner is configured. Without one everything passes. */
@Injectable()
export class Scanner {
  private readonly clamd: Clamd | null;
  private readonly slots = new Slots(AT_ONCE, MOST_WAITING);

  constructor(
    config: Config,
    private readonly logger: Logger,
  ) {
    this.clamd = config.clamd === null ? null : new Clamd(config.clamd);
  }

  get isConfigured(): boolean {
    return this.clamd !== null;
  }

  async scan(path: string): Promise<ScanVerdict> {
    const { clamd } = this;
    if (clamd === null) return 'clean';
    const verdict = (await this.slots.run(() => clamd.scan(path))) ?? { kind: 'unknown' as const, reason: 'busy' };
    if (verdict.kind === 'clean') return 'clean';
    if (verdict.kind === 'infected') {
      this.logger.warn('a file holds what the scanner knows as harmful, and was refused', {
        signature: verdict.signature,
      });
      return 'unsafe';
    }
    this.logger.error('a file could not be scanned and was refused; see CLAMD_URL', { reason: verdict.reason });
    return 'unchecked';
  }

  /** Null where none is configured. */
  async isReady(): Promise<boolean | null> {
    return this.clamd === null ? null : this.clamd.ping();
  }
}
