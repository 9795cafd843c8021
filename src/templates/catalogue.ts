/** The door to all mails: which there are, in which languages, and how each reads with values filled in. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LocaleReason, matchLocale } from '../platform/locale.js';
import { encodeBody, type TextEncoding } from '../platform/mime.js';
import { type Brand, loadBrand } from './brand.js';
import { type CompiledMail, compileMail, isCompiled, type Shell } from './compile.js';
import type { Problem } from './mustache.js';
import { readSamples } from './samples.js';
import {
  type LayoutName,
  layoutVocabulary,
  type MailValues,
  templateContext,
  type TemplateKey,
  templateKeys,
  templateLayouts,
  wordsVocabulary,
} from './values.js';
import { frameParts, frameShape, readWords, type WordsFile, wordsShape } from './words.js';

export type { CodeMailValues, MailValues, TemplateKey, TicketMailValues } from './values.js';

export interface CatalogueOptions {
  /** Folder with `content`, `brands` and `samples`. */
  templatesDir: string;
  /** Folder with the shells that the build made of the layouts. */
  shellsDir: string;
  /** Last step of every fallback. */
  defaultLocale: string;
  /** Plain http links may be written: only where PUBLIC_URL itself is http. */
  allowHttp?: boolean;
}

export interface RenderedMail {
  subject: string;
  /** What an inbox shows beside the subject; it stands in `html`. */
  preheader: string;
  html: string;
  text: string;
  locale: string;
  dir: 'ltr' | 'rtl';
}

/** A mail filled in once, and ready to travel: `render` says the same in letters. */
export interface EncodedMail {
  subject: string;
  text: string;
  locale: string;
  /** Made when asked for: only a provider that makes the MIME itself wants it so. */
  html(): string;
  /** Body parts with their headers, all ASCII: text, then HTML (RFC 2046 5.1.4: the reader takes the last it knows). */
  parts(): [text: string, html: string];
}

export interface LocaleChoice {
  locale: string;
  /** How it answers to what was asked for; `default`: nothing that does is there. */
  reason: LocaleReason | 'default';
}

/** Words that cannot be used, every problem on a line of its own: `file:line:column: what is wrong, and the fix`. */
export class TemplateProblems extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(`The words of the mails cannot be used:\n  ${[...new Set(problems.map(problemLine))].join('\n  ')}`);
    this.name = 'TemplateProblems';
  }
}

/** `templates/content/ticket-closed/en.hbs:2:10: what is wrong, and the fix` */
function problemLine({ file, line, column, message }: Problem): string {
  return `${file}${line ? `:${line}:${column}` : ''}: ${message}`;
}

export class TemplateCatalogue {
  private readonly mails = new Map<string, CompiledMail | Problem[]>();
  private readonly frames = new Map<string, WordsFile>();
  private readonly shells = new Map<LayoutName, Shell>();
  private readonly defaultBrand: Brand;
  /** Locales with their keys, as the files are. */
  private readonly locales: ReadonlyMap<string, ReadonlySet<TemplateKey>>;
  /** Every locale that has words for at least one mail, sorted. */
  readonly availableLocales: readonly string[];

  private constructor(private readonly options: CatalogueOptions) {
    this.defaultBrand = loadBrand(options.templatesDir, 'default');
    this.locales = findLocales(join(options.templatesDir, 'content'));
    this.availableLocales = [...this.locales.keys()].sort();
  }

  /**
   * Opens the catalogue. Mails of the default locale are compiled and tried at once, the others when first wanted.
   * @throws TemplateProblems with everything that is wrong in the default locale
   */
  static load(options: CatalogueOptions): TemplateCatalogue {
    const catalogue = new TemplateCatalogue(options);
    const problems = catalogue.check([options.defaultLocale]);
    if (problems.length) throw new TemplateProblems(problems);
    return catalogue;
  }

  /** Renders keys with every sample in the given locales, all of them by default, and tells what is wrong. */
  check(locales: readonly string[] = this.availableLocales, keys: readonly TemplateKey[] = templateKeys): Problem[] {
    return locales.flatMap((locale) => keys.flatMap((key) => this.try(key, locale)));
  }

  /**
   * The locale a mail will be written in: all of it, never half.
   * @param wanted a BCP 47 tag as the source gave it; unknown or broken ones mean the default
   * @param key with a key, a locale counts if it has usable words for that mail; without, if it has words for all
   */
  resolveLocale(wanted: string | null, key?: TemplateKey): LocaleChoice {
    const usable = (locale: string) => (key ? [key] : templateKeys).every((each) => this.has(each, locale));
    return (
      matchLocale([wanted], this.availableLocales, usable) ?? { locale: this.options.defaultLocale, reason: 'default' }
    );
  }

  /** Names the words and the layout that `render` will use: to be kept with what was sent. */
  revision(key: TemplateKey, locale: string): string {
    return this.mail(key, locale).revision;
  }

  /**
   * Fills values in. The same words and values give the same bytes.
   * @throws TemplateProblems if there are no usable words; `resolveLocale` names a locale that has them
   * @throws RangeError if a URL is not one that a mail may carry
   */
  render<K extends TemplateKey>(key: K, locale: string, values: MailValues<K>): RenderedMail {
    const mail = this.mail(key, locale);
    const context = templateContext(values, locale, this.options.allowHttp ?? false);
    return {
      subject: mail.subject(context),
      preheader: mail.preheader(context),
      html: mail.html(context),
      text: mail.text(context),
      locale,
      dir: mail.dir,
    };
  }

