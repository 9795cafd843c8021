/** Where a process is killed: what it had done, and what it had not. */
export const points = {
  'before-commit': 'before the commit of an event',
  'after-commit': 'after the commit, before the 202',
  'after-render': 'after the mail was rendered',
  'after-submitting': 'after it was written down as submitting',
  'after-data': 'after the end of DATA, before the answer',
  'after-answer': 'after the answer, before it was recorded',
  'any-moment': 'at any moment',
} as const;

export type Point = keyof typeof points;
export const allPoints = Object.keys(points) as Point[];

/** What a victim is told before it starts. */
export interface Order {
  /** Null: it lives. */
  point: Point | null;
  /** How often it passes the point before. */
  after: number;
  /** Whoever renders the mail to this address dies of it. */
  poison?: string;
}

export type Said = 'loaded' | 'ready' | 'not-now';
