import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import Handlebars from 'handlebars';
import { IntlMessageFormat } from 'intl-messageformat';
import { matchLocale, textDirection } from '../platform/locale.js';
import type { WordsTexts } from '../templates/words-texts.js';
import { filesOf } from './page-files.js';

export type Values = Record<string, string | number>;

export interface Language {
  tag: string;
  name: string;
  dir: 'ltr' | 'rtl';
}

/**
 * The sentences of all locales. A locale may miss some; the default locale has them all. Of the others only the names
 * are known until somebody wants them: what is wrong with them costs one sentence or one locale, never a page.
 */
export class Sentences {
  private readonly edited = new Map<string, Readonly<Record<string, string>> | null>();
  private readonly files = new Map<string, Readonly<Record<string, string>> | null>();
  private readonly parsed = new Map<string, IntlMessageFormat>();
  private listed: Language[] | null = null;

  private constructor(
    private readonly dir: string,
    private readonly shippedTags: readonly string[],
    private readonly defaultLocale: string,
    private texts: WordsTexts | null,
  ) {}

  /** The same sentences with other edited ones over them; what is wrong with one of those costs that one alone. */
  over(texts: WordsTexts): Sentences {
    const sentences = new Sentences(this.dir, this.shippedTags, this.defaultLocale, texts);
    for (const [locale, read] of this.files) sentences.files.set(locale, read);
    return sentences;
  }

  /** Takes other edited sentences from now on. */
  use(texts: WordsTexts): void {
    this.texts = texts;
    this.edited.clear();
    this.parsed.clear();
    this.listed = null;
  }

  private get tags(): string[] {
    return [...new Set([...this.shippedTags, ...(this.texts?.editedLocales('pages') ?? [])])].sort();
  }

  private editedOf(locale: string): Readonly<Record<string, string>> | null {
    const known = this.edited.get(locale);
    if (known !== undefined) return known;
    const text = this.texts?.editedText('pages', locale) ?? null;
    const read = text === null ? null : parseSentences(text);
    this.edited.set(locale, read);
    return read;
  }

  /** @param problems gets every reason why one of the `keys` could not be said in the default locale */
  static read(dir: string, defaultLocale: string, keys: Set<string>, problems: string[]): Sentences {
    const tags = filesOf(dir, '.json').map((file) => basename(file, '.json'));
    const sentences = new Sentences(dir, tags, defaultLocale, null);
    problems.push(...sentences.problems(keys));
    return sentences;
  }

  private problems(keys: Set<string>): string[] {
    const file = `${this.defaultLocale}.json`;
    if (!this.tags.includes(this.defaultLocale)) return [`${file}: the default locale has no sentences`];
    const standard = this.sentencesOf(this.defaultLocale);
    if (!standard) return [`${file} is not a JSON object`];
    const missing = [...keys].filter((key) => typeof standard[key] !== 'string');
    return [
      ...missing.map((key) => `${file}: "${key}" is missing`),
      ...Object.keys(standard).flatMap((key) =>
        sentenceFaults(standard[key], standard[key]).map((fault) => `${file}: "${key}" ${fault}`),
      ),
    ];
  }

  /** Read when first wanted; null for a file that cannot be read, which is as good as none. */
  private sentencesOf(locale: string): Readonly<Record<string, string>> | null {
    const known = this.files.get(locale);
    if (known !== undefined) return known;
    const read = this.tags.includes(locale) ? readSentences(join(this.dir, `${locale}.json`)) : null;
    this.files.set(locale, read);
    return read;
  }

  format(locale: string, key: string, values: Values): string {
    return String(this.message(locale, key).format(values));
  }

