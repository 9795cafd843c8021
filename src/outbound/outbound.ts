import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { In, IsNull, LessThanOrEqual } from 'typeorm';
import { Config } from '../config.js';
import type { Source } from '../sources.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { HttpClient, type HttpOutcome } from '../platform/http-client.js';
import { Logger } from '../platform/logger.js';
import { Queue } from '../platform/queue/queue.js';
import { signWebhook } from '../platform/webhook-signature.js';
import { attachmentUrl } from './attachment-url.js';
import { OutboundAttempt, OutboundMessage, type OutboundState } from './outbound.entity.js';

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
const LONGEST_RETRY_AFTER_MS = 24 * HOUR;
/** Longer than a call may take (15 s), so that nobody takes a message that is on its way. */
const LEASE_MS = 60 * SECOND;
const CONCURRENCY = 10;

/** What is told to a source. A file is named by its attachment; its URL is signed anew at each try, never stored. */
export interface OutboundNews {
  source: string;
  type: string;
  subjectId?: string;
  data: object & { reply?: { attachments: { attachmentId: Id<'att'> }[] } };
}

/** The signed webhook messages to the sources: kept, tried until acknowledged, parked when nothing helps. */
@Injectable()
export class Outbound implements OnApplicationBootstrap {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: Queue,
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.config.roles.worker) return;
    this.queue.consume('outbound', {
      batchSize: 1,
      concurrency: CONCURRENCY,
      handle: ([id]) => this.deliver(id as Id<'out'>),
      due: (limit) => this.due(limit),
    });
  }

  /** True if the source wants to hear of this type. */
  listens(source: string, type: string): boolean {
    return this.endpoint(source)?.events.some((pattern) => matches(pattern, type)) ?? false;
  }

  /** Keeps news in the caller's transaction; hand the ids to `wake` after its commit. Empty if the source does not listen. */
  async enqueue(tx: Transaction, news: OutboundNews): Promise<Id<'out'>[]> {
    if (!this.listens(news.source, news.type)) return [];
    const now = this.clock.now();
    const id = newId('out', now);
    await tx.insert(OutboundMessage, {
      id,
      source: news.source,
      type: news.type,
      subjectId: news.subjectId ?? null,
      data: news.data,
      state: 'queued',
      attempts: 0,
      createdAt: now,
      nextAttemptAt: now,
      endedAt: null,
    });
    return [id];
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

  private endpoint(source: string): Source['outbound'] {
    return this.config.sources.find(({ name }) => name === source)?.outbound ?? null;
  }

  private async due(limit: number): Promise<string[]> {
    const rows = await this.database.read((manager) =>
      manager.find(OutboundMessage, {
        select: { id: true },
        where: { endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
        order: { nextAttemptAt: 'ASC', id: 'ASC' },
        take: limit,
      }),
    );
    return rows.map(({ id }) => id);
  }

  private async deliver(id: Id<'out'>): Promise<void> {
    const message = await this.claim(id);
    if (message === null) return;
    const startedAt = this.clock.now();
    const endpoint = this.endpoint(message.source);
    // A source that was taken out of the settings waits, visible, for somebody to decide.
    const outcome = endpoint ? await this.post(message, endpoint, startedAt) : null;
    await this.record(message, startedAt, judge(outcome, message, startedAt));
  }

  /** Takes the message for the length of a lease; null if another worker did, or it is not due. */
  private claim(id: Id<'out'>): Promise<OutboundMessage | null> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const taken = await tx.update(
        OutboundMessage,
        { id, endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(now) },
        { state: 'leased', nextAttemptAt: now + LEASE_MS },
      );
      return taken.affected === 1 ? tx.findOneByOrFail(OutboundMessage, { id }) : null;
    });
  }

  private post(
    message: OutboundMessage,
    { url, secret }: NonNullable<Source['outbound']>,
    now: number,
  ): Promise<HttpOutcome> {
    const data = this.withSignedFiles(message);
    const body = JSON.stringify({ type: message.type, timestamp: new Date(message.createdAt).toISOString(), data });
    const headers = signWebhook({ secret, id: message.id, timestamp: Math.floor(now / 1000), body });
    return this.http.post(url, body, { 'content-type': 'application/json', 'user-agent': 'Postern', ...headers });
  }

  private withSignedFiles({ data, createdAt }: OutboundMessage): object {
    const { reply } = data as OutboundNews['data'];
    if (!reply) return data;
    const attachments = reply.attachments.map(({ attachmentId, ...rest }) => ({
      ...rest,
      url: attachmentUrl(this.config.linkKeys, this.config.publicUrl, attachmentId, createdAt),
    }));
    return { ...data, reply: { ...reply, attachments } };
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
      await tx.update(OutboundMessage, { id: message.id, state: 'leased' }, next);
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
        'an outbound message is parked: the source did not take it; mend the endpoint and replay it',
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
}

/** Any 2xx is an acknowledgement; 410 means never again; everything else is tried again while the schedule lasts. */
function judge(outcome: HttpOutcome | null, { attempts }: OutboundMessage, now: number): Verdict {
  const status = outcome?.status ?? 0;
  const told = outcome === null ? 'no endpoint' : outcome.ok ? String(status) : outcome.reason;
  const verdict = { status, outcome: told, nextAttemptAt: now };
  // Also when its body was too long to read: the status is the acknowledgement.
  if (status >= 200 && status < 300) return { ...verdict, state: 'delivered' };
  const wait = RETRY_AFTER_MS[attempts];
  if (outcome === null || status === 410 || wait === undefined) return { ...verdict, state: 'parked' };
  const jittered = wait * (1 + JITTER * Math.random());
  const asked = outcome.ok ? retryAfterMs(outcome.headers['retry-after'], now) : 0;
  return { ...verdict, state: 'queued', nextAttemptAt: Math.ceil(now + Math.max(jittered, asked)) };
}

/** `Retry-After` in seconds or as a date (RFC 9110 10.2.3), at most a day. */
function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * SECOND : Date.parse(header) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), LONGEST_RETRY_AFTER_MS) : 0;
}

function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}
