import type { Sink } from './sink.js';
import type { Tool } from './system.js';

/** How large the parts are to be. */
export interface Sizes {
  backlog: number;
  memoryMails: number;
}

export interface PartTask extends Sizes {
  sink: Sink;
  progress: (text: string) => void;
}

/** One figure of a part, and what it must not exceed if there is such a bound. */
export interface Finding {
  figure: string;
  title: string;
  value: number;
  atMost?: number;
}

/** What is measured once, after the rounds of the systems, and against a bound instead of another system. */
export interface Part {
  name: string;
  title: string;
  tools?: readonly Tool[];
  measure(task: PartTask): Promise<Finding[]>;
}

export interface PartResult {
  part: Part;
  findings: Finding[];
}
