import { z } from 'zod';
import { sha256 } from '../../platform/crypto.js';
import { headerOf, type Normalised, type SourceAdapter } from './adapter.js';
import { isHmac, moment, readBody } from './reading.js';

const id = z.union([z.int(), z.string().min(1)]).transform(String);
const text = z.string().nullish();

const person = z.looseObject({
  id: id.nullish(),
  email: text,
  firstname: text,
  lastname: text,
});

const article = z.looseObject({
  id,
  sender: text,
  // Absent is internal, like anything that is not plainly false.
  internal: z.unknown().optional(),
  body: text,
  content_type: text,
  created_at: text,
  message_id: text,
  created_by: person.nullish(),
  attachments: z
    .array(
      z.looseObject({
        filename: text,
        size: z.union([z.string(), z.number()]).nullish(),
        url: text,
        preferences: z.looseObject({ 'Content-Type': text, 'Mime-Type': text }).nullish(),
      }),
    )
    .nullish(),
});

const payload = z.object({
  ticket: z.looseObject({
    id,
    number: id,
    title: text,
    state: z
      .union([z.string(), z.looseObject({ name: z.string() })])
      .transform((state) => (typeof state === 'string' ? state : state.name)),
    created_at: text,
    updated_at: z.string().min(1),
    article_count: z.number().nullish(),
    customer: person.nullish(),
  }),
  article: z.union([article, z.strictObject({}).transform(() => null)]).nullish(),
});

type Payload = z.infer<typeof payload>;
type Article = NonNullable<Payload['article']>;

/** States as Zammad ships them. `closed` takes a follow-up as a rule, so it is our `resolved`. */
const STATUSES: Readonly<Record<string, 'open' | 'pending' | 'resolved' | 'closed'>> = {
  new: 'open',
  open: 'open',
  'pending reminder': 'pending',
  'pending close': 'resolved',
  closed: 'resolved',
  merged: 'closed',
  removed: 'closed',
};

/** Stands where nobody can be mailed: a name that no mail can reach (RFC 2606). */
const UNKNOWN_ADDRESS = 'unknown@zammad.invalid';

/** Zammad's trigger webhook with its default payload, signed by HMAC-SHA1 (its only choice). */
export const zammad: SourceAdapter = {
  mediaTypes: ['application/json'],
  signing: 'Give the webhook in Zammad one of the secrets of this source as its "HMAC SHA1 Signature Token".',
  verify({ secrets }, { headers, rawBody }) {
    const hex = /^sha1=([0-9a-f]{40})$/.exec(headerOf(headers, 'x-hub-signature') ?? '')?.[1];
    return hex && isHmac('sha1', secrets, [rawBody], Buffer.from(hex, 'hex')) ? {} : null;
  },
  normalise(_source, body) {
    return [happening(readBody(payload, body, 'Zammad'))];
  },
  origins: {
    '/data/requester/email': '/ticket/customer/email',
    '/data/ticket/updatedAt': '/ticket/updated_at',
    '/data/message/createdAt': '/article/created_at',
    '/data/message/body': '/article/body',
  },
};

function happening({ ticket, article: given }: Payload): Normalised {
  // What the ticket itself says goes on without an internal article: closing with one is usual.
  const article = given?.internal === false ? given : null;
  const isRemoved = ticket.state.toLowerCase() === 'removed';
  const { email } = ticket.customer ?? {};
  // What is removed is removed, whoever it was of.
  if (!email && !isRemoved) return { kind: 'ignored', reason: 'no-address' };
  const updatedAt = moment(ticket.updated_at) ?? ticket.updated_at;
  const status = STATUSES[ticket.state.toLowerCase()] ?? 'open';
  // Nothing names the happening, and the delivery id is another one for each trigger: the newest article is told once,
  // a state without an article once for each change of the ticket.
  const key = article ? `article ${article.id}` : `ticket ${ticket.id} ${status}`;
  const happened = `${key} ${updatedAt}`;
  const type = typeOf(ticket, article, status);
  return {
    kind: 'event',
    id: sha256(happened).toString('hex'),
    fingerprint: happened,
    isInferred: !article,
    onlyIfKnown: !article && type !== 'ticket.deleted',
    namesNobody: !email,
    // `article_count` counts internal articles and automatic replies, too.
    createsIfUnknown: type === 'ticket.replied' && article?.sender === 'Customer',
    native: {
      type,
      timestamp: moment(article?.created_at) ?? updatedAt,
      data: {
        ticket: {
          id: ticket.id,
          number: ticket.number,
          subject: ticket.title,
          status,
          createdAt: moment(ticket.created_at),
          updatedAt,
        },
        requester: { kind: 'guest', email: email || UNKNOWN_ADDRESS, name: nameOf(ticket.customer) },
        message: article && messageOf(article),
      },
    },
  };
}

/** The body has no event's name. An article is a reply, the first one the ticket; without one it is a state. */
function typeOf(ticket: Payload['ticket'], article: Article | null, status: string): string {
  if (ticket.state.toLowerCase() === 'removed') return 'ticket.deleted';
  if (article) return ticket.article_count === 1 ? 'ticket.created' : 'ticket.replied';
  if (status === 'resolved') return 'ticket.resolved';
  if (status === 'closed') return 'ticket.closed';
  return 'ticket.updated';
}

function messageOf({
  id: articleId,
  sender,
  body,
  content_type,
  created_at,
  created_by,
  attachments,
  message_id,
}: Article) {
  const kind = sender === 'Agent' ? 'agent' : sender === 'Customer' ? 'requester' : 'system';
  return {
    id: articleId,
    author: {
      kind,
      name: nameOf(created_by),
      email: kind === 'requester' ? (created_by?.email ?? undefined) : undefined,
    },
    body: body ?? '',
    format: content_type?.startsWith('text/html') ? 'html' : 'text',
    createdAt: moment(created_at),
    visibility: 'public',
    replyId: /^<(rpl_[0-9a-z]{26})@/.exec(message_id ?? '')?.[1],
    attachments: (attachments ?? []).flatMap(({ filename, size, url, preferences }) =>
      filename && url
        ? [
            {
              name: filename,
              contentType: preferences?.['Content-Type'] ?? preferences?.['Mime-Type'],
              size: Number.isSafeInteger(Number(size)) && Number(size) >= 0 ? Number(size) : undefined,
              url,
            },
          ]
        : [],
    ),
  };
}

function nameOf(one: z.infer<typeof person> | null | undefined): string | undefined {
  const name = [one?.firstname, one?.lastname].filter(Boolean).join(' ').trim();
  return name && name !== '-' ? name : undefined;
}
