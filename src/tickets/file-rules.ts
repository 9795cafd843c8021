import { fileTypeFromFile } from 'file-type';
import { imageSizeFromFile } from 'image-size/fromFile';
import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { endsAsArchive, isTameDocument } from './archive-rules.js';

export type FileFault = 'type' | 'mismatch' | 'empty' | 'too-large' | 'too-many-pixels' | 'unreadable';

export const MOST_PIXELS = 40_000_000;
const MOST_NAME_SIGNS = 150;

interface Kind {
  contentType: string;
  /** What the first bytes must say; null: plain text, which has none. */
  magic: string | null;
  isImage?: boolean;
  isOffice?: boolean;
}

const image = (contentType: string, magic: string): Kind => ({ contentType, magic, isImage: true });
const binary = (contentType: string, magic: string): Kind => ({ contentType, magic });
const office = (contentType: string, magic: string): Kind => ({ contentType, magic, isOffice: true });
const plain = (contentType: string): Kind => ({ contentType, magic: null });

/** By extension. No SVG, HTML, executable, archive, old Office or macro document: they can run or hide what runs. */
const kinds = new Map<string, Kind>(
  Object.entries({
    png: image('image/png', 'png'),
    jpg: image('image/jpeg', 'jpg'),
    jpeg: image('image/jpeg', 'jpg'),
    gif: image('image/gif', 'gif'),
    webp: image('image/webp', 'webp'),
    heic: image('image/heic', 'heic'),
    pdf: binary('application/pdf', 'pdf'),
    mp4: binary('video/mp4', 'mp4'),
    mov: binary('video/quicktime', 'mov'),
    webm: binary('video/webm', 'webm'),
    docx: office('application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'),
    xlsx: office('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'),
    odt: office('application/vnd.oasis.opendocument.text', 'odt'),
    ods: office('application/vnd.oasis.opendocument.spreadsheet', 'ods'),
    txt: plain('text/plain'),
    log: plain('text/plain'),
    csv: plain('text/csv'),
  }),
);

/** Pictures that are shown small beside their names. No HEIC: what reads it is patented, and not in the library. */
export const PREVIEWED = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);

/** For the file field's `accept` and for people. */
export const acceptedExtensions = [...kinds.keys()];

export type CheckedFile =
  { ok: true; contentType: string; width: number | null; height: number | null } | { ok: false; fault: FileFault };

/** Extension and content must both be allowed and agree, and the content must be nothing else besides. */
export async function checkFile(path: string, name: string, size: number): Promise<CheckedFile> {
  const kind = kinds.get(name.split('.').at(-1)!.toLowerCase());
  if (!kind || !name.includes('.')) return { ok: false, fault: 'type' };
  if (size === 0) return { ok: false, fault: 'empty' };
  const found = await fileTypeFromFile(path);
  if (kind.magic === null) {
    if (found !== undefined || !(await looksLikeText(path))) return { ok: false, fault: 'mismatch' };
  } else if (found?.ext !== kind.magic) return { ok: false, fault: 'mismatch' };
  const isOther = await withFile(path, (handle) =>
    kind.isOffice ? isTameDocument(handle, size).then((tame) => !tame) : isAlsoOther(handle, size, kind),
  );
  if (isOther) return { ok: false, fault: kind.isOffice ? 'type' : 'mismatch' };
  if (!kind.isImage) return { ok: true, contentType: kind.contentType, width: null, height: null };
  const measured = await measure(path);
  if (measured === null) return { ok: false, fault: 'unreadable' };
  if (measured.width * measured.height > MOST_PIXELS) return { ok: false, fault: 'too-many-pixels' };
  return { ok: true, contentType: kind.contentType, ...measured };
}

/** A name that is only a name: no path, control, bidi or reserved signs, no leading dot, no device, at most 150 signs. */
export function cleanName(given: string): string {
  const base = given.normalize('NFC').split(/[/\\]/).at(-1)!;
  const clean = base
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[<>:"|?*;%]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '')
    // To Windows these are devices, whatever comes after the dot.
    .replace(/^(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d¹²³])(?=\s*(?:\.|$))/i, '_$1');
  const signs = [...clean];
  if (signs.length <= MOST_NAME_SIGNS) return clean || 'file';
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(clean)?.[0] ?? '';
  return (
    signs
      .slice(0, MOST_NAME_SIGNS - extension.length)
      .join('')
      .trimEnd() + extension
  );
}

/** `Content-Disposition` of a download (RFC 6266): an ASCII name for old readers, the real one beside it. */
export function attachmentDisposition(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\]/g, '_');
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

async function withFile<T>(path: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(path);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** PDF readers take a header anywhere in the first KiB (ISO 32000-1, H.3.4.1); archives are read from their end. */
async function isAlsoOther(handle: FileHandle, size: number, { magic }: Kind): Promise<boolean> {
  const { buffer: head, bytesRead } = await handle.read(Buffer.alloc(1024), 0, 1024, 0);
  if (magic !== 'pdf' && head.subarray(0, bytesRead).includes('%PDF-')) return true;
  return endsAsArchive(handle, size);
}

function looksLikeText(path: string): Promise<boolean> {
  return withFile(path, async (handle) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head.includes(0)) return false;
    // The last character may be cut in two.
    return [0, 1, 2, 3].some((cut) => isUtf8(head.subarray(0, Math.max(0, bytesRead - cut))));
  });
}

/** As it is looked at, by the header alone: nothing is decoded. */
async function measure(path: string): Promise<{ width: number; height: number } | null> {
  try {
    const { width, height, orientation = 1 } = await imageSizeFromFile(path);
    if (!(width > 0 && height > 0)) return null;
    // From 5 on it lies on its side (EXIF 2.3, 4.6.4 A).
    return orientation >= 5 ? { width: height, height: width } : { width, height };
  } catch {
    return null; // not an image that can be measured, whatever its first bytes say
  }
}
