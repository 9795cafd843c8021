/** Puts a layout's shell and a locale's words together into templates that only want values. */
import { createHash } from 'node:crypto';
import { textDirection } from '../platform/locale.js';
import { ENCODER_VERSION, shorterEncoding, type TextEncoding } from '../platform/mime.js';
import { type Brand, fontStack } from './brand.js';
import { compileEncoded, compileTemplate, type Template } from './engine.js';
import { brokenNesting, type ElementAttributes, escapeHtml, markdownToHtml, markdownToText } from './markdown.js';
import {
  checkSyntax,
  isBlockTag,
  partOf,
  printedValue,
  type Problem,
  replaceMustaches,
  type ValueKind,
  type Vocabulary,
} from './mustache.js';
import { typeset, typesetHeading } from './typeset.js';
import { brandConstants } from './values.js';
import type { Field, Words } from './words.js';

/** What the build made of a layout. Its slots are parts: `{{> body p='…'}}`. */
export interface Shell {
  html: string;
  text: string;
}

/** A shell and a locale's words in one: what is compiled, and all that is needed to make the same mail again. */
export interface MailSources {
  subject: string;
  preheader: string;
  html: string;
  text: string;
}

export interface CompiledMail {
  /** First 16 hexadecimal digits of the SHA-256 over the sources and the encoder: the same words give the same revision. */
  revision: string;
  sources: MailSources;
  dir: 'ltr' | 'rtl';
  subject: Template;
  /** What an inbox shows beside the subject. */
  preheader: Template;
  html: Template;
  text: Template;
  /** How the text part is shortest in this language. */
  textEncoding: TextEncoding;
  /** The HTML part in quoted-printable, for mails of this brand. */
  encodedHtml(brand: Brand): Template;
}

/** @returns the mail, or what is wrong with its merged sources */
export function compileMail(
  shell: Shell,
  words: Words,
  locale: string,
  vocabulary: Vocabulary,
): CompiledMail | Problem[] {
  const press = new Press(words, locale, vocabulary);
  const sources: MailSources = {
    subject: press.plain('subject'),
    preheader: press.plain('preheader'),
    html: press.page(shell.html),
    text: press.letter(shell.text),
  };
  const { problems } = press;
  const { file, at } = words.get('subject')!;
  // Again, on what will really compile: nothing slipped through on the way. Its lines are nobody's.
  for (const source of Object.values(sources))
    problems.push(...checkSyntax(source, file, vocabulary, []).map((problem) => ({ ...problem, ...at() })));
  return problems.length ? problems : compileSources(sources, locale);
}

/** The name of what is compiled from these sources. */
export function revisionOf({ subject, html, text }: MailSources): string {
  return createHash('sha256')
    .update(JSON.stringify([ENCODER_VERSION, { subject, html, text }])) // the preheader stands in the HTML
    .digest('hex')
    .slice(0, 16);
}

/** Compiles sources that `compileMail` made, now or once: they were checked then. */
export function compileSources(sources: MailSources, locale: string): CompiledMail {
  const html = compileTemplate(sources.html, 'html');
  const text = compileTemplate(sources.text, 'text');
  const subject = compileTemplate(sources.subject, 'text');
  const preheader = compileTemplate(sources.preheader, 'text');
  return {
    revision: revisionOf(sources),
    sources,
    dir: textDirection(locale),
    subject: (context) => oneSpace(subject(context)),
    preheader: (context) => oneSpace(preheader(context)),
    html,
    text: (context) => tidyLetter(text(context)),
    textEncoding: shorterEncoding(sources.text),
    encodedHtml: perBrand((brand) => compileEncoded(sources.html, brandConstants(brand, locale))),
  };
}

/** Made once for each brand, and forgotten with it. */
function perBrand(make: (brand: Brand) => Template): (brand: Brand) => Template {
  const made = new WeakMap<Brand, Template>();
  return (brand) => {
    const known = made.get(brand);
    if (known) return known;
    const template = make(brand);
    made.set(brand, template);
    return template;
  };
}

/** Whether a compile gave a mail or its problems. */
export function isCompiled(result: CompiledMail | Problem[]): result is CompiledMail {
  return !Array.isArray(result);
}

/** Prints fields, each in the manner of the place it stands in. */
class Press {
  readonly problems: Problem[] = [];
  private readonly constants: Readonly<Record<string, string>>;
  readonly dir: 'ltr' | 'rtl';

