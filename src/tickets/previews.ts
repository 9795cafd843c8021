import { Injectable } from '@nestjs/common';
import sharp from 'sharp';
import { buffer } from 'node:stream/consumers';
import { Logger } from '../platform/logger.js';
import { Slots, SlotsByKey } from '../platform/slots.js';
import { MOST_PIXELS, PREVIEWED } from './file-rules.js';
import { FileStore } from './file-store.js';
import type { Attachment } from './ticket.entity.js';

/** The longer side of a preview: sharp on a phone of two pixels to the point, and small to send. */
const LONGEST_SIDE = 640;
const LONGEST_SECONDS = 10;
const QUALITY = 78;
/** A picture of 40 megapixels takes 160 MB while it is read: two at once is all that a small machine has room for. */
const AT_ONCE = 2;
const MOST_WAITING = 20;
/** For one session one is made at a time, however many its page asks for: the other place is always somebody else's. */
const MOST_WAITING_OF_ONE = 60;

/** Kept in place of a preview: a picture that cannot be read takes up to ten seconds to say so, at each look of anybody. */
const UNREADABLE = Buffer.alloc(0);

// Each picture comes once: what libvips would keep of it is memory for nothing.
sharp.cache(false);
sharp.concurrency(1);

/** Small pictures of pictures, made anew from their pixels, so that nothing of the file itself is shown to a browser. */
@Injectable()
export class Previews {
  private readonly slots = new Slots(AT_ONCE, MOST_WAITING);
  private readonly ofOne = new SlotsByKey(1, MOST_WAITING_OF_ONE);

  constructor(
    private readonly files: FileStore,
    private readonly logger: Logger,
  ) {}

  /** WebP; null for what has no preview, is gone, or is no picture after all. `asker`: the session that looks at it. */
  async open(attachment: Attachment, asker: string): Promise<Buffer | null> {
    const { file } = attachment;
    if (file === null || !hasPreview(attachment)) return null;
    const make = async () => (await this.kept(file)) ?? this.slots.run(() => this.make(file));
    const preview = (await this.kept(file)) ?? (await this.ofOne.run(asker, make));
    return preview === null || preview.length === 0 ? null : preview;
  }

  /** What was made of it; null if that was not tried yet. */
  private async kept(file: string): Promise<Buffer | null> {
    const kept = await this.files.readPreview(file);
    return kept && buffer(kept);
  }

  private async make(file: string): Promise<Buffer | null> {
    const stream = await this.files.read(file);
    if (stream === null) return null;
    const made = await reencode(await buffer(stream));
    if (made === null) this.logger.info('a picture could not be read, and has no preview');
    const preview = made ?? UNREADABLE;
    // Made twice by two processes it is the same picture.
    await this.files.keepPreview(file, preview);
    return preview;
  }
}

/** The preview's size, in pixels. */
export function previewSize({ width, height }: { width: number; height: number }): { width: number; height: number } {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

export function hasPreview({ file, width, height, contentType }: Attachment): boolean {
  return file !== null && width !== null && height !== null && PREVIEWED.has(contentType);
}

/** Its first frame, upright, without metadata (EXIF, GPS, comments): sharp writes none unless told. */
async function reencode(content: Buffer): Promise<Buffer | null> {
  try {
    return await sharp(content, { limitInputPixels: MOST_PIXELS, failOn: 'error', pages: 1 })
      .rotate()
      .resize({ width: LONGEST_SIDE, height: LONGEST_SIDE, fit: 'inside', withoutEnlargement: true })
      .webp({ quality: QUALITY })
      .timeout({ seconds: LONGEST_SECONDS })
      .toBuffer();
  } catch {
    return null; // broken, endless, or not what its header says: the file itself can still be downloaded
  }
}
