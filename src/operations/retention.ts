import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { idFloor, type Id, type IdPrefix } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Logger } from '../platform/logger.js';
import type { AdapterName } from '../sources.js';
import { RENDITION_UNUSED_DAYS } from '../templates/renditions.js';
import { FileStore } from '../tickets/file-store.js';
import { Attachment } from '../tickets/ticket.entity.js';
import { Draft } from '../tickets/visit.entity.js';

const DAY_MS = 86_400_000;
const EVERY_MS = 6 * 3_600_000;
/** After a start: not while a new version is only being tried. */
const FIRST_MS = 5 * 60_000;
/** Rows that are looked at, and tickets that are forgotten, in one transaction: some milliseconds. */
const PAGE = 500;
const TICKETS_TOGETHER = 20;

/** Rows of a table whose ids are older than `days`; of those the ones that `where` (the row is `old`) names. */
interface Rule {
  table: string;
  prefix: IdPrefix;
  days: number;
  where?: string;
  /** Values of `where`: moments, `days` ago. */
  ago?: readonly number[];
  /** What belongs to such a row, and goes with it. */
  with?: { table: string; by: string };
}

/**
 * How long is kept what is of use for a while only. All else hangs on a ticket, and goes with it: mails with their tries,
 * replies, files, visits.
 */
const rules: readonly Rule[] = [
  // A code lives for ten minutes; a day leaves time to ask why it did not work.
  { table: 'challenges', prefix: 'chl', days: 1 },
  { table: 'handoffs', prefix: 'hof', days: 1 },
  { table: 'studio_challenges', prefix: 'chl', days: 1 },
  // A session lives for hours. Within a month a reply that comes by it is still known as its writer's.
  { table: 'sessions', prefix: 'ses', days: 30 },
  { table: 'studio_sessions', prefix: 'ses', days: 30 },
  { table: 'studio_invitations', prefix: 'inv', days: 30 },
  // It waited two weeks for somebody to mend its source; the source has told of more since.
  { table: 'waiting_events', prefix: 'evt', days: 14, where: 'ended_at <= ?', ago: [14] },
  {
    table: 'outbound_messages',
    prefix: 'out',
    days: 30,
    // What is parked waits for a person, however long. How far a reply came is shown as long as the reply is.
    where: `state IN ('delivered', 'cancelled') AND ended_at <= ?
      AND NOT EXISTS (SELECT 1 FROM replies WHERE replies.id = old.subject_id)`,
    ago: [30],
    with: { table: 'outbound_attempts', by: 'message_id' },
  },
  // Soft bounces of a month ago count no more. What somebody released is no suppression any more.
  {
    table: 'suppressions',
    prefix: 'sup',
    days: 30,
    where: '(since IS NULL AND soft_at <= ?) OR released_at <= ?',
    ago: [30, 400],
  },
  { table: 'audit_log', prefix: 'aud', days: 400 },
];

/**
 * Signatures of these hold a time, so a webhook of theirs is refused once it is old. For all others only the row of the
 * event holds off one that somebody sends again: it holds no person, and stays.
 */
const timed: Record<AdapterName, boolean> = {
  standard: true,
  cloudevents: true,
  zendesk: true,
  zammad: false,
  freshdesk: false,
  jira: false,
  mapping: false,
};

/** Nothing was heard of it, nothing of it is under way, and no reply waits for its source. `?` is the same moment. */
const IS_STALE = `NOT EXISTS (SELECT 1 FROM events WHERE events.source = t.source
    AND events.source_ticket_id = t.source_ticket_id AND events.received_at > ?)
  AND NOT EXISTS (SELECT 1 FROM replies WHERE replies.ticket_id = t.id AND replies.created_at > ?)
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.ticket_id = t.id
    AND (deliveries.created_at > ? OR deliveries.ended_at IS NULL))
  AND NOT EXISTS (SELECT 1 FROM replies JOIN outbound_messages o ON o.subject_id = replies.id
    WHERE replies.ticket_id = t.id AND o.state NOT IN ('delivered', 'cancelled'))`;

/** No mail was made of a rendition since. `?` is the same moment. Older programs, while two versions run, write no `used_at`. */
const IS_UNUSED = 'used_at <= ? AND created_at <= ?';

interface StaleTicket {
  id: Id<'tkt'>;
  source: string;
  source_ticket_id: string;
}

/**
 * Forgets what is of no use any more, in small transactions. Every delete asks again whether it still is: several
 * processes may sweep at once, and news that comes meanwhile keeps its ticket.
 */
