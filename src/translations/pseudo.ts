/** Locales that nobody reads: made of English, to see what a page does to long words and to the other direction. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { piecesOf } from './placeholders.js';
import { readLocale, mailFiles, mailPath, pagesPath } from './units.js';

/** `en-XA`: accented, 40 % longer, in brackets. `ar-XB`: the same words from right to left. */
export type PseudoLocale = 'en-XA' | 'ar-XB';

export function isPseudo(locale: string): locale is PseudoLocale {
  return locale === 'en-XA' || locale === 'ar-XB';
}

const PLAIN = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const ACCENTED = [...'åƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýžÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽ'];
const ARABIC = [...'ابجدهوزحطيكلمنسعفصقرشتثخذض'];
const LONGER = 0.4;

/** One piece of words as a pseudo-locale says it: its values stay, and so does what shapes a plural or a paragraph. */
export function pseudoText(text: string, format: 'line' | 'markdown' | 'icu', locale: PseudoLocale): string {
  let depth = 0;
  const letters = locale === 'en-XA' ? ACCENTED : [...ARABIC, ...ARABIC];
  const said = piecesOf({ text, format }).map(({ kind, text: piece }) => {
    if (kind === 'open') depth += isPlural(piece) ? 1 : 0;
    if (kind === 'close') depth -= isPluralEnd(piece) ? 1 : 0;
    if (kind !== 'text') return piece;
    return depth > 0 ? withinPlural(piece, format, letters) : strange(piece, letters);
  });
  const whole = forms(said.join(''), format, locale);
  if (locale === 'ar-XB') return whole;
  const length = [...text.replace(/\{[^]*?\}+/g, '')].length;
  const padding = ' ~'.repeat(Math.ceil((length * LONGER) / 2));
  // A line of its own shapes a paragraph, and stays alone.
  return whole.includes('\n') || /^\{\{#/.test(whole) ? whole : `[${whole}${padding}]`;
}

function isPlural(opener: string): boolean {
  return /^\{\{~?\s*plural|,\s*(?:plural|select)/.test(opener);
}

function isPluralEnd(closer: string): boolean {
  return !closer.includes('/');
}

function strange(text: string, letters: readonly string[]): string {
  return text.replace(/[A-Za-z]/g, (letter) => letters[PLAIN.indexOf(letter)] ?? letter);
}

/** Only what is in quotes or braces is said; the rest are the names of forms. */
function withinPlural(text: string, format: string, letters: readonly string[]): string {
  if (format !== 'icu') return text.replace(/"[^"]*"/g, (form) => strange(form, letters));
  return text.replace(/\{([^{}]*)(?=\}|$)|^([^{}]*)(?=\})/g, (words) => strange(words, letters));
}

/** Arabic counts by six: each other form says what `other` says. */
function forms(text: string, format: string, locale: PseudoLocale): string {
  if (locale === 'en-XA') return text;
  const wanted = ['zero', 'one', 'two', 'few', 'many'];
  if (format !== 'icu')
    return text.replace(/\{\{plural ([\w.]+)[^}]*?other="([^"]*)"\}\}/g, (_, name: string, other: string) => {
      return `{{plural ${name} ${[...wanted, 'other'].map((form) => `${form}="${other}"`).join(' ')}}}`;
    });
  return text.replace(
    /(?:\bone \{[^{}]*\} )?other (\{[^{}]*\})/g,
    (_, other: string) => `${wanted.map((form) => `${form} ${other}`).join(' ')} other ${other}`,
  );
}

/** Writes all words of a pseudo-locale into a copy of the templates: for tests, never for guests. */
export function writePseudoLocale(templatesDir: string, locale: PseudoLocale): void {
  const { units } = readLocale(templatesDir, 'en');
  const say = (id: string): string => {
    const { text, format } = units.get(id)!;
    return pseudoText(text, format, locale);
  };
  for (const { key, shape } of mailFiles) {
    const names = Object.keys(shape);
    const fields = names
      .filter((name) => name !== 'body')
      .map((name) => {
        const text = say(`${key}/${name}`);
        return text.includes('\n')
          ? `${name}: |\n${text.replace(/^(?=.)/gm, '  ')}\n`
          : `${name}: '${text.replaceAll("'", "''")}'\n`;
      });
    const body = names.includes('body') ? `${say(`${key}/body`)}\n` : '';
    writeFileSync(join(templatesDir, mailPath(key, locale)), `---\n${fields.join('')}---\n${body}`);
  }
  const ids = [...units.keys()].filter((id) => id.startsWith('pages/'));
  const sentences = Object.fromEntries(ids.map((id) => [id.slice('pages/'.length), say(id)]));
  writeFileSync(join(templatesDir, pagesPath(locale)), JSON.stringify(sentences, null, 2));
}
