import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { Challenge, FailedTries, Handoff, Session } from '../access/access.entity.js';
import { Config } from '../config.js';
import { Deliveries, type PlannedMail } from '../delivery/delivery.js';
import { forgetMails } from '../delivery/forget.js';
import { Suppressions, tombstonesOf } from '../delivery/suppression.js';
import type { Id } from '../ids.js';
import { Event } from '../intake/event.entity.js';
import { WaitingEvent } from '../intake/waiting-event.entity.js';
import { forgetNews } from '../outbound/forget.js';
import { isNamed } from '../platform/address.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { selectRows } from '../platform/database/rows.js';
import { FileStore } from '../tickets/file-store.js';
import { lockTicket } from '../tickets/ticket-lock.js';
import { Attachment, Message, Participant, Reply, Ticket } from '../tickets/ticket.entity.js';
import { Draft, LanguageChoice, Reading, SolvedAnswer } from '../tickets/visit.entity.js';

const PAGE = 100;

/** What of a person there is, or was. */
export interface Erased {
  tickets: number;
  messages: number;
  replies: number;
  files: number;
  mails: number;
  /** Messages to sources that named them. */
  news: number;
  /** Events that wait for an answer of their source. */
  events: number;
  language: boolean;
  /** Something keeps mails from the address: that stays, under a keyed hash. */
  suppression: boolean;
}

/** Who decided it, and why: for the audit log. */
export interface Decision {
  actor: string;
  reason: string;
}

/** What one transaction erased, and what is still to be done after its commit. */
interface Step {
  counts: Partial<Record<keyof Erased, number>>;
  files: string[];
  due: PlannedMail[];
}

/** Ends a transaction of which nothing is to stay. */
class RolledBack<T> extends Error {
  constructor(readonly result: T) {
    super('rolled back on purpose');
  }
}

/**
 * Forgets a person, by their address: in small transactions, one for each ticket, each of which leaves nothing to do
 * for the next run. So it may be cut off, repeated, and done by several processes at once.
 */
