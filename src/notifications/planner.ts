import { Injectable } from '@nestjs/common';
import type { Source } from '../sources.js';
import { Deliveries, type MailPlan, type PlannedMail } from '../delivery/delivery.js';
import type { TellingType, TicketEvent } from '../events.js';
import type { Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import type { TemplateKey } from '../templates/values.js';
import type { AppliedEvent } from '../tickets/projection.js';
import type { Ticket } from '../tickets/ticket.entity.js';

/** An event that was applied, for the planner to decide on. */
export interface News {
  source: Source;
  eventId: Id<'evt'>;
  event: TicketEvent;
  applied: AppliedEvent;
}

interface Rule {
  templateKey: TemplateKey;
  /** The news is a message, so its author needs no mail; else it is a change of the ticket, which its author is told of too. */
  isAboutMessage: boolean;
  /** The news is a state: once something newer is known it is no news. A message stays one however late it comes. */
  onlyIfNewest: boolean;
}

/** Which event tells whom what. A type that is not here mails nobody. */
const rules: Record<TellingType, Rule> = {
  // The requester's own first message makes the ticket: this mail is the receipt, and brings the link.
  'ticket.created': { templateKey: 'ticket-created', isAboutMessage: false, onlyIfNewest: true },
  'ticket.replied': { templateKey: 'ticket-replied', isAboutMessage: true, onlyIfNewest: false },
  'ticket.info_requested': { templateKey: 'ticket-info-requested', isAboutMessage: true, onlyIfNewest: false },
  'ticket.resolved': { templateKey: 'ticket-resolved', isAboutMessage: true, onlyIfNewest: true },
  'ticket.reopened': { templateKey: 'ticket-reopened', isAboutMessage: true, onlyIfNewest: true },
  'ticket.closed': { templateKey: 'ticket-closed', isAboutMessage: true, onlyIfNewest: true },
};

/** Decides who is told of an event, in which words and with which link. */
@Injectable()
export class Planner {
  constructor(private readonly deliveries: Deliveries) {}

  /** Plans the mails of several events, in the order in which they are given. */
  plan(tx: Transaction, news: News[]): Promise<PlannedMail[]> {
    return this.deliveries.plan(
      tx,
      news.flatMap((one) => this.mailsOf(one)),
    );
  }

  private mailsOf({ source, eventId, event, applied }: News): MailPlan[] {
    const rule = (rules as Partial<Record<TicketEvent['type'], Rule>>)[event.type];
    if (!rule || !isNews(rule, event, applied)) return [];
    const told = applied.participants.filter((one) => !rule.isAboutMessage || one.id !== applied.author?.id);
    return told.map((participant): MailPlan => ({
      ticket: applied.ticket,
      participant,
      templateKey: rule.templateKey,
      occurredAt: event.timestamp,
      eventId,
      accountUrl: participant.kind === 'account' ? accountPage(source, applied.ticket) : null,
    }));
  }
}

function isNews({ onlyIfNewest }: Rule, { type, data }: TicketEvent, applied: AppliedEvent): boolean {
  if (onlyIfNewest && !applied.isNewest) return false;
  const tellsOfMessage = type === 'ticket.replied' || type === 'ticket.info_requested';
  // An internal note, or a message that the recipients were told of already, is no news.
  return !tellsOfMessage || !data.message || applied.isNewMessage;
}

/** Where a signed-in user finds the ticket: the configured page, else the event's own URL if its host is trusted. */
export function accountPage(source: Source, ticket: Pick<Ticket, 'sourceTicketId' | 'number' | 'url'>): string | null {
  if (source.accountTicketPage !== null)
    return source.accountTicketPage
      .replaceAll('{id}', encodeURIComponent(ticket.sourceTicketId))
      .replaceAll('{number}', encodeURIComponent(ticket.number));
  if (ticket.url === null || !URL.canParse(ticket.url)) return null;
  const { host, protocol, username, password } = new URL(ticket.url);
  const isPlain = protocol === 'https:' && username === '' && password === '';
  return isPlain && source.accountHosts.includes(host) ? ticket.url : null;
}
