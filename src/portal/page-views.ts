/** What the controllers hand to the pages: plain values, made ready to be shown. */

export interface BrandView {
  /** What people read, e.g. `Acme`. */
  name: string;
  /** `#rrggbb`, for the light and the dark ground. */
  accent: string;
  accentDark: string;
  /** Path or `data:` address of a picture; never on another origin. */
  logo: string | null;
  /** `https:` or `mailto:`: where people write who need more help. */
  contact?: string | null;
}

/** What every page needs, whatever it is about. Paths are relative to the origin of PUBLIC_URL. */
export interface SharedView {
  brand: BrandView;
  assets: { style: string; script: string; icon: string; brandStyle: string };
  formToken: string;
  /** The page's own path, for the form that changes the language. */
  path: string;
  /** Where the language is changed by POST (fields `language`, `path`). */
  languageAction: string;
  /** It was changed just now, for the mails as well. */
  languageKept?: boolean;
  helpHref: string | null;
  checkHref: string | null;
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
  notice?: 'sent' | 'already-sent';
  /** The mail with the code still waits for its turn, longer than it should. */
  isSlow?: boolean;
}

export interface AttachmentView {
  name: string;
  /** Bytes; null where the source did not say. */
  size: number | null;
  href: string;
  contentType: string;
  /** A picture of it, in pixels; null where there is none. */
  preview: { href: string; width: number; height: number } | null;
}

export interface MessageView {
  id?: string;
  /** The first of what came since the last visit. */
  firstUnseen?: boolean;
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

export interface FormError {
  field: 'body' | 'files';
  /** A whole sentence, e.g. from {@link GuestPages.sentence}. */
  text: string;
}

export interface ReplyView {
  action: string;
  /** Where the script brings each file as soon as it is picked, and with `/remove` takes it away again. */
  filesAction?: string | null;
  /** Makes a second submit of the same form harmless. */
  formKey: string;
  /** What was typed already, given back after an error. */
  body: string;
  /** The text has waited since a session that ended. */
  isDraft?: boolean;
  /** Files that wait with the text. */
  kept?: { name: string; size: number; sha256: string }[];
  errors: FormError[];
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
  printHref?: string | null;
  /** Where mails about this ticket are turned on again; null while they are on. */
  resumeAction?: string | null;
  solvedAction?: string | null;
  /** Answered "yes": only "no" is still offered. */
  saidSolved?: boolean;
  /** Where the script says how far was read. */
  seenAction?: string | null;
  earlierHref?: string | null;
  /** On a page of earlier messages: back to the newest. */
  newestHref?: string | null;
  focusReply?: boolean;
  /** Server-sent events; any event named `update` makes the script fetch the page again. */
  streamHref?: string | null;
  flash?: 'reply-sent' | 'mails-on' | 'solved' | 'unsolved' | null;
}

/** The whole conversation on paper. */
export interface PrintView extends Pick<TicketView, 'number' | 'subject' | 'status' | 'messages' | 'earlierHref'> {
  /** The ticket page. */
  backHref: string;
}

/** "Is this mail really from you?": asked, or answered with the question below it. */
export interface CheckView {
  /** What was typed, given back. */
  typed: string;
  error?: 'malformed';
  /** `unknown`: no mail carries this reference, or it never left. */
  answer?: 'ours' | 'unknown';
  /** With `ours`: what the reader compares with the mail. */
  mail?: { ticketNumber: string; maskedAddress: string; sentAt: Date };
}

/** Every page that says one thing and offers at most one way on: by form (`action`) or by link (`href`). */
export type NoticeView =
  | { kind: 'not-found' | 'too-many-tries' | 'logged-out' | 'stopped' | 'home' }
  /** `action` sends a code: whoever proves the mailbox takes it back. */
  | { kind: 'not-mine'; maskedAddress: string; action: string }
  /** `keptText`: the reply that could not be taken, to copy it from. */
  | { kind: 'session-ended'; keptText?: string; isKept?: boolean }
  | { kind: 'expired' | 'code-dead' | 'ask-not-mine' | 'ask-stop'; action: string }
  | { kind: 'renewed' | 'unreachable'; maskedAddress: string }
  /** With `href` there is a code that still works. */
  | { kind: 'wait' | 'send-wait' | 'renew-wait'; seconds: number; href?: string | null }
  | { kind: 'guess-wait' | 'check-wait'; seconds: number }
  | { kind: 'confirmed' | 'resume-wait'; href: string; seconds?: number }
  | { kind: 'ticket-closed'; href: string; keptText?: string }
  | { kind: 'unavailable'; href: string | null; keptText?: string }
  | {
      kind: 'cookies-off' | 'form-refused' | 'too-large' | 'file-gone' | 'file-unsafe' | 'file-unchecked';
      href?: string | null;
    }
  | { kind: 'error'; errorId: string; href?: string | null };

export interface PageViews {
  landing: LandingView;
  code: CodeView;
  ticket: TicketView;
  print: PrintView;
  notice: NoticeView;
  check: CheckView;
  help: Record<string, never>;
}

export type PageName = keyof PageViews;
