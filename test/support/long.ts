/**
 * `POSTERN_LONG=1` (`npm run test:long`, and each of the longer runs by its own command): everything in full and on each
 * database, where `npm test` takes a part that stands for the rest, and waits less.
 */
export const isLong = process.env.POSTERN_LONG === '1';
