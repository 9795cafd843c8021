/**
 * Does things by the group that come one by one: while one group is at work the next one gathers. There is no timer, so
 * a thing that comes alone is done at once. What befalls a group befalls each of its members.
 */
export class Grouped<In, Out> {
  private waiting: { item: In; settle: PromiseWithResolvers<Out> }[] = [];
  private running = 0;

  /** `work` answers each item of a group, in their order. */
  constructor(
    private readonly work: (items: In[]) => Promise<Out[]>,
    private readonly limits: { most: number; parallel: number },
  ) {}

  add(item: In): Promise<Out> {
    const settle = withResolvers<Out>();
    this.waiting.push({ item, settle });
    // Not at once: what the same turn of the event loop brings makes one group.
    if (this.waiting.length === 1) setImmediate(() => this.pump());
    return settle.promise;
  }

  private pump(): void {
    while (this.waiting.length > 0 && this.running < this.limits.parallel) {
      const group = this.waiting.splice(0, this.limits.most);
      this.running++;
      void this.run(group).finally(() => {
        this.running--;
        this.pump();
      });
    }
  }

  private async run(group: { item: In; settle: PromiseWithResolvers<Out> }[]): Promise<void> {
    try {
      const answers = await this.work(group.map(({ item }) => item));
      group.forEach(({ settle }, i) => settle.resolve(answers[i]!));
    } catch (error) {
      for (const { settle } of group) settle.reject(error);
    }
  }
}

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}
