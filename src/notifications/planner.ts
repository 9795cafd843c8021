import { Injectable } from '@nestjs/common';
import type { Source } from '../sources.js';
import type { Update } from '../delivery/delivery.entity.js';
import { Deliveries, type MailPlan, type PlannedMail, type RecentMail } from '../delivery/delivery.js';
import { newestOf, templateFor } from '../delivery/telling.js';
import type { TellingType, TicketEvent } from '../events.js';
import type { Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import type { AppliedEvent } from '../tickets/projection.js';
import type { Participant, Ticket } from '../tickets/ticket.entity.js';
import { gather, HOUR_MS, type Gathered, type NewsFor } from './gather.js';
import { parseUrl } from '../platform/url.js';

/** An event that was applied, for the planner to decide on. */
export interface News {
  source: Source;
  eventId: Id<'evt'>;
  event: TicketEvent;
  applied: AppliedEvent;
  /** The source does not say what changed: a state is news only where it is another one than before. */
  isInferred?: boolean;
}

/** Why an event that was applied tells nobody. */
export type NoNews =
  | 'silent-type' // its type mails nobody
  | 'no-new-message' // its message, or that there is the ticket, was told before; or it is internal, or was taken back
  | 'superseded' // something newer is known of the ticket
  | 'same-status' // the source does not say what changed, and the status is the same as before
  | 'own-words' // who would be told wrote it
  | 'no-mails-wanted'; // nobody on the ticket wants mails about it

/** What was planned. */
export interface Plan {
  /** Those that are due; the others gather what follows until their time has come. */
  due: PlannedMail[];
  untold: Map<Id<'evt'>, NoNews>;
}

interface Rule {
  templateKey: Update['templateKey'];
  /** The news is a message, so its author needs no mail; else it is a change of the ticket, which its author is told of too. */
  isAboutMessage: boolean;
  /**
   * A state is no news once something newer is known, nor is a ticket, which is told once. A message stays one however
   * late it comes, unless it is taken back.
   */
  tells: 'ticket' | 'message' | 'status';
}

/** Which event tells whom what. A type that is not here mails nobody. */
const rules: Record<TellingType, Rule> = {
  // The requester's own first message makes the ticket: this mail is the receipt, and brings the link, whatever follows.
  'ticket.created': { templateKey: 'ticket-created', isAboutMessage: false, tells: 'ticket' },
  'ticket.replied': { templateKey: 'ticket-replied', isAboutMessage: true, tells: 'message' },
  'ticket.info_requested': { templateKey: 'ticket-info-requested', isAboutMessage: true, tells: 'message' },
  'ticket.resolved': { templateKey: 'ticket-resolved', isAboutMessage: true, tells: 'status' },
  'ticket.reopened': { templateKey: 'ticket-reopened', isAboutMessage: true, tells: 'status' },
  'ticket.closed': { templateKey: 'ticket-closed', isAboutMessage: true, tells: 'status' },
};

/** One piece of news for one person. */
interface Telling extends NewsFor {
  source: Source;
  ticket: Ticket;
  participant: Participant;
  update: Update;
}

/** Decides who is told of an event, in which words, with which link, and when. */
@Injectable()
export class Planner {
  constructor(
    private readonly deliveries: Deliveries,
    private readonly clock: Clock,
  ) {}

  /** Plans the mails of several events, in the order in which they are given: the same as one by one. */
  async plan(tx: Transaction, news: News[]): Promise<Plan> {
    const now = this.clock.now();
    const untold: Plan['untold'] = new Map();
    const tellings = news.flatMap((one) => {
      const found = tellingsOf(one);
      if (typeof found === 'string') untold.set(one.eventId, found);
      return typeof found === 'string' ? [] : found;
    });
    const recent = await this.recentMails(tx, news, tellings, now);
    return { due: await this.deliveries.plan(tx, gather(tellings, recent, now).map(mailOf)), untold };
  }

  /** What each person was mailed about their ticket. Of a ticket that is new in this transaction there is nothing. */
  private async recentMails(tx: Transaction, news: News[], tellings: Telling[], now: number) {
    const isNew = new Set(news.flatMap(({ applied }) => (applied.isNewTicket ? [applied.ticket.id] : [])));
    const known = new Set(tellings.flatMap(({ ticket }) => (isNew.has(ticket.id) ? [] : [ticket.id])));
    const mails = known.size === 0 ? [] : await this.deliveries.recent(tx, [...known], now - HOUR_MS);
    const byPerson = new Map<string, RecentMail[]>();
    for (const mail of mails) {
      const { participantId } = mail.delivery;
      byPerson.set(participantId, [...(byPerson.get(participantId) ?? []), mail]);
    }
    // What waits for an access that was revoked will never leave, so nothing follows it or joins it.
    return ({ participant }: Telling) =>
      (byPerson.get(participant.id) ?? []).filter(
        ({ delivery }) => delivery.endedAt !== null || delivery.inputs.generation === participant.generation,
      );
  }
}

/** Whom it tells, or why nobody. */
function tellingsOf({ source, eventId, event, applied, isInferred }: News): Telling[] | NoNews {
  const rule = (rules as Partial<Record<TicketEvent['type'], Rule>>)[event.type];
  if (!rule) return 'silent-type';
  // An internal note, or a message that the recipients were told of already, is no news.
  if (rule.tells === 'message' && event.data.message && !applied.isNewMessage) return 'no-new-message';
  if (rule.tells !== 'message' && !applied.isNewest) return 'superseded';
  if (rule.tells === 'ticket' && !applied.isFirstCreation) return 'no-new-message';
  // Of a ticket that nobody knew every status is news: what came late must not leave its guest without a word.
  if (isInferred && rule.tells === 'status' && !applied.isNewStatus && !applied.isNewTicket) return 'same-status';
  const update: Update = {
    eventId,
    templateKey: rule.templateKey,
    occurredAt: event.timestamp,
    messageId: rule.tells === 'message' ? applied.messageId : null,
    // Its own word, not that of its type: what it says now is what the ticket must still say when the mail leaves.
    status: rule.tells === 'status' ? event.data.ticket.status : null,
  };
  const wanting = applied.participants.filter(wantsNews);
  if (wanting.length === 0) return 'no-mails-wanted';
  const told = wanting.filter((one) => !rule.isAboutMessage || one.id !== applied.author?.id);
  if (told.length === 0) return 'own-words';
  return told.map((participant) => ({
    key: `${participant.id} ${participant.generation}`,
    windowMs: source.quietWindowSeconds * 1000,
    source,
    ticket: applied.ticket,
    participant,
    update,
  }));
}

/** Neither "not my ticket" nor "no more mails about it". */
function wantsNews({ deniedAt, mailStoppedAt }: Participant): boolean {
  return deniedAt === null && mailStoppedAt === null;
}

function mailOf({ news, into, dueAt }: Gathered<Telling, RecentMail>): MailPlan {
  // Person and ticket as the newest of the news has them.
  const { source, ticket, participant } = news.at(-1)!;
  const updates = [...(into?.delivery.inputs.updates ?? []), ...news.map(({ update }) => update)];
  return {
    ticket,
    participant,
    templateKey: templateFor(updates),
    occurredAt: newestOf(updates),
    updates,
    eventId: updates[0]!.eventId,
    accountUrl: participant.kind === 'account' ? accountPage(source, ticket) : null,
    dueAt,
    inPlaceOf: into?.delivery,
  };
}

/** Where a signed-in user finds the ticket: the configured page, else the event's own URL if its host is trusted. */
export function accountPage(source: Source, ticket: Pick<Ticket, 'sourceTicketId' | 'number' | 'url'>): string | null {
  if (source.accountTicketPage !== null)
    return source.accountTicketPage
      .replaceAll('{id}', encodeURIComponent(ticket.sourceTicketId))
      .replaceAll('{number}', encodeURIComponent(ticket.number));
  const url = ticket.url === null ? null : parseUrl(ticket.url);
  if (url === null) return null;
  const { host, protocol, username, password } = url;
  const isPlain = protocol === 'https:' && username === '' && password === '';
  return isPlain && source.accountHosts.includes(host) ? ticket.url : null;
}