@Injectable()
export class Erasure {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly files: FileStore,
    private readonly deliveries: Deliveries,
    private readonly suppressions: Suppressions,
  ) {}

  /** What `erase` would do: it is done, counted, and rolled back. `addressKey` is `EmailAddress.key`. */
  async count(addressKey: string): Promise<Erased> {
    return this.run(addressKey, await this.ticketsOf(addressKey), (step) => this.rehearse(step));
  }

  /** Returns when all is gone, files too. What its ticket system tells of them afterwards is new. */
  async erase(addressKey: string, { actor, reason }: Decision): Promise<Erased> {
    const isKnown = hasAny(await this.count(addressKey));
    const subject = tombstonesOf(this.config.secretKeys, addressKey)[0]!;
    // First, so that it is there also if this is cut off.
    const entry = { actor, action: 'person.erased', subject, detail: reason };
    if (isKnown) await this.database.write((tx) => audit(tx, entry, this.clock.now()));
    const tickets = await this.ticketsOf(addressKey);
    const erased = await this.run(addressKey, tickets, (step) => this.perform(step));
    // Once more: a form that was under way while its ticket was dealt with has written its rows by now.
    for (const holder of tickets) await this.perform((tx) => this.forgetHolder(tx, holder));
    return erased;
  }

  private async run(addressKey: string, tickets: readonly TicketOf[], perform: Perform): Promise<Erased> {
    const total: Erased = { ...NOTHING };
    const add = ({ counts }: Step) => {
      const { language = 0, suppression = 0, ...numbers } = counts;
      for (const [name, count] of Object.entries(numbers) as [NumberName, number][]) total[name] += count;
      total.language ||= language > 0;
      total.suppression ||= suppression > 0;
    };
    // Before the tickets: whatever counts until now is in them, whatever is removed here never counts.
    for (const ids of await this.waitingOf(addressKey, tickets))
      add(await perform((tx) => this.forgetWaiting(tx, ids)));
    add(await perform((tx) => this.forgetAddress(tx, addressKey)));
    for (const { ticketId } of tickets) add(await perform((tx) => this.forgetInTicket(tx, ticketId, addressKey)));
    return total;
  }

  private async perform(step: (tx: Transaction) => Promise<Step>): Promise<Step> {
    const done = await this.database.write(step);
    this.deliveries.wake(done.due);
    for (const file of done.files) await this.files.remove(file);
    return done;
  }

  private async rehearse(step: (tx: Transaction) => Promise<Step>): Promise<Step> {
    try {
      await this.database.write(async (tx) => {
        throw new RolledBack(await step(tx));
      });
    } catch (error) {
      if (error instanceof RolledBack) return error.result as Step;
      throw error;
    }
    throw new Error('a rehearsal was not rolled back');
  }

  private async ticketsOf(emailKey: string): Promise<TicketOf[]> {
    const people = await this.database.read((manager) =>
      manager.find(Participant, { where: { emailKey }, order: { ticketId: 'ASC' } }),
    );
    return people.map(({ id, ticketId, role }) => ({ ticketId, participantId: id, isRequester: role === 'requester' }));
  }

  /** Events that name the address, or are about a ticket of theirs, in pages of ids. */
  private async waitingOf(addressKey: string, tickets: readonly TicketOf[]): Promise<Id<'evt'>[][]> {
    const own = await this.ownTickets(tickets);
    const pages: Id<'evt'>[][] = [];
    let after = '';
    for (;;) {
      const page = await this.database.read((manager) =>
        selectRows(manager, WaitingEvent, `WHERE id > ? ORDER BY id LIMIT ${PAGE}`, [after]),
      );
      if (page.length === 0) return pages;
      after = page.at(-1)!.id;
      const events = await this.database.read((manager) => manager.findBy(Event, { id: In(page.map(({ id }) => id)) }));
      const ticketOf = new Map(events.map(({ id, source, sourceTicketId }) => [id, `${source}\n${sourceTicketId}`]));
      const theirs = page.filter((one) => own.has(ticketOf.get(one.id) ?? '') || this.names(one, addressKey));
      if (theirs.length > 0) pages.push(theirs.map(({ id }) => id));
    }
  }

  private async ownTickets(tickets: readonly TicketOf[]): Promise<Set<string>> {
    const own = new Set<string>();
    const ids = tickets.filter(({ isRequester }) => isRequester).map(({ ticketId }) => ticketId);
    for (let from = 0; from < ids.length; from += PAGE)
      for (const { source, sourceTicketId } of await this.database.read((manager) =>
        manager.findBy(Ticket, { id: In(ids.slice(from, from + PAGE)) }),
      ))
        own.add(`${source}\n${sourceTicketId}`);
    return own;
  }

  private names({ id, sealed }: WaitingEvent, addressKey: string): boolean {
    return isNamed(addressKey, this.config.secretKeys.decrypt('event', sealed, id)?.toString() ?? '');
  }

  private async forgetWaiting(tx: Transaction, ids: Id<'evt'>[]): Promise<Step> {
    const { affected } = await tx.delete(WaitingEvent, { id: In(ids) });
    await tx.update(Event, { id: In(ids) }, { untold: 'erased' });
    return { counts: { events: affected ?? 0 }, files: [], due: [] };
  }

  private async forgetAddress(tx: Transaction, addressKey: string): Promise<Step> {
    const language = await tx.delete(LanguageChoice, { emailKey: addressKey });
    const suppression = await this.suppressions.forget(tx, addressKey);
    return { counts: { language: language.affected ?? 0, suppression: Number(suppression) }, files: [], due: [] };
  }

  /** The lock holds off events, replies and decisions of the ticket; whoever comes after it finds nobody of this address. */
  private async forgetInTicket(tx: Transaction, ticketId: Id<'tkt'>, emailKey: string): Promise<Step> {
    await lockTicket(tx, ticketId);
    const person = await tx.findOneBy(Participant, { ticketId, emailKey });
    if (person === null) return { counts: {}, files: [], due: [] };
    const ticket = await tx.findOneByOrFail(Ticket, { id: ticketId });
    const now = this.clock.now();
    const isOwn = person.role === 'requester';
    const said = await this.forgetWords(tx, person, isOwn, now);
    if (isOwn) await tx.update(Ticket, { id: ticketId }, { subject: '' });
    const { source, sourceTicketId } = ticket;
    const news = await forgetNews(tx, { source, sourceTicketId, naming: emailKey }, now);
    await tx.update(Participant, { id: person.id }, erased(person, now));
    const rest = await this.forgetHolder(tx, { ticketId, participantId: person.id });
    return {
      counts: { tickets: 1, news, ...said.counts, mails: rest.counts.mails },
      files: [...said.files, ...rest.files],
      due: rest.due,
    };
  }

  /**
   * What they said, with its files; in a ticket of their own also what agents said to them. What other guests wrote
   * themselves is theirs and stays. A message keeps its row, as one that was taken back: a history that names it again
   * must not bring it back.
   */
  private async forgetWords(tx: Transaction, person: Participant, isOwn: boolean, now: number): Promise<Said> {
    const { ticketId, id: participantId, emailKey } = person;
    const everything = await tx.find(Reply, { where: { ticketId }, select: { id: true, participantId: true } });
    const writers = new Map<string, string>(everything.map((one) => [one.id, one.participantId]));
    const replies = everything.filter((one) => one.participantId === participantId).map(({ id }) => id);
    const messages = (await tx.findBy(Message, { ticketId })).filter(({ authorKey, replyId }) => {
      const writer = replyId === null ? undefined : writers.get(replyId);
      if (writer !== undefined) return writer === participantId;
      return authorKey === emailKey || (isOwn && authorKey === null);
    });
    const ids = messages.map(({ id }) => id);
    for (const { id, retractedAt } of messages)
      await tx.update(Message, { id }, { ...WITHDRAWN, retractedAt: retractedAt ?? now });
    const theirs = [
      ...(ids.length > 0 ? [{ messageId: In(ids) }] : []),
      ...(replies.length > 0 ? [{ replyId: In(replies) }] : []),
    ].map((of) => ({ ticketId, ...of }));
    const attachments = theirs.length === 0 ? [] : await tx.find(Attachment, { where: theirs });
    if (attachments.length > 0) await tx.delete(Attachment, { id: In(attachments.map(({ id }) => id)) });
    if (replies.length > 0) await tx.delete(Reply, { id: In(replies) });
    const counts = { messages: ids.length, replies: replies.length, files: attachments.length };
    return { counts, files: attachments.flatMap(({ file }) => file ?? []) };
  }

  /** What hangs on the person's id: ways in, traces of visits, and mails. */
  private async forgetHolder(tx: Transaction, { ticketId, participantId }: Holder): Promise<Step> {
    const draft = await tx.findOneBy(Draft, { participantId });
    for (const entity of [Challenge, Session, Handoff, FailedTries, Draft, Reading, SolvedAnswer])
      await tx.delete(entity, { participantId });
    const { count, due } = await forgetMails(tx, { ticketId, participantId }, this.clock.now());
    return { counts: { mails: count }, files: draft?.files.map(({ file }) => file) ?? [], due };
  }
}

type Perform = (step: (tx: Transaction) => Promise<Step>) => Promise<Step>;
type NumberName = Exclude<keyof Erased, 'language' | 'suppression'>;
type Said = Pick<Step, 'counts' | 'files'>;

interface Holder {
  ticketId: Id<'tkt'>;
  participantId: Id<'ptc'>;
}

interface TicketOf extends Holder {
  /** The ticket is theirs; in others they take part. */
  isRequester: boolean;
}

const NOTHING: Erased = {
  tickets: 0,
  messages: 0,
  replies: 0,
  files: 0,
  mails: 0,
  news: 0,
  events: 0,
  language: false,
  suppression: false,
};

const WITHDRAWN = { body: '', format: 'text', authorName: '', authorKey: null, replyId: null } as const;

export function hasAny(erased: Erased): boolean {
  return Object.values(erased).some(Boolean);
}

/** Somebody of whom only the row is left; the same address on the same ticket would be another row. */
function erased({ id, generation }: Participant, now: number): Partial<Participant> {
  return {
    role: 'participant',
    email: '',
    emailKey: `erased:${id}`,
    name: '',
    accountId: null,
    locale: null,
    timeZone: null,
    generation: generation + 1,
    endedAt: now,
    listed: false,
  };
}
