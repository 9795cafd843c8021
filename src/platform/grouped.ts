/** How single items are worked at in groups. */
export interface GroupWork<In, Out> {
  /** Items of one group at most. */
  most: number;
  /** Groups at work at the same time. */
  atOnce: number;
  /**
   * Answers every item, in the order in which they came; or throws, and then nothing was done. Items of a group that
   * failed come again, in smaller groups.
   */
  work(items: readonly In[]): Promise<readonly Out[]>;
  /** True if an error says nothing about an item, so that smaller groups would only fail more often. */
  concernsAll(error: unknown): boolean;
}

interface Member<In, Out> {
  item: In;
  answer: (out: Out) => void;
  refuse: (error: unknown) => void;
}

/**
 * Callers who come one by one are served together: while a group is at work, the next one gathers. Nobody waits for
 * others to come. What one item breaks, it breaks for itself alone.
 */
export class Grouped<In, Out> {
  private waiting: Member<In, Out>[] = [];
  private working = 0;
  private isStarting = false;

  constructor(private readonly given: GroupWork<In, Out>) {}

  /** Resolves, or rejects, once the group that the item came into has ended. */
  add(item: In): Promise<Out> {
    return new Promise((answer, refuse) => {
      this.waiting.push({ item, answer, refuse });
      this.start();
    });
  }

  /**
   * Not at once, but when everything that has already arrived at the process was read: SQLite's calls hold up the event
   * loop, so whoever waits then waits in the sockets, and would else come into groups of one.
   */
  private start(): void {
    if (this.isStarting || this.waiting.length === 0 || this.working >= this.given.atOnce) return;
    this.isStarting = true;
    setImmediate(() => {
      this.isStarting = false;
      this.working++;
      void this.settle(this.waiting.splice(0, this.given.most)).then(() => {
        this.working--;
        this.start();
      });
      this.start();
    });
  }

  /** A group that fails is tried again in halves, down to the item that breaks it: one bad item costs few tries. */
  private async settle(group: Member<In, Out>[]): Promise<void> {
    try {
      const answers = await this.given.work(group.map(({ item }) => item));
      group.forEach(({ answer }, place) => answer(answers[place]!));
    } catch (error) {
      if (group.length === 1 || this.given.concernsAll(error)) return group.forEach(({ refuse }) => refuse(error));
      const half = group.length >> 1;
      await this.settle(group.slice(0, half));
      await this.settle(group.slice(half));
    }
  }
}
