import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { buffer } from 'node:stream/consumers';
import { In, IsNull, LessThanOrEqual, Not } from 'typeorm';
import { Config } from '../config.js';
import { sourceNamed, type Source } from '../sources.js';
import { newId, type Id } from '../ids.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import type { Blobs } from '../platform/files/blobs.js';
import { asEntities, insertRows, run } from '../platform/database/rows.js';
import { Dispatcher } from '../platform/dispatcher.js';
import { openBlobs } from '../platform/files/open-blobs.js';
import { HttpClient, type HttpOutcome } from '../platform/http-client.js';
import { Logger } from '../platform/logger.js';
import { Metrics } from '../platform/metrics.js';
import { Queue } from '../platform/queue/queue.js';
import { retryAfterMs } from '../platform/retry-after.js';
import { signWebhook } from '../platform/webhook-signature.js';
import { attachmentUrl } from './attachment-url.js';
import { disableEndpoint, isDisabled } from './disabled-endpoint.js';
import { IS_WORDS, OutboundAttempt, OutboundMessage, WORDS, type OutboundState } from './outbound.entity.js';
import { ApiFailure, LeaseLost, TicketApi } from './ticket-api.js';
import type { OutgoingReply, ReplyWriter } from './writers/writer.js';
import { writers } from './writers/writers.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Waits before each further try (Standard Webhooks 1.0, "Retry schedule", with one more step): about 75 hours in all. */
const RETRY_AFTER_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];
const JITTER = 0.1;
/** Longer than a call may take (15 s; 45 s of a ticket system's API), so that nobody takes a message that is on its way. */
const LEASE_MS = 60 * SECOND;
/** Ids that are looked at together, and such batches side by side. */
const BATCH_SIZE = 50;
const CONCURRENCY = 2;
/**
 * Messages under way at once. What guests said has places of its own, so that no receipt is before it; and so has what is
 * written by an API: replies with files are in memory, each with up to 25 MB, and half as much again as base64. What a
 * worker died over goes one after the other: what ends the next worker takes no innocent messages along.
 */
const PLACES = { words: 8, receipts: 12, written: 3, suspect: 1 };
type Line = keyof typeof PLACES;
/** Messages of one source that are in line at once; the rest waits in the database, and hides nobody else's there. */
const MOST_HELD = 100;
/** Sources that are looked at in one statement. */
const SOURCES_AT_ONCE = 50;
const DEATHS_TO_QUARANTINE = 3;

/** What a message's line is known by. */
type Due = Pick<OutboundMessage, 'id' | 'source' | 'type' | 'state'>;
const DUE = { id: true, source: true, type: true, state: true } as const;

/** What is told to a source. */
export interface OutboundNews {
  source: string;
  type: string;
  subjectId?: string;
  data: object & { ticket?: { id: string }; reply?: NewsOfReply };
}

export interface NewsOfReply {
  id: Id<'rpl'>;
  email: string;
  body: string;
  createdAt: string;
  attachments: NewsOfFile[];
}

/** `attachmentId` and `file` (its name in our store) stay here; the source gets a URL, signed anew at each try. */
export interface NewsOfFile {
  attachmentId: Id<'att'>;
  file: string | null;
  name: string;
  contentType: string;
  size: number | null;
  sha256: string | null;
}

/**
 * What the sources are told, by signed webhooks, and what is written into their ticket systems: kept, tried until
 * acknowledged, parked when nothing helps.
 */
@Injectable()
export class Outbound implements OnApplicationBootstrap {
  private readonly blobs: Blobs;
  private readonly lines: Record<Line, Dispatcher> = {
    words: new Dispatcher(PLACES.words),
    receipts: new Dispatcher(PLACES.receipts),
    written: new Dispatcher(PLACES.written),
    suspect: new Dispatcher(PLACES.suspect),
  };
  /** Messages that are in line or under way, by line and source. Those in line are not claimed: no lease runs out there. */
  private readonly held = new Map<string, Map<string, Promise<void>>>();
  /** Of those there is more in the database. */
  private readonly overflowing = new Set<string>();
  private isStopping = false;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: Queue,
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {
    this.blobs = openBlobs(config.files);
  }

