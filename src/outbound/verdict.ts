import { retryAfterMs } from '../platform/retry-after.js';
import type { HttpOutcome } from '../platform/http-client.js';
import type { OutboundMessage } from './outbound.entity.js';
import type { ApiFailure } from './ticket-api.js';

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

/** What became of a try, and so what happens next. */
export interface Verdict {
  state: 'delivered' | 'queued' | 'parked';
  /** HTTP status, or 0 where there was none. */
  status: number;
  outcome: string;
  nextAttemptAt: number;
  /** Where nothing more is wanted. */
  goneUrl?: string;
}

/** How far the schedule of a message is. */
type Tries = Pick<OutboundMessage, 'attempts' | 'attemptsBefore'>;

/** The ticket system has it. */
export function written(outcome: string, now: number): Verdict {
  return { state: 'delivered', status: 200, outcome, nextAttemptAt: now };
}

/** Without a try. */
export function parked(outcome: string, now: number): Verdict {
  return { state: 'parked', status: 0, outcome, nextAttemptAt: now };
}

/** Any 2xx is an acknowledgement; 410 means never again; everything else is tried again while the schedule lasts. */
export function judgeAnswer(outcome: HttpOutcome | null, tries: Tries, now: number): Verdict {
  const status = outcome?.status ?? 0;
  const told = outcome === null ? 'no endpoint' : outcome.ok ? String(status) : outcome.reason;
  const verdict = { status, outcome: told, nextAttemptAt: now };
  // Also when its body was too long to read: the status is the acknowledgement.
  if (status >= 200 && status < 300) return { ...verdict, state: 'delivered' };
  if (outcome === null || status === 410) return { ...verdict, state: 'parked' };
  return { ...verdict, ...later(tries, now, outcome.ok ? retryAfterMs(outcome.headers['retry-after'], now) : 0) };
}

/** What the ticket system would refuse again is parked at once; everything else is tried again while the schedule lasts. */
export function judgeFailure(failure: ApiFailure, tries: Tries, now: number): Verdict {
  const { kind, status, reason, waitMs } = failure;
  if (kind === 'refused') return { state: 'parked', status, outcome: refusal(failure), nextAttemptAt: now };
  return { status, outcome: reason, ...later(tries, now, waitMs) };
}

/** The next try, not before what was asked for; parked where the schedule is at its end. */
function later(
  { attempts, attemptsBefore }: Tries,
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
