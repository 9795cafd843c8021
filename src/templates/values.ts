/** What a mail can say: its keys, the values each may use, and how a value is made safe before it is filled in. */
import { type Brand, footerLineFor } from './brand.js';
import type { Palette } from './palette.js';
import type { ValueKind, Vocabulary } from './mustache.js';
import { parseUrl } from '../platform/url.js';

/** Every mail and the layout it stands in. */
export const templateLayouts = {
  'ticket-created': 'notification',
  'ticket-replied': 'notification',
  'ticket-info-requested': 'notification',
  'ticket-resolved': 'notification',
  'ticket-reopened': 'notification',
  'ticket-closed': 'notification',
  'ticket-summary': 'notification',
  'access-code': 'code',
  'link-renewed': 'notification',
} as const;

export type TemplateKey = keyof typeof templateLayouts;
export type LayoutName = (typeof templateLayouts)[TemplateKey];
export const templateKeys = Object.keys(templateLayouts) as TemplateKey[];

interface CommonValues {
  ticketNumber: string;
  /** As the source gave it, or ''. Anybody may have chosen it: see `greetingName`. */
  recipientName: string;
  /** When it happened, milliseconds since 1970. */
  occurredAt: number;
  /** IANA name; an unknown one or '' means UTC. */
  timeZone: string;
  brand: Brand;
  /** Absolute URL of the brand's logo. Without it the mail needs nothing from the network. */
  logoUrl?: string;
  /** Page and reference by which the reader checks that the mail is from us. Both or none. */
  checkUrl?: string;
  checkReference?: string;
}

export interface TicketMailValues extends CommonValues {
  /** The recipient has no account, so the link will ask for a code. */
  guest: boolean;
  /** The signed link, or the account's own page. */
  link: string;
  /** How many updates this mail tells of. */
  updateCount: number;
}

export interface CodeMailValues extends CommonValues {
  code: string;
  /** Short, not secret, the same on the page that asks for the code. */
  reference: string;
  /** How long the code is valid. */
  codeMinutes: number;
}

export type MailValues<K extends TemplateKey = TemplateKey> = K extends 'access-code'
  ? CodeMailValues
  : TicketMailValues;

const COMMON = {
  ticketNumber: 'word',
  greetingName: 'word',
  occurredAt: 'time',
  'brand.name': 'text',
  checkUrl: 'url',
  checkReference: 'word',
} as const satisfies Vocabulary;

const WORDS: Readonly<Record<LayoutName, Vocabulary>> = {
  notification: { ...COMMON, guest: 'flag', canReply: 'flag', updateCount: 'count' },
  code: { ...COMMON, reference: 'word', codeMinutes: 'count' },
};

const PLACED_BY: Readonly<Record<LayoutName, Vocabulary>> = { notification: { link: 'url' }, code: { code: 'word' } };

/**
 * Values that a mail's words may name. Link and code are not among them: the layout alone places them, so that there is
 * one link, and no subject can leak a code.
 */
export function wordsVocabulary(layout: LayoutName): Vocabulary {
  return WORDS[layout];
}

/** Values that a layout may name: its words' own, its link or code, and the brand's looks. */
export function layoutVocabulary(layout: LayoutName, brand: Brand): Vocabulary {
  const looks: Record<string, ValueKind> = {
    logoUrl: 'url',
    'brand.radius': 'text',
    'brand.footer': 'text',
    'brand.logo.width': 'text',
    'brand.logo.height': 'text',
  };
  for (const mode of ['light', 'dark'] as const) {
    for (const name of Object.keys(brand[mode]) as (keyof Palette)[]) looks[`brand.${mode}.${name}`] = 'text';
  }
  return { ...WORDS[layout], ...PLACED_BY[layout], ...looks };
}

/** What a template is filled with: every name of the vocabulary present, every string one clean line. */
export type TemplateContext = Readonly<Record<string, unknown>>;

/** The mails after which the ticket takes no replies. */
const LAST_MAILS: ReadonlySet<TemplateKey> = new Set(['ticket-closed']);

/**
 * Makes values safe to fill in.
 * @param allowHttp plain http links may be written: only where PUBLIC_URL itself is http
 * @throws RangeError if a URL is not one that a mail may carry
 */
