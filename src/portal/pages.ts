/**
 * What a guest sees: turns views into whole HTML pages, in the guest's language and time zone.
 *
 * Markup and sentences live in `templates/pages/`: `<page>.hbs`, `parts/*.hbs`, `<locale>.json` (flat keys, ICU messages)
 * and `assets/`. Markup and the default locale are read and checked at start, another locale when first wanted. No page
 * needs a script, and none holds an inline one, so the Content-Security-Policy can forbid them all.
 */
import { basename, join } from 'node:path';
import Handlebars from 'handlebars';
import { StartError } from '../errors.js';
import type { WordsTexts } from '../templates/words-texts.js';
import { readMarkup } from './page-files.js';
import { fileSize, knownZone, timesFor, type Times } from './page-times.js';
import { COMPOSED_KEYS, PREPARE } from './page-values.js';
import type { PageName, PageViews, SharedView } from './page-views.js';
import { Sentences, type Language, type Values } from './sentences.js';

const PAGES: PageName[] = ['landing', 'code', 'ticket', 'print', 'notice', 'help', 'check'];

const KNOWN_HELPERS = {
  t: true,
  say: true,
  forms: true,
  key: true,
  shortTime: true,
  fullTime: true,
  clock: true,
  iso: true,
  secondsUntil: true,
  bytes: true,
} as const;
const COMPILE_OPTIONS: CompileOptions = {
  strict: true,
  knownHelpersOnly: true,
  knownHelpers: KNOWN_HELPERS,
  // A part's lines are not shifted with the tag that includes it: a textarea and <pre> would show the added blanks.
  preventIndent: true,
};

/** What every template is rendered over: the page's own values beside these. */
interface Context {
  shared: SharedView;
  language: Language;
  languages: (Language & { current: boolean })[];
  hasChoice: boolean;
  languageKept: boolean;
  /** A page for paper: without the ways on that a screen has. */
  onPaper: boolean;
  printHref: string | null;
  zoneUnknown: boolean;
  [value: string]: unknown;
}

export class GuestPages {
  private constructor(
    private readonly templates: Map<PageName, Handlebars.TemplateDelegate<Context>>,
    private readonly sentences: Sentences,
    private readonly sources: Map<string, string>,
  ) {}

  /**
   * Reads and checks all markup and sentences.
   * @param options.templatesDir the folder that holds `pages/`
   * @throws Error naming every problem found: broken markup, a sentence that the default locale misses or cannot say
   */
  static load(options: { templatesDir: string; defaultLocale: string }): GuestPages {
    const dir = join(options.templatesDir, 'pages');
    const problems: string[] = [];
    const sources = readMarkup(dir);
    const keys = new Set(COMPOSED_KEYS);
    for (const [file, source] of sources) {
      try {
        const program = Handlebars.parse(source);
        for (const key of literalKeys(program)) keys.add(key);
        Handlebars.precompile(program, COMPILE_OPTIONS);
      } catch (error) {
        problems.push(`${file}: ${(error as Error).message}`);
      }
    }
    const sentences = Sentences.read(dir, options.defaultLocale, keys, problems);
    if (problems.length > 0)
      throw new StartError(`Guest pages cannot be used:\n${problems.map((p) => `- ${p}`).join('\n')}`);
    return new GuestPages(compile(sources, sentences), sentences, sources);
  }

  /** Takes edited sentences over the shipped ones, from the next page on. */
  use(texts: WordsTexts): void {
    this.sentences.use(texts);
  }

  /** Pages of their own over other sentences: to look at words that nobody published. */
  over(texts: WordsTexts): GuestPages {
    const sentences = this.sentences.over(texts);
    return new GuestPages(compile(this.sources, sentences), sentences, this.sources);
  }

  /** The page as a whole HTML document. `locale` may be any tag; it goes through {@link resolveLocale}. */
  render<K extends PageName>(page: K, locale: string, view: PageViews[K], shared: SharedView): string {
    const tag = this.resolveLocale(locale);
    const language = this.sentences.language(tag);
    const context: Context = {
      onPaper: page === 'print',
      printHref: null,
      ...PREPARE[page](view, (key) => this.sentences.format(tag, key, {}), tag, shared.brand),
      shared,
      language,
      languages: this.sentences.languages().map((each) => ({ ...each, current: each.tag === tag })),
      hasChoice: this.sentences.languages().length > 1,
      languageKept: shared.languageKept ?? false,
      zoneUnknown: knownZone(shared.timeZone) === null,
    };
    return this.templates.get(page)!(context);
  }