  /**
   * The sentence as escaped HTML in which each value stands in a `<bdi>`, so that an address or a number keeps its own
   * direction in a sentence of the other one.
   */
  formatIsolated(locale: string, key: string, values: Values): Handlebars.SafeString {
    const message = this.message(locale, key);
    // As an object a value comes out as a part of its own; as a string it would melt into the text around it.
    const boxed = Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? { value } : value]);
    const parts = message.formatToParts(Object.fromEntries(boxed)) as { value: string | { value: string } }[];
    const html = parts.map(({ value }) =>
      typeof value === 'object'
        ? `<bdi>${Handlebars.escapeExpression(value.value)}</bdi>`
        : Handlebars.escapeExpression(value),
    );
    return new Handlebars.SafeString(html.join(''));
  }

  /**
   * All forms of a sentence with a `{count}`, for a script that has the number: by plural category of the locale, or `=1`
   * where the sentence has words for exactly that number. What is still to be filled in stands in braces.
   */
  forms(locale: string, key: string): Record<string, string> {
    const ast = this.message(locale, key).getAst();
    const cases = ast.flatMap((node) => (isPlural(node) ? Object.keys(node.options) : []));
    const exact = cases.filter((name) => name.startsWith('='));
    const { pluralCategories } = new Intl.PluralRules(locale).resolvedOptions();
    return Object.fromEntries([...exact, ...pluralCategories].map((form) => [form, textOf(ast, form)]));
  }

  private message(locale: string, key: string): IntlMessageFormat {
    const id = `${locale}|${key}`;
    const known = this.parsed.get(id);
    if (known) return known;
    const standard = this.sentencesOf(this.defaultLocale)?.[key];
    if (standard === undefined) throw new Error(`no sentence "${key}" in locale "${this.defaultLocale}"`);
    const isGood = (given: string | undefined) => given !== undefined && sentenceFaults(given, standard).length === 0;
    const own = [this.editedOf(locale)?.[key], this.sentencesOf(locale)?.[key]].find(isGood);
    const common = [this.editedOf(this.defaultLocale)?.[key], standard].find(isGood) ?? standard;
    const message = own === undefined ? parseSentence(common, this.defaultLocale) : parseSentence(own, locale);
    this.parsed.set(id, message);
    return message;
  }

  /** By their own names, script by script: in the same order on the pages of each of them. */
  languages(): Language[] {
    const { compare } = new Intl.Collator('en');
    this.listed ??= this.tags
      .filter((tag) => this.isUsable(tag))
      .map((tag) => this.language(tag))
      .sort((a, b) => compare(a.name, b.name));
    return this.listed;
  }

  language(tag: string): Language {
    const name = this.editedOf(tag)?.['language.name'] ?? this.sentencesOf(tag)?.['language.name'];
    return { tag, name: name ?? tag, dir: textDirection(tag) };
  }

  resolve(wanted: readonly (string | null | undefined)[]): string {
    return matchLocale(wanted, this.tags, (locale) => this.isUsable(locale))?.locale ?? this.defaultLocale;
  }

  private isUsable(locale: string): boolean {
    return (this.editedOf(locale) ?? this.sentencesOf(locale)) !== null;
  }
}

/** In the parser's TYPE enumeration. */
const LITERAL = 0;
type Node = ReturnType<IntlMessageFormat['getAst']>[number];
type Plural = Extract<Node, { offset: number }>;

const isPlural = (node: Node): node is Plural => 'offset' in node;

/** The message in one plural form. */
function textOf(nodes: readonly Node[], form: string): string {
  return nodes
    .map((node) => {
      if (isPlural(node)) return textOf((node.options[form] ?? node.options.other!).value, form);
      if (!('value' in node)) return '{count}'; // the plural's #
      return node.type === LITERAL ? node.value : `{${node.value}}`;
    })
    .join('');
}

function readSentences(path: string): Readonly<Record<string, string>> | null {
  return parseSentences(readFileSync(path, 'utf8'));
}

function parseSentences(text: string): Readonly<Record<string, string>> | null {
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && !Array.isArray(read) ? (read as Record<string, string> | null) : null;
  } catch {
    return null; // `npm run templates:check` says what is wrong with it
  }
}

/** Why a sentence cannot be said in the place of the default locale's. */
export function sentenceFaults(sentence: unknown, standard: unknown): string[] {
  if (typeof sentence !== 'string' || sentence.trim() === '') return ['is not a sentence'];
  try {
    const given = typeof standard === 'string' ? argumentUses(standard) : new Map<string, Set<string>>();
    const uses = [...argumentUses(sentence)];
    const faults = uses.flatMap(([name, uses]) => {
      const known = given.get(name);
      if (!known) return [`wants {${name}}, which nobody gives`];
      const other = [...uses].find((use) => !known.has(use));
      return other === undefined ? [] : [`takes {${name}} for a ${other}, and it is none`];
    });
    // Said once: that a number's unit or digits are none shows only then, and would be an error on a guest's page.
    if (faults.length === 0) parseSentence(sentence, 'en').format(Object.fromEntries(uses.map(([name]) => [name, 1])));
    return faults;
  } catch (error) {
    return [`cannot be read (${(error as Error).message}): each { needs its }, each plural its other {…}`];
  }
}

/** @param captureLocation its nodes say where they stand, in UTF-16 units */
export function parseSentence(sentence: string, locale: string, captureLocation = false): IntlMessageFormat {
  // A tag in a sentence is text like any other.
  return new IntlMessageFormat(sentence, locale, undefined, { ignoreTag: true, captureLocation });
}

/**
 * Names of the values that an ICU message takes, sorted, each with the ways it is used in: `number`, `plural`, …, and
 * none where it is only put in.
 * @throws SyntaxError when it is not an ICU message
 */
export function argumentUses(message: string): Map<string, Set<string>> {
  const uses = new Map<string, Set<string>>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const {
      type = -1,
      value,
      options,
    } = node as {
      type?: number;
      value?: unknown;
      options?: Record<string, { value?: unknown }>;
    };
    const use = ARGUMENT_TYPES[type];
    if (use !== undefined && typeof value === 'string') {
      const known = uses.get(value) ?? new Set();
      uses.set(value, use ? known.add(use) : known);
    }
    for (const option of Object.values(options ?? {})) visit(option.value);
  };
  visit(parseSentence(message, 'en').getAst());
  return new Map([...uses].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** The parser's TYPE enumeration; 0 is text. */
const ARGUMENT_TYPES: Readonly<Record<number, string>> = {
  1: '',
  2: 'number',
  3: 'date',
  4: 'time',
  5: 'select',
  6: 'plural',
};