  onApplicationBootstrap(): void {
    if (!this.config.roles.worker) return;
    this.queue.consume('outbound', {
      batchSize: BATCH_SIZE,
      concurrency: CONCURRENCY,
      handle: (ids) => this.lineUp(ids),
      settle: () => this.settle(),
      stop: () => void (this.isStopping = true),
      due: () => this.due(),
    });
  }

  /** True if the source wants to hear of this type. */
  listens(name: string, type: string): boolean {
    const source = this.source(name);
    if (!source) return false;
    return writerOf(source, type) !== null || (source.outbound?.events.some((one) => matches(one, type)) ?? false);
  }

  /** True if some source wants to hear of this type. */
  isHeard(type: string): boolean {
    return this.config.sources.some(({ name }) => this.listens(name, type));
  }

  /** Keeps news in the caller's transaction; hand the ids to `wake` after its commit. Empty if the source does not listen. */
  enqueue(tx: Transaction, news: OutboundNews): Promise<Id<'out'>[]> {
    return this.enqueueAll(tx, [news]);
  }

  /** The same for many, in one statement; without those that their sources do not listen to. */
  async enqueueAll(tx: Transaction, news: readonly OutboundNews[]): Promise<Id<'out'>[]> {
    const now = this.clock.now();
    const messages = news
      .filter(({ source, type }) => this.listens(source, type))
      .map(({ source, type, subjectId, data }): OutboundMessage => ({
        id: newId('out', now),
        source,
        type,
        subjectId: subjectId ?? null,
        sourceTicketId: data.ticket?.id ?? null,
        data,
        deaths: 0,
        state: 'queued',
        attempts: 0,
        attemptsBefore: 0,
        createdAt: now,
        nextAttemptAt: now,
        endedAt: null,
        replayedAt: null,
      }));
    await insertRows(tx, OutboundMessage, messages);
    return messages.map(({ id }) => id);
  }

  wake(ids: Id<'out'>[]): void {
    this.queue.add('outbound', ids);
  }

  /** How far the news of these subjects came. */
  async states(subjectIds: string[]): Promise<Map<string, OutboundState>> {
    if (subjectIds.length === 0) return new Map();
    const rows = await this.database.read((manager) => manager.findBy(OutboundMessage, { subjectId: In(subjectIds) }));
    return new Map(rows.map((row) => [row.subjectId!, row.state]));
  }

  private source(name: string): Source | undefined {
    return sourceNamed(this.config.sources, name);
  }

