import { Injectable } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Config } from '../config.js';
import { DiskSpace, isDiskFull } from '../platform/disk-space.js';
import { isBlobName, type Blobs } from '../platform/files/blobs.js';
import { openBlobs } from '../platform/files/open-blobs.js';
import { checkFile, cleanName, type FileFault } from './file-rules.js';
import { Scanner } from './scanner.js';

export const MOST_FILES_PER_REPLY = 5;
export const MOST_BYTES_PER_FILE = 10 * 1024 * 1024;
export const MOST_BYTES_PER_REPLY = 25 * 1024 * 1024;

/** A file that was received whole, checked, scanned and made durable. */
export interface ReceivedFile {
  name: string;
  contentType: string;
  size: number;
  sha256: string;
  /** Its random name in the store. */
  file: string;
  /** Of a picture, in pixels. */
  width: number | null;
  height: number | null;
}

/** Why these files cannot go with one reply together. */
export function limitFault(files: readonly { size: number }[]): 'too-many-files' | 'files-too-large' | null {
  if (files.length > MOST_FILES_PER_REPLY) return 'too-many-files';
  return files.reduce((sum, { size }) => sum + size, 0) > MOST_BYTES_PER_REPLY ? 'files-too-large' : null;
}

/** `no-room`: on the disk. */
export type ReceiptFault = FileFault | 'unsafe' | 'unchecked' | 'no-room';
export type Receipt = { ok: true; received: ReceivedFile } | { ok: false; name: string; fault: ReceiptFault };

/**
 * Files of replies, under random names and outside of any web root: in the folder or bucket of FILES_URL. What comes in
 * waits in `DATA_DIR/incoming` until it was checked and scanned, so the store never holds anything else.
 */
@Injectable()
export class FileStore {
  private readonly blobs: Blobs;
  private readonly incoming: string;

  constructor(
    config: Config,
    private readonly scanner: Scanner,
    private readonly disk: DiskSpace,
  ) {
    this.blobs = openBlobs(config.files);
    this.incoming = join(config.dataDir, 'incoming');
  }

  /**
   * Streams a file to disk, never holding it whole, checks it and keeps it. What is refused is removed; the stream is
   * read to its end in any case, so that the form around it can be read on.
   */
  async receive(stream: Readable, givenName: string, mostBytes = MOST_BYTES_PER_FILE): Promise<Receipt> {
    const name = cleanName(givenName);
    if (await this.disk.isNearlyFull()) return withoutRoom(name, stream);
    try {
      return await this.take(stream, name, mostBytes);
    } catch (error) {
      if (isDiskFull(error)) return withoutRoom(name, stream);
      throw error;
    }
  }

  private take(stream: Readable, name: string, mostBytes: number): Promise<Receipt> {
    return this.spooled(stream, mostBytes, async ({ path, size, sha256 }) => {
      if (size > mostBytes) return { ok: false, name, fault: 'too-large' };
      const checked = await checkFile(path, name, size);
      if (!checked.ok) return { ok: false, name, fault: checked.fault };
      const verdict = await this.scanner.scan(path);
      if (verdict !== 'clean') return { ok: false, name, fault: verdict };
      const file = randomBytes(24).toString('hex');
      await this.blobs.keep(file, path, { size, sha256 });
      const { contentType, width, height } = checked;
      return { ok: true, received: { name, contentType, size, sha256, file, width, height } };
    });
  }

  /**
   * A file that is not ours, once the scanner has found nothing in it. The answer is read from this machine's disk, where
   * it has no name any more.
   */
  async scanned(stream: Readable): Promise<Readable | 'unsafe' | 'unchecked'> {
    try {
      return await this.spooled(stream, Infinity, async ({ path }) => {
        const verdict = await this.scanner.scan(path);
        return verdict === 'clean' ? (await open(path)).createReadStream() : verdict;
      });
    } finally {
      stream.destroy();
    }
  }

  /** Null if it is gone. */
  read(file: string): Promise<Readable | null> {
    return this.blobs.read(file);
  }

  /** The preview that was made of a picture, if it was. */
  readPreview(file: string): Promise<Readable | null> {
    return this.blobs.read(previewOf(file));
  }

  async keepPreview(file: string, content: Buffer): Promise<void> {
    await this.withPath(async (path) => {
      const handle = await open(path, 'wx', 0o600);
      await handle.writeFile(content).finally(() => handle.close());
      const sha256 = createHash('sha256').update(content).digest('hex');
      await this.blobs.keep(previewOf(file), path, { size: content.length, sha256 });
    });
  }

  async remove(file: string): Promise<void> {
    await this.blobs.remove(file);
    await this.blobs.remove(previewOf(file));
  }

  /** Names of the files that came before that moment; a name may come twice, for the file and for its preview. */
  async *list(before: number): AsyncIterable<string> {
    for await (const name of this.blobs.list(before)) if (isBlobName(name)) yield name.slice(0, 48);
  }

  /** Removes what began to come in before that moment and can no longer be under way. */
  async clearIncoming(before: number): Promise<void> {
    await mkdir(this.incoming, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.incoming)) {
      const path = join(this.incoming, name);
      const facts = await stat(path).catch(() => null); // taken away meanwhile by whoever brought it
      if (facts && facts.mtimeMs < before) await rm(path, { force: true });
    }
  }

  /** Gives `use` the whole stream as a file of this machine; whatever is not kept of it is gone afterwards. */
  private spooled<T>(
    stream: Readable,
    mostBytes: number,
    use: (file: { path: string; size: number; sha256: string }) => Promise<T>,
  ): Promise<T> {
    return this.withPath(async (path) => use({ path, ...(await write(path, stream, mostBytes)) }));
  }

  private async withPath<T>(use: (path: string) => Promise<T>): Promise<T> {
    await mkdir(this.incoming, { recursive: true, mode: 0o700 });
    const path = join(this.incoming, randomBytes(24).toString('hex'));
    try {
      return await use(path);
    } finally {
      await rm(path, { force: true });
    }
  }
}

async function write(path: string, stream: Readable, mostBytes: number): Promise<{ size: number; sha256: string }> {
  const handle = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let size = 0;
  try {
    // Not ended with the loop: what the disk has no room for is read on, for the sake of the form around it.
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > mostBytes) continue; // read on, keep nothing more
      hash.update(chunk);
      await handle.write(chunk);
    }
  } finally {
    await handle.close();
  }
  return { size, sha256: hash.digest('hex') };
}

async function withoutRoom(name: string, stream: Readable): Promise<Receipt> {
  for await (const chunk of stream) void chunk;
  return { ok: false, name, fault: 'no-room' };
}

function previewOf(file: string): string {
  return `${file}preview`;
}
