import { z } from 'zod';
import { isoTime } from '../../platform/clock.js';
import { sha256 } from '../../platform/crypto.js';
import { headerOf, type Normalised, type SourceAdapter } from './adapter.js';
import { guestsOf, isSecret, moment, readBody } from './reading.js';

const id = z.union([z.int(), z.string().min(1)]).transform(String);
/** Placeholders make everything a text, and what Freshdesk does not know an empty one. */
const text = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((value) => (value == null || value === '' ? undefined : String(value)));

const HAPPENINGS = ['created', 'replied', 'info_requested', 'resolved', 'reopened', 'closed', 'updated'] as const;

const payload = z.object({
  freshdesk_webhook: z.looseObject({
    ticket_id: id,
    // One of the two says what happened: the word in the pasted body, or Freshdesk's own.
    postern_event: z.enum(HAPPENINGS, { error: `must be one of ${HAPPENINGS.join(', ')}` }).nullish(),
    triggered_event: text,
    ticket_subject: text,
    ticket_description: text,
    ticket_status: text,
    ticket_created_at: text,
    ticket_updated_at: text,
    ticket_url: text,
    ticket_cc_emails: z.union([z.array(z.unknown()), z.string()]).nullish(),
    requester_name: text,
    requester_email: text,
    requester_language: text,
    requester_time_zone: text,
    // As the "simple" content names them.
    ticket_contact_name: text,
    ticket_contact_email: text,
    ticket_contact_language: text,
    public_comment: text,
    comment_author: text,
    comment_author_email: text,
    // Only the text "public" is public.
    note_type: z.unknown().optional(),
    reply_id: text,
  }),
});
type Webhook = z.infer<typeof payload>['freshdesk_webhook'];
type What = (typeof HAPPENINGS)[number];

/** By its own names, and by the numbers of its API. */
const STATUSES: Readonly<Record<string, 'open' | 'pending' | 'resolved' | 'closed'>> = {
  open: 'open',
  2: 'open',
  pending: 'pending',
  3: 'pending',
  resolved: 'resolved',
  4: 'resolved',
  closed: 'closed',
  5: 'closed',
  'waiting on customer': 'pending',
  6: 'pending',
  'waiting on third party': 'open',
  7: 'open',
};

/** Freshdesk's automation webhook, with the body of docs/sources/freshdesk.md. It has no signature, only a secret. */
export const freshdesk: SourceAdapter = {
  mediaTypes: ['application/json'],
  signing:
    'Send one of the secrets of this source in the header x-postern-secret, or as the password of "Requires authentication".',
  verify({ secrets }, { headers }) {
    const given = headerOf(headers, 'x-postern-secret') ?? passwordOf(headerOf(headers, 'authorization'));
    return given !== undefined && isSecret(secrets, given) ? {} : null;
  },
  normalise(_source, body, { rawBody, now }) {
    const { freshdesk_webhook: webhook } = readBody(
      payload,
      body,
      'Freshdesk with the content of docs/sources/freshdesk.md',
    );
    return [happening(webhook, sha256(rawBody).toString('hex'), now)];
  },
  origins: {
    '/data/requester/email': '/freshdesk_webhook/requester_email',
    '/data/ticket/id': '/freshdesk_webhook/ticket_id',
    '/data/ticket/subject': '/freshdesk_webhook/ticket_subject',
    '/data/ticket/url': '/freshdesk_webhook/ticket_url',
    '/data/message/body': '/freshdesk_webhook/public_comment',
    '/data/message/replyId': '/freshdesk_webhook/reply_id',
  },
};

/** The password of Basic credentials (RFC 7617), whoever the user is. */
function passwordOf(authorization = ''): string | undefined {
  const encoded = /^basic +([a-z0-9+/]+=*)$/i.exec(authorization)?.[1];
  const pair = encoded && Buffer.from(encoded, 'base64').toString('utf8');
  return pair?.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined;
}

