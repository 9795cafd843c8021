/** Every text that the content team owns, by key and locale: the shipped files, and over them what was published. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Id } from '../ids.js';
import { type TemplateKey, templateKeys } from './values.js';

/** A mail, the words around all mails, or the sentences of the guest pages. */
export type WordsKey = TemplateKey | '_frame' | 'pages';
export const wordsKeys: readonly WordsKey[] = [...templateKeys, '_frame', 'pages'];

export function isWordsKey(text: string): text is WordsKey {
  return (wordsKeys as readonly string[]).includes(text);
}

/** One name for key and locale. */
export function placeOf(key: WordsKey, locale: string): string {
  return `${key}/${locale}`;
}

/** First 32 hexadecimal digits of the SHA-256. Files that differ in their line ends only say the same. */
export function wordsHash(text: string): string {
  return createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex').slice(0, 32);
}

/** How the file is named from the project's root, as people know it. */
export function wordsFile(key: WordsKey, locale: string): string {
  return key === 'pages' ? `templates/pages/${locale}.json` : `templates/content/${key}/${locale}.hbs`;
}

/** A text that counts instead of the shipped one. */
export interface EditedText {
  text: string;
  revision: Id<'rev'> | 'unsaved';
}

const LOCALE = /^[a-z]{2,3}(-[A-Za-z0-9]+)*$/;

export class WordsTexts {
  private readonly files = new Map<string, string | null>();

  constructor(
    private readonly templatesDir: string,
    /** By `placeOf`. */
    private readonly edited: ReadonlyMap<string, EditedText> = new Map(),
  ) {}

  /** The same with other edited texts: what was read from files stays in memory. */
  over(edited: ReadonlyMap<string, EditedText>): WordsTexts {
    const texts = new WordsTexts(this.templatesDir, edited);
    for (const [place, text] of this.files) texts.files.set(place, text);
    return texts;
  }

  /** The same with one text changed. */
  with(key: WordsKey, locale: string, text: string): WordsTexts {
    return this.over(new Map(this.edited).set(placeOf(key, locale), { text, revision: 'unsaved' }));
  }

  /** The text that counts; null where there is none. */
  read(key: WordsKey, locale: string): string | null {
    return this.edited.get(placeOf(key, locale))?.text ?? this.shipped(key, locale);
  }

  /** The text that counts instead of the shipped one; null where that one counts. */
  editedText(key: WordsKey, locale: string): string | null {
    return this.edited.get(placeOf(key, locale))?.text ?? null;
  }

  editedLocales(key: WordsKey): string[] {
    const places = [...this.edited.keys()].filter((place) => place.startsWith(`${key}/`));
    return places.map((place) => place.slice(key.length + 1));
  }

  /** Which text counts: a revision's id, or `shipped:` and its hash. */
  idOf(key: WordsKey, locale: string): string {
    const edited = this.edited.get(placeOf(key, locale));
    return edited ? edited.revision : `shipped:${wordsHash(this.shipped(key, locale) ?? '')}`;
  }

  /** The text that came with this version. */
  shipped(key: WordsKey, locale: string): string | null {
    const place = placeOf(key, locale);
    const known = this.files.get(place);
    if (known !== undefined) return known;
    // It becomes part of a path.
    const path = join(this.templatesDir, wordsFile(key, locale).replace(/^templates\//, ''));
    const text = LOCALE.test(locale) && existsSync(path) ? readFileSync(path, 'utf8') : null;
    this.files.set(place, text);
    return text;
  }

  /** Locales with their keys, as files and edited texts are. */
  locales(): Map<string, Set<WordsKey>> {
    const found = new Map<string, Set<WordsKey>>();
    const add = (key: WordsKey, locale: string) => found.set(locale, (found.get(locale) ?? new Set()).add(key));
    for (const key of wordsKeys) {
      const [folder, extension] = key === 'pages' ? ['pages', '.json'] : [join('content', key), '.hbs'];
      const dir = join(this.templatesDir, folder);
      for (const name of existsSync(dir) ? readdirSync(dir) : []) {
        const locale = name.slice(0, -extension.length);
        if (name.endsWith(extension) && LOCALE.test(locale)) add(key, locale);
      }
    }
    for (const place of this.edited.keys()) {
      const [key, locale] = place.split('/') as [WordsKey, string];
      add(key, locale);
    }
    return found;
  }
}
