import type { HttpClient } from '../platform/http-client.js';
import { retryAfterMs } from '../platform/retry-after.js';
import { parseStrictJson } from '../platform/strict-json.js';
import type { SourceApiSettings } from '../sources.js';

/** Shorter than a message's lease, which is extended before each call. */
const CALL_TIMEOUT_MS = 45_000;
/** A ticket's whole conversation comes in one answer of Zammad. */
const MOST_ANSWER_BYTES = 20 * 1024 * 1024;
const MAX_DEPTH = 64;

/** Why a call brought nothing. `again`: worth another try; `refused`: the same call would be refused again. */
export class ApiFailure extends Error {
  constructor(
    readonly kind: 'again' | 'refused',
    /** 0 where there was no answer. */
    readonly status: number,
    /** For an operator: never a body. */
    readonly reason: string,
    /** What the system said, to tell one refusal from another: not for logs, it may quote the reply. */
    readonly said = '',
    readonly waitMs = 0,
  ) {
    super(reason);
  }
}

/** Somebody else has the message now: whatever is written from here on would be written twice. */
export class LeaseLost extends Error {}

/** A body that is no JSON, with its content type. */
export interface Raw {
  contentType: string;
  content: Buffer;
  headers?: Record<string, string>;
}

/** A ticket system's API, called with the source's credential through the client that reaches public addresses only. */
export class TicketApi {
  constructor(
    private readonly http: HttpClient,
    private readonly settings: SourceApiSettings,
    private readonly now: () => number,
    /** @throws LeaseLost */
    private readonly extendLease: () => Promise<void>,
  ) {}

  get(path: string): Promise<unknown> {
    return this.call('GET', path);
  }

  post(path: string, body: object): Promise<unknown> {
    return this.call('POST', path, json(body));
  }

  put(path: string, body: object): Promise<unknown> {
    return this.call('PUT', path, json(body));
  }

  /** Posts what is no JSON: a file, or a form. */
  upload(path: string, body: Raw): Promise<unknown> {
    return this.call('POST', path, body);
  }

  /**
   * @returns the JSON of a 2xx; null where that is none
   * @throws ApiFailure for everything else
   */
  private async call(method: 'GET' | 'POST' | 'PUT', path: string, body?: Raw): Promise<unknown> {
    await this.extendLease();
    const headers = {
      accept: 'application/json',
      authorization: this.settings.authorization,
      'user-agent': 'Postern',
      ...body?.headers,
      ...(body && { 'content-type': body.contentType }),
    };
    const url = `${this.settings.url}${path}`;
    const options = { headers, maxBytes: MOST_ANSWER_BYTES, timeoutMs: CALL_TIMEOUT_MS };
    const outcome = await (method === 'GET' || !body
      ? this.http.get(url, options)
      : this.http.send(method, url, body.content, options));
    if (!outcome.ok) throw new ApiFailure('again', outcome.status ?? 0, outcome.reason);
    const { status } = outcome;
    if (status >= 200 && status < 300) {
      const parsed = parseStrictJson(outcome.body, { maxDepth: MAX_DEPTH });
      return parsed.ok ? parsed.value : null;
    }
    const kind = isFinal(status) ? 'refused' : 'again';
    const said = outcome.body.subarray(0, 4096).toString();
    throw new ApiFailure(kind, status, String(status), said, retryAfterMs(outcome.headers['retry-after'], this.now()));
  }
}

/** Of the refusals those that a wait, or an operator who mends the credential, changes are tried again. */
function isFinal(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 408, 409, 423, 425, 429].includes(status);
}

function json(body: object): Raw {
  return { contentType: 'application/json', content: Buffer.from(JSON.stringify(body)) };
}
