const LONGEST_MS = 24 * 3_600_000;

/** `Retry-After` in seconds or as a date (RFC 9110 10.2.3), in ms from now on, at most a day; 0 where it says nothing. */
export function retryAfterMs(header: string | undefined, now: number): number {
  if (header === undefined) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(wait, 0), LONGEST_MS) : 0;
}
