/** `POSTERN_LONG=1` (`npm run test:long`): everything in full, where `npm test` takes a part that stands for the rest. */
export const isLong = process.env.POSTERN_LONG === '1';