  /** Of each source the first that are due, what guests said before the rest: nobody's backlog hides another's messages. */
  private async due(): Promise<string[]> {
    const names = this.config.sources.map(({ name }) => name);
    const found: Due[] = [];
    for (let from = 0; from < names.length; from += SOURCES_AT_ONCE)
      found.push(...(await this.dueOf(names.slice(from, from + SOURCES_AT_ONCE))));
    // Of sources that were taken out of the settings: they are parked, in sight.
    const others = await this.database.read((manager) =>
      manager.find(OutboundMessage, {
        select: DUE,
        where: { source: Not(In(names)), endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
        take: MOST_HELD,
      }),
    );
    const wanted = [...found, ...others].filter((row) => this.roomFor(row) > 0);
    return [...new Set(wanted.map(({ id }) => id))];
  }

  private async dueOf(names: readonly string[]): Promise<Due[]> {
    const now = this.clock.now();
    // A statement by itself for each: no database takes the rows of several sources from one index in the order of time.
    const of = (more: string) =>
      `SELECT * FROM (SELECT id, source, type, state FROM outbound_messages WHERE source = ? AND ended_at IS NULL ${more} AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ${MOST_HELD}) AS due`;
    const text = names.flatMap(() => [of(`AND ${IS_WORDS}`), of('')]).join(' UNION ALL ');
    const values = names.flatMap((name) => [name, now, name, now]);
    return this.database.read((manager) => run<Due>(manager, text, values));
  }

  /** Puts each in the line of its kind and source; what has no room there is found again by a look for what is due. */
  private async lineUp(ids: readonly string[]): Promise<void> {
    const rows = await this.database.read((manager) =>
      manager.find(OutboundMessage, {
        select: DUE,
        where: { id: In(ids), endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
      }),
    );
    for (const row of rows) this.hold(row);
  }

  private hold(row: Due): void {
    if (this.roomFor(row) === 0) return;
    const { id, source } = row;
    const line = this.lineOf(row);
    const key = `${line} ${source}`;
    const held = this.held.get(key) ?? new Map<string, Promise<void>>();
    this.held.set(key, held);
    const work = this.lines[line]
      .run(source, () => (this.isStopping ? Promise.resolve() : this.deliver(id)))
      .catch((error: unknown) =>
        this.logger.error('an outbound message was left in the middle; it is taken up again', { id, error }),
      )
      .finally(() => {
        held.delete(id);
        if (held.size > 0) return;
        this.held.delete(key);
        if (this.overflowing.delete(key) && !this.isStopping) this.lookAgain();
      });
    held.set(id, work);
  }

  /** How many of its kind its line takes; 0 for one that is in it. */
  private roomFor(row: Due): number {
    const key = `${this.lineOf(row)} ${row.source}`;
    const held = this.held.get(key);
    if (held?.has(row.id)) return 0;
    const room = MOST_HELD - (held?.size ?? 0);
    if (room === 0) this.overflowing.add(key);
    return room;
  }

  private lineOf({ source: name, type, state }: Due): Line {
    if (state === 'leased') return 'suspect';
    const source = this.source(name);
    if (source && writerOf(source, type)) return 'written';
    return WORDS.includes(type) ? 'words' : 'receipts';
  }

  /** Without it the next of many would wait for the next sweep, and so a second for each hundred. */
  private lookAgain(): void {
    void this.due()
      .then((ids) => this.queue.add('outbound', ids))
      .catch((error: unknown) => this.logger.error('due messages could not be looked up; trying again', { error }));
  }

  /** Waits for all that is in line and under way; false if nothing was. */
  private async settle(): Promise<boolean> {
    const had = this.held.size > 0;
    while (this.held.size > 0) await Promise.all([...this.held.values()].flatMap((held) => [...held.values()]));
    return had;
  }

  private async deliver(id: Id<'out'>): Promise<void> {
    const claimed = await this.claim(id);
    if (claimed === null) return;
    const { message, isStopped } = claimed;
    const startedAt = this.clock.now();
    const source = this.source(message.source);
    const writer = source ? writerOf(source, message.type) : null;
    if (message.deaths >= DEATHS_TO_QUARANTINE)
      return this.record(message, startedAt, parked(`${message.deaths} workers ended while they held it`, startedAt));
    if (isStopped && !writer)
      return this.record(message, startedAt, parked('its endpoint answered 410 before', startedAt));
    try {
      // A source that was taken out of the settings waits, visible, for somebody to decide.
      const verdict = writer
        ? await this.write(message, writer, source!)
        : await this.tell(message, source?.outbound ?? null, startedAt);
      await this.record(message, startedAt, verdict);
    } catch (error) {
      if (!(error instanceof LeaseLost)) throw error;
      this.logger.warn('an outbound message took longer than its lease; another worker has it', { id });
    }
  }

  /** Takes the message for the length of a lease; null if another worker did, or it is not due. */
  private claim(id: Id<'out'>): Promise<{ message: OutboundMessage; isStopped: boolean } | null> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const taken = await run(
        tx,
        `UPDATE outbound_messages SET deaths = deaths + CASE WHEN state = 'leased' THEN 1 ELSE 0 END, state = 'leased',
         next_attempt_at = ? WHERE id = ? AND ended_at IS NULL AND next_attempt_at <= ? RETURNING *`,
        [now + LEASE_MS, id, now],
      );
      const [message] = asEntities(tx, OutboundMessage, taken);
      if (!message) return null;
      const url = this.source(message.source)?.outbound?.url;
      return { message, isStopped: url !== undefined && (await isDisabled(tx, message.source, url)) };
    });
  }

  /** The end of the lease is also its name: whoever takes the message over gives it a later one. */
  private async extendLease(message: OutboundMessage): Promise<void> {
    const { id, nextAttemptAt } = message;
    const until = Math.max(this.clock.now() + LEASE_MS, nextAttemptAt);
    const kept = await this.database.write((tx) =>
      tx.update(OutboundMessage, { id, state: 'leased', nextAttemptAt }, { nextAttemptAt: until }),
    );
    if (kept.affected !== 1) throw new LeaseLost();
    message.nextAttemptAt = until;
  }

  /** Into the ticket system itself. What came of it is known by its mark, whoever died in between. */
  private async write(message: OutboundMessage, writer: ReplyWriter, { api }: Source): Promise<Verdict> {
    const ticketApi = new TicketApi(
      this.http,
      api!,
      () => this.clock.now(),
      () => this.extendLease(message),
    );
    try {
      const outcome = await this.writeInto(ticketApi, writer, message);
      return { state: 'delivered', status: 200, outcome, nextAttemptAt: this.clock.now() };
    } catch (error) {
      if (error instanceof LeaseLost) throw error;
      const now = this.clock.now();
      // Not what its documents say: an operator sees it, and the next try may meet a system that was mended.
      const failure =
        error instanceof ApiFailure
          ? error
          : new ApiFailure('again', 0, `unreadable answer (${(error as Error).name})`);
      if (failure.kind === 'refused')
        return { state: 'parked', status: failure.status, outcome: refusal(failure), nextAttemptAt: now };
      return { status: failure.status, outcome: failure.reason, ...later(message, now, failure.waitMs) };
    }
  }

  private async writeInto(api: TicketApi, writer: ReplyWriter, message: OutboundMessage): Promise<string> {
    const { ticket, reply } = message.data as { ticket: { id: string }; reply?: NewsOfReply };
    if (reply) {
      const { wasThere, left } = await writer.write(api, this.outgoing(ticket.id, reply, message));
      return wasThere ? 'was there' : left > 0 ? `written, ${left} files as links` : 'written';
    }
    if (message.type === 'ticket.guest_unsolved') await writer.reopen!(api, ticket.id);
    return 'written';
  }

  private outgoing(
    ticketId: string,
    { id, email, body, attachments }: NewsOfReply,
    message: OutboundMessage,
  ): OutgoingReply {
    const files = attachments.map(({ name, contentType, file, attachmentId }) => ({
      name,
      contentType,
      read: async () => {
        const stream = file === null ? null : await this.blobs.read(file);
        return stream && buffer(stream);
      },
      url: this.fileUrl(attachmentId, message),
    }));
    return { id, ticketId, email, body, files };
  }

  private async tell(message: OutboundMessage, endpoint: Source['outbound'], startedAt: number): Promise<Verdict> {
    const outcome = endpoint && (await this.post(message, endpoint, startedAt));
    const verdict = judge(outcome, message, startedAt);
    return verdict.status === 410 ? { ...verdict, goneUrl: endpoint!.url } : verdict;
  }

  private post(
    message: OutboundMessage,
    { url, secret }: NonNullable<Source['outbound']>,
    now: number,
  ): Promise<HttpOutcome> {
    const data = this.withSignedFiles(message);
    const body = JSON.stringify({ type: message.type, timestamp: isoTime(message.createdAt), data });
    const headers = signWebhook({ secret, id: message.id, timestamp: Math.floor(now / 1000), body });
    return this.http.post(url, body, { 'content-type': 'application/json', 'user-agent': 'Postern', ...headers });
  }

  private withSignedFiles(message: OutboundMessage): object {
    const { data } = message;
    const { reply } = data as OutboundNews['data'];
    if (!reply) return data;
    const attachments = reply.attachments.map(({ attachmentId, name, contentType, size, sha256 }) => ({
      name,
      contentType,
      size,
      sha256,
      url: this.fileUrl(attachmentId, message),
    }));
    return { ...data, reply: { ...reply, attachments } };
  }

  /** A replay may be later than what the reply's own links live. */
  private fileUrl(id: Id<'att'>, { createdAt, replayedAt }: OutboundMessage): string {
    return attachmentUrl(this.config.linkKeys, this.config.publicUrl, id, replayedAt ?? createdAt);
  }

  private async record(message: OutboundMessage, startedAt: number, verdict: Verdict): Promise<void> {
    const endedAt = this.clock.now();
    const number = message.attempts + 1;
    await this.database.write(async (tx) => {
      await tx.insert(OutboundAttempt, {
        id: newId('atm', endedAt),
        messageId: message.id,
        number,
        status: verdict.status,
        outcome: verdict.outcome,
        startedAt,
        endedAt,
      });
      const ended = verdict.state === 'queued' ? {} : { endedAt };
      const next = { state: verdict.state, attempts: number, nextAttemptAt: verdict.nextAttemptAt, ...ended };
      await tx.update(OutboundMessage, { id: message.id, state: 'leased', nextAttemptAt: message.nextAttemptAt }, next);
      if (verdict.goneUrl) await disableEndpoint(tx, message.source, verdict.goneUrl, endedAt);
    });
    this.metrics.outbound.inc({
      source: message.source,
      outcome: verdict.state === 'queued' ? 'retried' : verdict.state,
    });
    const fields = {
      id: message.id,
      source: message.source,
      type: message.type,
      attempt: number,
      outcome: verdict.outcome,
    };
    if (verdict.state === 'parked')
      this.logger.error(
        `an outbound message is parked: the source did not take it; mend the endpoint, then POST /v1/admin/outbound/${message.id}/replay`,
        fields,
      );
    else if (verdict.state === 'queued') this.logger.warn('an outbound message was not taken; trying again', fields);
    else this.logger.debug('an outbound message was taken', fields);
  }
}