function happening(webhook: Webhook, bodyHash: string, now: number): Normalised {
  // Whatever the pasted body says beside it.
  if (/note_type\W+private/i.test(webhook.triggered_event ?? '')) return { kind: 'ignored', reason: 'internal' };
  const what = webhook.postern_event ?? whatTriggered(webhook);
  if (what === null) return { kind: 'ignored', reason: 'unknown-type' };
  const isPublic = webhook.note_type === 'public';
  if ((what === 'replied' || what === 'info_requested') && !isPublic) return { kind: 'ignored', reason: 'internal' };
  const email = webhook.requester_email ?? webhook.ticket_contact_email;
  if (email === undefined) return { kind: 'ignored', reason: 'no-address' };
  // Without a time of the ticket that of the arrival puts it in order; it names nothing.
  const updatedAt = moment(webhook.ticket_updated_at) ?? isoTime(now);
  const happened = `${webhook.ticket_id} ${what} ${bodyHash}`;
  return {
    kind: 'event',
    id: sha256(happened).toString('hex'),
    fingerprint: happened,
    native: {
      type: `ticket.${what}`,
      timestamp: updatedAt,
      data: {
        ticket: {
          id: webhook.ticket_id,
          number: webhook.ticket_id,
          subject: webhook.ticket_subject,
          status: statusOf(webhook, what),
          createdAt: moment(webhook.ticket_created_at),
          updatedAt,
          url: webhook.ticket_url,
        },
        requester: {
          kind: 'guest',
          email,
          name: webhook.requester_name ?? webhook.ticket_contact_name,
          locale: webhook.requester_language ?? webhook.ticket_contact_language,
          timeZone: webhook.requester_time_zone,
        },
        participants: webhook.ticket_cc_emails == null ? undefined : guestsOf(copiesOf(webhook.ticket_cc_emails)),
        message: isPublic ? messageOf(webhook, what, happened, email, updatedAt) : null,
      },
    },
  };
}

/** What Freshdesk's own `triggered_event` says, like `{ticket_action:created}` or `{status:{from:2,to:4}}`. */
function whatTriggered({ triggered_event: event = '', ticket_status: status }: Webhook): What | null {
  if (/ticket_action\W+created/i.test(event)) return 'created';
  if (/reply_sent|note_type\W+public/i.test(event)) return 'replied';
  if (!/\bstatus\b/i.test(event)) return null;
  const [before, after] = [statusNamed(/from\W+([\w ]+)/i.exec(event)?.[1]), statusNamed(status)];
  if (after === 'resolved' || after === 'closed') return after;
  return before === 'resolved' || before === 'closed' ? 'reopened' : 'updated';
}

function statusOf({ ticket_status: status }: Webhook, what: What): string {
  return statusNamed(status) ?? (what === 'resolved' || what === 'closed' ? what : 'open');
}

const statusNamed = (name = '') => STATUSES[name.trim().toLowerCase()];

/** A list, or the text that a placeholder makes of one. */
function copiesOf(given: string | unknown[]): { email: string }[] {
  const list = typeof given === 'string' ? given.split(/[\s,;[\]"']+/) : given;
  return list.flatMap((one) => (typeof one === 'string' && one !== '' ? [{ email: one }] : []));
}

/** There is no id of a comment among the placeholders, so what was sent names it. */
function messageOf(
  webhook: Webhook,
  what: What,
  happened: string,
  email: string,
  updatedAt: string,
): { id: string } | null {
  const { public_comment, ticket_description, comment_author, comment_author_email, reply_id } = webhook;
  const body = public_comment ?? (what === 'created' ? ticket_description : undefined);
  if (body === undefined) return null;
  const isOwn = what === 'created' || comment_author_email?.toLowerCase() === email.toLowerCase();
  const message = {
    id: sha256(`comment ${happened}`).toString('hex').slice(0, 32),
    author: {
      kind: isOwn ? 'requester' : 'agent',
      name: comment_author,
      email: guestsOf([{ email: comment_author_email }]).length > 0 ? comment_author_email : undefined,
    },
    body,
    format: /<[a-z][^<>]*>/i.test(body) ? 'html' : 'text',
    createdAt: updatedAt,
    visibility: 'public',
    replyId: reply_id,
  };
  return message;
}
