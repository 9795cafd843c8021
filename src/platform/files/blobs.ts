import type { Readable } from 'node:stream';

/** Where files are kept, by names of lower-case letters and digits that the caller makes. A folder, or a bucket. */
export interface Blobs {
  /** Takes over a file of this machine and removes it there; once this resolves, it is durable. */
  keep(name: string, path: string, facts: { size: number; sha256: string }): Promise<void>;
  /** Null if it is gone: nothing may have been answered before that is known. */
  read(name: string): Promise<Readable | null>;
  /** No error if there is none. */
  remove(name: string): Promise<void>;
  /** Names of everything that came before that moment (ms since 1970, by the clock of the store). */
  list(before: number): AsyncIterable<string>;
}

const NAME = /^[0-9a-f]{48}(preview)?$/;

export function isBlobName(name: string): boolean {
  return NAME.test(name);
}

/** Throws on what is none of our names: nothing from outside ever becomes a path. */
export function checkBlobName(name: string): void {
  if (!isBlobName(name)) throw new Error('not a name of the file store');
}
