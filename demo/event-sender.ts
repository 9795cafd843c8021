import { setTimeout as pause } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';

// A gateway that restarts is back within seconds; what takes longer is shown, and sent again by hand.
const RETRY_SECONDS = [0.3, 1, 2, 4];
const LONGEST_PAUSE_SECONDS = 10;
const ANSWER_TIMEOUT_MS = 15_000;

/** The gateway's answer to an event, or why there is none. */
export interface Answer {
  ok: boolean;
  /** HTTP status; 0 if nobody answered. */
  status: number;
  eventId?: string;
  duplicate?: boolean;
  /** One readable line: the event's id, or what the gateway found wrong. */
  summary: string;
  attempts: number;
}

export interface SenderOptions {
  secret: string;
  /** Pauses between attempts, in seconds. */
  retrySeconds?: number[];
  signal: AbortSignal;
}

/**
 * Posts `body` to the gateway under the Standard Webhooks id `id`, signed anew for each attempt (its time is signed too).
 * Repeats on 429, 5xx and when nobody answers; the id makes repeats harmless. Never rejects.
 */
export async function sendEvent(url: string, id: string, body: string, options: SenderOptions): Promise<Answer> {
  const { secret, retrySeconds = RETRY_SECONDS, signal } = options;
  for (let attempt = 1; ; attempt++) {
    const { answer, retryAfter } = await post(url, id, body, secret);
    const seconds = retrySeconds[attempt - 1];
    const final = answer.status !== 0 && answer.status !== 429 && answer.status < 500;
    if (final || seconds === undefined || signal.aborted) return { ...answer, attempts: attempt };
    const waited = pause(Math.min(retryAfter ?? seconds, LONGEST_PAUSE_SECONDS) * 1000, true, { signal });
    if (!(await waited.catch(() => false))) return { ...answer, attempts: attempt };
  }
}

type Attempt = { answer: Omit<Answer, 'attempts'>; retryAfter?: number };

async function post(url: string, id: string, body: string, secret: string): Promise<Attempt> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...sign(id, body, secret) },
      body,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const text = await response.text();
    // Absent or a date (which this sender does not read) leaves the schedule in force.
    const retryAfter = Number(response.headers.get('retry-after')) || undefined;
    return { answer: readAnswer(response.status, text), retryAfter };
  } catch (error) {
    return { answer: { ok: false, status: 0, summary: `No answer: ${describeFailure(error)}` } };
  }
}

/** The three headers of Standard Webhooks 1.0. */
export function sign(id: string, body: string, secret: string, at = new Date()): Record<string, string> {
  const timestamp = Math.floor(at.getTime() / 1000);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': new Webhook(secret).sign(id, at, body),
  };
}

interface AnswerBody {
  eventId?: string;
  duplicate?: boolean;
  title?: string;
  detail?: string;
  code?: string;
  errors?: { pointer?: string; detail?: string }[];
}

function readAnswer(status: number, text: string): Omit<Answer, 'attempts'> {
  const body = parse(text);
  if (status < 300) {
    const { eventId, duplicate } = body;
    return {
      ok: true,
      status,
      eventId,
      duplicate,
      summary: [eventId, duplicate && 'already known'].filter(Boolean).join(' · '),
    };
  }
  const faults = (body.errors ?? []).map(({ pointer, detail }) => `${pointer ?? ''}: ${detail ?? ''}`);
  const parts = [body.title ?? body.code, body.detail, ...faults].filter(Boolean);
  return { ok: false, status, summary: parts.join(' · ') || text.slice(0, 200) || 'no reason given' };
}

function parse(text: string): AnswerBody {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // Not JSON, so not the gateway: its text is shown as it is.
  }
}

/** The cause in plain words: fetch itself only says "fetch failed". */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause;
  if (cause instanceof Error && 'code' in cause) {
    return cause.code === 'ECONNREFUSED' ? 'nothing listens there (yet)' : String(cause.code);
  }
  return error.name === 'TimeoutError' ? 'it took too long' : error.message;
}
