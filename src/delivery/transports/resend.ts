import { Resend, type Response } from 'resend';
import type { ResendTransportSettings } from '../../settings/mail.js';
import { HttpClient, type HttpFailure, type HttpHeaders, type HttpOutcome } from '../../platform/http-client.js';
import { readRetryAfter } from '../../platform/retry-after.js';
import { bareHost } from '../../platform/url.js';
import type { Mail, MailContent, Transport, TransportOutcome } from './transport.js';

const HOUR_MS = 3_600_000;
/** From the call to the last byte of the answer. The provider answers when the mail is in its queue: within a second. */
const ANSWER_MS = 30_000;
/** Longest wait that is taken from Retry-After: beyond it we would rather look ourselves. */
const LONGEST_RETRY_SECONDS = 3600;
/** Of the other side's words, as kept with the attempt. */
const LONGEST_DETAIL = 500;
/** The provider's ids are UUIDs; anything much longer is not one, and is kept in an index. */
const PROVIDER_ID = /^[\x21-\x7e]{1,200}$/;

/**
 * Resend by its official SDK: one mail per request, named by an idempotency key. A repeat within 24 hours, with the same
 * bytes, gets the first answer again and makes no second mail (resend.com/docs/dashboard/emails/idempotency-keys).
 */
export class ResendTransport implements Transport {
  readonly name: string;
  readonly remembersMs = 24 * HOUR_MS;
  private readonly http: HttpClient;
  private readonly client: HonestResend;
  private readonly apiKey: string;

  constructor({ name, apiKey, endpoint }: ResendTransportSettings, connections: number, timeoutMs = ANSWER_MS) {
    this.name = name;
    this.apiKey = apiKey;
    const { protocol, hostname } = new URL(endpoint);
    // The settings let plain http through for hosts of ALLOW_PRIVATE_HOSTS only.
    const allowPrivateHosts = protocol === 'http:' ? [bareHost(hostname)] : [];
    this.http = new HttpClient({ allowPrivateHosts, timeoutMs, connections });
    this.client = new HonestResend(apiKey, endpoint, this.http);
  }

  async send(mail: Mail): Promise<TransportOutcome> {
    const answer = await this.client.submit(mail.deliveryId, payload(mail.content()));
    const outcome = answer.ok ? judgeAnswer(answer) : judgeFailure(answer);
    return { ...outcome, detail: this.clean(outcome.detail) };
  }

  close(): void {
    this.http.close();
  }

  /** One line for the attempt's row: an answer may repeat the key it was given, and Postgres keeps no NUL. */
  private clean(detail: string): string {
    return detail
      .replaceAll(this.apiKey, '[key]')
      .replace(/\p{C}+/gu, ' ')
      .slice(0, LONGEST_DETAIL);
  }
}

type Payload = {
  from: string;
  to: string;
  subject: string;
  html: string;
  text: string;
  headers: MailHeaders;
  tags: { name: string; value: string }[];
};
type MailHeaders = Record<string, string>;
type Answer = Extract<HttpOutcome, { ok: true }>;

/**
 * The SDK with an exchange of our own. Its own one turns every failure into the same error: a refused connection, where
 * nothing was sent, and an answer that broke off, after which the mail may be on its way. It also follows redirects and
 * reads answers of any size. `fetchRequest` is the door it leaves open: all that the SDK makes of a mail (path, headers,
 * JSON) stays its own, and what comes back is ours to judge.
 */
class HonestResend extends Resend {
  private readonly outcomes = new WeakMap<object, HttpOutcome>();

  constructor(
    apiKey: string,
    endpoint: string,
    private readonly http: HttpClient,
  ) {
    // Both given, or the SDK would look for them in the environment.
    super(apiKey, { baseUrl: endpoint, userAgent: 'postern' });
  }

  async submit(idempotencyKey: string, mail: Payload): Promise<HttpOutcome> {
    const response = await this.emails.send(mail, { idempotencyKey });
    const outcome = this.outcomes.get(response);
    if (!outcome) throw new Error('the SDK answered without a request');
    return outcome;
  }

  override async fetchRequest<T>(path: string, { body = '', headers }: SdkRequest = {}): Promise<Response<T>> {
    const outcome = await this.http.post(`${this.baseUrl}${path}`, body, Object.fromEntries(headers ?? []));
    const error = { name: 'application_error' as const, message: 'judged by the transport', statusCode: null };
    const response = { data: null, error, headers: null };
    this.outcomes.set(response, outcome);
    return response;
  }
}

interface SdkRequest {
  body?: string;
  headers?: Headers;
}