  constructor(
    private readonly words: Words,
    private readonly locale: string,
    private readonly vocabulary: Vocabulary,
  ) {
    this.dir = textDirection(locale);
    // A line of Latin letters or signs alone stands on the right side with a mark before it (UAX #9, P2).
    const mark = this.dir === 'rtl' ? '\u200f' : '';
    this.constants = { lang: locale, dir: this.dir, fonts: fontStack(locale), mark };
  }

  /** The HTML part: every slot of the shell filled. A slot with `as='plain'` stands where tags are not allowed. */
  page(shell: string): string {
    return replaceMustaches(shell, (mustache) => {
      const slot = partOf(mustache);
      if (!slot) return mustache;
      const { as, ...attributes } = slot.hash;
      const constant = this.constants[slot.name];
      if (constant !== undefined) return constant;
      if (as === 'plain') return this.attribute(slot.name);
      return this.html(slot.name, attributes);
    });
  }

  /** The text part. */
  letter(shell: string): string {
    return replaceMustaches(shell, (mustache) => {
      const slot = partOf(mustache);
      return slot ? (this.constants[slot.name] ?? this.plain(slot.name)) : mustache;
    });
  }

  /** A field as text: nothing escaped. */
  plain(name: string): string {
    const field = this.field(name);
    const text = field.kind === 'markdown' ? markdownToText(field.source) : field.source;
    return field.vault.restore(text, (mustache) => {
      const part = partOf(mustache);
      if (part) return this.plain(part.name);
      return this.isolated(mustache);
    });
  }

  /** In a right-to-left sentence "ABC-12" would come apart without the isolates (UAX #9). */
  private isolated(mustache: string): string {
    return this.dir === 'rtl' && this.isWord(mustache, ['word', 'text']) ? `\u2068${mustache}\u2069` : mustache;
  }

  private html(name: string, attributes: ElementAttributes): string {
    const field = this.field(name);
    // The layout's attributes hold mustaches too: they take the same way through Markdown as the words' own.
    const dress = Object.fromEntries(Object.entries(attributes).map(([tag, text]) => [tag, field.vault.hide(text)]));
    const markup = field.kind === 'markdown' ? markdownToHtml(field.source, dress) : escapeHtml(field.source);
    // Between tags a value is isolated from the other direction; inside a tag it is left alone.
    const printed = markup.replace(/<[^>]*>|[^<]+/g, (piece) => {
      const isTag = piece.startsWith('<');
      const set = isTag ? piece : typeset(piece, this.locale);
      return field.vault.restore(set, (mustache) => this.inHtml(mustache, isTag));
    });
    const html = freeBlocks(name === 'heading' ? typesetHeading(printed, this.locale) : printed);
    const broken = brokenNesting(html);
    if (broken)
      this.problems.push({
        file: field.file,
        ...field.at(),
        message: `"${name}": a block and ${broken} overlap; close the one before the other begins or ends`,
      });
    return html;
  }

  private inHtml(mustache: string, inTag: boolean): string {
    const part = partOf(mustache);
    if (part) return this.html(part.name, {});
    return !inTag && this.isWord(mustache, ['word', 'text', 'url']) ? `<bdi>${mustache}</bdi>` : mustache;
  }

  private attribute(name: string): string {
    const { source, vault } = this.field(name);
    return vault.restore(escapeHtml(source), (mustache) => {
      const part = partOf(mustache);
      return part ? this.attribute(part.name) : this.isolated(mustache);
    });
  }

  /** A URL is none in the text part: mail programs would make the isolate a part of the address. */
  private isWord(mustache: string, kinds: readonly ValueKind[]): boolean {
    const kind = this.vocabulary[printedValue(mustache) ?? ''];
    return kind !== undefined && kinds.includes(kind);
  }

  private field(name: string): Field {
    const field = this.words.get(name);
    if (!field) throw new Error(`The layout has a slot "${name}", and no words have that name.`);
    return field;
  }
}

/** Markdown puts block tags that stand alone into a paragraph; it would stay behind, empty. */
function freeBlocks(html: string): string {
  return html.replace(/<p\b[^>]*>((?:\s*\{\{[^{}]*\}\})+\s*)<\/p>/g, (whole, inside: string) =>
    (inside.match(/\{\{[^{}]*\}\}/g) ?? []).every(isBlockTag) ? inside : whole,
  );
}

function oneSpace(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Blocks that print nothing leave their blank lines behind. Values bring none: each is one line. */
function tidyLetter(text: string): string {
  return `${text
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`;
}