export function templateContext(
  key: TemplateKey,
  values: TicketMailValues | CodeMailValues,
  locale: string,
  allowHttp: boolean,
): TemplateContext {
  const { brand } = values;
  const url = (text: string | undefined, name: string) => (text ? safeUrl(text, name, allowHttp) : '');
  const common = {
    locale,
    timeZone: values.timeZone,
    ticketNumber: singleLine(values.ticketNumber),
    greetingName: greetingName(values.recipientName),
    occurredAt: values.occurredAt,
    checkUrl: values.checkReference ? url(values.checkUrl, 'checkUrl') : '',
    checkReference: singleLine(values.checkReference ?? ''),
    logoUrl: brand.logo ? url(values.logoUrl, 'logoUrl') : '',
    brand: brandValues(brand, locale),
  };
  if ('code' in values) {
    return {
      ...common,
      code: singleLine(values.code),
      reference: singleLine(values.reference),
      codeMinutes: values.codeMinutes,
    };
  }
  return {
    ...common,
    guest: values.guest,
    canReply: !LAST_MAILS.has(key),
    link: safeUrl(values.link, 'link', allowHttp),
    updateCount: values.updateCount,
  };
}

type BrandValues = { name: string; footer: string } & Readonly<Record<string, unknown>>;

/** A brand as templates of a locale see it. It is read from a file once and used for every mail. */
function brandValues(brand: Brand, locale: string): BrandValues {
  const known = cleanBrands.get(brand)?.get(locale);
  if (known) return known;
  const made = {
    ...brand,
    name: singleLine(brand.name),
    footer: singleLine(footerLineFor(brand, locale)),
    logo: brand.logo ?? { width: 0, height: 0 },
  };
  const ofBrand = cleanBrands.get(brand) ?? new Map<string, BrandValues>();
  cleanBrands.set(brand, ofBrand.set(locale, made));
  return made;
}
const cleanBrands = new WeakMap<Brand, Map<string, BrandValues>>();

/** What a brand puts into each of its mails in a locale, by the paths that templates name it with. */
export function brandConstants(brand: Brand, locale: string): Record<string, string> {
  const { name, footer } = brandValues(brand, locale);
  const { radius, light, dark, logo } = brand;
  const constants: Record<string, string> = {
    'brand.name': name,
    'brand.footer': footer,
    'brand.radius': String(radius),
    'brand.logo.width': String(logo?.width ?? 0),
    'brand.logo.height': String(logo?.height ?? 0),
  };
  for (const [mode, palette] of Object.entries({ light, dark }))
    for (const [part, colour] of Object.entries(palette)) constants[`brand.${mode}.${part}`] = colour;
  return constants;
}

/**
 * A name fit for "Hello …", or '' for a greeting without one.
 * Anybody can open a ticket in somebody else's name and address, so a "name" may be an advertisement or a trap that our
 * own server would then send. Only what looks like a person's name is kept: letters of any script, few words, short.
 */
export function greetingName(name: string): string {
  const text = name.normalize('NFC').replace(/\s+/gu, ' ').trim();
  if (text.length > 40 || text.split(' ').length > 5) return '';
  // Mail programs turn "pay.example" into a link by themselves: a dot may only end a word ("J. R.").
  if (/\.[^\s]/u.test(text) || /\d{3}|www/iu.test(text)) return '';
  return /^[\p{L}\p{M}][\p{L}\p{M}\d '’ʼ.,·-]*$/u.test(text) ? text : '';
}

// Control characters, line and paragraph separators, and the marks that turn the reading direction around.
const UNSEEN = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu;

/** `text` without anything that could start a line, end a header or reorder what is read. */
function singleLine(text: string): string {
  return text.replace(UNSEEN, ' ').trim();
}

/** `text` itself, if a mail may carry it as an address. */
function safeUrl(text: string, name: string, allowHttp: boolean): string {
  const schemes = allowHttp ? ['https:', 'http:', 'mailto:'] : ['https:', 'mailto:'];
  const plain = /^[!#-;=?-~]+$/.test(text);
  const scheme = text.slice(0, text.indexOf(':') + 1).toLowerCase();
  if (plain && schemes.includes(scheme) && parseUrl(text)) return text;
  throw new RangeError(`${name} must be an absolute URL that begins with ${schemes.join(' or ')}`);
}