@Injectable()
export class Retention implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;
  private first: NodeJS.Timeout | null = null;
  private running: Promise<void> | null = null;
  private isStopping = false;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly files: FileStore,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.config.roles.worker) return;
    const sweep = () => {
      this.running ??= this.sweep()
        .then(() => undefined)
        .finally(() => (this.running = null));
    };
    this.timer = setInterval(sweep, EVERY_MS).unref();
    // A process that is restarted more often than that forgets as well.
    this.first = setTimeout(sweep, FIRST_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    if (this.timer) clearInterval(this.timer);
    if (this.first) clearTimeout(this.first);
    await this.running;
  }

  /** Returns how many rows of each table it met, tickets with all that hangs on them as one. */
  async sweep(): Promise<Record<string, number>> {
    const forgotten: Record<string, number> = {};
    for (const rule of rules) await this.try(rule.table, () => this.apply(rule, forgotten));
    if (this.config.retentionDays > 0) {
      await this.try('tickets', async () => void (forgotten.tickets = await this.forgetTickets()));
      await this.try('language_choices', async () => void (forgotten.language_choices = await this.forgetChoices()));
    }
    forgotten.template_renditions = await this.forgetRenditions();
    const some = Object.fromEntries(Object.entries(forgotten).filter(([, count]) => count > 0));
    if (Object.keys(some).length > 0) this.logger.info('forgot what is old', some);
    return some;
  }

  /** One table that cannot be swept keeps no other from it: the next round finds what is left. */
  private async try(table: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.logger.warn('what is old was not forgotten', { table, error });
    }
  }

  private before(days: number): number {
    return this.clock.now() - days * DAY_MS;
  }

  private async apply(
    { table, prefix, days, where = 'true', ago = [], ...rule }: Rule,
    forgotten: Record<string, number>,
  ) {
    const moments = ago.map((one) => this.before(one));
    const text = `DELETE FROM ${table} AS old WHERE id IN ? AND (${where}) RETURNING id`;
    for await (const ids of this.pages(table, 'id', idFloor(prefix, this.before(days)))) {
      const gone = await this.database.write(async (tx) => {
        const rows = await run<{ id: string }>(tx, text, [ids, ...moments]);
        if (rule.with && rows.length > 0)
          await run(tx, `DELETE FROM ${rule.with.table} WHERE ${rule.with.by} IN ?`, [rows.map(({ id }) => id)]);
        return rows.length;
      });
      forgotten[table] = (forgotten[table] ?? 0) + gone;
    }
  }

  /** Keys of a table below `end`, in their order. */
  private async *pages(table: string, key: string, end: string): AsyncGenerator<string[]> {
    const text = `SELECT ${key} AS key FROM ${table} WHERE ${key} > ? AND ${key} < ? ORDER BY ${key} LIMIT ${PAGE}`;
    let after = '';
    while (!this.isStopping) {
      const rows = await this.database.read((manager) => run<{ key: string }>(manager, text, [after, end]));
      if (rows.length === 0) return;
      after = rows.at(-1)!.key;
      yield rows.map(({ key: found }) => found);
    }
  }

  private async forgetTickets(): Promise<number> {
    const since = this.before(this.config.retentionDays);
    const moments = [since, since, since];
    let count = 0;
    for await (const ids of this.pages('tickets', 'id', idFloor('tkt', since))) {
      const stale = await this.database.read((manager) =>
        run<StaleTicket>(manager, `SELECT t.id FROM tickets t WHERE t.id IN ? AND ${IS_STALE} ORDER BY t.id`, [
          ids,
          ...moments,
        ]),
      );
      for (let from = 0; from < stale.length && !this.isStopping; from += TICKETS_TOGETHER) {
        const some = stale.slice(from, from + TICKETS_TOGETHER).map(({ id }) => id);
        const gone = await this.database.write((tx) => this.forgetThese(tx, some, moments));
        for (const file of gone.files) await this.files.remove(file);
        count += gone.count;
      }
    }
    return count;
  }

  /** Those of them that are still stale once they are locked: an event, a reply or another sweep may have come first. */
  private async forgetThese(
    tx: Transaction,
    ids: Id<'tkt'>[],
    moments: number[],
  ): Promise<{ count: number; files: string[] }> {
    const lock = this.database.kind === 'postgres' ? 'FOR UPDATE' : '';
    await run(tx, `SELECT id FROM tickets WHERE id IN ? ORDER BY id ${lock}`, [ids]);
    const text = `SELECT t.id, t.source, t.source_ticket_id FROM tickets t WHERE t.id IN ? AND ${IS_STALE}`;
    const tickets = await run<StaleTicket>(tx, text, [ids, ...moments]);
    if (tickets.length === 0) return { count: 0, files: [] };
    const stale = tickets.map(({ id }) => id);
    const files = await this.filesOf(tx, stale);
    await removeFrom(tx, ['attempts', 'feedback'], 'delivery_id', await idsOf(tx, 'deliveries', stale));
    const people = await idsOf(tx, 'participants', stale);
    const visits = ['challenges', 'sessions', 'handoffs', 'failed_tries', 'readings', 'solved_answers', 'drafts'];
    await removeFrom(tx, visits, 'participant_id', people);
    for (const ticket of tickets) await this.forgetNews(tx, ticket);
    await removeFrom(tx, ['deliveries', 'attachments', 'messages', 'replies', 'participants'], 'ticket_id', stale);
    await removeFrom(tx, ['tickets'], 'id', stale);
    return { count: tickets.length, files };
  }

  private async filesOf(tx: Transaction, tickets: Id<'tkt'>[]): Promise<string[]> {
    const attached = await selectRows(tx, Attachment, 'WHERE ticket_id IN ? AND file IS NOT NULL', [tickets]);
    const whose = '(SELECT id FROM participants WHERE ticket_id IN ?)';
    const drafts = await selectRows(tx, Draft, `WHERE participant_id IN ${whose}`, [tickets]);
    return [...attached.map(({ file }) => file!), ...drafts.flatMap(({ files }) => files.map(({ file }) => file))];
  }

  /** What was told to and by its source. What is parked stays, as on all other ways. */
  private async forgetNews(tx: Transaction, { source, source_ticket_id: ticketId }: StaleTicket): Promise<void> {
    const gone = await run<{ id: string }>(
      tx,
      `DELETE FROM outbound_messages WHERE source = ? AND source_ticket_id = ? AND state IN ('delivered', 'cancelled')
       RETURNING id`,
      [source, ticketId],
    );
    await removeFrom(
      tx,
      ['outbound_attempts'],
      'message_id',
      gone.map(({ id }) => id),
    );
    const adapter = this.config.sources.find(({ name }) => name === source)?.adapter;
    if (adapter && timed[adapter])
      await run(tx, 'DELETE FROM events WHERE source = ? AND source_ticket_id = ?', [source, ticketId]);
  }

  /**
   * What mails were compiled from, once no delivery names it and none was made of it for days. Deliveries are only looked
   * through while there are such as may go, and no further than until each of these was found named.
   */
  private async forgetRenditions(): Promise<number> {
    const before = this.before(RENDITION_UNUSED_DAYS);
    const unused = new Set<string>();
    const found = `SELECT id FROM template_renditions WHERE id IN ? AND ${IS_UNUSED}`;
    for await (const ids of this.pages('template_renditions', 'id', '\u{10ffff}'))
      for (const { id } of await this.rows<{ id: string }>(found, [ids, before, before])) unused.add(id);
    if (unused.size === 0) return 0;
    const named = 'SELECT DISTINCT template_revision AS id FROM deliveries WHERE id IN ? AND template_revision IN ?';
    for await (const ids of this.pages('deliveries', 'id', '\u{10ffff}')) {
      for (const { id } of await this.rows<{ id: string }>(named, [ids, [...unused]])) unused.delete(id);
      if (unused.size === 0) break;
    }
    if (this.isStopping) return 0; // not all deliveries were looked at
    const all = [...unused];
    let count = 0;
    // Whoever makes a mail of one of them from now on says first that it is used, and waits for us or we for them.
    const forget = `DELETE FROM template_renditions WHERE id IN ? AND ${IS_UNUSED} RETURNING id`;
    for (let from = 0; from < all.length; from += PAGE) {
      const some = all.slice(from, from + PAGE);
      count += (await this.database.write((tx) => run(tx, forget, [some, before, before]))).length;
    }
    return count;
  }

  private rows<T>(text: string, values: readonly unknown[]): Promise<T[]> {
    return this.database.read((manager) => run<T>(manager, text, values));
  }

  /** A language that somebody chose, once they have no ticket any more. */
  private async forgetChoices(): Promise<number> {
    const text = `DELETE FROM language_choices WHERE email_key IN ? AND chosen_at <= ?
      AND NOT EXISTS (SELECT 1 FROM participants p WHERE p.email_key = language_choices.email_key) RETURNING email_key`;
    let count = 0;
    for await (const keys of this.pages('language_choices', 'email_key', '\u{10ffff}')) {
      const values = [keys, this.before(this.config.retentionDays)];
      count += (await this.database.write((tx) => run(tx, text, values))).length;
    }
    return count;
  }
}

async function idsOf(tx: Transaction, table: string, tickets: readonly string[]): Promise<string[]> {
  const rows = await run<{ id: string }>(tx, `SELECT id FROM ${table} WHERE ticket_id IN ?`, [tickets]);
  return rows.map(({ id }) => id);
}

async function removeFrom(tx: Transaction, tables: string[], column: string, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  for (const table of tables) await run(tx, `DELETE FROM ${table} WHERE ${column} IN ?`, [keys]);
}
