import { Injectable } from '@nestjs/common';
import { IsNull, type EntityManager } from 'typeorm';
import { Delivery } from '../delivery/delivery.entity.js';
import { OutboundMessage } from '../outbound/outbound.entity.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { PublishedWords } from '../templates/published.js';
import { placeOf } from '../templates/words-texts.js';
import { Scanner } from '../tickets/scanner.js';

export interface Readiness {
  status: 'ok' | 'unavailable';
  database: 'ok' | 'unavailable';
  /** Where one is configured. While it is away only files have to wait, so this alone does not make us unavailable. */
  scanner?: 'ok' | 'unavailable';
  /** Age of the delivery that has waited longest for its turn, in seconds; 0 if there is none. */
  oldestWaitingSeconds?: number;
  /** What waits for a person. */
  parked?: { deliveries: number; outbound: number };
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
      const { oldest, deliveries, outbound } = await this.database.read(async (manager) => ({
        oldest: await longestDue(manager),
        deliveries: await manager.countBy(Delivery, { state: 'parked' }),
        outbound: await manager.countBy(OutboundMessage, { state: 'parked' }),
      }));
      const oldestWaitingSeconds = oldest ? Math.round((this.clock.now() - oldest.createdAt) / 1000) : 0;
      return { status: 'ok', database: 'ok', oldestWaitingSeconds, parked: { deliveries, outbound } };
    } catch (error) {
      this.logger.error('the database does not answer', { error });
      return { status: 'unavailable', database: 'unavailable' };
    }
  }
}

/**
 * The delivery that has been due longest. The oldest of all would have to be looked for among all that wait, and that
 * may be a million; this one the index knows.
 */
async function longestDue(manager: EntityManager): Promise<Delivery | null> {
  const first = (lane: Delivery['lane']) =>
    manager.findOne(Delivery, { where: { lane, endedAt: IsNull() }, order: { nextAttemptAt: 'ASC' } });
  const [code, mail] = [await first('codes'), await first('mail')];
  return code && (!mail || code.nextAttemptAt < mail.nextAttemptAt) ? code : mail;
}
