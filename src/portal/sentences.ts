import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import Handlebars from 'handlebars';
import { IntlMessageFormat } from 'intl-messageformat';
import { localeChain, textDirection } from '../platform/locale.js';
import { filesOf } from './page-files.js';

export type Values = Record<string, string | number>;

export interface Language {
  tag: string;
  name: string;
  dir: 'ltr' | 'rtl';
}

/** The sentences of all locales. A locale may miss some; the default locale has them all. */
export class Sentences {
  private readonly parsed = new Map<string, IntlMessageFormat>();
  private listed: Language[] | null = null;

  private constructor(
    private readonly byLocale: Map<string, Record<string, string>>,
    private readonly defaultLocale: string,
  ) {}

  static read(dir: string, defaultLocale: string, keys: Set<string>, problems: string[]): Sentences {
    const byLocale = new Map<string, Record<string, string>>();
    for (const file of filesOf(dir, '.json')) {
      try {
        byLocale.set(basename(file, '.json'), JSON.parse(readFileSync(join(dir, file), 'utf8')));
      } catch (error) {
        problems.push(`${file}: ${(error as Error).message}`);
      }
    }
    const sentences = new Sentences(byLocale, defaultLocale);
    problems.push(...sentences.problems(keys));
    return sentences;
  }

  /** Every reason why one of the `keys` could not be said in one of the locales. */
  private problems(keys: Set<string>): string[] {
    const standard = this.byLocale.get(this.defaultLocale);
    if (!standard) return [`${this.defaultLocale}.json: the default locale has no sentences`];
    const missing = [...keys].filter((key) => typeof standard[key] !== 'string');
    return [
      ...missing.map((key) => `${this.defaultLocale}.json: "${key}" is missing`),
      ...[...this.byLocale].flatMap(([locale, sentences]) =>
        Object.keys(sentences).flatMap((key) => this.faultsOf(locale, key, sentences[key], standard[key])),
      ),
    ];
  }

  private faultsOf(locale: string, key: string, sentence: unknown, standard: unknown): string[] {
    if (typeof sentence !== 'string' || sentence === '') return [`${locale}.json: "${key}" is not a sentence`];
    try {
      const known = new Set(typeof standard === 'string' ? argumentNames(standard) : []);
      const unknown = argumentNames(sentence).filter((name) => !known.has(name));
      return unknown.map((name) => `${locale}.json: "${key}" wants {${name}}, which nobody gives`);
    } catch (error) {
      return [`${locale}.json: "${key}" cannot be read: ${(error as Error).message}`];
    }
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
    const own = this.byLocale.get(locale)?.[key];
    const sentence = own ?? this.byLocale.get(this.defaultLocale)?.[key];
    if (sentence === undefined) throw new Error(`no sentence "${key}" in locale "${this.defaultLocale}"`);
    const message = new IntlMessageFormat(sentence, own === undefined ? this.defaultLocale : locale, undefined, {
      ignoreTag: true,
    });
    this.parsed.set(id, message);
    return message;
  }

  /** By their own names, script by script: in the same order on the pages of each of them. */
  languages(): Language[] {
    const { compare } = new Intl.Collator('en');
    this.listed ??= [...this.byLocale.keys()].map((tag) => this.language(tag)).sort((a, b) => compare(a.name, b.name));
    return this.listed;
  }

  language(tag: string): Language {
    return { tag, name: this.byLocale.get(tag)?.['language.name'] ?? tag, dir: textDirection(tag) };
  }

  resolve(wanted: string | null): string {
    for (const candidate of localeChain(wanted)) if (this.byLocale.has(candidate)) return candidate;
    return this.defaultLocale;
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

/** Names of the values that an ICU message takes, sorted. @throws SyntaxError when it is not an ICU message */
export function argumentNames(message: string): string[] {
  const names = new Set<string>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { type, value, options } = node as { type?: number; value?: unknown; options?: Record<string, unknown> };
    // 1 argument, 2 number, 3 date, 4 time, 5 select, 6 plural (the parser's TYPE enumeration)
    if (type !== undefined && type >= 1 && type <= 6 && typeof value === 'string') names.add(value);
    for (const option of Object.values(options ?? {})) visit((option as { value?: unknown }).value);
  };
  visit(new IntlMessageFormat(message, 'en', undefined, { ignoreTag: true }).getAst());
  return [...names].sort();
}
