/** The door to all mails: which there are, in which languages, and how each reads with values filled in. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '../errors.js';
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
import { type EditedText, wordsFile, WordsTexts } from './words-texts.js';
import { frameParts, frameShape, readWords, type WordsFile, wordsShape } from './words.js';

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
export class TemplateProblems extends StartError {
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
  private locales: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  private available: readonly string[] = [];

  private constructor(
    private readonly options: CatalogueOptions,
    private texts: WordsTexts,
    private readonly defaultBrand: Brand,
    private readonly shells: Map<LayoutName, Shell>,
  ) {
    this.findLocales();
  }

  private findLocales(): void {
    this.locales = this.texts.locales();
    this.available = [...this.locales.keys()].filter((locale) => templateKeys.some((key) => this.isThere(key, locale)));
    this.available = [...this.available].sort();
  }

  private isThere(key: TemplateKey, locale: string): boolean {
    return this.locales.get(locale)?.has(key) ?? false;
  }

  /** Every locale that has words for at least one mail, sorted. */
  get availableLocales(): readonly string[] {
    return this.available;
  }

  /**
   * Opens the catalogue. Mails of the default locale are compiled and tried at once, the others when first wanted.
   * @throws TemplateProblems with everything that is wrong in the default locale
   */
  static load(options: CatalogueOptions): TemplateCatalogue {
    const { templatesDir } = options;
    const texts = new WordsTexts(templatesDir);
    const catalogue = new TemplateCatalogue(options, texts, loadBrand(templatesDir, 'default'), new Map());
    const problems = catalogue.check([options.defaultLocale]);
    if (problems.length) throw new TemplateProblems(problems);
    return catalogue;
  }

  /** Takes other edited texts over the shipped ones, from the next mail on. What did not change stays compiled. */
  use(edited: ReadonlyMap<string, EditedText>): void {
    const before = this.texts;
    this.texts = before.over(edited);
    this.findLocales();
    for (const id of this.mails.keys()) {
      const [key, locale] = id.split('/') as [TemplateKey, string];
      const isSame = (each: TemplateKey | '_frame') => before.read(each, locale) === this.texts.read(each, locale);
      if (!isSame('_frame')) this.frames.delete(locale);
      if (!isSame(key) || !isSame('_frame')) this.mails.delete(id);
    }
    for (const locale of this.frames.keys())
      if (before.read('_frame', locale) !== this.texts.read('_frame', locale)) this.frames.delete(locale);
  }

  /** A catalogue of its own over other texts: to check and preview words that nobody published. */
  over(texts: WordsTexts): TemplateCatalogue {
    return new TemplateCatalogue(this.options, texts, this.defaultBrand, this.shells);
  }

  /** Why the words of a mail, or of the frame in any mail, cannot be used. Nothing is filled in: that is `check`. */
  faults(key: TemplateKey | '_frame', locale: string): Problem[] {
    if (key !== '_frame') return problemsOf(this.compiled(key, locale));
    const { problems } = this.frame(locale);
    if (problems.length) return problems;
    const keys = templateKeys.filter((each) => this.isThere(each, locale));
    return keys.flatMap((each) => problemsOf(this.compiled(each, locale)));
  }

  /** The texts as they came with this version. */
  shippedTexts(): WordsTexts {
    return this.texts.over(new Map());
  }

  /** The mail as it is written now, compiled. @throws TemplateProblems if there are no usable words */
  current(key: TemplateKey, locale: string): CompiledMail {
    return this.mail(key, locale);
  }

  /** The words in it: of the mail and of the frame, each a revision's id or `shipped:` and the hash. */
  wordsIn(key: TemplateKey, locale: string): { mail: string; frame: string } {
    return { mail: this.texts.idOf(key, locale), frame: this.texts.idOf('_frame', locale) };
  }

  /** True if the mail can be written in that locale. Broken words don't count: `check` tells what is wrong with them. */
  has(key: TemplateKey, locale: string): boolean {
    return this.isThere(key, locale) && isCompiled(this.compiled(key, locale));
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
    const context = templateContext(key, values, locale, this.options.allowHttp ?? false);
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
   * @param mail the one of an earlier time; without it the one that is written now
   * @throws as `render` does
   */
  encode<K extends TemplateKey>(
    key: K,
    locale: string,
    values: MailValues<K>,
    mail: CompiledMail = this.mail(key, locale),
  ): EncodedMail {
    const context = templateContext(key, values, locale, this.options.allowHttp ?? false);
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

  private compiled(key: TemplateKey, locale: string): CompiledMail | Problem[] {
    const id = `${key}/${locale}`;
    const known = this.mails.get(id);
    if (known) return known;
    const made = this.compile(key, locale);
    this.mails.set(id, made);
    return made;
  }

  private compile(key: TemplateKey, locale: string): CompiledMail | Problem[] {
    const file = wordsFile(key, locale);
    const text = this.texts.read(key, locale);
    if (text === null) return [{ file, line: 0, column: 0, message: 'is missing: write the words of this mail' }];
    const layout = templateLayouts[key];
    const frame = this.frame(locale);
    const own = readWords(text, file, wordsShape[layout], wordsVocabulary(layout), frameParts);
    const problems = [...frame.problems, ...own.problems];
    if (problems.length) return problems;
    const words = new Map([...frame.words, ...own.words]);
    try {
      return compileMail(this.shell(layout), words, locale, layoutVocabulary(layout, this.defaultBrand));
    } catch (error) {
      // Whatever one mail's words do to the compiler, it is that mail's trouble.
      return [{ file, line: 1, column: 1, message: error instanceof Error ? error.message : String(error) }];
    }
  }

  private frame(locale: string): WordsFile {
    const known = this.frames.get(locale);
    if (known) return known;
    const made = this.readFrame(locale);
    this.frames.set(locale, made);
    return made;
  }

  private readFrame(locale: string): WordsFile {
    const file = wordsFile('_frame', locale);
    const text = this.texts.read('_frame', locale);
    if (text === null) {
      return {
        words: new Map(),
        problems: [{ file, line: 0, column: 0, message: 'is missing: write the words around the mails' }],
      };
    }
    const vocabulary = { ...wordsVocabulary('notification'), ...wordsVocabulary('code') };
    return readWords(text, file, frameShape, vocabulary, []);
  }

  private shell(layout: LayoutName): Shell {
    const known = this.shells.get(layout);
    if (known) return known;
    const read = (extension: string) => {
      const path = join(this.options.shellsDir, `${layout}.${extension}.hbs`);
      if (!existsSync(path))
        throw new StartError(`${path} is not there: run "npm run build", which makes it from the layouts.`);
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
        const context = templateContext(key, values, locale, true);
        const subject = mail.subject(context);
        const html = mail.html(context) && mail.encodedHtml(values.brand)(context);
        return subject && html && mail.text(context)
          ? []
          : [{ file: wordsFile(key, locale), line: 1, column: 1, message: `is empty for "${about}"` }];
      } catch (error) {
        const message = `does not render for "${about}": ${error instanceof Error ? error.message : String(error)}`;
        return [{ file: wordsFile(key, locale), line: 1, column: 1, message }];
      }
    });
  }
}

function problemsOf(mail: CompiledMail | Problem[]): Problem[] {
  return isCompiled(mail) ? [] : mail;
}

function bodyPart(subtype: 'plain' | 'html', encoding: TextEncoding, body: string): string {
  return `Content-Type: text/${subtype}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`;
}
