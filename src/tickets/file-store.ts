import { Injectable } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { Config } from '../config.js';
import { checkFile, cleanName, type FileFault } from './file-rules.js';

export const MOST_FILES_PER_REPLY = 5;
export const MOST_BYTES_PER_FILE = 10 * 1024 * 1024;
export const MOST_BYTES_PER_REPLY = 25 * 1024 * 1024;

/** A file that was received whole, checked and made durable. */
export interface ReceivedFile {
  name: string;
  contentType: string;
  size: number;
  sha256: string;
  /** Its random name in the store. */
  file: string;
}

export type Receipt = { ok: true; received: ReceivedFile } | { ok: false; name: string; fault: FileFault };

/** Files of replies, in `DATA_DIR/files`, under random names and outside of any web root. */
@Injectable()
export class FileStore {
  private readonly folder: string;

  constructor(config: Config) {
    this.folder = join(config.dataDir, 'files');
  }

  /**
   * Streams a file to disk, never holding it whole, and checks it. What is refused is removed; the stream is read to its
   * end in any case, so that the form around it can be read on.
   */
  async receive(stream: Readable, givenName: string, mostBytes = MOST_BYTES_PER_FILE): Promise<Receipt> {
    const file = randomBytes(24).toString('hex');
    const name = cleanName(givenName);
    const { size, sha256 } = await this.write(file, stream, mostBytes);
    const checked = await this.check(file, name, size, mostBytes);
    if (checked.ok) return { ok: true, received: { name, contentType: checked.contentType, size, sha256, file } };
    await this.remove(file);
    return { ok: false, name, fault: checked.fault };
  }

  /** Null if it is gone: nothing may have been answered before that is known. */
  async read(file: string): Promise<Readable | null> {
    try {
      return (await open(this.path(file))).createReadStream();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  async remove(file: string): Promise<void> {
    await rm(this.path(file), { force: true });
  }

  private async check(file: string, name: string, size: number, mostBytes: number): ReturnType<typeof checkFile> {
    if (size > mostBytes) return { ok: false, fault: 'too-large' };
    try {
      return await checkFile(this.path(file), name, size);
    } catch (error) {
      await this.remove(file);
      throw error;
    }
  }

  private async write(file: string, stream: Readable, mostBytes: number): Promise<{ size: number; sha256: string }> {
    await mkdir(dirname(this.path(file)), { recursive: true, mode: 0o700 });
    const handle = await open(this.path(file), 'wx', 0o600);
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > mostBytes) continue; // read on, keep nothing more
        hash.update(chunk);
        await handle.write(chunk);
      }
      // The reply's row must never be durable while its file is not.
      await handle.sync();
    } catch (error) {
      await this.remove(file);
      throw error;
    } finally {
      await handle.close();
    }
    return { size, sha256: hash.digest('hex') };
  }

  private path(file: string): string {
    if (!/^[0-9a-f]{48}$/.test(file)) throw new Error('not a name of the file store');
    return join(this.folder, file.slice(0, 2), file);
  }
}
