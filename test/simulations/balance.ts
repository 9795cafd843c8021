import type { Update } from '../../src/delivery/delivery.entity.js';
import type { TestGateway } from '../support/gateway.js';
import { rows } from '../support/tables.js';
import type { Day, Posted } from './day.js';
import { silences } from './rules.js';
import { SLOT_MS } from './traffic.js';

/** Where an accepted event ended, by the best that came of it where it concerns several people. */
export const ends = [
  'told by a mail of its own',
  'told in a summary',
  'no longer true when its mail was to leave',
  'the address is suppressed',
  'the mailbox does not exist',
  'its look-up was given up',
  'its mail is parked',
] as const;
type End = (typeof ends)[number] | (typeof silences)[number];

export interface Balance {
  posts: number;
  late: number;
  refused: number;
  duplicates: number;
  accepted: number;
  /** Accepted events by where they ended. */
  ended: Map<End, number>;
  /** Pieces of news for one person each: what was to be told, and how much of it ended somewhere. */
  news: { due: number; ended: number };
  mails: { planned: number; sent: number; taken: number; returned: number };
  /** Accepted, less all that ended somewhere: 0, or something was lost. */
  difference: number;
  /** Whatever else should not be. */
  faults: string[];
}

interface Mail {
  id: string;
  state: string;
  recipient: string;
  createdAt: number;
  dueAt: number;
  /** When it was last asked whether its news stands: at its first try, after which it stays as it is, or at its end. */
  judgedAt: number;
  updates: Update[];
}

/**
 * Compares what was posted with what the database and the mail server have. Every post is exactly one of
 * - refused: malformed, answered 4xx, and of its ticket nothing is anywhere;
 * - a duplicate: answered 200, and what it repeats was accepted once;
 * - accepted: answered 202.
 *
 * Every accepted event is exactly one of
 * - sent: each mail names in its inputs what it tells, one event or several in a summary. It counts if the mail server
 *   took the mail, also where it came back later;
 * - cancelled: its news no longer stood when the mail was to leave (the mail was cancelled, or its summary was sent
 *   without it), or the address takes none (suppressed, refused for good);
 * - parked: waits for a person, because a ticket system did not say who the requester is, or as a mail;
 * - internal: tells nobody by rule, for one of the reasons of `silences`.
 *
 * What an event must lead to is said by `rules.ts`, not by the rows: an event whose mail is missing is left over, and so
 * is one that has two or one that it must not have. The difference is what is left over.
 */
export async function balance(day: Day, gateway: TestGateway): Promise<Balance> {
  const books = new Books(day, await mailsOf(gateway), await waitingOf(gateway));
  const ended = new Map<End, number>();
  for (const one of day.events) {
    const end = books.endOf(one);
    if (end) ended.set(end, (ended.get(end) ?? 0) + 1);
  }
  books.compareMails();
  books.compareTickets(await rows(gateway, 'tickets'));
  books.compareEvents(await rows(gateway, 'events'));
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);
  const accepted = sum(day.events.map((one) => one.accepted));
  return {
    posts: day.posts,
    late: day.late,
    refused: sum(Object.values(day.refused)),
    duplicates: sum(day.events.map((one) => one.duplicates)),
    accepted,
    ended,
    news: books.news,
    mails: {
      planned: books.mails.length,
      sent: books.mails.filter(isSent).length,
      taken: sum(day.mails.values()),
      returned: books.mails.filter(({ state }) => state === 'bounced').length,
    },
    difference: accepted - sum(ended.values()),
    faults: [...day.surprises, ...books.faults],
  };
}

const isSent = ({ state }: Mail) => state === 'sent' || state === 'bounced';

class Books {
  readonly faults: string[] = [];
  readonly news = { due: 0, ended: 0 };
  /** By event and address. */
  private readonly tellings = new Map<string, Mail[]>();
  private readonly byEvent = new Map<string, Mail[]>();
  private readonly byRecipient = new Map<string, Mail[]>();

