import { Injectable } from '@nestjs/common';
import type { IssuedCode } from '../access/code.js';
import { Links } from '../access/link.js';
import { Config } from '../config.js';
import type { Source } from '../sources.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { insertRows } from '../platform/database/rows.js';
import { Queue } from '../platform/queue/queue.js';
import { TemplateCatalogue } from '../templates/catalogue.js';
import type { TemplateKey } from '../templates/values.js';
import type { Participant, Ticket } from '../tickets/ticket.entity.js';
import { Delivery, type DeliveryInputs, type Update } from './delivery.entity.js';

/** One mail to be sent: to whom, about which ticket, in which words. */
export interface MailPlan {
  ticket: Pick<Ticket, 'id' | 'number' | 'source'>;
  participant: Participant;
  templateKey: TemplateKey;
  occurredAt: number;
  /** What it tells of, and what must still hold when it does. */
  updates?: Update[];
  eventId?: Id<'evt'>;
  /** The account's own ticket page; without it the mail carries a guest's link. */
  accountUrl?: string | null;
  /** For `access-code`: which code. */
  challenge?: IssuedCode;
}

export interface PlannedMail {
  lane: Delivery['lane'];
  id: Id<'dlv'>;
}

/** The door to delivery: plan in a transaction, wake after its commit; the worker does the rest. */
@Injectable()
export class Deliveries {
  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
    private readonly queue: Queue,
    private readonly links: Links,
    private readonly catalogue: TemplateCatalogue,
  ) {}

  /** Writes deliveries with everything they will be rendered from. */
  async plan(tx: Transaction, plans: MailPlan[]): Promise<PlannedMail[]> {
    const rows = plans.map((plan) => this.row(plan));
    await insertRows(tx, Delivery, rows);
    return rows.map(({ lane, id }) => ({ lane, id }));
  }

  /** Says that these are due. Call it after the commit: before it there is nothing to find. */
  wake(planned: PlannedMail[]): void {
    for (const lane of ['codes', 'mail'] as const) {
      const ids = planned.filter((one) => one.lane === lane).map(({ id }) => id);
      if (ids.length > 0) this.queue.add(lane, ids);
    }
  }

  private row(plan: MailPlan): Delivery {
    const { ticket, participant, templateKey, challenge } = plan;
    const now = this.clock.now();
    const source = this.config.sources.find(({ name }) => name === ticket.source);
    const { locale, reason } = this.locale(participant, source, templateKey);
    return {
      id: newId('dlv', now),
      lane: challenge ? 'codes' : 'mail',
      channel: 'email',
      eventId: plan.eventId ?? null,
      ticketId: ticket.id,
      participantId: participant.id,
      challengeId: challenge?.challengeId ?? null,
      templateKey,
      templateRevision: this.catalogue.revision(templateKey, locale),
      locale,
      localeReason: reason,
      recipient: participant.email,
      inputs: this.inputs(plan, source, now),
      state: 'queued',
      attempts: 0,
      deaths: 0,
      transport: null,
      providerId: null,
      uncertainAt: null,
      createdAt: now,
      dueAt: now,
      nextAttemptAt: now,
      endedAt: null,
    };
  }

  private inputs(
    { ticket, participant, occurredAt, accountUrl, challenge, updates = [] }: MailPlan,
    source: Source | undefined,
    now: number,
  ): DeliveryInputs {
    const guestLink = { kind: 'guest' as const, source: ticket.source, ...this.links.terms(now) };
    return {
      ticketNumber: ticket.number,
      recipientName: participant.name,
      guest: participant.kind === 'guest' || !accountUrl,
      generation: participant.generation,
      timeZone: participant.timeZone ?? '',
      brand: source?.brand ?? 'default',
      occurredAt,
      updates,
      link: challenge ? null : accountUrl ? { kind: 'account', url: accountUrl } : guestLink,
    };
  }

  /** The person's language, else the source's, else the default: for the whole mail. */
  private locale(
    { locale }: Participant,
    source: Source | undefined,
    key: TemplateKey,
  ): { locale: string; reason: string } {
    const own = this.catalogue.resolveLocale(locale, key);
    if (own.reason !== 'default') return own;
    const ofSource = this.catalogue.resolveLocale(source?.defaultLocale ?? null, key);
    return ofSource.reason === 'default' ? ofSource : { locale: ofSource.locale, reason: 'source' };
  }
}
