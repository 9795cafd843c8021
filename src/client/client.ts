import { randomUUID } from 'node:crypto';
import { isWebhookSecret, signWebhook, verifyWebhook, type WebhookHeaders } from '../platform/webhook-signature.js';

export { generateWebhookSecret, signWebhook, verifyWebhook } from '../platform/webhook-signature.js';
export type { WebhookHeaders, WebhookVerdict } from '../platform/webhook-signature.js';

/** An event for Postern: docs/events.md says what each part means. Times are RFC 3339. */
export interface PosternEvent {
  type:
    | 'ticket.created'
    | 'ticket.replied'
    | 'ticket.info_requested'
    | 'ticket.resolved'
    | 'ticket.reopened'
    | 'ticket.closed'
    | 'ticket.updated'
    | 'message.updated'
    | 'message.retracted'
    | 'requester.changed'
    | 'ticket.merged'
    | 'ticket.deleted';
  timestamp: string;
  data: {
    ticket: {
      id: string;
      number: string;
      subject?: string;
      status: 'open' | 'pending' | 'resolved' | 'closed';
      version?: number;
      createdAt?: string;
      updatedAt: string;
      url?: string;
    };
    requester: Person;
    participants?: Person[];
    message?: Message;
    history?: Message[];
    /** For `ticket.merged`: the ticket that it went into. */
    into?: string;
  };
}

/** An account is somebody who signs in to your application, and has an id there. */
export type Person = ({ kind: 'guest'; id?: string } | { kind: 'account'; id: string }) & {
  email: string;
  name?: string;
  /** A language tag: `id`, `pt-BR`. */
  locale?: string;
  /** A name of the tz database: `Asia/Jakarta`. */
  timeZone?: string;
};

export interface Message {
  id: string;
  author: { kind: 'agent' | 'requester' | 'participant' | 'system'; id?: string; email?: string; name?: string };
  body?: string;
  format?: 'text' | 'markdown' | 'html';
  createdAt?: string;
  /** Whatever is not `public` is dropped. */
  visibility?: string;
  /** Of a guest's reply that came from Postern and that this message is. */
  replyId?: string | null;
  attachments?: { name: string; contentType?: string; size?: number; url: string }[];
}

/** What Postern posts to a source. More types may come: ignore what you do not know. */
export type News =
  | { type: 'ticket.guest_replied'; timestamp: string; data: { ticket: TicketName; reply: Reply } }
  | {
      type:
        | 'ticket.guest_solved'
        | 'ticket.guest_unsolved'
        | 'link.opened'
        | 'guest.verified'
        | 'requester.denied'
        | 'requester.unsubscribed';
      timestamp: string;
      data: { ticket: TicketName; email: string; at: string };
    }
  | {
      type: 'notification.sent' | 'notification.failed' | 'notification.bounced' | 'notification.suppressed';
      timestamp: string;
      data: {
        ticket: TicketName;
        notification: { id: string; eventId: string | null; template: string; locale: string; attempts: number };
        email: string;
        at: string;
        detail?: string;
      };
    };

export interface TicketName {
  /** The source's own. */
  id: string;
  number: string;
}

export interface Reply {
  id: string;
  email: string;
  body: string;
  createdAt: string;
  /** `url` is good for seven days. */
  attachments: { name: string; contentType: string; size: number; sha256: string; url: string }[];
}

/** Who came by a handoff. */
export interface HandedOver {
  ticket: TicketName;
  email: string;
  verifiedAt: string;
}

/** An answer that is no success: `code` is stable, `detail` says what to do. */
export class PosternProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: { pointer: string; detail: string }[],
    /** Where Postern said how long to wait. */
    readonly retryAfterSeconds: number | null,
  ) {
    super(`${status} ${code}: ${detail}`);
    this.name = 'PosternProblem';
  }

  /** Whether the same call, with the same id, may be taken later. */
  get isTemporary(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

export interface PosternClientOptions {
  /** Where Postern is, for example `https://support.example`. */
  url: string;
  /** The source's name. */
  source: string;
  /** `whsec_…`: the source's current secret. */
  secret: string;
  /** For all of a call, in ms; 15 seconds by default. */
  timeoutMs?: number;
}

/** Sends events of one source. */
export class PosternClient {
  /** @throws TypeError if `url` or `secret` is not one: both come from settings, and the first call is too late */
  constructor(private readonly options: PosternClientOptions) {
    const { url, secret } = options;
    if (!/^https?:\/\/[^/]/.test(String(url))) throw new TypeError('url must be like https://support.example');
    if (!isWebhookSecret(secret)) throw new TypeError('secret must be whsec_ and base64 of 24 to 64 bytes');
  }

  /**
   * Sends an event. Give it an id of your own and repeat it with the same one: it is taken once.
   * @throws PosternProblem, or what `fetch` throws where no answer came
   */
  send(event: PosternEvent, id: string = randomUUID()): Promise<{ eventId: string; duplicate: boolean }> {
    return this.post('events', event, id) as Promise<{ eventId: string; duplicate: boolean }>;
  }

  /**
   * Redeems the `handoff` that a guest brought to your ticket page: once, within a minute.
   * @throws PosternProblem
   */
  redeem(token: string): Promise<HandedOver> {
    return this.post('handoffs/redeem', { token }, randomUUID()) as Promise<HandedOver>;
  }

  private async post(path: string, content: object, id: string): Promise<unknown> {
    const { url, source, secret, timeoutMs = 15_000 } = this.options;
    const body = JSON.stringify(content);
    const signed = signWebhook({ secret, id, timestamp: Math.floor(Date.now() / 1000), body });
    const response = await fetch(`${url.replace(/\/+$/, '')}/v1/sources/${encodeURIComponent(source)}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signed },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as unknown;
    throw problemOf(response, text);
  }
}

/**
 * What Postern posted, checked over the raw body: null if it is not genuine or older than five minutes. Answer it with
 * any 2xx, and take the same `webhook-id` twice as one.
 * @param secrets the outbound secret; during a rotation the former one too
 * @param headers as node:http, or as `fetch` and its kin have them
 * @param rawBody as it came, before anything parsed it
 * @throws if a secret is not one, or the body is neither text nor bytes
 */
export function readNews(
  secrets: readonly string[],
  headers: WebhookHeaders | { get(name: string): string | null },
  rawBody: Uint8Array | string,
): { id: string; news: News } | null {
  const bytes = Buffer.from(rawBody as string);
  const verdict = verifyWebhook({ secrets, headers: plain(headers), rawBody: bytes, now: Date.now() });
  return verdict.ok ? { id: verdict.id, news: JSON.parse(bytes.toString()) as News } : null;
}

function plain(headers: WebhookHeaders | { get(name: string): string | null }): WebhookHeaders {
  if (typeof headers.get !== 'function') return headers as WebhookHeaders;
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  return Object.fromEntries(names.map((name) => [name, (headers as Headers).get(name) ?? undefined]));
}

function problemOf({ status, headers }: Response, text: string): PosternProblem {
  const { code, detail, errors } = parsed(text);
  const retryAfter = Number(headers.get('retry-after') ?? NaN);
  return new PosternProblem(
    status,
    code ?? 'unknown',
    detail ?? 'The answer is not one of Postern.',
    errors ?? [],
    Number.isFinite(retryAfter) ? retryAfter : null,
  );
}

function parsed(text: string): Partial<Pick<PosternProblem, 'code' | 'detail' | 'errors'>> {
  try {
    return (JSON.parse(text) ?? {}) as Partial<PosternProblem>;
  } catch {
    return {}; // an error page of something in between
  }
}
