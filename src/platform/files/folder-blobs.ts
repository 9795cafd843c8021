import { copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { checkBlobName, type Blobs } from './blobs.js';

/** Files in a folder of this machine (or a share that all processes see), which nobody else may read. */
export class FolderBlobs implements Blobs {
  constructor(private readonly folder: string) {}

  async keep(name: string, path: string): Promise<void> {
    const place = this.path(name);
    await mkdir(dirname(place), { recursive: true, mode: 0o700 });
    await move(path, place);
    await sync(place);
    // The name must not be lost either, or the row would be durable while its file is not.
    await sync(dirname(place));
  }

  async read(name: string): Promise<Readable | null> {
    const handle = await unlessGone(open(this.path(name)));
    return handle && handle.createReadStream();
  }

  async remove(name: string): Promise<void> {
    await rm(this.path(name), { force: true });
  }

  async *list(before: number): AsyncIterable<string> {
    for (const shelf of (await unlessGone(readdir(this.folder))) ?? [])
      for (const name of /^[0-9a-f]{2}$/.test(shelf) ? await readdir(join(this.folder, shelf)) : []) {
        const facts = await unlessGone(stat(join(this.folder, shelf, name)));
        if (facts && facts.mtimeMs < before) yield name;
      }
  }

  private path(name: string): string {
    checkBlobName(name);
    return join(this.folder, name.slice(0, 2), name);
  }
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    // Another file system: under a name that no row has before it is whole.
    await copyFile(from, `${to}.part`);
    await rename(`${to}.part`, to);
    await rm(from, { force: true });
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
