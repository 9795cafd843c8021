import { Injectable } from '@nestjs/common';
import { IsNull, type EntityManager } from 'typeorm';
import type { IssuedCode } from '../access/code.js';
import { Links } from '../access/link.js';
import { Config } from '../config.js';
import { sourceNamed, type Source } from '../sources.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { asEntities, insertRows, run, upsertRows } from '../platform/database/rows.js';
import { Queue } from '../platform/queue/queue.js';
import { TemplateCatalogue } from '../templates/catalogue.js';
import type { TemplateKey } from '../templates/values.js';
import { chosenLanguages } from '../tickets/language-choices.js';
import type { Participant, Ticket } from '../tickets/ticket.entity.js';
import { newCheckReference } from './check.js';
import { Delivery, type DeliveryInputs, type Update } from './delivery.entity.js';
import { isEnd } from './states.js';

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
  /** When it is to leave, ms since 1970; now if that is past or not given. */
  dueAt?: number;
  /** The open mail of `recent` that this one becomes: it keeps its id and its times. */
  inPlaceOf?: Delivery;
}

/** A mail that a ticket's person was or is to be sent. */
export interface RecentMail {
  delivery: Delivery;
  dueAt: number;
  /** It waits for more, and this transaction alone can give it more: no worker takes it before the commit. */
  open: boolean;
}

export interface PlannedMail {
  lane: Delivery['lane'];
  id: Id<'dlv'>;
}

export type CodeProgress = 'waiting' | 'sent' | 'given-up';

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

  /** Writes deliveries with everything they will be rendered from. Returns those that are due. */
  async plan(tx: Transaction, plans: MailPlan[]): Promise<PlannedMail[]> {
    const now = this.clock.now();
    const chosen = await chosenLanguages(
      tx,
      plans.map(({ participant }) => participant.emailKey),
    );
    const rows = plans.map((plan) => this.row(plan, now, chosen.get(plan.participant.emailKey) ?? null));
    await insertRows(
      tx,
      Delivery,
      rows.filter((_, i) => !plans[i]!.inPlaceOf),
    );
    await upsertRows(
      tx,
      Delivery,
      rows.filter((_, i) => plans[i]!.inPlaceOf),
    );
    return rows.flatMap(({ lane, id, nextAttemptAt }) => (nextAttemptAt <= now ? [{ lane, id }] : []));
  }

  /**
   * The ticket mails of these tickets that were due after `since` or have not ended, oldest first. Planners of one ticket
   * take turns (the intake holds its row), but a worker may be about to take up a mail: the open ones are locked, and one
   * that it holds already is not open.
   */
  async recent(tx: Transaction, ticketIds: Id<'tkt'>[], since: number): Promise<RecentMail[]> {
    const lock = tx.dataSource.options.type === 'postgres' ? 'FOR UPDATE SKIP LOCKED' : '';
    const raw = await run<{ is_open: number | boolean }>(
      tx,
      `WITH waiting AS (
         SELECT * FROM deliveries
         WHERE ticket_id IN ? AND challenge_id IS NULL AND state = 'queued' AND attempts = 0 AND due_at > created_at ${lock}
       )
       SELECT *, TRUE AS is_open FROM waiting
       UNION ALL
       SELECT *, FALSE AS is_open FROM deliveries
       WHERE ticket_id IN ? AND challenge_id IS NULL AND template_key <> 'link-renewed' AND state <> 'cancelled'
         AND (ended_at IS NULL OR due_at > ?) AND id NOT IN (SELECT id FROM waiting)
       ORDER BY id`,
      [ticketIds, ticketIds, since],
    );
    const found = asEntities(tx, Delivery, raw);
    return found.map((delivery, i) => ({ delivery, dueAt: delivery.dueAt, open: Boolean(raw[i]!.is_open) }));
  }

  /** The mails about a ticket that tell of this event, alone or among others. */
  async tellingOf(tx: Transaction, eventId: Id<'evt'>, ticketId: Id<'tkt'>): Promise<Delivery[]> {
    const mails = await tx.find(Delivery, { where: { ticketId, endedAt: IsNull() }, order: { id: 'ASC' } });
    return mails.filter(({ inputs }) => inputs.updates.some((update) => update.eventId === eventId));
  }

  /** How far the mail with a code came: on its way, taken by the transport, or given up. */
  async progressOfCode(
    manager: EntityManager,
    { challengeId }: IssuedCode,
    ticketId: Id<'tkt'>,
  ): Promise<CodeProgress> {
    const mail = await manager.findOneBy(Delivery, { ticketId, challengeId });
    if (mail !== null && !isEnd(mail.state)) return 'waiting';
    return mail?.state === 'sent' ? 'sent' : 'given-up';
  }

  /** Says that these are due. Call it after the commit: before it there is nothing to find. */
  wake(planned: PlannedMail[]): void {
    for (const lane of ['codes', 'mail'] as const) {
      const ids = planned.filter((one) => one.lane === lane).map(({ id }) => id);
      if (ids.length > 0) this.queue.add(lane, ids);
    }
  }

  private row(plan: MailPlan, now: number, chosen: string | null): Delivery {
    const { ticket, participant, templateKey, challenge, inPlaceOf } = plan;
    const dueAt = inPlaceOf?.dueAt ?? Math.max(now, plan.dueAt ?? now);
    const source = sourceNamed(this.config.sources, ticket.source);
    const { locale, reason } = this.locale(chosen, participant, source, templateKey);
    return {
      id: inPlaceOf?.id ?? newId('dlv', now),
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
      checkReference: inPlaceOf?.checkReference ?? newCheckReference(),
      inputs: this.inputs(plan, source, now),
      state: 'queued',
      attempts: 0,
      deaths: 0,
      transport: null,
      providerId: null,
      uncertainAt: null,
      createdAt: inPlaceOf?.createdAt ?? now,
      dueAt,
      nextAttemptAt: inPlaceOf?.nextAttemptAt ?? dueAt,
      endedAt: null,
      revisionFixedAt: null,
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

  /** The language chosen by the reader, else the one the source says of them, else the source's, else the default. */
  private locale(
    chosen: string | null,
    { locale }: Participant,
    source: Source | undefined,
    key: TemplateKey,
  ): { locale: string; reason: string } {
    const byReader = this.catalogue.resolveLocale(chosen, key);
    if (byReader.reason !== 'default') return { locale: byReader.locale, reason: 'chosen by the reader' };
    const own = this.catalogue.resolveLocale(locale, key);
    if (own.reason !== 'default') return own;
    const ofSource = this.catalogue.resolveLocale(source?.defaultLocale ?? null, key);
    return ofSource.reason === 'default' ? ofSource : { locale: ofSource.locale, reason: 'source' };
  }
}
