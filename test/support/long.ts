/**
 * `POSTERN_LONG=1` (`npm run test:long`, and each of the longer runs by its own command): everything in full and on each
 * database, where `npm test` takes a part that stands for the rest, and waits less.
 */
export const isLong = process.env.POSTERN_LONG === '1';

/** Every third of a list, and in the long form all of it. */
export function aThird<T>(all: readonly T[]): T[] {
  return all.filter((_, place) => isLong || place % 3 === 0);
}

/** How long something may take that promises `ms`: where all tests run beside each other, five times that. */
export function within(ms: number): number {
  return isLong ? ms : 5 * ms;
}
