import { Injectable } from '@nestjs/common';
import { buffer } from 'node:stream/consumers';
import { Config } from '../config.js';
import { sourceNamed, type Source } from '../sources.js';
import { newId, type Id } from '../ids.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { asEntities, run } from '../platform/database/rows.js';
import type { Blobs } from '../platform/files/blobs.js';
import { openBlobs } from '../platform/files/open-blobs.js';
import { HttpClient, type HttpOutcome } from '../platform/http-client.js';
import { Logger } from '../platform/logger.js';
import { Metrics } from '../platform/metrics.js';
import { signWebhook } from '../platform/webhook-signature.js';
import { attachmentUrl } from './attachment-url.js';
import { disableEndpoint, isDisabled } from './disabled-endpoint.js';
import { OutboundAttempt, OutboundMessage } from './outbound.entity.js';
import type { NewsOfReply, OutboundNews } from './outbound.js';
import { ApiFailure, LeaseLost, TicketApi } from './ticket-api.js';
import { judgeAnswer, judgeFailure, parked, written, type Verdict } from './verdict.js';
import type { OutgoingReply, ReplyWriter } from './writers/writer.js';
import { writerOf } from './writers/writers.js';

/** Longer than a call may take (15 s; 45 s of a ticket system's API), so that nobody takes a message that is on its way. */
const LEASE_MS = 60_000;
const DEATHS_TO_QUARANTINE = 3;

/** One try of one message: taken under a lease, posted to the source or written into its ticket system, and recorded. */
@Injectable()
export class OutboundDelivery {
  private readonly blobs: Blobs;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly http: HttpClient,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {
    this.blobs = openBlobs(config.files);
  }

  /** Does nothing where another worker has it, or it is not due. */
  async deliver(id: Id<'out'>): Promise<void> {
    const claimed = await this.claim(id);
    if (claimed === null) return;
    const { message, isStopped } = claimed;
    const startedAt = this.clock.now();
    const source = sourceNamed(this.config.sources, message.source);
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
      const url = sourceNamed(this.config.sources, message.source)?.outbound?.url;
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
      return written(outcome, this.clock.now());
    } catch (error) {
      if (error instanceof LeaseLost) throw error;
      // Not what its documents say: an operator sees it, and the next try may meet a system that was mended.
      const failure =
        error instanceof ApiFailure
          ? error
          : new ApiFailure('again', 0, `unreadable answer (${(error as Error).name})`);
      return judgeFailure(failure, message, this.clock.now());
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
    const verdict = judgeAnswer(outcome, message, startedAt);
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
