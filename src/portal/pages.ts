/**
 * What a guest sees: turns views into whole HTML pages, in the guest's language and time zone.
 *
 * Markup and sentences live in `templates/pages/`: `<page>.hbs`, `parts/*.hbs`, `<locale>.json` (flat keys, ICU messages)
 * and `assets/`. Everything is read and checked once, at start; a render touches no file. No page needs a script, and
 * none holds an inline one, so the Content-Security-Policy can forbid them all.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import Handlebars from 'handlebars';
import { IntlMessageFormat } from 'intl-messageformat';

// ---------------------------------------------------------------------------------------------------------------------
// What the controller hands in

export interface BrandView {
  /** What people read, e.g. `Acme`. */
  name: string;
  /** `#rrggbb`, for the light and the dark ground. */
  accent: string;
  accentDark: string;
  /** Path or `data:` address of a picture; never on another origin. */
  logo: string | null;
}

/** What every page needs, whatever it is about. Paths are relative to the origin of PUBLIC_URL. */
export interface SharedView {
  brand: BrandView;
  assets: { style: string; script: string; icon: string; brandStyle: string };
  formToken: string;
  /** The page's own path, for links and forms that change the language. */
  path: string;
  /** Where the language is changed by POST (fields `locale`, `path`); null: links to `path?lang=…` instead. */
  languageAction: string | null;
  helpHref: string | null;
  now: Date;
  /** IANA name; null or an unknown one: times are UTC and say so, and the script turns them into the browser's own. */
  timeZone: string | null;
}

export interface LandingView {
  ticketNumber: string;
  maskedAddress: string;
  sendAction: string;
  notMineAction?: string | null;
  stopAction?: string | null;
}

export interface CodeView {
  ticketNumber: string;
  maskedAddress: string;
  /** The three signs that the code mail shows too. */
  reference: string;
  verifyAction: string;
  resendAction: string;
  resendInSeconds: number;
  expiresAt: Date | null;
  error?: 'wrong' | 'malformed';
  triesLeft?: number;
  /** What the last request for a code did; without it the page says nothing about sending. */
  notice?: 'sent' | 'already-sent' | 'not-sent-wait';
}

export interface AttachmentView {
  name: string;
  /** Bytes; null where the source did not say. */
  size: number | null;
  href: string;
  contentType: string;
}

export interface MessageView {
  author: { name: string | null; kind: 'agent' | 'requester' | 'participant' | 'system' };
  /** Written by the guest who looks at the page. */
  mine: boolean;
  at: Date;
  /** Already sanitised HTML: the one value that is not escaped. */
  bodyHtml: string;
  edited: boolean;
  retracted: boolean;
  attachments: AttachmentView[];
  /** Of a reply written here; null for what came from the source. */
  state: 'sending' | 'delivered' | 'failed' | null;
}

export interface FieldError {
  field: 'body' | 'files';
  /** A whole sentence, e.g. from {@link GuestPages.sentence}. */
  text: string;
}

export interface ReplyView {
  action: string;
  /** Makes a second submit of the same form harmless. */
  formKey: string;
  /** What was typed already, given back after an error. */
  body: string;
  errors: FieldError[];
  /** The file input's `accept`: extensions, e.g. `.pdf,.png`. */
  accept: string;
  maxFiles: number;
  maxFileBytes: number;
  maxTotalBytes: number;
}

export interface TicketView {
  number: string;
  subject: string | null;
  status: 'open' | 'pending' | 'resolved' | 'closed';
  /** Oldest first; the last one is shown as the newest. */
  messages: MessageView[];
  /** Null when the ticket takes no replies: it is closed, or its source does not take any here. */
  reply: ReplyView | null;
  logoutAction: string;
  solvedAction?: string | null;
  /** Server-sent events; any event named `update` makes the script fetch the page again. */
  streamHref?: string | null;
  flash?: 'reply-sent' | 'solved' | 'unsolved' | null;
}

