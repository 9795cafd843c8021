import { databases } from '../support/databases.js';
import { simulateDay } from './day.js';

// The long form is `npm run simulate:day`: docs/reliability.md.
const POSTS = 400;
/** Some six seconds; longer where much else is done. */
const TIMEOUT_MS = 300_000;

describe.each(databases)('a day of all ticket systems, on $name', (database) => {
  it(
    'leaves no event over: accepted = sent + cancelled + parked + internal',
    async () => {
      const { accepted, refused, duplicates, difference, faults, news, mails, late } = await simulateDay({
        database,
        posts: POSTS,
        seed: 7,
      });
      expect(faults).toEqual([]);
      expect(difference).toBe(0);
      expect({ accepted, refused, duplicates, late }).toEqual({
        accepted: POSTS * 0.94,
        refused: POSTS * 0.01,
        duplicates: POSTS * 0.05,
        late: POSTS * 0.05,
      });
      expect(news.ended).toBe(news.due);
      expect(mails.taken).toBe(mails.sent);
    },
    TIMEOUT_MS,
  );
});
