/** Whose oldest piece of work has been under way for this long is slow: they may keep few places busy, not all. */
const SLOW_AFTER_MS = 5000;
const PLACES_OF_SLOW = 2;
const MOST_OF_ONE = 3 / 4;

interface Waiting {
  whose: string;
  begin: () => void;
}

/**
 * Hands out places, first come, first served, so that nobody (a domain, a source) has all of them: one gets three quarters
 * at most, and one that has become slow gets two. What waits behind a slow one lets the others pass.
 */
export class Dispatcher {
  private readonly waiting: Waiting[] = [];
  /** When each piece of work under way began, by whose it is, oldest first. */
  private readonly busy = new Map<string, number[]>();
  private readonly mostOfOne: number;
  private taken = 0;

  constructor(
    private readonly places: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.mostOfOne = Math.max(1, Math.floor(places * MOST_OF_ONE));
  }

  /** Runs `work` as soon as there is a place for it. */
  async run<T>(whose: string, work: () => Promise<T>): Promise<T> {
    if (!this.mayBegin(whose)) await new Promise<void>((begin) => this.waiting.push({ whose, begin }));
    else this.begin(whose);
    const since = this.busy.get(whose)!.at(-1)!;
    try {
      return await work();
    } finally {
      this.end(whose, since);
    }
  }

  private mayBegin(whose: string): boolean {
    const since = this.busy.get(whose);
    if (this.taken >= this.places) return false;
    if (since === undefined) return true;
    const isSlow = this.now() - since[0]! >= SLOW_AFTER_MS;
    return since.length < (isSlow ? Math.min(PLACES_OF_SLOW, this.mostOfOne) : this.mostOfOne);
  }

  private begin(whose: string): void {
    this.taken++;
    const since = this.busy.get(whose);
    if (since) since.push(this.now());
    else this.busy.set(whose, [this.now()]);
  }

  private end(whose: string, since: number): void {
    this.taken--;
    const left = this.busy.get(whose)!;
    left.splice(left.indexOf(since), 1);
    if (left.length === 0) this.busy.delete(whose);
    for (let i = 0; i < this.waiting.length && this.taken < this.places; i++) {
      const next = this.waiting[i]!;
      if (!this.mayBegin(next.whose)) continue;
      this.waiting.splice(i--, 1);
      this.begin(next.whose);
      next.begin();
    }
  }
}