  /**
   * Fills values in as `render` does, into parts that were encoded when they were compiled. What can go wrong goes
   * wrong here and not in the functions it returns.
   * @throws as `render` does
   */
  encode<K extends TemplateKey>(key: K, locale: string, values: MailValues<K>): EncodedMail {
    const mail = this.mail(key, locale);
    const context = templateContext(values, locale, this.options.allowHttp ?? false);
    const text = mail.text(context);
    const encodedHtml = mail.encodedHtml(values.brand)(context);
    return {
      subject: mail.subject(context),
      text,
      locale,
      html: () => mail.html(context),
      parts: () => [
        bodyPart('plain', mail.textEncoding, encodeBody(text, mail.textEncoding)),
        bodyPart('html', 'quoted-printable', encodedHtml),
      ],
    };
  }

  private mail(key: TemplateKey, locale: string): CompiledMail {
    const mail = this.compiled(key, locale);
    if (!isCompiled(mail)) throw new TemplateProblems(mail);
    return mail;
  }

  /** True if the mail can be written in that locale. Broken words don't count: `check` tells what is wrong with them. */
  private has(key: TemplateKey, locale: string): boolean {
    return Boolean(this.locales.get(locale)?.has(key)) && isCompiled(this.compiled(key, locale));
  }

  private compiled(key: TemplateKey, locale: string): CompiledMail | Problem[] {
    const id = `${key}/${locale}`;
    const known = this.mails.get(id);
    if (known) return known;
    const made = this.compile(key, locale);
    this.mails.set(id, made);
    return made;
  }

  private compile(key: TemplateKey, locale: string): CompiledMail | Problem[] {
    const file = contentFile(key, locale);
    if (!this.locales.get(locale)?.has(key))
      return [{ file, line: 0, column: 0, message: 'is missing: write the words of this mail' }];
    const layout = templateLayouts[key];
    const frame = this.frame(locale);
    const own = readWords(this.text(file), file, wordsShape[layout], wordsVocabulary(layout), frameParts);
    const problems = [...frame.problems, ...own.problems];
    if (problems.length) return problems;
    const words = new Map([...frame.words, ...own.words]);
    return compileMail(this.shell(layout), words, locale, layoutVocabulary(layout, this.defaultBrand));
  }

  private frame(locale: string): WordsFile {
    const known = this.frames.get(locale);
    if (known) return known;
    const made = this.readFrame(locale);
    this.frames.set(locale, made);
    return made;
  }

  private readFrame(locale: string): WordsFile {
    const file = contentFile('_frame', locale);
    if (!existsSync(this.path(file))) {
      return {
        words: new Map(),
        problems: [{ file, line: 0, column: 0, message: 'is missing: write the words around the mails' }],
      };
    }
    const vocabulary = { ...wordsVocabulary('notification'), ...wordsVocabulary('code') };
    return readWords(this.text(file), file, frameShape, vocabulary, []);
  }

  private shell(layout: LayoutName): Shell {
    const known = this.shells.get(layout);
    if (known) return known;
    const read = (extension: string) => {
      const path = join(this.options.shellsDir, `${layout}.${extension}.hbs`);
      if (!existsSync(path))
        throw new Error(`${path} is not there: run "npm run build", which makes it from the layouts.`);
      return readFileSync(path, 'utf8');
    };
    const shell = { html: read('html'), text: read('txt') };
    this.shells.set(layout, shell);
    return shell;
  }

  private try(key: TemplateKey, locale: string): Problem[] {
    const mail = this.compiled(key, locale);
    if (!isCompiled(mail)) return mail;
    const samples = readSamples(this.options.templatesDir, key, this.defaultBrand);
    return samples.flatMap(({ about, values }) => {
      try {
        const context = templateContext(values, locale, true);
        const subject = mail.subject(context);
        const html = mail.html(context) && mail.encodedHtml(values.brand)(context);
        return subject && html && mail.text(context)
          ? []
          : [{ file: contentFile(key, locale), line: 1, column: 1, message: `is empty for "${about}"` }];
      } catch (error) {
        const message = `does not render for "${about}": ${error instanceof Error ? error.message : String(error)}`;
        return [{ file: contentFile(key, locale), line: 1, column: 1, message }];
      }
    });
  }

  private text(file: string): string {
    return readFileSync(this.path(file), 'utf8');
  }

  /** `file` is named from the project's root, as people know it; the folder may be another one. */
  private path(file: string): string {
    return join(this.options.templatesDir, file.replace(/^templates\//, ''));
  }
}

function bodyPart(subtype: 'plain' | 'html', encoding: TextEncoding, body: string): string {
  return `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`;
}

function contentFile(key: TemplateKey | '_frame', locale: string): string {
  return `templates/content/${key}/${locale}.hbs`;
}

function findLocales(contentDir: string): Map<string, Set<TemplateKey>> {
  const locales = new Map<string, Set<TemplateKey>>();
  for (const key of templateKeys) {
    const folder = join(contentDir, key);
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (!name.endsWith('.hbs')) continue;
      const locale = name.slice(0, -'.hbs'.length);
      locales.set(locale, (locales.get(locale) ?? new Set()).add(key));
    }
  }
  return locales;
}
