/** Kinds of work, each with its own consumer, so that a code never waits behind a million notifications. */
export const lanes = ['codes', 'mail', 'outbound', 'lookups'] as const;
export type Lane = (typeof lanes)[number];

export interface Consumer {
  /** How many ids are handed over at once. */
  batchSize: number;
  /** How many batches run side by side. */
  concurrency: number;
  /** Does the work of these ids. Claims each row itself: an id may come twice or too late. */
  handle(ids: string[]): Promise<void>;
  /** Waits for what `handle` began and did not wait for; false if there was nothing. */
  settle?(): Promise<boolean>;
  /** Begins nothing more of what `handle` took and did not begin: it stays due. */
  stop?(): void;
  /** Ids of rows that are due now, oldest first: how work comes back that the queue forgot. */
  due(limit: number): Promise<string[]>;
}

/** Wakes and spreads work. The database is the truth; the queue holds ids only and may forget any of them. */
export abstract class Queue {
  /** Says that these rows are due. Never fails: the next sweep finds what could not be added. */
  abstract add(lane: Lane, ids: string[]): void;
  abstract consume(lane: Lane, consumer: Consumer): void;
  /** Sweeps and works until nothing is due. */
  abstract drain(): Promise<void>;
  /** Takes nothing more and waits until what runs has ended. */
  abstract close(): Promise<void>;
}
