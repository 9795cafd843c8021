import { readRetryAfter, retryAfterMs } from '../../src/platform/retry-after.js';

const now = Date.parse('2026-03-01T12:00:00Z');
const DAY_MS = 24 * 3_600_000;

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    [' 3 ', 3000],
    ['0.2', 200],
    ['0', 0],
    ['Sun, 01 Mar 2026 12:00:30 GMT', 30_000],
    ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
    ['31536000', DAY_MS],
    ['9'.repeat(400), DAY_MS],
  ])('%s', (header, ms) => {
    expect(readRetryAfter(header, now)).toBe(ms);
    expect(retryAfterMs(header, now)).toBe(ms);
  });

  it.each([undefined, '', 'later', '-5 apples', '1e3x'])('says nothing as %s', (header) => {
    expect(readRetryAfter(header, now)).toBeNull();
    expect(retryAfterMs(header, now)).toBe(0);
  });
});
