import type { FileHandle } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';

/** An end record may have a comment of 64 KiB behind it (APPNOTE 4.3.16). */
const TAIL_BYTES = 22 + 65_535;
const MOST_DIRECTORY_BYTES = 4 * 1024 * 1024;
const MOST_ENTRIES = 10_000;
const MOST_TYPES_BYTES = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** Unpacked: what an office program can still open. */
const MOST_UNPACKED_BYTES = 1024 * 1024 * 1024;

/** Parts of an office document that run, or bring what runs. Names compare without case (ECMA-376, part 2, 6.2.2.3). */
const RUNS =
  /vbaproject|vbadata|macrosheets\/|activex|(^|\/)basic\/|(^|\/)scripts\/|oleobject|\.(exe|dll|com|scr|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|jar|msi|lnk)$/i;
/** In `[Content_Types].xml`: a part of macros may be called anything, its type may not. */
const RUNNING_TYPES = /macroenabled|vbaproject|vbadata|macrosheet|activex|oleobject/i;

/** Names of macros, in the file as it lies there: its directory may leave out a part that a program finds all the same. */
const MACRO_NAMES = ['vbaProject', 'Basic/script-'];

interface Entry {
  name: string;
  isPacked: boolean;
  packedSize: number;
  size: number;
  offset: number;
}

/** Whether an office document (a ZIP archive) is whole, of a bearable size, and holds nothing that runs. */
export async function isTameDocument(handle: FileHandle, fileSize: number): Promise<boolean> {
  const entries = await readDirectory(handle, fileSize);
  if (entries === null || entries.some(({ name }) => RUNS.test(name))) return false;
  if (entries.reduce((sum, { size }) => sum + size, 0) > MOST_UNPACKED_BYTES) return false;
  const types = entries.filter(({ name }) => name.toLowerCase() === '[content_types].xml');
  // Two of a name: one for us to look at, the other for the program that opens it.
  if (new Set(entries.map(({ name }) => name.toLowerCase())).size !== entries.length) return false;
  for (const entry of types) {
    const text = await readEntry(handle, entry);
    if (text === null || RUNNING_TYPES.test(text)) return false;
  }
  return !(await namesMacros(handle, fileSize));
}

async function namesMacros(handle: FileHandle, fileSize: number): Promise<boolean> {
  let seen = Buffer.alloc(0);
  for (let at = 0; at < fileSize; at += CHUNK_BYTES) {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, at);
    // With the end of what came before: a name may be cut in two.
    seen = Buffer.concat([seen.subarray(-16), buffer.subarray(0, bytesRead)]);
    if (MACRO_NAMES.some((name) => seen.includes(name))) return true;
  }
  return false;
}

/** Whether an archive stands at the end of a file: a picture or text with one behind it is both, to whoever opens it. */
export async function endsAsArchive(handle: FileHandle, fileSize: number): Promise<boolean> {
  const end = await findEnd(handle, fileSize);
  return end !== null && end.entries > 0;
}

async function findEnd(handle: FileHandle, fileSize: number) {
  const length = Math.min(TAIL_BYTES, fileSize);
  const { buffer: tail, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, fileSize - length);
  const at = tail.subarray(0, bytesRead).lastIndexOf(Buffer.from('504b0506', 'hex'));
  if (at === -1 || at + 22 > bytesRead) return null;
  return {
    entries: tail.readUInt16LE(at + 10),
    directorySize: tail.readUInt32LE(at + 12),
    directoryOffset: tail.readUInt32LE(at + 16),
    at: fileSize - length + at,
    isLast: at + 22 + tail.readUInt16LE(at + 20) === bytesRead,
  };
}

/** Null where it is broken, too large, or of the 64-bit kind, which no document of this size needs. */
async function readDirectory(handle: FileHandle, fileSize: number): Promise<Entry[] | null> {
  const end = await findEnd(handle, fileSize);
  if (end === null || !end.isLast || end.entries === 0 || end.entries > MOST_ENTRIES) return null;
  if (end.directorySize > MOST_DIRECTORY_BYTES || end.directoryOffset + end.directorySize !== end.at) return null;
  const { buffer: directory, bytesRead } = await handle.read(
    Buffer.alloc(end.directorySize),
    0,
    end.directorySize,
    end.directoryOffset,
  );
  const entries: Entry[] = [];
  let at = 0;
  while (at + 46 <= bytesRead) {
    if (directory.readUInt32LE(at) !== 0x02014b50) return null;
    const nameLength = directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameLength),
      isPacked: directory.readUInt16LE(at + 10) !== 0,
      packedSize: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries.length === end.entries ? entries : null;
}

async function readEntry(handle: FileHandle, entry: Entry): Promise<string | null> {
  if (entry.packedSize > MOST_TYPES_BYTES) return null;
  const { buffer: head, bytesRead } = await handle.read(Buffer.alloc(30), 0, 30, entry.offset);
  if (bytesRead < 30 || head.readUInt32LE(0) !== 0x04034b50) return null;
  const from = entry.offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  const { buffer: packed } = await handle.read(Buffer.alloc(entry.packedSize), 0, entry.packedSize, from);
  try {
    const content = entry.isPacked ? inflateRawSync(packed, { maxOutputLength: MOST_TYPES_BYTES }) : packed;
    // An XML file may be UTF-16, which holds a NUL beside each of our letters.
    return content.toString('latin1').replaceAll('\0', '');
  } catch {
    return null; // broken, or larger than any such file
  }
}