/** Every page that says one thing and offers at most one way on: by form (`action`) or by link (`href`). */
export type NoticeView =
  | { kind: 'not-found' | 'too-many-tries' | 'logged-out' | 'not-mine' | 'stopped' | 'home' }
  /** `keptText`: the reply that could not be taken, to copy it from. */
  | { kind: 'session-ended'; keptText?: string }
  | { kind: 'expired' | 'code-dead'; action: string }
  | { kind: 'renewed'; maskedAddress: string }
  /** With `href` there is a code that still works. */
  | { kind: 'wait'; seconds: number; href?: string | null }
  | { kind: 'guess-wait' | 'renew-wait'; seconds: number }
  | { kind: 'ticket-closed'; href: string; keptText?: string }
  | { kind: 'form-refused' | 'too-large' | 'file-gone' | 'unavailable'; href?: string | null }
  | { kind: 'error'; errorId: string; href?: string | null };

export interface PageViews {
  landing: LandingView;
  code: CodeView;
  ticket: TicketView;
  notice: NoticeView;
  help: Record<string, never>;
}

export type PageName = keyof PageViews;

// ---------------------------------------------------------------------------------------------------------------------
// What the pages are made of

/** Icon (a mask in postern.css), tone, and whether the heading is bad news, per notice. */
const NOTICES: Record<
  NoticeView['kind'],
  { icon: string; tone: 'calm' | 'good' | 'care'; isError: boolean; action: boolean }
> = {
  'not-found': { icon: 'link', tone: 'care', isError: true, action: false },
  expired: { icon: 'clock', tone: 'calm', isError: false, action: true },
  renewed: { icon: 'mail', tone: 'good', isError: false, action: false },
  'session-ended': { icon: 'lock', tone: 'calm', isError: false, action: false },
  'code-dead': { icon: 'clock', tone: 'calm', isError: true, action: true },
  'too-many-tries': { icon: 'lock', tone: 'care', isError: true, action: false },
  wait: { icon: 'clock', tone: 'calm', isError: false, action: true },
  'guess-wait': { icon: 'lock', tone: 'calm', isError: true, action: false },
  'renew-wait': { icon: 'clock', tone: 'calm', isError: false, action: false },
  'ticket-closed': { icon: 'closed', tone: 'care', isError: true, action: true },
  'form-refused': { icon: 'shield', tone: 'care', isError: true, action: true },
  'logged-out': { icon: 'lock', tone: 'good', isError: false, action: false },
  'too-large': { icon: 'file', tone: 'care', isError: true, action: true },
  unavailable: { icon: 'cloud', tone: 'calm', isError: true, action: true },
  error: { icon: 'alert', tone: 'care', isError: true, action: true },
  'file-gone': { icon: 'file', tone: 'calm', isError: true, action: true },
  'not-mine': { icon: 'check', tone: 'good', isError: false, action: false },
  stopped: { icon: 'check', tone: 'good', isError: false, action: false },
  home: { icon: 'mail', tone: 'calm', isError: false, action: false },
};
const HELP_TOPICS = ['open', 'code', 'mail', 'link', 'address', 'safe'];
const PAGES: PageName[] = ['landing', 'code', 'ticket', 'notice', 'help'];

/** More messages than this, and all but the last few fold away, so that the newest is in view without a script. */
const UNFOLDED_MESSAGES = 6;
const RECENT_MESSAGES = 3;
/** Longer than what two lines of a narrow header hold: the whole subject then also stands above the conversation. */
const LONG_SUBJECT_CHARACTERS = 70;

/** Sentences whose keys the markup, this file or the controller puts together at run time. */
const COMPOSED_KEYS = [
  ...Object.entries(NOTICES).flatMap(([kind, { action }]) =>
    ['title', 'text', ...(action ? ['action'] : [])].map((part) => `notice.${kind}.${part}`),
  ),
  ...HELP_TOPICS.flatMap((topic) => [`help.${topic}.question`, `help.${topic}.answer`]),
  ...['sent', 'already-sent', 'not-sent-wait'].map((notice) => `code.notice.${notice}`),
  ...['wrong', 'malformed'].map((error) => `code.error.${error}`),
  ...['open', 'pending', 'resolved', 'closed'].map((status) => `status.${status}`),
  ...['you', 'agent', 'requester', 'participant', 'system'].map((who) => `author.${who}`),
  ...['sending', 'delivered', 'failed'].map((state) => `message.state.${state}`),
  ...['reply-sent', 'solved', 'unsolved'].map((flash) => `ticket.flash.${flash}`),
  ...[
    'empty',
    'too-long',
    'ticket-full',
    'file-mismatch',
    'image-too-large',
    'file-empty',
    'file-unsafe',
    'file-unchecked',
  ].map((error) => `reply.error.${error}`),
  ...['closed', 'readOnly'].flatMap((ending) => [`${ending}.title`, `${ending}.text`]),
  'language.name',
  'ticket.noSubject',
  'time.dayAndClock',
];

