/** So many at once, and so many more in line; who comes then is turned away at once instead of waiting for ever. */
export class Slots {
  private readonly line: (() => void)[] = [];
  private busy = 0;

  constructor(
    private readonly atOnce: number,
    private readonly mostWaiting: number,
  ) {}

  /** Null, and nothing was done, if the line is full. */
  async run<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.busy >= this.atOnce) {
      if (this.line.length >= this.mostWaiting) return null;
      // Whoever leaves hands over the place: nobody can slip in between.
      await new Promise<void>((go) => this.line.push(go));
    } else this.busy++;
    try {
      return await work();
    } finally {
      const next = this.line.shift();
      if (next) next();
      else this.busy--;
    }
  }
}

/** The same for each key by itself: one who asks for much takes the places of nobody else. */
export class SlotsByKey {
  private readonly kept = new Map<string, { slots: Slots; users: number }>();

  constructor(
    private readonly atOnce: number,
    private readonly mostWaiting: number,
  ) {}

  /** Null, and nothing was done, if the line of this key is full. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T | null> {
    const one = this.kept.get(key) ?? { slots: new Slots(this.atOnce, this.mostWaiting), users: 0 };
    this.kept.set(key, one);
    one.users++;
    try {
      return await one.slots.run(work);
    } finally {
      if (--one.users === 0) this.kept.delete(key);
    }
  }
}
