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
