/** A domain whose oldest mail has been on its way for this long is slow: it may keep few places busy, not all. */
const SLOW_AFTER_MS = 5000;
const PLACES_OF_SLOW = 2;
const MOST_OF_ONE_DOMAIN = 3 / 4;

interface Waiting {
  domain: string;
  begin: () => void;
}

/**
 * Hands out a lane's places, first come, first served, so that no domain has all of them: one domain
 * gets three quarters at most, and one that has become slow gets two. What waits behind a slow domain lets the others pass.
 */
export class Dispatcher {
  private readonly waiting: Waiting[] = [];
  /** When each mail on its way began, by domain, oldest first. */
  private readonly busy = new Map<string, number[]>();
  private taken = 0;

  constructor(
    private readonly places: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Runs `work` as soon as there is a place for a mail to that domain. */
  async run<T>(domain: string, work: () => Promise<T>): Promise<T> {
    if (!this.mayBegin(domain)) await new Promise<void>((begin) => this.waiting.push({ domain, begin }));
    else this.begin(domain);
    const since = this.busy.get(domain)!.at(-1)!;
    try {
      return await work();
    } finally {
      this.end(domain, since);
    }
  }

  private mayBegin(domain: string): boolean {
    const since = this.busy.get(domain);
    if (this.taken >= this.places) return false;
    if (since === undefined) return true;
    const isSlow = this.now() - since[0]! >= SLOW_AFTER_MS;
    return since.length < (isSlow ? PLACES_OF_SLOW : Math.ceil(this.places * MOST_OF_ONE_DOMAIN));
  }

  private begin(domain: string): void {
    this.taken++;
    const since = this.busy.get(domain);
    if (since) since.push(this.now());
    else this.busy.set(domain, [this.now()]);
  }

  private end(domain: string, since: number): void {
    this.taken--;
    const left = this.busy.get(domain)!;
    left.splice(left.indexOf(since), 1);
    if (left.length === 0) this.busy.delete(domain);
    for (let i = 0; i < this.waiting.length && this.taken < this.places; i++) {
      const next = this.waiting[i]!;
      if (!this.mayBegin(next.domain)) continue;
      this.waiting.splice(i--, 1);
      this.begin(next.domain);
      next.begin();
    }
  }
}
