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
import type {
  BrandView,
  FormError,
  MessageView,
  NoticeView,
  PageName,
  PageViews,
  SharedView,
  TicketView,
} from './page-views.js';
import { Sentences, type Language, type Values } from './sentences.js';

/** Icon (a mask in postern.css), tone, and whether the heading is bad news, per notice. */
const NOTICES: Record<
  NoticeView['kind'],
  { icon: string; tone: 'calm' | 'good' | 'care'; isError: boolean; action: boolean }
> = {
  'not-found': { icon: 'link', tone: 'care', isError: true, action: false },
  expired: { icon: 'clock', tone: 'calm', isError: false, action: true },
  renewed: { icon: 'mail', tone: 'good', isError: false, action: false },
  unreachable: { icon: 'mail', tone: 'calm', isError: true, action: false },
  'session-ended': { icon: 'lock', tone: 'calm', isError: false, action: false },
  'code-dead': { icon: 'clock', tone: 'calm', isError: true, action: true },
  'too-many-tries': { icon: 'lock', tone: 'care', isError: true, action: false },
  wait: { icon: 'clock', tone: 'calm', isError: false, action: true },
  'guess-wait': { icon: 'lock', tone: 'calm', isError: true, action: false },
  'send-wait': { icon: 'clock', tone: 'calm', isError: true, action: true },
  'renew-wait': { icon: 'clock', tone: 'calm', isError: false, action: false },
  'resume-wait': { icon: 'clock', tone: 'calm', isError: true, action: true },
  'check-wait': { icon: 'clock', tone: 'calm', isError: false, action: false },
  'ticket-closed': { icon: 'closed', tone: 'care', isError: true, action: true },
  'cookies-off': { icon: 'shield', tone: 'calm', isError: true, action: true },
  'form-refused': { icon: 'shield', tone: 'care', isError: true, action: true },
  'logged-out': { icon: 'lock', tone: 'good', isError: false, action: false },
  'too-large': { icon: 'file', tone: 'care', isError: true, action: true },
  unavailable: { icon: 'cloud', tone: 'calm', isError: true, action: true },
  error: { icon: 'alert', tone: 'care', isError: true, action: true },
  'file-gone': { icon: 'file', tone: 'calm', isError: true, action: true },
  'ask-not-mine': { icon: 'mail', tone: 'calm', isError: false, action: true },
  'not-mine': { icon: 'check', tone: 'good', isError: false, action: true },
  confirmed: { icon: 'lock', tone: 'calm', isError: true, action: true },
  'ask-stop': { icon: 'mail', tone: 'calm', isError: false, action: true },
  'file-unsafe': { icon: 'shield', tone: 'care', isError: true, action: true },
  'file-unchecked': { icon: 'shield', tone: 'calm', isError: true, action: true },
  stopped: { icon: 'check', tone: 'good', isError: false, action: false },
  home: { icon: 'mail', tone: 'calm', isError: false, action: false },
};
/** In the order of the way: how news comes, in, what to write, what can go wrong, and whom to believe. */
const HELP_TOPICS = ['news', 'account', 'open', 'code', 'late', 'write', 'mail', 'link', 'address', 'safe', 'page'];
const PAGES: PageName[] = ['landing', 'code', 'ticket', 'print', 'notice', 'help', 'check'];

/** More messages than this, and all but the last few fold away, so that the newest is in view without a script. */
const UNFOLDED_MESSAGES = 6;
const RECENT_MESSAGES = 3;
/** Longer than what two lines of a narrow header hold: the whole subject then also stands above the conversation. */
const LONG_SUBJECT_CHARACTERS = 70;

/** Of a message's HTML: more than half a sheet of paper. What is shorter is kept on one. */
const LONG_MESSAGE_CHARACTERS = 2000;

