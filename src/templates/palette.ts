/** The colours of a brand, and which of them can be read on which. The studio's pages hold to it too: it needs nothing else. */

/** Colours as `#1f6f5c`. */
export interface Palette {
  /** behind everything */
  ground: string;
  /** cards, fields */
  surface: string;
  /** a quiet fill on a surface: the code's box, one's own messages */
  soft: string;
  text: string;
  /** footers, times, hints */
  quiet: string;
  line: string;
  accent: string;
  /** text on the accent */
  onAccent: string;
  danger: string;
}

/** Pairs that must be readable, and how well: WCAG 2.2, 1.4.3 (AA) for text of any size. */
export const READABLE_PAIRS: readonly (readonly [keyof Palette, keyof Palette])[] = [
  ['text', 'ground'],
  ['text', 'surface'],
  ['text', 'soft'],
  ['quiet', 'ground'],
  ['quiet', 'surface'],
  ['quiet', 'soft'],
  ['accent', 'surface'],
  ['accent', 'ground'],
  ['danger', 'surface'],
  ['onAccent', 'accent'],
];
export const NEEDED_CONTRAST = 4.5;

/** Ratio of two colours' luminance, 1 to 21 (WCAG 2.2). */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

/** What a colour must be readable on, and is not. */
export function unreadable(palette: Palette, part: keyof Palette): { back: keyof Palette; ratio: number }[] {
  return READABLE_PAIRS.filter(([front]) => front === part)
    .map(([, back]) => ({ back, ratio: contrast(palette[part], palette[back]) }))
    .filter(({ ratio }) => ratio < NEEDED_CONTRAST);
}

/** The nearest colour towards black or white that can be read on all it must be; null if there is none. */
export function nearestReadable(palette: Palette, part: keyof Palette): string | null {
  for (let percent = 0; percent <= 100; percent++)
    for (const end of [0, 255]) {
      const colour = mix(palette[part], end, percent / 100);
      if (unreadable({ ...palette, [part]: colour }, part).length === 0) return colour;
    }
  return null;
}

/** A palette whose letters are all readable, each colour moved no further than it must be towards black or white. */
export function readable(palette: Palette): Palette {
  const better = { ...palette };
  // In the order of the pairs, so that what stands on the accent is held to the new one.
  for (const front of new Set(READABLE_PAIRS.map(([one]) => one)))
    better[front] = nearestReadable(better, front) ?? palette[front];
  return better;
}

/** `colour` moved by `part` (0 to 1) towards the grey of that value: 0 is black, 255 white. */
function mix(colour: string, end: number, part: number): string {
  const channel = (value: number) => Math.round(value + (end - value) * part);
  return `#${channels(colour)
    .map((value) => channel(value).toString(16).padStart(2, '0'))
    .join('')}`;
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = channels(colour).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
