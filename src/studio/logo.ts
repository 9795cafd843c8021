import sharp from 'sharp';
import { Slots } from '../platform/slots.js';

/** Bytes of an upload. */
export const LARGEST_UPLOAD = 512 * 1024;
/** Bytes of what is kept: it stands in every page, and on the phone of everybody who opens a mail. */
const LARGEST_LOGO = 64 * 1024;
/** Pixels: twice the 320 × 80 that a brand's logo may be shown large. */
const LARGEST = { width: 640, height: 160 };
const SMALLEST = 16;
/** A logo of more pixels is none: it is a bomb, or a photograph. */
const MOST_PIXELS = 16_000_000;
const LONGEST_SECONDS = 5;
/** By which a picture that is too heavy is made smaller. */
const STEPS = [1, 0.75, 0.5, 0.35];

/** By their first bytes, before anything reads them: what else libvips could open never gets there. */
const SIGNATURES: [string, (bytes: Buffer) => boolean][] = [
  ['png', (bytes) => bytes.subarray(0, 8).equals(Buffer.from('89504e470d0a1a0a', 'hex'))],
  ['jpeg', (bytes) => bytes.subarray(0, 3).equals(Buffer.from('ffd8ff', 'hex'))],
  ['webp', (bytes) => bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP'],
];

const slots = new Slots(1, 10);

export type ReadLogo = { ok: true; png: Buffer } | { ok: false; detail: string };

/** A PNG made anew from the pixels of a picture: no metadata, nothing behind its end, no other format in disguise. */
export async function readLogo(content: Buffer): Promise<ReadLogo> {
  const format = SIGNATURES.find(([, fits]) => fits(content))?.[0];
  if (format === undefined) return { ok: false, detail: 'Only a PNG, JPEG or WebP can be a logo.' };
  const made = await slots.run(() => reencode(content, format));
  return made ?? { ok: false, detail: 'Too many pictures are being read. Try again in a moment.' };
}

async function reencode(content: Buffer, format: string): Promise<ReadLogo> {
  try {
    const options = { limitInputPixels: MOST_PIXELS, failOn: 'error', pages: 1 } as const;
    const found = await sharp(content, options).metadata();
    if (found.format !== format) return { ok: false, detail: 'The picture is not what its first bytes say.' };
    for (const step of STEPS) {
      const { data, info } = await sharp(content, options)
        .rotate()
        .resize({
          width: Math.round(LARGEST.width * step),
          height: Math.round(LARGEST.height * step),
          fit: 'inside',
          withoutEnlargement: true,
        })
        .png({ compressionLevel: 9, palette: step < 1 })
        .timeout({ seconds: LONGEST_SECONDS })
        .toBuffer({ resolveWithObject: true });
      if (info.width < SMALLEST || info.height < SMALLEST)
        return { ok: false, detail: `The logo must have at least ${SMALLEST} × ${SMALLEST} pixels.` };
      if (data.length <= LARGEST_LOGO) return { ok: true, png: data };
    }
    return { ok: false, detail: 'The logo is too detailed: use a simpler picture.' };
  } catch {
    // Broken, too many pixels, or too slow: whoever sent it can only send another one.
    return { ok: false, detail: 'The picture could not be read, or has more than 16 megapixels.' };
  }
}
