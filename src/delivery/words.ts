import { Injectable } from '@nestjs/common';
import { Clock } from '../platform/clock.js';
import type { CompiledMail } from '../templates/compile.js';
import { Renditions } from '../templates/renditions.js';
import type { Delivery } from './delivery.entity.js';

/** In which words a mail is written: every try in the same ones. */
@Injectable()
export class DeliveryWords {
  constructor(
    private readonly renditions: Renditions,
    private readonly clock: Clock,
  ) {}

  /**
   * The first try takes the words that count then, and writes into `delivery` which they are; `markSubmitting` makes that
   * durable. Every later one has the same.
   */
  async of(delivery: Delivery): Promise<CompiledMail> {
    const { templateKey, locale, templateRevision, revisionFixedAt } = delivery;
    const kept = revisionFixedAt === null ? null : await this.renditions.find(templateRevision);
    if (kept) return kept;
    const current = this.renditions.current(templateKey, locale);
    if (current.locale !== locale) Object.assign(delivery, { locale: current.locale, localeReason: 'default' });
    delivery.templateRevision = current.mail.revision;
    delivery.revisionFixedAt ??= this.clock.now();
    return current.mail;
  }
}
