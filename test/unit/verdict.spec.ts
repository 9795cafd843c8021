import { ApiFailure } from '../../src/outbound/ticket-api.js';
import { judgeAnswer, judgeFailure, parked, written } from '../../src/outbound/verdict.js';

const now = Date.UTC(2026, 4, 1);
const MINUTE = 60_000;
const first = { attempts: 0, attemptsBefore: 0 };
const answer = (status: number, headers: Record<string, string> = {}) =>
  ({ ok: true, status, headers, body: Buffer.alloc(0) }) as const;

describe('the verdict on a webhook', () => {
  it.each([200, 202, 204, 299])('is "delivered" at %d', (status) => {
    expect(judgeAnswer(answer(status), first, now)).toEqual({ ...written(String(status), now), status });
  });

  it('is "delivered" where the status came, though the body was too long', () => {
    const outcome = { ok: false, status: 200, reason: 'too-large', detail: '', mayHaveArrived: true } as const;
    expect(judgeAnswer(outcome, first, now)).toEqual({
      state: 'delivered',
      status: 200,
      outcome: 'too-large',
      nextAttemptAt: now,
    });
  });

  it('is "parked" where nothing more is wanted, or nobody listens', () => {
    expect(judgeAnswer(answer(410), first, now)).toMatchObject({ state: 'parked', status: 410 });
    expect(judgeAnswer(null, first, now)).toEqual(parked('no endpoint', now));
  });

  it.each([100, 301, 400, 401, 404, 429, 500, 503])('is another try at %d', (status) => {
    expect(judgeAnswer(answer(status), first, now)).toMatchObject({ state: 'queued', status });
  });

  it('waits as long as the schedule says, and a tenth more at most', () => {
    const waits = Array.from({ length: 9 }, (_, attempts) => {
      const { nextAttemptAt } = judgeAnswer(answer(500), { attempts, attemptsBefore: 0 }, now);
      return nextAttemptAt - now;
    });
    const planned = [1 / 12, 5, 30, 120, 300, 600, 840, 1200, 1440].map((minutes) => minutes * MINUTE);
    waits.forEach((wait, step) => {
      expect(wait).toBeGreaterThanOrEqual(planned[step]!);
      expect(wait).toBeLessThanOrEqual(planned[step]! * 1.1 + 1);
    });
  });

  it('waits longer where it is asked to, never shorter', () => {
    const asked = judgeAnswer(answer(503, { 'retry-after': '3600' }), first, now);
    expect(asked.nextAttemptAt).toBe(now + 60 * MINUTE);
    const hurried = judgeAnswer(answer(503, { 'retry-after': '1' }), { attempts: 1, attemptsBefore: 0 }, now);
    expect(hurried.nextAttemptAt).toBeGreaterThanOrEqual(now + 5 * MINUTE);
  });

  it('is "parked" at the end of the schedule, which a replay begins anew', () => {
    expect(judgeAnswer(answer(500), { attempts: 9, attemptsBefore: 0 }, now).state).toBe('parked');
    expect(judgeAnswer(answer(500), { attempts: 9, attemptsBefore: 9 }, now).state).toBe('queued');
    expect(judgeFailure(new ApiFailure('again', 500, '500'), { attempts: 9, attemptsBefore: 0 }, now).state).toBe(
      'parked',
    );
  });
});

describe('the verdict on a call of the ticket system', () => {
  it.each([
    [422, 'Ticket is CLOSED for changes', '422: the ticket is closed'],
    [404, 'not found', '404: the ticket is gone'],
    [410, '', '410: the ticket is gone'],
    [422, 'body too long, says "ana@example.com"', '422: refused'],
  ])('says of %d in our own words why it is parked', (status, said, outcome) => {
    const failure = new ApiFailure('refused', status, String(status), said);
    expect(judgeFailure(failure, first, now)).toEqual({ state: 'parked', status, outcome, nextAttemptAt: now });
  });

  it('is another try, not before what the system asked for', () => {
    const verdict = judgeFailure(new ApiFailure('again', 429, '429', '', 7 * MINUTE), first, now);
    expect(verdict).toEqual({ state: 'queued', status: 429, outcome: '429', nextAttemptAt: now + 7 * MINUTE });
  });
});
