import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { Delivery } from '../delivery/delivery.entity.js';
import { OutboundMessage } from '../outbound/outbound.entity.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';

export interface Readiness {
  status: 'ok' | 'unavailable';
  database: 'ok' | 'unavailable';
  /** Age of the oldest delivery that is not done, in seconds; 0 if there is none. */
  oldestWaitingSeconds?: number;
  /** What waits for a person. */
  parked?: { deliveries: number; outbound: number };
}

@Injectable()
export class Health {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  async readiness(): Promise<Readiness> {
    try {
      await this.database.checkWritable(); // a full disk can still be read
      const { oldest, deliveries, outbound } = await this.database.read(async (manager) => ({
        oldest: await manager.findOne(Delivery, { where: { endedAt: IsNull() }, order: { createdAt: 'ASC' } }),
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
