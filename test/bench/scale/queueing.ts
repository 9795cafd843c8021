/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** How many arrive in a tick when `mean` do on average and none knows of the others (Poisson). */
export function arrivals(mean: number, random: () => number): number {
  // From here on a normal distribution is the same to the eye, and takes two numbers instead of one for each arrival.
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Mails that wait, first come, first served; those of one tick are one entry. */
export class Line {
  private born: number[] = [];
  private counts: number[] = [];
  private head = 0;
  waiting = 0;

  add(born: number, count: number): void {
    if (count === 0) return;
    this.born.push(born);
    this.counts.push(count);
    this.waiting += count;
  }

  /** Takes the first `count`, and tells of each tick how many of it there were. */
  take(count: number, each: (born: number, count: number) => void): void {
    if (count > this.waiting) throw new RangeError(`${count} of ${this.waiting} cannot be taken`);
    this.waiting -= count;
    for (let left = count; left > 0;) {
      const some = Math.min(left, this.counts[this.head]!);
      each(this.born[this.head]!, some);
      left -= some;
      this.counts[this.head]! -= some;
      if (this.counts[this.head] === 0) this.head++;
    }
    if (this.head < 4096) return;
    this.born = this.born.slice(this.head);
    this.counts = this.counts.slice(this.head);
    this.head = 0;
  }
}

/** What serves a line: whole mails only, and what is left of one is work done on the next, unless none waits. */
export class Station {
  private begun = 0;

  /** How many of those who wait are done in a tick in which `capacity` can be. */
  serve(capacity: number, waiting: number): number {
    const able = this.begun + capacity;
    const done = Math.min(Math.floor(able + 1e-9), waiting);
    this.begun = done < waiting ? Math.max(0, able - done) : 0;
    return done;
  }
}

/** How long it took, in ticks, and how many. */
export class Histogram {
  private readonly counts: number[] = [];
  total = 0;

  add(ticks: number, count: number): void {
    this.counts[ticks] = (this.counts[ticks] ?? 0) + count;
    this.total += count;
  }

  addAll(other: Histogram): void {
    other.counts.forEach((count, ticks) => this.add(ticks, count));
  }

  /** The fewest ticks that a share (0–1) of all did not exceed; 0 of none. */
  percentile(share: number): number {
    let left = Math.max(1, Math.ceil(this.total * share));
    for (let ticks = 0; ticks < this.counts.length; ticks++) if ((left -= this.counts[ticks] ?? 0) <= 0) return ticks;
    return 0;
  }

  mean(): number {
    let sum = 0;
    this.counts.forEach((count, ticks) => (sum += count * ticks));
    return this.total === 0 ? 0 : sum / this.total;
  }
}
