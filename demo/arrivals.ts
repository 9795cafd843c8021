/** How to wait for an arrival. `timeoutSeconds` defaults to 10. */
export interface NextOptions<T> {
  /** Take the first arrival after this one, also when an earlier call got it. Without it: the first that no call got. */
  after?: T;
  /** Leave those that do not match for another call. */
  matching?: (item: T) => boolean;
  timeoutSeconds?: number;
}

interface Waiter<T> {
  matching: (item: T) => boolean;
  resolve: (item: T) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/**
 * Things in the order they arrived, the newest `limit` of them, for which one can wait without polling.
 * `describe` says in a few words what an arrival is, for the message of a wait that ran out.
 */
export class Arrivals<T extends object> {
  readonly items: T[] = [];
  private readonly given = new WeakSet<T>();
  private waiters: Waiter<T>[] = [];

  constructor(
    private readonly limit: number,
    private readonly describe: (item: T) => string,
  ) {}

  add(item: T): void {
    this.items.push(item);
    if (this.items.length > this.limit) this.items.shift();
    const waiter = this.waiters.find((each) => each.matching(item));
    if (!waiter) return;
    this.drop(waiter);
    this.given.add(item);
    waiter.resolve(item);
  }

  /**
   * The next arrival: one that is here already and that no earlier call got, else the next to come.
   * So a test may ask before or after the act that causes it, and asks once per arrival.
   * Rejects after `timeoutSeconds` with what was awaited and what is here.
   */
  next(awaited: string, options: NextOptions<T> = {}): Promise<T> {
    const { after, matching = () => true, timeoutSeconds = 10 } = options;
    const from = after ? this.items.indexOf(after) + 1 : 0;
    const here = this.items.slice(from).find((item) => (after || !this.given.has(item)) && matching(item));
    if (here) {
      this.given.add(here);
      return Promise.resolve(here);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.drop(waiter);
        reject(new Error(`No ${awaited} within ${timeoutSeconds} s. ${this.inventory()}`));
      }, timeoutSeconds * 1000);
      const waiter: Waiter<T> = { matching, resolve, reject, timer };
      this.waiters.push(waiter);
    });
  }

  clear(): void {
    this.items.length = 0;
  }

  remove(item: T): void {
    const at = this.items.indexOf(item);
    if (at >= 0) this.items.splice(at, 1);
  }

  /** Ends all waits with an error that gives `reason`. */
  close(reason: string): void {
    for (const waiter of this.waiters) {
      this.drop(waiter);
      waiter.reject(new Error(reason));
    }
  }

  private drop(waiter: Waiter<T>): void {
    clearTimeout(waiter.timer);
    this.waiters = this.waiters.filter((each) => each !== waiter);
  }

  private inventory(): string {
    if (this.items.length === 0) return 'Nothing has arrived.';
    const newest = this.items.slice(-5).map(this.describe);
    return `${this.items.length} here, the newest: ${newest.join('; ')}`;
  }
}