  constructor(
    private readonly day: Day,
    readonly mails: Mail[],
    private readonly waiting: ReadonlyMap<string, boolean>,
  ) {
    for (const mail of mails) {
      push(this.byRecipient, mail.recipient, mail);
      for (const { eventId } of mail.updates) {
        push(this.tellings, `${eventId} ${mail.recipient}`, mail);
        push(this.byEvent, eventId, mail);
      }
    }
  }

  /** Null: it is left over. */
  endOf(one: Posted): End | null {
    const { fate, eventId, accepted } = one;
    if (accepted !== 1) return this.leave(one, `was accepted ${accepted} times`);
    const told = this.byEvent.get(eventId ?? '') ?? [];
    const isWaiting = this.waiting.get(eventId ?? '');
    if (fate.kind !== 'tells' && told.length > 0) return this.leave(one, `must tell nobody and is in ${told[0]!.id}`);
    if (isWaiting !== (fate.kind === 'parked' ? true : undefined))
      return this.leave(one, `its look-up ${isWaiting ? 'was given up' : isWaiting === false ? 'goes on' : 'is gone'}`);
    if (fate.kind === 'parked') return 'its look-up was given up';
    if (fate.kind !== 'tells') return fate.silence;
    const strangers = told.filter(({ recipient }) => !fate.people.includes(recipient));
    if (strangers.length > 0) return this.leave(one, `is told to somebody else in ${strangers[0]!.id}`);
    const found = fate.people.map((person) => this.endFor(one, person));
    this.news.due += found.length;
    this.news.ended += found.filter((end) => end !== null).length;
    return found.includes(null) ? null : ends.find((end) => found.includes(end))!;
  }

  /** One row for each event that is kept, and none for what was refused or only counted. */
  compareEvents(found: Record<string, unknown>[]): void {
    const known = new Set(found.map(({ id }) => id as string));
    for (const one of this.day.events) {
      const isThere = known.delete(one.eventId ?? '');
      if (isThere !== (one.fate.kind !== 'ignored')) this.leave(one, `${isThere ? 'has a row' : 'has no row'}`);
    }
    for (const id of known) this.faults.push(`${id} is a row of nothing that was accepted`);
    const posted = new Set(this.day.events.map(({ eventId }) => eventId));
    for (const { id, recipient, updates } of this.mails)
      if (updates.length === 0 || !updates.every(({ eventId }) => posted.has(eventId as string)))
        this.faults.push(`${id} tells ${recipient} of nothing that was accepted`);
  }

  compareMails(): void {
    const { mails: taken } = this.day;
    const known = new Map(this.mails.map((mail) => [mail.id.replace('dlv_', 'ntf_'), mail]));
    for (const [notification, times] of taken) {
      const mail = known.get(notification);
      if (!mail || !isSent(mail)) this.faults.push(`${notification} was taken, and its row says ${mail?.state}`);
      if (times > 1) this.faults.push(`${notification} was taken ${times} times`);
    }
    for (const [notification, mail] of known)
      if (isSent(mail) && !taken.has(notification)) this.faults.push(`${notification} is sent, and nobody took it`);
  }

  /** Late and repeated events have left each ticket as its newest event says. */
  compareTickets(found: Record<string, unknown>[]): void {
    const known = new Map(found.map((row) => [`${String(row.source)} ${String(row.source_ticket_id)}`, row]));
    for (const [key, ticket] of this.day.tickets) {
      const row = known.get(key);
      known.delete(key);
      const isKnown = ticket.isDeleted || ticket.status !== 'unknown';
      if (isKnown !== (row !== undefined))
        this.faults.push(`ticket ${key}: ${row ? 'must not be known' : 'is missing'}`);
      if (!row || !isKnown) continue;
      if ((row.deleted_at !== null) !== ticket.isDeleted) this.faults.push(`ticket ${key}: deleted or not`);
      const status = row.status === 'pending' ? 'open' : row.status;
      if (!ticket.isDeleted && status !== ticket.status)
        this.faults.push(`ticket ${key}: ${String(row.status)}, by its newest event ${ticket.status}`);
    }
    for (const key of known.keys()) this.faults.push(`ticket ${key}: nobody told of it`);
  }

