import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { contrast } from '../templates/palette.js';
import type { BrandView } from './page-views.js';

/** Names of the files of a folder that end so, sorted. */
export function filesOf(dir: string, extension: string): string[] {
  return readdirSync(dir)
    .filter((file) => extname(file) === extension)
    .sort();
}

/** `landing.hbs` and `parts/layout.hbs` → their text. */
export function readMarkup(dir: string): Map<string, string> {
  const files = [...filesOf(dir, '.hbs'), ...filesOf(join(dir, 'parts'), '.hbs').map((file) => `parts/${file}`)];
  return new Map(files.map((file) => [file, readFileSync(join(dir, file), 'utf8')]));
}

export interface Asset {
  /** `postern.css` */
  name: string;
  /** `/assets/<hash>/postern.css`: another content has another path, so it may be cached for ever. */
  path: string;
  type: string;
  content: Buffer;
  /** The same for whoever takes gzip (RFC 9110 8.4.1.3): a quarter of it. Made once, and it holds no secret. */
  gzipped: Buffer;
}

const ASSET_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Everything in `pages/assets/`, by name. */
export function loadAssets(templatesDir: string): Map<string, Asset> {
  const dir = join(templatesDir, 'pages', 'assets');
  const files = readdirSync(dir).filter((file) => extname(file) in ASSET_TYPES);
  return new Map(files.map((name) => [name, assetOf(name, readFileSync(join(dir, name)))]));
}

export function assetOf(name: string, content: Buffer): Asset {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const path = `/assets/${hash}/${name}`;
  return { name, path, type: ASSET_TYPES[extname(name)]!, content, gzipped: gzipSync(content, { level: 9 }) };
}

/** Grounds of postern.css, on which an accent must be readable as text. */
const GROUND = { light: '#ffffff', dark: '#17181b' };
const INK = { light: '#18191b', dark: '#ececef' };

/**
 * The brand's colours as a stylesheet. An accent too pale to read as text stays for buttons only, with dark or light
 * words on it, whichever contrasts more (WCAG 2.2, 1.4.3).
 * @throws Error when an accent is not `#rrggbb`, so that nothing else can get into the stylesheet
 */
export function brandCss(brand: Pick<BrandView, 'accent' | 'accentDark'>): string {
  const light = accentTokens(brand.accent, 'light');
  const dark = accentTokens(brand.accentDark, 'dark');
  return `:root{${light}}\n@media (prefers-color-scheme:dark){:root{${dark}}}\n@media print{:root{${light}}}\n`;
}

function accentTokens(accent: string, scheme: 'light' | 'dark'): string {
  if (!/^#[0-9a-f]{6}$/i.test(accent)) throw new Error(`accent "${accent}" is not a colour of the form #rrggbb`);
  const onAccent = contrast('#ffffff', accent) >= contrast('#111214', accent) ? '#ffffff' : '#111214';
  const text = contrast(accent, GROUND[scheme]) >= 4.8 ? accent : INK[scheme];
  return `--accent:${accent};--on-accent:${onAccent};--accent-text:${text}`;
}
