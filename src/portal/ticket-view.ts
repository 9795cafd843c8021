import type { OutboundState } from '../outbound/outbound.entity.js';
import { randomToken } from '../platform/crypto.js';
import { acceptedExtensions } from '../tickets/file-rules.js';
import {
  MOST_BYTES_PER_FILE,
  MOST_BYTES_PER_REPLY,
  MOST_FILES_PER_REPLY,
  type ReceivedFile,
} from '../tickets/file-store.js';
import type { Answer } from '../tickets/solved.js';
import type { Entry, Stretch } from '../tickets/conversation.js';
import { hasPreview, previewSize } from '../tickets/previews.js';
import type { Attachment, Ticket } from '../tickets/ticket.entity.js';
import type { AttachmentView, MessageView, PrintView, ReplyView, TicketView } from './page-views.js';
import { MOST_CHARACTERS, type FormFault } from './reply-form.js';

type Say = (key: string, values?: Record<string, string | number>) => string;

/** The ticket page of one participant. */
export function ticketView(
  ticket: Ticket,
  entries: Entry[],
  states: Map<string, OutboundState>,
  page: {
    takesReplies: boolean;
    reply: ReplyView;
    flash: TicketView['flash'];
    mailsOff: boolean;
    /** Whether it is solved may be asked, what was answered, and that this was just now. */
    asks: boolean;
    answer: Answer | null;
    answered: boolean;
    before: string | null;
    isEarlier: boolean;
    seenUntil: number | null;
    pulse: string;
  },
): TicketView {
  const { seenUntil } = page;
  const firstUnseen = seenUntil === null ? null : entries.find(({ at, mine }) => !mine && at > seenUntil);
  return {
    number: ticket.number,
    subject: ticket.subject || null,
    status: ticket.status,
    messages: entries.map((entry) => ({
      ...messageView(ticket, entry, states),
      firstUnseen: entry.id === firstUnseen?.id,
    })),
    reply: page.takesReplies && ticket.status !== 'closed' ? page.reply : null,
    logoutAction: `/tickets/${ticket.id}/logout`,
    printHref: `/tickets/${ticket.id}?print=1`,
    resumeAction: page.mailsOff ? `/tickets/${ticket.id}/resume` : null,
    solvedAction: page.asks ? `/tickets/${ticket.id}/solved` : null,
    saidSolved: page.answer === 'yes',
    // An old page has no news.
    streamHref: page.isEarlier ? null : `/tickets/${ticket.id}/stream?since=${page.pulse}`,
    seenAction: page.isEarlier ? null : `/tickets/${ticket.id}/seen`,
    earlierHref: page.before ? `/tickets/${ticket.id}?before=${page.before}` : null,
    newestHref: page.isEarlier ? `/tickets/${ticket.id}` : null,
    flash: page.flash ?? flashOf(page.answered ? page.answer : null),
    focusReply: page.answered && page.answer === 'no',
  };
}

/** The conversation on paper. */
export function printView(ticket: Ticket, { entries, before }: Stretch, states: Map<string, OutboundState>): PrintView {
  return {
    number: ticket.number,
    subject: ticket.subject || null,
    status: ticket.status,
    messages: entries.map((entry) => messageView(ticket, entry, states)),
    backHref: `/tickets/${ticket.id}`,
    earlierHref: before ? `/tickets/${ticket.id}?print=1&before=${before}` : null,
  };
}

/** The reply box, with what was typed and what was wrong with it. */
export function replyView(
  ticket: Ticket,
  { body, kept, isDraft }: { body: string; kept: ReceivedFile[]; isDraft: boolean },
  faults: FormFault[],
  say: Say,
): ReplyView {
  return {
    action: `/tickets/${ticket.id}/replies`,
    filesAction: `/tickets/${ticket.id}/files`,
    formKey: randomToken(16),
    body,
    isDraft,
    kept: kept.map(({ name, size, sha256 }) => ({ name, size, sha256 })),
    errors: faults.map((fault) => ({ field: fault.field, text: faultText(fault, say) })),
    accept: acceptedExtensions.map((extension) => `.${extension}`).join(','),
    maxFiles: MOST_FILES_PER_REPLY,
    maxFileBytes: MOST_BYTES_PER_FILE,
    maxTotalBytes: MOST_BYTES_PER_REPLY,
  };
}

const flashOf = (answer: Answer | null) => (answer === null ? null : answer === 'yes' ? 'solved' : 'unsolved');

function messageView(ticket: Ticket, entry: Entry, states: Map<string, OutboundState>): MessageView {
  return {
    id: entry.id,
    author: { name: entry.authorName || null, kind: entry.authorKind },
    mine: entry.mine,
    at: new Date(entry.at),
    bodyHtml: entry.html,
    edited: entry.edited,
    retracted: entry.retracted,
    attachments: entry.attachments.map((attachment) => attachmentView(ticket, attachment)),
    // How far a reply came is its writer's business.
    state: entry.replyId !== null && entry.mine && !entry.retracted ? replyState(entry, states) : null,
  };
}

function attachmentView(ticket: Ticket, attachment: Attachment): AttachmentView {
  const { id, name, size, contentType, width, height } = attachment;
  const href = `/tickets/${ticket.id}/attachments/${id}`;
  const preview = hasPreview(attachment)
    ? { href: `${href}/preview`, ...previewSize({ width: width!, height: height! }) }
    : null;
  return { name, size, contentType, href, preview };
}

function replyState(
  { replyId, echoed }: Entry,
  states: Map<string, OutboundState>,
): 'sending' | 'delivered' | 'failed' {
  const state = states.get(replyId!);
  if (echoed || state === 'delivered') return 'delivered';
  // Without its outbound message nothing will ever carry the reply.
  return state === 'parked' || state === undefined ? 'failed' : 'sending';
}

/** What is wrong, as a sentence. */
export function faultText({ key, name = '' }: FormFault, say: Say): string {
  if (key === 'files-gone') return say('notice.file-gone.title');
  if (key === 'wait' || key === 'no-room') return say('notice.wait.title');
  const megabytes = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MB`;
  const kinds = acceptedExtensions.map((extension) => extension.toUpperCase()).join(', ');
  const size = megabytes(key === 'files-too-large' ? MOST_BYTES_PER_REPLY : MOST_BYTES_PER_FILE);
  return say(`reply.error.${key}`, { name, kinds, size, count: MOST_FILES_PER_REPLY, max: MOST_CHARACTERS });
}
