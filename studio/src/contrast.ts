export interface Palette {
  ground: string;
  surface: string;
  soft: string;
  text: string;
  quiet: string;
  line: string;
  accent: string;
  onAccent: string;
  danger: string;
}

/** Pairs that must be readable, and how well (WCAG 2.2, 1.4.3); the server holds to the same. */
export const readable: readonly (readonly [keyof Palette, keyof Palette])[] = [
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
export const NEEDED = 4.5;

/** From 1 to 21; of colours like `#0e6b5a`. */
export function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** What a colour must be readable on, and is not. */
export function unreadable(palette: Palette, part: keyof Palette): { back: keyof Palette; ratio: number }[] {
  return readable
    .filter(([front]) => front === part)
    .map(([, back]) => ({ back, ratio: contrast(palette[part], palette[back]) }))
    .filter(({ ratio }) => ratio < NEEDED);
}

/** The nearest colour towards black or white that can be read on all it must be; null if there is none. */
export function nearestReadable(palette: Palette, part: keyof Palette): string | null {
  for (let step = 1; step <= 100; step++)
    for (const end of [0, 255]) {
      const colour = mixed(palette[part], end, step / 100);
      if (unreadable({ ...palette, [part]: colour }, part).length === 0) return colour;
    }
  return null;
}

function mixed(colour: string, end: number, share: number): string {
  const parts = [1, 3, 5].map((at) => {
    const from = Number.parseInt(colour.slice(at, at + 2), 16);
    return Math.round(from + (end - from) * share)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${parts.join('')}`;
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
