/** Most mails to one person about one ticket within any hour. */
export const MOST_MAILS_PER_HOUR = 10;
export const HOUR_MS = 3_600_000;

/** A mail to one person about one ticket, as far as it matters to the next one. */
export interface GatheringMail {
  /** When it leaves or left, ms since 1970. */
  dueAt: number;
  /** It waits for more and nobody has taken it up: it can tell of more. */
  open: boolean;
}

/** News for one person about one ticket. */
export interface NewsFor {
  /** Names person and ticket: news of the same key comes into the same mails. */
  key: string;
  /** How long after a mail the next one may leave, ms. */
  windowMs: number;
}

/** What one mail is to tell: a new one, or an open one that tells of these too. */
export interface Gathered<N, M> {
  /** In the order in which they came. */
  news: N[];
  into: M | null;
  dueAt: number;
}

/**
 * Into which mails news goes. The first of a person leaves at once; what follows within the window, or past the most
 * mails of an hour, is gathered into one mail that leaves when both allow it.
 * @param news in the order in which it came, of any number of people
 * @param mailsOf what the person of that news was mailed within the last hour and is still to be mailed, oldest first
 */
export function gather<N extends NewsFor, M extends GatheringMail>(
  news: readonly N[],
  mailsOf: (one: N) => readonly M[],
  now: number,
): Gathered<N, M>[] {
  const gathered: Gathered<N, M>[] = [];
  const people = new Map<string, (GatheringMail & { made: Gathered<N, M> | null; stored: M | null })[]>();
  for (const one of news) {
    const mails = people.get(one.key) ?? mailsOf(one).map((stored) => ({ ...stored, stored, made: null }));
    people.set(one.key, mails);
    const dueAt = dueAfter(mails, one.windowMs, now);
    // Only the last mail: what came later must not be told earlier.
    const open = mails.at(-1)?.open ? mails.at(-1)! : { dueAt, open: dueAt > now, made: null, stored: null };
    if (open.made === null) gathered.push((open.made = { news: [], into: open.stored, dueAt: open.dueAt }));
    if (!mails.includes(open)) mails.push(open);
    open.made.news.push(one);
  }
  return gathered;
}

/** The first moment, from now on, at which another mail may leave. */
function dueAfter(mails: readonly GatheringMail[], windowMs: number, now: number): number {
  const times = mails.map(({ dueAt }) => dueAt).sort((a, b) => b - a);
  const [last, tenth] = [times[0], times[MOST_MAILS_PER_HOUR - 1]];
  return Math.max(now, (last ?? -Infinity) + windowMs, (tenth ?? -Infinity) + HOUR_MS);
}
