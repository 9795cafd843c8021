import { Injectable } from '@nestjs/common';
import { HttpClient } from '../platform/http-client.js';
import { retryAfterMs } from '../platform/retry-after.js';
import { parseStrictJson } from '../platform/strict-json.js';
import type { Source, SourceApiSettings } from '../sources.js';
import type { ApiAnswer, SourceApi } from './sources/adapter.js';

const MOST_BYTES = 2 * 1024 * 1024;
const MAX_DEPTH = 64;
/** Who somebody is changes seldom, and a ticket's events come in bursts. */
const KEEP_MS = 300_000;
const MOST_KEPT = 2000;

/** Asks the ticket systems' own APIs, through the client that reaches public addresses only. */
@Injectable()
export class SourceApis {
  private readonly kept = new Map<string, { answer: ApiAnswer; until: number }>();

  constructor(private readonly http: HttpClient) {}

  /** The API of a source that has one. Answers about users are kept for five minutes. */
  of({ name, api }: Source, now: number): SourceApi | null {
    return api && { get: (path) => this.get(name, api, path, now) };
  }

  private async get(source: string, api: SourceApiSettings, path: string, now: number): Promise<ApiAnswer> {
    const key = `${source} ${path}`;
    const kept = this.kept.get(key);
    if (kept && kept.until > now) return kept.answer;
    const answer = await this.ask(api, path, now);
    if (answer.ok && /\/users?[/?]/.test(path)) {
      if (this.kept.size >= MOST_KEPT) this.kept.clear();
      this.kept.set(key, { answer, until: now + KEEP_MS });
    }
    return answer;
  }

  private async ask({ url, authorization }: SourceApiSettings, path: string, now: number): Promise<ApiAnswer> {
    const headers = { accept: 'application/json', authorization, 'user-agent': 'Postern' };
    const outcome = await this.http.get(`${url}${path}`, { maxBytes: MOST_BYTES, headers });
    if (!outcome.ok) {
      const { reason: detail } = outcome;
      const isTooLarge = detail === 'too-large';
      return { ok: false, reason: 'unavailable', detail, isTooLarge, concernsAll: !isTooLarge };
    }
    const { status } = outcome;
    const detail = `status ${status}`;
    if (status === 404 || status === 410) return { ok: false, reason: 'gone', detail };
    if (status === 401 || status === 403) return { ok: false, reason: 'refused', detail, concernsAll: status === 401 };
    if (status !== 200)
      return {
        ok: false,
        reason: 'unavailable',
        detail,
        retryAfterMs: retryAfterMs(outcome.headers['retry-after'], now),
      };
    const json = parseStrictJson(outcome.body, { maxDepth: MAX_DEPTH });
    return json.ok ? { ok: true, body: json.value } : { ok: false, reason: 'unavailable', detail: json.reason };
  }
}
