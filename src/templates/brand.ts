/** How Postern looks under one name: read from `templates/brands/<name>/brand.json`, used by mails and pages alike. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { StartError } from '../errors.js';
import { parseAddress, parseMailbox } from '../platform/address.js';
import { matchLocale } from '../platform/locale.js';
import { isOneLine } from '../platform/one-line.js';
import { parseUrl } from '../platform/url.js';
import { contrast, NEEDED_CONTRAST, READABLE_PAIRS, readable, type Palette } from './palette.js';

const hex = z.string().regex(/^#[0-9a-f]{6}$/, 'must be a colour like #1f6f5c (six hexadecimal digits, lower case)');

/** The whole of a mailto: address is one mailbox: neither further recipients nor words of somebody else. */
function isContact(text: string): boolean {
  const url = parseUrl(text);
  if (url?.protocol === 'mailto:') return parseAddress(url.pathname).ok && url.search === '' && url.hash === '';
  return url?.protocol === 'https:' && url.username === '' && url.password === '';
}

const paletteShape: z.ZodType<Palette> = z.strictObject({
  ground: hex,
  surface: hex,
  soft: hex,
  text: hex,
  quiet: hex,
  line: hex,
  accent: hex,
  onAccent: hex,
  danger: hex,
});

const footerLine = z.string().trim().min(1).max(300);

const brandShape = z.strictObject({
  name: z.string().trim().min(1).max(60).refine(isOneLine, 'must be plain words in one line'),
  /** Sender of this brand's mails, `Name <address>`; else MAIL_FROM. */
  sender: z
    .string()
    .refine((text) => parseMailbox(text, { allowLocalhost: true }).ok, {
      message: 'must be a name and an address like Acme Support <no-reply@acme.example>',
    })
    .optional(),
  /** Where a closed ticket sends people who need more help: a page (`https:`) or a mailbox (`mailto:`). */
  contact: z
    .string()
    .max(500)
    .refine(isContact, 'must be an https: or mailto: address, e.g. mailto:support@example.com')
    .optional(),
  /** Last line of each mail, such as the firm and its postal address: one for all languages, or one for each. */
  footer: z.union([footerLine, z.record(z.string(), footerLine)]).optional(),
  /** A PNG, JPEG, GIF or WebP beside brand.json, shown `width` × `height` CSS pixels large. Without it the name is set in type. */
  logo: z
    .strictObject({
      file: z.string().regex(/^[\w-]+\.(?:png|jpg|gif|webp)$/),
      width: z.int().min(8).max(320),
      height: z.int().min(8).max(80),
    })
    .optional(),
  /** CSS pixels */
  radius: z.int().min(0).max(24),
  light: paletteShape,
  dark: paletteShape,
});

export interface Brand extends z.infer<typeof brandShape> {
  /** The folder's name. */
  key: string;
}

/**
 * Reads one brand. What its file leaves out (a colour, the radius) is taken from the default brand.
 * @throws StartError that names the file and every problem: no such brand, a wrong colour, a pair nobody could read.
 */
export function loadBrand(templatesDir: string, key: string): Brand {
  const file = join(templatesDir, 'brands', key, 'brand.json');
  if (!/^[a-z0-9][a-z0-9-]*$/.test(key) || !existsSync(file)) {
    throw new StartError(
      `There is no brand "${key}": make ${join('templates', 'brands', key, 'brand.json')}, or name another brand.`,
    );
  }
  const parsed = brandShape.safeParse(withDefaults(readJson(file), templatesDir, key));
  const problems = parsed.success
    ? unreadable(parsed.data).map(({ message }) => message)
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  const logo = parsed.data?.logo;
  if (logo && !existsSync(join(templatesDir, 'brands', key, logo.file)))
    problems.push(`logo.file: ${logo.file} is not there`);
  if (!parsed.success || problems.length) throw new StartError(`${file} is not usable:\n  ${problems.join('\n  ')}`);
  return { key, ...parsed.data };
}

/** What is wrong with a brand, and where. */
export interface BrandProblem {
  /** `light.text`, `footer.id` */
  place: string;
  message: string;
  /** Of a pair of colours that cannot be read: what it stands on, their ratio, the one that is needed, and what would pass. */
  on?: string;
  ratio?: number;
  needed?: number;
  suggestion?: string | null;
}

