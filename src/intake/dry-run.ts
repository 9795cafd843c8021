import { Injectable } from '@nestjs/common';
import type { Delivery } from '../delivery/delivery.entity.js';
import { MailRenderer } from '../delivery/mail-renderer.js';
import { Suppressions } from '../delivery/suppression.js';
import type { EventMessage, EventPerson, TicketEvent } from '../events.js';
import { addressKey } from '../platform/address.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import type { Source } from '../sources.js';
import type { Untold } from './event.entity.js';
import { Intake } from './intake.js';
import { SourceApis } from './source-api.js';
import type { IgnoredReason, IncomingWebhook } from './sources/adapter.js';
import { adapters } from './sources/adapters.js';
import { completedOf, readWebhook, type Happening } from './sources/read.js';

/** What would become of one happening of a webhook. */
export type Forecast =
  | { ignored: IgnoredReason }
  /** The source's API did not say what the body left out; `detail` is its answer. */
  | { lookUp: 'ignored' | 'refused' | 'unavailable'; detail: string }
  | {
      duplicate: boolean;
      event: object;
      /** Why there are no mails, unless it is a duplicate; else null. */
      untold: Untold | null;
      mails: ForecastMail[];
    };

export interface ForecastMail {
  recipient: string;
  channel: string;
  locale: string;
  /** Why this one: `exact`, `language`, `source` or `default`. */
  localeReason: string;
  templateKey: string;
  templateRevision: string;
  /** ISO 8601. */
  dueAt: string;
  /** Nothing is sent to this address, and why; null: it is. */
  suppressed: string | null;
  subject: string;
  text: string;
  html: string;
}

/** Says what a webhook would do, by the same steps, and does none of it. */
@Injectable()
export class DryRun {
  constructor(
    private readonly intake: Intake,
    private readonly apis: SourceApis,
    private readonly renderer: MailRenderer,
    private readonly suppressions: Suppressions,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /**
   * `isTrusted`: it needs no signature.
   * @throws PosternError for everything that the sender would hear of
   */
  async foresee(
    sourceName: string,
    webhook: Omit<IncomingWebhook, 'now'>,
    { isTrusted = false } = {},
  ): Promise<Forecast[]> {
    const source = this.intake.source(sourceName);
    const happenings = readWebhook(source, { ...webhook, now: this.clock.now() }, isTrusted);
    const forecasts: Forecast[] = [];
    for (const one of happenings) forecasts.push(await this.forecast(source, one));
    return forecasts;
  }

  private async forecast(source: Source, happening: Happening): Promise<Forecast> {
    if (happening.kind === 'ignored') return { ignored: happening.reason };
    const whole = await this.complete(source, happening);
    if ('lookUp' in whole) return whole;
    const { duplicate, untold, mails } = await this.intake.rehearse(source, whole);
    if (untold === 'unknown-ticket') return { ignored: 'internal' };
    return { duplicate, event: shown(whole.event, whole.namesNobody), untold, mails: await this.read(mails) };
  }

  private async complete(source: Source, happening: Extract<Happening, { kind: 'event' }>) {
    if (happening.missing === null || happening.namesNobody) return happening;
    const adapter = adapters[source.adapter];
    const { native, lookUp } = happening.missing;
    // What lacks something comes only from an adapter that can ask, of a source that has an API.
    const found = await adapter.complete!(native, lookUp, this.apis.of(source, this.clock.now())!);
    if (!found.ok) return { lookUp: found.reason, detail: found.detail };
    return { ...happening, event: completedOf(found.native, adapter), missing: null };
  }

  private async read(mails: readonly Delivery[]): Promise<ForecastMail[]> {
    const keys = mails.map(({ recipient }) => addressKey(recipient));
    const suppressed = await this.database.read((manager) => this.suppressions.among(manager, keys));
    return mails.map((mail, place) => ({
      recipient: mail.recipient,
      channel: mail.channel,
      locale: mail.locale,
      localeReason: mail.localeReason,
      templateKey: mail.templateKey,
      templateRevision: mail.templateRevision,
      dueAt: iso(mail.dueAt)!,
      suppressed: suppressed.get(keys[place]!) ?? null,
      ...this.renderer.preview(mail),
    }));
  }
}

/** The event in the words of the native format, as it was understood, without anything internal. */
function shown({ type, timestamp, data }: TicketEvent, namesNobody: boolean): object {
  const { ticket, requester, participants, message, history, into } = data;
  const { createdAt, updatedAt } = ticket;
  return {
    type,
    timestamp: iso(timestamp),
    data: {
      ticket: { ...ticket, createdAt: iso(createdAt), updatedAt: iso(updatedAt) },
      requester: namesNobody ? undefined : person(requester),
      participants: participants?.map(person),
      message: message && said(message),
      history: history.flatMap((one) => said(one) ?? []),
      into,
    },
  };
}

const iso = (at: number | undefined) => (at === undefined ? undefined : isoTime(at));

function person({ email, ...one }: EventPerson): object {
  return { ...one, email: email.given };
}

function said({ createdAt, author, ...one }: EventMessage): object | null {
  if (one.visibility !== 'public') return null;
  return { ...one, author: { ...author, email: author.email?.given }, createdAt: iso(createdAt) };
}