interface Verdict {
  state: 'delivered' | 'queued' | 'parked';
  status: number;
  outcome: string;
  nextAttemptAt: number;
  /** Where nothing more is wanted. */
  goneUrl?: string;
}

/** Without a try. */
function parked(outcome: string, now: number): Verdict {
  return { state: 'parked', status: 0, outcome, nextAttemptAt: now };
}

/** Any 2xx is an acknowledgement; 410 means never again; everything else is tried again while the schedule lasts. */
function judge(outcome: HttpOutcome | null, message: OutboundMessage, now: number): Verdict {
  const status = outcome?.status ?? 0;
  const told = outcome === null ? 'no endpoint' : outcome.ok ? String(status) : outcome.reason;
  const verdict = { status, outcome: told, nextAttemptAt: now };
  // Also when its body was too long to read: the status is the acknowledgement.
  if (status >= 200 && status < 300) return { ...verdict, state: 'delivered' };
  if (outcome === null || status === 410) return { ...verdict, state: 'parked' };
  return { ...verdict, ...later(message, now, outcome.ok ? retryAfterMs(outcome.headers['retry-after'], now) : 0) };
}

/** The next try, not before what was asked for; parked where the schedule is at its end. */
function later(
  { attempts, attemptsBefore }: OutboundMessage,
  now: number,
  askedMs: number,
): Pick<Verdict, 'state' | 'nextAttemptAt'> {
  const wait = RETRY_AFTER_MS[attempts - attemptsBefore];
  if (wait === undefined) return { state: 'parked', nextAttemptAt: now };
  const jittered = wait * (1 + JITTER * Math.random());
  return { state: 'queued', nextAttemptAt: Math.ceil(now + Math.max(jittered, askedMs)) };
}

/** Why a ticket system will not take it, in words for an operator. */
function refusal({ status, said }: ApiFailure): string {
  if (/closed/i.test(said)) return `${status}: the ticket is closed`;
  if (status === 404 || status === 410) return `${status}: the ticket is gone`;
  return `${status}: refused`;
}

/** Who brings this into the source's ticket system, if that is set and can be. */
function writerOf({ writer }: Source, type: string): ReplyWriter | null {
  const found = writer === null || !WORDS.includes(type) ? null : writers[writer];
  return found && (type === 'ticket.guest_replied' || found.reopen) ? found : null;
}

function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}
