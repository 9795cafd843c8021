import { Injectable } from '@nestjs/common';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { PublishedWords } from '../templates/published.js';
import { placeOf } from '../templates/words-texts.js';
import { Scanner } from '../tickets/scanner.js';
import { countParked, latenessMs, mailLanes } from './waiting.js';

export interface Readiness {
  status: 'ok' | 'unavailable';
  database: 'ok' | 'unavailable';
  /** Where one is configured. While it is away only files have to wait, so this alone does not make us unavailable. */
  scanner?: 'ok' | 'unavailable';
  /** How long the mail that has been due longest has been so, in seconds; 0 if none is due. */
  oldestWaitingSeconds?: number;
  /** What waits for a person; `events`: their source did not say whom they concern. */
  parked?: { deliveries: number; outbound: number; events: number };
  /** Published words that cannot be used, as `key/locale`; earlier ones are said instead. Only there if there are any. */
  failingWords?: string[];
}

/** Anybody may ask, and each answer costs a scanner's connection and two counts. */
const KEPT_MS = 2000;

@Injectable()
export class Health {
  private kept: { answer: Promise<Readiness>; at: number } | null = null;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly scanner: Scanner,
    private readonly published: PublishedWords,
    private readonly logger: Logger,
  ) {}

  /** As of now, or of two seconds ago; who asks at once is told the same. */
  readiness(): Promise<Readiness> {
    const at = this.clock.now();
    if (this.kept === null || Math.abs(at - this.kept.at) >= KEPT_MS) this.kept = { answer: this.look(), at };
    return this.kept.answer;
  }

  private async look(): Promise<Readiness> {
    const isReady = await this.scanner.isReady();
    const scanner = isReady === null ? {} : { scanner: isReady ? ('ok' as const) : ('unavailable' as const) };
    const failing = this.published.alarms.map(({ key, locale }) => placeOf(key, locale));
    return { ...(await this.ofDatabase()), ...scanner, ...(failing.length ? { failingWords: failing } : {}) };
  }

  private async ofDatabase(): Promise<Readiness> {
    try {
      await this.database.checkWritable(); // a full disk can still be read
      const { lateMs, parked } = await this.database.read(async (manager) => ({
        lateMs: await Promise.all(mailLanes.map((lane) => latenessMs(manager, lane, this.clock.now()))),
        parked: await countParked(manager),
      }));
      return { status: 'ok', database: 'ok', oldestWaitingSeconds: Math.round(Math.max(...lateMs) / 1000), parked };
    } catch (error) {
      this.logger.error('the database does not answer', { error });
      return { status: 'unavailable', database: 'unavailable' };
    }
  }
}