  /** One sentence as plain text, e.g. for a {@link FormError}: `sentence('id', 'reply.error.empty')`. */
  sentence(locale: string, key: string, values: Values = {}): string {
    return this.sentences.format(this.resolveLocale(locale), key, values);
  }

  /** The languages to choose from, each by its own name. */
  locales(): { tag: string; name: string }[] {
    return this.sentences.languages().map(({ tag, name }) => ({ tag, name }));
  }

  /** The best there is for a list of tags, best first, else the default locale: see `matchLocale`. Never throws. */
  resolveLocale(...wanted: readonly (string | null | undefined)[]): string {
    return this.sentences.resolve(wanted);
  }
}

/** The keys that a template names outright, in `{{t "key"}}`, `{{say "key"}}`, `{{forms "key"}}` and in subexpressions. */
function literalKeys(program: unknown): string[] {
  const keys: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { path, params } = node as { path?: { original?: unknown }; params?: { type: string; value?: unknown }[] };
    const first = params?.[0];
    if (['t', 'say', 'forms'].includes(String(path?.original)) && first?.type === 'StringLiteral')
      keys.push(String(first.value));
    Object.values(node).forEach(visit);
  };
  visit(program);
  return keys;
}

function compile(
  sources: Map<string, string>,
  sentences: Sentences,
): Map<PageName, Handlebars.TemplateDelegate<Context>> {
  const handlebars = Handlebars.create();
  handlebars.registerHelper(helpers(sentences));
  for (const [file, source] of sources) {
    if (file.startsWith('parts/')) {
      handlebars.registerPartial(basename(file, '.hbs'), handlebars.compile(source, COMPILE_OPTIONS));
    }
  }
  return new Map(PAGES.map((page) => [page, handlebars.compile(sources.get(`${page}.hbs`)!, COMPILE_OPTIONS)]));
}

/** What the markup may call. All answers are plain text that Handlebars escapes, except that of `say`. */
function helpers(sentences: Sentences): Record<keyof typeof KNOWN_HELPERS, Handlebars.HelperDelegate> {
  const rootOf = (options: Handlebars.HelperOptions): Context => options.data.root;
  const timesOf = (options: Handlebars.HelperOptions): Times => {
    const { language, shared } = rootOf(options);
    return timesFor(language.tag, shared.timeZone);
  };
  return {
    /** A sentence as text: `{{t "landing.title" number=ticketNumber}}`. Safe in attributes. */
    t: (key: string, options: Handlebars.HelperOptions) =>
      sentences.format(rootOf(options).language.tag, key, options.hash),
    /** A sentence as content of an element, its values isolated by `<bdi>`. Never for an attribute. */
    say: (key: string, options: Handlebars.HelperOptions) =>
      sentences.formatIsolated(rootOf(options).language.tag, key, options.hash),
    /** A counted sentence for the script, in all its plural forms, as JSON for an attribute. */
    forms: (key: string, options: Handlebars.HelperOptions) =>
      JSON.stringify(sentences.forms(rootOf(options).language.tag, key)),
    /** `{{t (key "status" status)}}` says `status.open`. What is composed here is listed in COMPOSED_KEYS. */
    key: (...parts: unknown[]) => parts.slice(0, -1).join('.'),
    /** `today, 14:05`, `12 Nov, 14:05`, `12 Nov 2025, 14:05` */
    shortTime: (at: Date, options: Handlebars.HelperOptions) => {
      const { language, shared } = rootOf(options);
      const { day, clock } = timesOf(options).short(at, shared.now);
      return sentences.format(language.tag, 'time.dayAndClock', { day, clock });
    },
    fullTime: (at: Date, options: Handlebars.HelperOptions) => timesOf(options).full(at),
    clock: (at: Date, options: Handlebars.HelperOptions) => timesOf(options).clock(at),
    iso: (at: Date) => at.toISOString(),
    secondsUntil: (at: Date, options: Handlebars.HelperOptions) =>
      Math.max(0, Math.ceil((at.getTime() - rootOf(options).shared.now.getTime()) / 1000)),
    /** `18 kB`, `2.4 MB` in the page's language. */
    bytes: (size: number, options: Handlebars.HelperOptions) => fileSize(size, rootOf(options).language.tag),
  };
}