const editedShape = brandShape.omit({ logo: true });

/** What is edited of a brand; all of it is given, nothing is taken from the default brand. */
export type BrandSettings = z.infer<typeof editedShape>;

/** Checks what somebody made of a brand as its file is checked. */
export function checkBrand(
  settings: unknown,
): { ok: true; settings: BrandSettings } | { ok: false; problems: BrandProblem[] } {
  const parsed = editedShape.safeParse(settings);
  const problems = parsed.success
    ? unreadable(parsed.data)
    : parsed.error.issues.map(({ path, message }) => ({ place: path.join('.'), message }));
  return parsed.success && problems.length === 0 ? { ok: true, settings: parsed.data } : { ok: false, problems };
}

/** The brand's own last line for a locale: its own, its language's, else the first that there is; '' without any. */
export function footerLineFor({ footer = {} }: Pick<Brand, 'footer'>, locale: string): string {
  if (typeof footer === 'string') return footer;
  const own = matchLocale([locale], Object.keys(footer))?.locale;
  return (own ? footer[own] : Object.values(footer)[0]) ?? '';
}

const LATIN = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Helvetica Neue', Arial";
const SCRIPT_FONTS: Readonly<Record<string, string>> = {
  Arab: "'Segoe UI', 'Geeza Pro', 'Noto Sans Arabic', 'Noto Naskh Arabic', Tahoma",
  Hebr: "'Segoe UI', 'Arial Hebrew', 'Noto Sans Hebrew'",
  Thai: "'Leelawadee UI', Thonburi, 'Noto Sans Thai'",
  Deva: "'Nirmala UI', 'Kohinoor Devanagari', 'Noto Sans Devanagari'",
  Beng: "'Nirmala UI', 'Kohinoor Bangla', 'Noto Sans Bengali'",
  Hans: "'PingFang SC', 'Microsoft YaHei', 'Noto Sans SC'",
  Hant: "'PingFang TC', 'Microsoft JhengHei', 'Noto Sans TC'",
  Jpan: "'Hiragino Sans', 'Yu Gothic', Meiryo, 'Noto Sans JP'",
  Kore: "'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR'",
};

/** CSS font-family for a locale's script: fonts that the system has, none that must be fetched. */
export function fontStack(locale: string): string {
  const script = new Intl.Locale(locale).maximize().script ?? 'Latn';
  return [LATIN, SCRIPT_FONTS[script], 'sans-serif'].filter(Boolean).join(', ');
}

function readJson(file: string): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new StartError(`${file} is not a JSON object: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function withDefaults(own: Record<string, unknown>, templatesDir: string, key: string): Record<string, unknown> {
  if (key === 'default') return own;
  const base = readJson(join(templatesDir, 'brands', 'default', 'brand.json'));
  const { radius, light, dark } = base;
  const over = (name: string, palette: unknown) => ({ ...(palette as object), ...(own[name] as object | undefined) });
  return { radius, ...own, light: over('light', light), dark: over('dark', dark) };
}

function unreadable(brand: Pick<Brand, 'light' | 'dark'>): BrandProblem[] {
  return (['light', 'dark'] as const).flatMap((mode) => {
    const palette = brand[mode];
    const poor = READABLE_PAIRS.map(([front, back]) => ({
      front,
      back,
      ratio: contrast(palette[front], palette[back]),
    })).filter(({ ratio }) => ratio < NEEDED_CONTRAST);
    if (poor.length === 0) return [];
    const better = readable(palette);
    return poor.map(({ front, back, ratio }) => {
      const pair = `${mode}.${front} on ${mode}.${back} has a contrast of ${ratio.toFixed(2)}, and needs ${NEEDED_CONTRAST}`;
      const changed = ([front, back] as const).find((name) => better[name] !== palette[name]);
      const fix = changed
        ? `${mode}.${changed} ${better[changed]} would pass`
        : 'no colour is readable on all it is on';
      const message = `${pair} (${palette[front]} on ${palette[back]}): ${fix}`;
      const place = { place: `${mode}.${changed ?? front}`, on: `${mode}.${changed === back ? front : back}` };
      const suggestion = changed ? better[changed] : null;
      return { ...place, message, ratio: Number(ratio.toFixed(2)), needed: NEEDED_CONTRAST, suggestion };
    });
  });
}