/** Its fields in one order, the headers too, so that each try has the same bytes: the provider compares them. */
function payload({ from, to, subject, html, text, headers }: MailContent): Payload {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  // Its webhooks repeat tags, not headers: a word that comes before its own id is known finds the mail by this.
  const tags = [{ name: 'notification', value: headers['X-Postern-Notification'] ?? '' }];
  return { from: mailbox(from), to, subject, html, text, headers: Object.fromEntries(sorted), tags };
}

/** `"Name" <address>` (RFC 5322 3.4): the name always as a quoted-string, so that no sign in it means anything. */
function mailbox({ name, address }: MailContent['from']): string {
  return name === '' ? address : `"${name.replace(/["\\]/g, '\\$&')}" <${address}>`;
}

/** No whole answer. What is known of it may still tell. */
function judgeFailure({ reason, detail: words, status, mayHaveArrived }: HttpFailure): TransportOutcome {
  const detail = `${reason}: ${words}`;
  if (!mayHaveArrived) return { outcome: 'deferred', detail, scope: 'transport' };
  // Whoever redirects did not do it itself (RFC 9110 15.4); only 303 may come after it was done.
  if (reason === 'redirect' && status !== 303) return { outcome: 'deferred', detail, scope: 'transport' };
  // The status came, its body did not.
  return status !== undefined && status >= 400 ? judgeError(status, {}, {}, detail) : { outcome: 'uncertain', detail };
}

function judgeAnswer({ status, headers, body }: Answer): TransportOutcome {
  const said = asObject(body);
  if (status >= 400) {
    const { name, message } = said;
    const words = [name, message].filter((part) => typeof part === 'string');
    return judgeError(status, headers, said, [status, ...words].join(' '));
  }
  // Taken, most likely; but without its id we could not say so, and its feedback would find no delivery.
  if (typeof said.id !== 'string' || !PROVIDER_ID.test(said.id))
    return { outcome: 'uncertain', detail: `${status} without the id of a mail` };
  return { outcome: 'accepted', detail: `${status} ${said.id}`, providerId: said.id };
}

/** Refusals of the one mail by name (resend.com/docs/api-reference/errors); all others ask for the operator. */
const ABOUT_THE_MAIL = new Set([
  'validation_error',
  'invalid_parameter',
  'missing_required_field',
  'invalid_attachment',
  'invalid_idempotency_key',
]);

/** The server says itself that it did not process it (RFC 9110 15.6.4), or the proxy before it that it did not reach it. */
const NOT_PROCESSED = new Set([503, 521, 523]);

function judgeError(status: number, headers: HttpHeaders, said: ApiError, detail: string): TransportOutcome {
  if (status === 429) return { outcome: 'deferred', detail, scope: 'transport', ...retryAfter(headers) };
  /*
   * 409: an earlier try with our key is known. Either it is still at work (`concurrent_idempotent_requests`), or it had
   * another body (`invalid_idempotent_request`). Both times a mail may well be on its way, so no other transport may
   * have it; the first resolves with a repeat, the second by a person, once the provider has forgotten the key.
   */
  if (status === 409) return { outcome: 'uncertain', detail };
  /*
   * 500, 502, 504 may come after the mail was taken. A repeat is harmless thanks to the key, so it costs nothing to say
   * "uncertain" and keep the mail with this transport; its breaker sends the mails after it another way.
   */
  if (status >= 500 && !NOT_PROCESSED.has(status)) return { outcome: 'uncertain', detail };
  const isAboutMail = (status === 400 || status === 422) && ABOUT_THE_MAIL.has(String(said.name));
  // 401 and 403 (the key, a domain that is not verified), 404 (a wrong endpoint), words of some proxy: for the operator
  // to mend. The mail is as good as before, and another transport may have it.
  return isAboutMail ? { outcome: 'rejected', detail } : { outcome: 'deferred', detail, scope: 'transport' };
}

/** `Retry-After`, else the rest of the provider's window (`ratelimit-reset`, in seconds). */
function retryAfter(headers: HttpHeaders): { retryAfterSeconds?: number } {
  // A date by the other side's clock, which it tells in `Date`: ours may be minutes off.
  const now = headers.date === undefined ? Date.now() : Date.parse(headers.date);
  const wait = readRetryAfter(String(headers['retry-after'] ?? headers['ratelimit-reset'] ?? ''), now);
  if (wait === null) return {};
  return { retryAfterSeconds: Math.min(LONGEST_RETRY_SECONDS, Math.max(1, Math.ceil(wait / 1000))) };
}

interface ApiError {
  id?: unknown;
  name?: unknown;
  message?: unknown;
}

/** The JSON object of an answer; an empty one for anything else. */
function asObject(body: Buffer): ApiError {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {}; // not JSON: somebody else's page, or half of an answer
  }
}
