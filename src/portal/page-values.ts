/** Views into values: everything a template asks for is there, so that strict mode can catch the rest. */
import type { BrandView, FormError, MessageView, NoticeView, PageName, PageViews, TicketView } from './page-views.js';

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

/** More messages than this, and all but the last few fold away, so that the newest is in view without a script. */
const UNFOLDED_MESSAGES = 6;
const RECENT_MESSAGES = 3;
/** Longer than what two lines of a narrow header hold: the whole subject then also stands above the conversation. */
const LONG_SUBJECT_CHARACTERS = 70;

/** Of a message's HTML: more than half a sheet of paper. What is shorter is kept on one. */
const LONG_MESSAGE_CHARACTERS = 2000;

/** Sentences whose keys the markup, this file or a controller puts together at run time. */
export const COMPOSED_KEYS = [
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

type Say = (key: string) => string;
type Prepared = Record<string, unknown>;

/** The values of each page. */
export const PREPARE: {
  [K in PageName]: (view: PageViews[K], say: Say, locale: string, brand: BrandView) => Prepared;
} = {
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
