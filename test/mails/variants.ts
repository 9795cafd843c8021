import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { type Brand, loadBrand } from '../../src/templates/brand.js';
import { type RenderedMail, TemplateCatalogue } from '../../src/templates/catalogue.js';
import { readSamples } from '../../src/templates/samples.js';
import { type MailValues, type TemplateKey, templateKeys } from '../../src/templates/values.js';

const CHECK = { checkUrl: 'https://support.example/check', checkReference: '7QK3-M8WD-2XHVA' };
const WIDE = 640;
const NARROW = 360;

/** One way to look at a mail. */
export interface Variant {
  name: 'phone' | 'desktop' | 'dark' | 'long values' | 'empty name' | 'text';
  /** CSS pixels. */
  width: number;
  /** What differs from the key's first sample. */
  values: Record<string, unknown>;
}

/** Long values are the longest that a ticket system may send and still be believed. */
export const variants: readonly Variant[] = [
  { name: 'phone', width: NARROW, values: {} },
  { name: 'dark', width: NARROW, values: {} },
  {
    name: 'long values',
    width: NARROW,
    values: {
      ticketNumber: 'ACME-SUPPORT-ESCALATION-2026-000098231',
      recipientName: 'Bartholomäus-Maximilian Wolkenstein',
      updateCount: 12_345,
      codeMinutes: 60,
    },
  },
  { name: 'empty name', width: NARROW, values: { recipientName: '', guest: false } },
  { name: 'desktop', width: WIDE, values: {} },
  { name: 'text', width: WIDE, values: {} },
];

/** Some variants are the same mail, looked at in another way: they need no test of their own. */
export function isMailOfItsOwn({ variant }: MailVariant): boolean {
  return variant.name === 'phone' || Object.keys(variant.values).length > 0;
}

interface Templates {
  templatesDir?: string;
  /** What the build made of the layouts. */
  shellsDir?: string;
}

const TEMPLATES = join(packageRoot, 'templates');

export function openCatalogue({
  templatesDir = TEMPLATES,
  shellsDir = join(packageRoot, 'dist', 'templates', 'shells'),
}: Templates = {}): TemplateCatalogue {
  return TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale: 'en' });
}

export interface MailVariant {
  key: TemplateKey;
  variant: Variant;
  mail: RenderedMail;
}

/** The mails of a locale in all variants, key by key. A key without usable words there is left out. */
export function mailsIn(
  catalogue: TemplateCatalogue,
  locale: string,
  templatesDir = TEMPLATES,
  brand: Brand = loadBrand(templatesDir, 'default'),
): MailVariant[] {
  return templateKeys
    .filter((key) => catalogue.resolveLocale(locale, key).locale === locale)
    .flatMap((key) => {
      const [sample] = readSamples(templatesDir, key, brand);
      const known = Object.keys(sample!.values);
      return variants.map((variant) => {
        const own = Object.entries(variant.values).filter(([name]) => known.includes(name));
        const values = { ...CHECK, ...sample!.values, ...Object.fromEntries(own) } as MailValues;
        return { key, variant, mail: catalogue.render(key, locale, values) };
      });
    });
}

/** A mail's HTML as it looks to whoever reads in the dark. */
export function darkened(html: string): string {
  return html.replace('(prefers-color-scheme:dark)', 'all');
}