/** Sentences whose keys the markup, this file or the controller puts together at run time. */
const COMPOSED_KEYS = [
  ...Object.entries(NOTICES).flatMap(([kind, { action }]) =>
    ['title', 'text', ...(action ? ['action'] : [])].map((part) => `notice.${kind}.${part}`),
  ),
  ...HELP_TOPICS.flatMap((topic) => [`help.${topic}.question`, `help.${topic}.answer`]),
  ...['sent', 'already-sent'].map((notice) => `code.notice.${notice}`),
  ...['ours', 'unknown'].flatMap((answer) => [`check.${answer}.title`, `check.${answer}.text`]),
  'check.error.malformed',
  ...['wrong', 'malformed'].map((error) => `code.error.${error}`),
  ...['open', 'pending', 'resolved', 'closed'].map((status) => `status.${status}`),
  ...['you', 'agent', 'requester', 'participant', 'system'].map((who) => `author.${who}`),
  ...['sending', 'delivered', 'failed'].map((state) => `message.state.${state}`),
  ...['reply-sent', 'mails-on', 'solved', 'unsolved'].map((flash) => `ticket.flash.${flash}`),
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

// Views into values: everything a template asks for is there, so that strict mode can catch the rest.

type Say = (key: string) => string;
type Prepared = Record<string, unknown>;

const PREPARE: { [K in PageName]: (view: PageViews[K], say: Say, locale: string, brand: BrandView) => Prepared } = {
  landing: (view) => {
    const { notMineAction = null, stopAction = null } = view;
    return { ...view, notMineAction, stopAction, hasMore: Boolean(notMineAction || stopAction) };
  },
  code: (view) => ({
    ...view,
    error: view.error ?? null,
    triesLeft: view.triesLeft ?? null,
    notice: view.notice ?? null,
    isSlow: view.isSlow ?? false,
    resendInSeconds: Math.max(0, Math.ceil(view.resendInSeconds)),
  }),
  notice: (view) => ({
    maskedAddress: '',
    errorId: '',
    action: null,
    href: null,
    keptText: '',
    isKept: false,
    alive: view.kind === 'wait' && view.href ? 1 : 0,
    ...waitOf('seconds' in view ? (view.seconds ?? 0) : 0),
    icon: NOTICES[view.kind].icon,
    tone: NOTICES[view.kind].tone,
    isError: NOTICES[view.kind].isError,
    ...view,
  }),
  help: () => ({ topics: HELP_TOPICS.map((name) => ({ name, toCheck: name === 'safe' })) }),
  check: (view) => ({ ...view, error: view.error ?? null, answer: view.answer ?? null, mail: view.mail ?? null }),
  ticket: prepareTicket,
  print: (view, say) => ({
    ...view,
    subject: view.subject || say('ticket.noSubject'),
    earlierHref: view.earlierHref ?? null,
    messages: view.messages.map((message) => ({
      ...prepareMessage(message, false, say),
      long: message.bodyHtml.length > LONG_MESSAGE_CHARACTERS,
    })),
  }),
};

/** A wait as people say it: in hours where minutes would be a sum to do. Never less than it takes. */
function waitOf(seconds: number): { minutes: number; hours: number } {
  const hours = seconds > 90 * 60 ? Math.ceil(seconds / 3600) : 0;
  return { minutes: seconds < 60 ? 0 : Math.ceil(seconds / 60), hours };
}

function prepareTicket(view: TicketView, say: Say, locale: string, { contact }: BrandView): Prepared {
  const messages = view.messages.map((message, index) =>
    prepareMessage(message, !view.newestHref && index === view.messages.length - 1, say),
  );
  const folded = messages.length > UNFOLDED_MESSAGES ? messages.length - RECENT_MESSAGES : 0;
  const of = (field: FormError['field']): FormError[] =>
    (view.reply?.errors ?? []).filter((error) => error.field === field);
  const errors = [...of('body'), ...of('files')];
  return {
    ...view,
    subject: view.subject || say('ticket.noSubject'),
    longSubject: (view.subject ?? '').length > LONG_SUBJECT_CHARACTERS,
    earlier: messages.slice(0, view.newestHref ? 0 : folded),
    recent: messages.slice(view.newestHref ? 0 : folded),
    kinds: fileKinds(view.reply?.accept ?? '', locale),
    reopens: view.status === 'resolved',
    ending: view.status === 'closed' ? 'closed' : 'readOnly',
    contactHref: (view.status === 'closed' && contact) || null,
    printHref: view.printHref ?? null,
    solvedAction: (view.status === 'resolved' && view.solvedAction) || null,
    resumeAction: view.resumeAction ?? null,
    saidSolved: view.saidSolved ?? false,
    earlierHref: view.earlierHref ?? null,
    newestHref: view.newestHref ?? null,
    seenAction: view.seenAction ?? null,
    newestAt: view.messages.at(-1)?.at.getTime() ?? 0,
    kept: view.reply?.kept ?? [],
    filesAction: view.reply?.filesAction ?? null,
    hasDraft: (view.reply?.isDraft ?? false) && errors.length === 0,
    streamHref: view.streamHref ?? null,
    flash: view.flash ?? null,
    errors,
    bodyErrors: of('body'),
    fileErrors: of('files'),
    hasError: errors.length > 0,
    // Without a script this is what brings the field with the error into view.
    hasKept: errors.length > 0 && (view.reply!.body.trim() !== '' || of('files').length > 0),
    focusBody: of('body').length > 0 || (view.focusReply ?? false),
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
    id: message.id ?? '',
    firstUnseen: message.firstUnseen ?? false,
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

// Markup

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
