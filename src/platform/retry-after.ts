const LONGEST_MS = 24 * 3_600_000;

/** `Retry-After` in seconds or as a date (RFC 9110 10.2.3), in ms from now on, at most a day; 0 where it says nothing. */
export function retryAfterMs(header: string | undefined, now: number): number {
  return readRetryAfter(header, now) ?? 0;
}

/** The same; null where it says nothing. Parts of a second are none of the standard, and are sent all the same. */
export function readRetryAfter(header: string | undefined, now: number): number | null {
  const given = (header ?? '').trim();
  const wait = /^\d+(\.\d+)?$/.test(given) ? Number(given) * 1000 : Date.parse(given) - now;
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), LONGEST_MS);
}