  private endFor(one: Posted, person: string): (typeof ends)[number] | null {
    const mails = this.tellings.get(`${one.eventId} ${person}`) ?? [];
    if (mails.length > 1) return this.leave(one, `is told to ${person} by ${mails.length} mails`);
    const [mail] = mails;
    if (!mail)
      return this.wasDropped(one, person)
        ? 'no longer true when its mail was to leave'
        : this.leave(one, `is told to ${person} by no mail`);
    const stood = one.ticket.stood(one.event, person, this.slotOf(mail.judgedAt));
    switch (mail.state) {
      case 'sent':
      case 'bounced':
        if (stood === 'no') return this.leave(one, `was told to ${person} when it no longer stood, in ${mail.id}`);
        return mail.updates.length === 1 ? 'told by a mail of its own' : 'told in a summary';
      case 'cancelled':
        if (stood === 'yes') return this.leave(one, `stood, and ${mail.id} was cancelled`);
        return 'no longer true when its mail was to leave';
      case 'suppressed':
        return this.day.returned.has(person) ? 'the address is suppressed' : this.leave(one, `${person} is suppressed`);
      case 'failed':
        return person.startsWith('nobody-') ? 'the mailbox does not exist' : this.leave(one, `${mail.id} failed`);
      case 'parked':
        return 'its mail is parked';
      default:
        return this.leave(one, `${mail.id} is ${mail.state}`);
    }
  }

  /** It was in a mail that waited for more, and no longer stood when that left. */
  private wasDropped({ event, ticket }: Posted, person: string): boolean {
    const cameAt = this.day.startsAt + event.slot * SLOT_MS;
    return (this.byRecipient.get(person) ?? []).some(
      ({ createdAt, dueAt, judgedAt }) =>
        createdAt <= cameAt && dueAt > cameAt && ticket.stood(event, person, this.slotOf(judgedAt)) !== 'yes',
    );
  }

  private slotOf(at: number): number {
    return Math.floor((at - this.day.startsAt) / SLOT_MS);
  }

  private leave({ event: { source, happening, slot }, eventId }: Posted, why: string): null {
    this.faults.push(`${source} ${happening.ticketId} ${happening.what} (slot ${slot}, ${eventId}): ${why}`);
    return null;
  }
}

async function mailsOf(gateway: TestGateway): Promise<Mail[]> {
  const tried = new Map(
    (await rows(gateway, 'attempts', `transport <> 'none'`))
      .reverse()
      .map(({ delivery_id, started_at }) => [delivery_id as string, Number(started_at)]),
  );
  // What is deleted at its source is forgotten in its mails.
  const people = new Map((await rows(gateway, 'participants')).map(({ id, email }) => [id, email as string]));
  return (await rows(gateway, 'deliveries')).map((row) => ({
    id: row.id as string,
    state: row.state as string,
    recipient: (row.recipient as string) || people.get(row.participant_id)!,
    createdAt: Number(row.created_at),
    dueAt: Number(row.due_at),
    judgedAt: (row.state === 'cancelled' ? undefined : tried.get(row.id as string)) ?? Number(row.ended_at),
    updates: updatesIn(row.inputs),
  }));
}

/** SQLite keeps JSON as a text. */
function updatesIn(inputs: unknown): Update[] {
  const parsed: unknown = typeof inputs === 'string' ? JSON.parse(inputs) : inputs;
  return (parsed as { updates: Update[] }).updates;
}

/** Events that wait for a look-up: true for those that were given up. */
async function waitingOf(gateway: TestGateway): Promise<Map<string, boolean>> {
  return new Map((await rows(gateway, 'waiting_events')).map(({ id, ended_at }) => [id as string, ended_at !== null]));
}

function push<T>(map: Map<string, T[]>, key: string, one: T): void {
  const list = map.get(key);
  if (list) list.push(one);
  else map.set(key, [one]);
}