const KNOWN_HELPERS = {
  t: true,
  say: true,
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

type Values = Record<string, string | number>;

interface Language {
  tag: string;
  name: string;
  dir: 'ltr' | 'rtl';
}

/** What every template is rendered over: the page's own values beside these. */
interface Context {
  shared: SharedView;
  language: Language;
  languages: (Language & { current: boolean; href: string })[];
  hasChoice: boolean;
  zoneUnknown: boolean;
  [value: string]: unknown;
}

export class GuestPages {
  private constructor(
    private readonly templates: Map<PageName, Handlebars.TemplateDelegate<Context>>,
    private readonly sentences: Sentences,
  ) {}

  /**
   * Reads and checks all markup and sentences.
   * @param options.templatesDir the folder that holds `pages/`
   * @throws Error naming every problem found: broken markup, a sentence that is missing in the default locale, an ICU
   * message that cannot be read, one that wants a value which the default locale's does not have
   */
  static load(options: { templatesDir: string; defaultLocale: string }): GuestPages {
    const dir = join(options.templatesDir, 'pages');
    const problems: string[] = [];
    const sources = readMarkup(dir);
    const keys = new Set(COMPOSED_KEYS);
    for (const [file, source] of sources) {
      try {
        for (const key of literalKeys(source)) keys.add(key);
        Handlebars.precompile(source, COMPILE_OPTIONS);
      } catch (error) {
        problems.push(`${file}: ${(error as Error).message}`);
      }
    }
    const sentences = Sentences.read(dir, options.defaultLocale, keys, problems);
    if (problems.length > 0)
      throw new Error(`Guest pages cannot be used:\n${problems.map((p) => `- ${p}`).join('\n')}`);
    return new GuestPages(compile(sources, sentences), sentences);
  }

  /** The page as a whole HTML document. `locale` may be any tag; it goes through {@link resolveLocale}. */
  render<K extends PageName>(page: K, locale: string, view: PageViews[K], shared: SharedView): string {
    const tag = this.resolveLocale(locale);
    const language = this.sentences.language(tag);
    const context: Context = {
      ...PREPARE[page](view, (key) => this.sentences.format(tag, key, {}), tag),
      shared,
      language,
      languages: this.sentences.languages().map((each) => ({
        ...each,
        current: each.tag === tag,
        href: withLanguage(shared.path, each.tag),
      })),
      hasChoice: this.sentences.languages().length > 1,
      zoneUnknown: knownZone(shared.timeZone) === null,
    };
    return this.templates.get(page)!(context);
  }

  /** One sentence as plain text, e.g. for a {@link FieldError}: `sentence('id', 'reply.error.empty')`. */
  sentence(locale: string, key: string, values: Values = {}): string {
    return this.sentences.format(this.resolveLocale(locale), key, values);
  }

  /** The languages to choose from, each by its own name. */
  locales(): { tag: string; name: string }[] {
    return this.sentences.languages().map(({ tag, name }) => ({ tag, name }));
  }

  /** `id-ID` → `id` → the default locale. Never throws: what is no language tag gives the default. */
  resolveLocale(wanted: string | null): string {
    return this.sentences.resolve(wanted);
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Views into values: everything a template asks for is there, so that strict mode can catch the rest

type Say = (key: string) => string;
type Prepared = Record<string, unknown>;

const PREPARE: { [K in PageName]: (view: PageViews[K], say: Say, locale: string) => Prepared } = {
  landing: (view) => {
    const { notMineAction = null, stopAction = null } = view;
    return { ...view, notMineAction, stopAction, hasMore: Boolean(notMineAction || stopAction) };
  },
  code: (view) => ({
    ...view,
    error: view.error ?? null,
    triesLeft: view.triesLeft ?? null,
    notice: view.notice ?? null,
    resendInSeconds: Math.max(0, Math.ceil(view.resendInSeconds)),
  }),
  notice: (view) => ({
    maskedAddress: '',
    errorId: '',
    action: null,
    href: null,
    keptText: '',
    alive: view.kind === 'wait' && view.href ? 1 : 0,
    minutes: 'seconds' in view ? Math.round(view.seconds / 60) : 0,
    icon: NOTICES[view.kind].icon,
    tone: NOTICES[view.kind].tone,
    isError: NOTICES[view.kind].isError,
    ...view,
  }),
  help: () => ({ topics: HELP_TOPICS }),
  ticket: prepareTicket,
};

function prepareTicket(view: TicketView, say: Say, locale: string): Prepared {
  const messages = view.messages.map((message, index) =>
    prepareMessage(message, index === view.messages.length - 1, say),
  );
  const folded = messages.length > UNFOLDED_MESSAGES ? messages.length - RECENT_MESSAGES : 0;
  const of = (field: FieldError['field']): FieldError[] =>
    (view.reply?.errors ?? []).filter((error) => error.field === field);
  const errors = [...of('body'), ...of('files')];
  return {
    ...view,
    subject: view.subject || say('ticket.noSubject'),
    longSubject: (view.subject ?? '').length > LONG_SUBJECT_CHARACTERS,
    earlier: messages.slice(0, folded),
    recent: messages.slice(folded),
    kinds: fileKinds(view.reply?.accept ?? '', locale),
    reopens: view.status === 'resolved',
    ending: view.status === 'closed' ? 'closed' : 'readOnly',
    solvedAction: (view.status === 'resolved' && view.solvedAction) || null,
    streamHref: view.streamHref ?? null,
    flash: view.flash ?? null,
    errors,
    bodyErrors: of('body'),
    fileErrors: of('files'),
    hasError: errors.length > 0,
    // Without a script this is what brings the field with the error into view.
    hasKept: errors.length > 0 && (view.reply!.body.trim() !== '' || of('files').length > 0),
    focusBody: of('body').length > 0,
    focusFiles: of('body').length === 0 && of('files').length > 0,
  };
}

function prepareMessage(message: MessageView, newest: boolean, say: Say): Prepared {
  const { kind, name } = message.author;
  const edited = message.edited && !message.retracted;
  return {
    ...message,
    kind,
    newest,
    edited,
    who: message.mine ? say('author.you') : name || say(`author.${kind}`),
    agentTag: kind === 'agent' && Boolean(name),
    failed: message.state === 'failed',
    hasNotes: edited || message.state !== null,
  };
}

/** `.pdf,.png` → `PDF and PNG`. */
function fileKinds(accept: string, locale: string): string {
  const names = accept.split(',').map((kind) => kind.trim().replace(/^\./, '').toUpperCase());
  return new Intl.ListFormat(locale, { type: 'conjunction' }).format(names.filter(Boolean));
}

function withLanguage(path: string, tag: string): string {
  const [pathname = '', query = ''] = path.split('#', 1)[0]!.split('?', 2);
  const params = new URLSearchParams(query);
  params.set('lang', tag);
  return `${pathname}?${params}`;
}

// ---------------------------------------------------------------------------------------------------------------------
// Sentences

/** The sentences of all locales. A locale may miss some; the default locale has them all. */
class Sentences {
  private readonly parsed = new Map<string, IntlMessageFormat>();

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

  languages(): Language[] {
    return [...this.byLocale.keys()].sort().map((tag) => this.language(tag));
  }

  language(tag: string): Language {
    return { tag, name: this.byLocale.get(tag)?.['language.name'] ?? tag, dir: directionOf(tag) };
  }

  resolve(wanted: string | null): string {
    for (const candidate of localeChain(wanted)) if (this.byLocale.has(candidate)) return candidate;
    return this.defaultLocale;
  }
}

/** `zh-Hant-TW` → `zh-Hant-TW`, `zh-Hant`, `zh`; with the likely script in between, so that `zh-TW` finds `zh-Hant`. */
function localeChain(wanted: string | null): string[] {
  try {
    const locale = new Intl.Locale((wanted ?? '').trim().replaceAll('_', '-'));
    const { language, script } = locale.maximize();
    const parts = locale.baseName.split('-');
    const shorter = parts.map((_, index) => parts.slice(0, parts.length - index).join('-'));
    return [...shorter.slice(0, -1), `${language}-${script}`, locale.language];
  } catch {
    return []; // RangeError: not a language tag, so nothing is wanted that we could have
  }
}

function directionOf(tag: string): 'ltr' | 'rtl' {
  // A property on node 20, a method later.
  const locale = new Intl.Locale(tag) as Intl.Locale & {
    textInfo?: { direction: 'ltr' | 'rtl' };
    getTextInfo?: () => { direction: 'ltr' | 'rtl' };
  };
  return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? 'ltr';
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

// ---------------------------------------------------------------------------------------------------------------------
// Markup

function filesOf(dir: string, extension: string): string[] {
  return readdirSync(dir)
    .filter((file) => extname(file) === extension)
    .sort();
}

/** `landing.hbs` and `parts/layout.hbs` → their text. */
function readMarkup(dir: string): Map<string, string> {
  const files = [...filesOf(dir, '.hbs'), ...filesOf(join(dir, 'parts'), '.hbs').map((file) => `parts/${file}`)];
  return new Map(files.map((file) => [file, readFileSync(join(dir, file), 'utf8')]));
}

/** The keys that a template names outright, in `{{t "key"}}`, `{{say "key"}}` and in subexpressions. */
function literalKeys(source: string): string[] {
  const keys: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { path, params } = node as { path?: { original?: unknown }; params?: { type: string; value?: unknown }[] };
    const first = params?.[0];
    if ((path?.original === 't' || path?.original === 'say') && first?.type === 'StringLiteral')
      keys.push(String(first.value));
    Object.values(node).forEach(visit);
  };
  visit(Handlebars.parse(source));
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
    /** `{{t (key "status" status)}}` says `status.open`. What is composed here is listed in COMPOSED_KEYS. */
    key: (...parts: unknown[]) => parts.slice(0, -1).join('.'),
    /** `today, 14:05`, `12 Nov, 14:05`, `12 Nov 2025, 14:05` */
    shortTime: (at: Date, options: Handlebars.HelperOptions) => {
      const { language, shared } = rootOf(options);
      const { day, clock } = timesOf(options).short(at, shared.now);
      return sentences.format(language.tag, 'time.dayAndClock', { day, clock });
    },
    fullTime: (at: Date, options: Handlebars.HelperOptions) => timesOf(options).full.format(at),
    clock: (at: Date, options: Handlebars.HelperOptions) => timesOf(options).clock.format(at),
    iso: (at: Date) => at.toISOString(),
    secondsUntil: (at: Date, options: Handlebars.HelperOptions) =>
      Math.max(0, Math.ceil((at.getTime() - rootOf(options).shared.now.getTime()) / 1000)),
    /** `18 kB`, `2.4 MB` in the page's language. */
    bytes: (size: number, options: Handlebars.HelperOptions) => fileSize(size, rootOf(options).language.tag),
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Times and sizes, by Intl

interface Times {
  clock: Intl.DateTimeFormat;
  full: Intl.DateTimeFormat;
  short(at: Date, now: Date): { day: string; clock: string };
}

/** Making an Intl formatter costs as much as rendering a whole page, so they are kept: at most this many. */
const KEPT_FORMATTERS = 256;
const timesByPlace = new Map<string, Times>();

function timesFor(locale: string, timeZone: string | null): Times {
  const zone = knownZone(timeZone);
  const place = `${locale}|${zone}`;
  const kept = timesByPlace.get(place);
  if (kept) return kept;
  if (timesByPlace.size >= KEPT_FORMATTERS) timesByPlace.clear();
  const times = makeTimes(locale, zone);
  timesByPlace.set(place, times);
  return times;
}

function makeTimes(locale: string, zone: string | null): Times {
  const make = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { timeZone: zone ?? 'UTC', ...options });
  // A time in a zone that is not the reader's own must say which one it is; timeStyle cannot, but pads as each
  // language does (09.15 in Indonesian, 9:15 AM in English).
  const clock = make(zone ? { timeStyle: 'short' } : { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' });
  const thisYear = make({ day: 'numeric', month: 'short' });
  const anyYear = make({ day: 'numeric', month: 'short', year: 'numeric' });
  const ordinal = new Intl.DateTimeFormat('en-CA', { timeZone: zone ?? 'UTC', dateStyle: 'short' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const dayOf = (at: Date): string => ordinal.format(at);
  const day = (at: Date, now: Date): string => {
    const days = Math.round((Date.parse(dayOf(at)) - Date.parse(dayOf(now))) / 86_400_000);
    if (days === 0 || days === -1) return upperFirst(relative.format(days, 'day'), locale);
    return (dayOf(at).slice(0, 4) === dayOf(now).slice(0, 4) ? thisYear : anyYear).format(at);
  };
  return {
    clock,
    full: make({
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      hour: 'numeric',
      minute: '2-digit',
      timeZoneName: 'short',
    }),
    short: (at, now) => ({ day: day(at, now), clock: clock.format(at) }),
  };
}

const upperFirst = (text: string, locale: string): string => text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);

const zones = new Map<string, boolean>();

/** The zone if Intl knows it: a source may send anything. */
function knownZone(timeZone: string | null): string | null {
  if (!timeZone || timeZone.length > 64) return null;
  let known = zones.get(timeZone);
  if (known === undefined) {
    if (zones.size >= KEPT_FORMATTERS) zones.clear();
    known = isZone(timeZone);
    zones.set(timeZone, known);
  }
  return known ? timeZone : null;
}

function isZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false; // RangeError is how Intl says that it knows no such zone
  }
}

function fileSize(bytes: number, locale: string): string {
  // Limits are set in steps of 1024, and a limit of 10 MiB should read "10 MB".
  const [value, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
  const rounded = unit === 'kilobyte' ? Math.max(1, Math.round(value)) : Math.round(value * 10) / 10;
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' }).format(rounded);
}

// ---------------------------------------------------------------------------------------------------------------------
// Assets

export interface Asset {
  /** `postern.css` */
  name: string;
  /** `/assets/<hash>/postern.css`: another content has another path, so it may be cached for ever. */
  path: string;
  type: string;
  content: Buffer;
}

const ASSET_TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Everything in `pages/assets/`, by name. */
export function loadAssets(templatesDir: string): Map<string, Asset> {
  const dir = join(templatesDir, 'pages', 'assets');
  const files = readdirSync(dir).filter((file) => extname(file) in ASSET_TYPES);
  return new Map(files.map((name) => [name, assetOf(name, readFileSync(join(dir, name)))]));
}

function assetOf(name: string, content: Buffer): Asset {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16);
  return { name, path: `/assets/${hash}/${name}`, type: ASSET_TYPES[extname(name)]!, content };
}

/** Grounds of postern.css, on which an accent must be readable as text. */
const GROUND = { light: '#ffffff', dark: '#17181b' };
const INK = { light: '#18191b', dark: '#ececef' };

/**
 * The brand's colours as a stylesheet. An accent too pale to read as text stays for buttons only, with dark or light
 * words on it, whichever contrasts more (WCAG 2.2, 1.4.3).
 * @throws Error when an accent is not `#rrggbb`, so that nothing else can get into the stylesheet
 */
export function brandCss(brand: Pick<BrandView, 'accent' | 'accentDark'>): string {
  const light = accentTokens(brand.accent, 'light');
  const dark = accentTokens(brand.accentDark, 'dark');
  return `:root{${light}}\n@media (prefers-color-scheme:dark){:root{${dark}}}\n@media print{:root{${light}}}\n`;
}

function accentTokens(accent: string, scheme: 'light' | 'dark'): string {
  if (!/^#[0-9a-f]{6}$/i.test(accent)) throw new Error(`accent "${accent}" is not a colour of the form #rrggbb`);
  const onAccent = contrast('#ffffff', accent) >= contrast('#111214', accent) ? '#ffffff' : '#111214';
  const text = contrast(accent, GROUND[scheme]) >= 4.8 ? accent : INK[scheme];
  return `--accent:${accent};--on-accent:${onAccent};--accent-text:${text}`;
}

function contrast(one: string, other: string): number {
  const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Relative luminance of WCAG 2.2. */
function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
