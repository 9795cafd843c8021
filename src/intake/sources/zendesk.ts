import { z } from 'zod';
import { ZENDESK_MARK } from '../../outbound/writers/zendesk.js';
import { PosternError } from '../../errors.js';
import { decodeBase64 } from '../../platform/crypto.js';
import type { Source } from '../../sources.js';
import {
  headerOf,
  type Completed,
  type LookUp,
  type NativeEvent,
  type Normalised,
  type SourceAdapter,
  type SourceApi,
} from './adapter.js';
import { guestsOf, isHmac, moment, readBody } from './reading.js';

/** As Zendesk's own sample code has it; its documents give no limit of their own. */
const TOLERANCE_MS = 300_000;
/** Stands where the address comes by a look-up: a name that no mail can reach (RFC 2606). */
const UNKNOWN_ADDRESS = 'unknown@zendesk.invalid';
/** Comments asked for at once: what a page of the API gives at most. */
const MOST_COMMENTS = 100;
/** Questions for the comments of one ticket: the event's own is a new one as a rule, so on the first page. */
const MOST_QUESTIONS = 10;

const id = z.union([z.int(), z.string().min(1)]).transform(String);
const text = z.string().nullish();

const eventBody = z.looseObject({
  id: z.string().min(1),
  type: z.string().startsWith('zen:event-type:'),
  time: z.string().min(1),
  detail: z.looseObject({
    id,
    requester_id: id.nullish(),
    status: text,
    subject: text,
    created_at: text,
    updated_at: text,
    // Absent is internal, like anything that is not plainly true.
    is_public: z.unknown().optional(),
  }),
  event: z
    .looseObject({
      current: z.unknown().optional(),
      previous: z.unknown().optional(),
      target_ticket_id: id.nullish(),
      comment: z
        .looseObject({
          id,
          body: text,
          is_public: z.unknown().optional(),
          author: z.looseObject({ id: id.nullish(), is_staff: z.boolean().nullish(), name: text }).nullish(),
        })
        .nullish(),
    })
    .nullish(),
});
type EventBody = z.infer<typeof eventBody>;

/** The body of a trigger's webhook, as docs/sources/zendesk.md gives it to paste: placeholders make everything a text. */
const triggerBody = z.looseObject({
  postern: z.literal('zendesk-trigger', { error: 'must be "zendesk-trigger"' }),
  event: z.enum(['created', 'replied', 'info_requested', 'resolved', 'reopened', 'closed', 'updated']),
  ticket: z.looseObject({ id, subject: text, status: z.string(), created_at: text, updated_at: z.string().min(1) }),
  requester: z.looseObject({ email: text, name: text, locale: text, time_zone: text }),
  comment: z
    .looseObject({
      id: text,
      body: text,
      is_public: z.unknown().optional(),
      author: text,
      author_email: text,
      author_role: text,
    })
    .nullish(),
});

/** Of a ticket that is internal as a whole. */
const TAKING_AWAY: readonly string[] = ['message.retracted', 'requester.changed', 'ticket.deleted'];

const STATUSES: Readonly<Record<string, 'open' | 'pending' | 'resolved' | 'closed'>> = {
  new: 'open',
  open: 'open',
  pending: 'pending',
  hold: 'open',
  'on-hold': 'open',
  solved: 'resolved',
  closed: 'closed',
  archived: 'closed',
  deleted: 'closed',
  scrubbed: 'closed',
};
/** What becomes of a ticket after its time, and of one that is removed or brought back: no news of its state. */
const SHELVED: readonly string[] = ['archived', 'deleted', 'scrubbed'];
const statusOf = (status: string | null | undefined) => STATUSES[status?.toLowerCase() ?? ''] ?? 'open';

/** Zendesk: event webhooks (`zen:event-type:ticket.*`), whose requester is looked up, and trigger webhooks. */
export const zendesk: SourceAdapter = {
  mediaTypes: ['application/json'],
  signing: 'Put the signing secret of the webhook in Zendesk among the secrets of this source.',
  verify({ secrets }, { headers, rawBody, now }) {
    const timestamp = headerOf(headers, 'x-zendesk-webhook-signature-timestamp');
    const signature = decodeBase64(headerOf(headers, 'x-zendesk-webhook-signature') ?? '');
    if (!timestamp || !signature || !isHmac('sha256', secrets, [timestamp, rawBody], signature)) return null;
    // Only now, as the text that was signed: whatever is no time is not within five minutes either.
    return Math.abs(now - Date.parse(timestamp)) <= TOLERANCE_MS
      ? { id: headerOf(headers, 'x-zendesk-webhook-invocation-id') }
      : null;
  },
  normalise({ writer }, body) {
    if (typeof body === 'object' && body !== null && 'postern' in body)
      return [
        ofTrigger(readBody(triggerBody, body, 'a Zendesk trigger with the body of docs/sources/zendesk.md'), writer),
      ];
    const event = readBody(eventBody, body, 'Zendesk');
    return [ofEvent(event)];
  },
  origins: {
    '/data/requester/email': '/requester/email',
    '/data/ticket/updatedAt': '/detail/updated_at',
    '/timestamp': '/time',
  },
  complete,
};

function ofEvent({ id: eventId, type, time, detail, event }: EventBody): Normalised {
  const kind = type.slice('zen:event-type:'.length);
  if (!kind.startsWith('ticket.')) return { kind: 'ignored', reason: 'unknown-type' };
  const comment = event?.comment;
  const nativeType = nativeTypeOf(kind, event);
  if (nativeType === null) return { kind: 'ignored', reason: 'unknown-type' };
  // A ticket without a public comment is not the requester's to see at all: only what takes something away passes.
  const isPublic = detail.is_public === true;
  if (!isPublic && !TAKING_AWAY.includes(nativeType)) return { kind: 'ignored', reason: 'internal' };
  if (kind === 'ticket.comment_added' && comment?.is_public !== true) return { kind: 'ignored', reason: 'internal' };
  const isTaking = kind !== 'ticket.requester_changed' && TAKING_AWAY.includes(nativeType);
  if (!detail.requester_id && !isTaking) return { kind: 'ignored', reason: 'no-address' };
  const at = moment(time) ?? time;
  const native: NativeEvent = {
    type: nativeType,
    timestamp: at,
    data: {
      ticket: {
        id: detail.id,
        number: detail.id,
        subject: isPublic ? detail.subject : undefined,
        status: statusOf(detail.status),
        createdAt: moment(detail.created_at),
        updatedAt: moment(detail.updated_at) ?? at,
      },
      requester: { kind: 'guest', email: UNKNOWN_ADDRESS },
      message: comment ? messageOf(kind, comment, detail.requester_id, at) : null,
      into: event?.target_ticket_id ?? undefined,
    },
  };
  const onlyIfKnown = !isPublic && nativeType !== 'ticket.deleted';
  const asked = { userId: detail.requester_id ?? undefined, ticketId: detail.id };
  const people = detail.requester_id ? { lookUp: asked } : { namesNobody: true };
  return { kind: 'event', id: eventId, native, onlyIfKnown, ...people };
}

function nativeTypeOf(kind: string, event: EventBody['event']): string | null {
  switch (kind) {
    case 'ticket.created':
      return 'ticket.created';
    case 'ticket.comment_added':
      return 'ticket.replied';
    case 'ticket.comment_made_private':
    case 'ticket.comment_redacted':
      return event?.comment ? 'message.retracted' : null;
    case 'ticket.requester_changed':
      return 'requester.changed';
    case 'ticket.subject_changed':
    case 'ticket.email_ccs_changed':
      return 'ticket.updated';
    case 'ticket.merged':
      return event?.target_ticket_id ? 'ticket.merged' : null;
    case 'ticket.soft_deleted':
    case 'ticket.permanently_deleted':
      return 'ticket.deleted';
    case 'ticket.status_changed':
      return statusType(String(event?.previous ?? ''), String(event?.current ?? ''));
    default:
      return null;
  }
}

function statusType(previous: string, current: string): string {
  if ([previous, current].some((one) => SHELVED.includes(one.toLowerCase()))) return 'ticket.updated';
  const [before, after] = [statusOf(previous), statusOf(current)];
  if (after === 'resolved') return 'ticket.resolved';
  if (after === 'closed') return 'ticket.closed';
  return before === 'resolved' || before === 'closed' ? 'ticket.reopened' : 'ticket.updated';
}

function messageOf(
  kind: string,
  comment: NonNullable<NonNullable<EventBody['event']>['comment']>,
  requesterId: string | null | undefined,
  at: string,
) {
  const isTaken = kind !== 'ticket.comment_added';
  const { author } = comment;
  return {
    id: comment.id,
    author: {
      kind: author?.is_staff ? 'agent' : author?.id && author.id === requesterId ? 'requester' : 'participant',
      // By it `complete` finds who of those on copy it was.
      id: author?.is_staff ? undefined : (author?.id ?? undefined),
      name: author?.name,
    },
    body: isTaken ? undefined : (comment.body ?? ''),
    format: 'text',
    createdAt: isTaken ? undefined : at,
    visibility: isTaken ? 'internal' : 'public',
  };
}

function ofTrigger(
  { event, ticket, requester, comment }: z.infer<typeof triggerBody>,
  writer: Source['writer'],
): Normalised {
  if (!requester.email) return { kind: 'ignored', reason: 'no-address' };
  // A placeholder writes every value as a text.
  const isPublic = comment?.is_public === true || comment?.is_public === 'true';
  // These are news for the sake of their comment. The others go on without it: closing with an internal note is usual.
  const isAboutComment = event === 'created' || event === 'replied' || event === 'info_requested';
  if (isAboutComment && !isPublic) return { kind: 'ignored', reason: 'internal' };
  const said = isPublic && comment?.id ? { ...comment, id: comment.id } : null;
  // The body has no place for the mark of a reply that we wrote ourselves: it would come back as an agent's words.
  if (said && writer)
    throw refused('/comment', 'cannot tell the replies that Postern writes itself: with a writer, use event webhooks');
  const updatedAt = moment(ticket.updated_at) ?? ticket.updated_at;
  const happened = `trigger ${ticket.id} ${event} ${said?.id ?? ''} ${updatedAt}`;
  return {
    kind: 'event',
    id: happened,
    fingerprint: happened,
    onlyIfKnown: !isPublic,
    native: {
      type: `ticket.${event}`,
      timestamp: updatedAt,
      data: {
        ticket: {
          id: ticket.id,
          number: ticket.id,
          subject: ticket.subject,
          status: statusOf(ticket.status),
          createdAt: moment(ticket.created_at),
          updatedAt,
        },
        requester: {
          kind: 'guest',
          email: requester.email,
          name: requester.name,
          locale: requester.locale,
          timeZone: requester.time_zone,
        },
        message: said
          ? {
              id: said.id,
              author: authorOf(said, requester.email),
              body: said.body ?? '',
              format: 'text',
              createdAt: updatedAt,
              visibility: 'public',
            }
          : null,
      },
    },
  };
}

/** Nobody is mailed their own words: who does not say whether they are an agent or the requester is neither. */
function authorOf(
  { author: name, author_email: email, author_role: role }: NonNullable<z.infer<typeof triggerBody>['comment']>,
  requesterEmail: string,
): { kind: string; name?: string | null; email?: string } {
  if (!email && !role)
    throw refused('/comment/author_email', 'must be the address of its author, as docs/sources/zendesk.md gives it');
  // Whoever writes in the requester's name, by the API or in an agent's view: the words are the requester's.
  if (email?.toLowerCase() === requesterEmail.toLowerCase()) return { kind: 'requester', name };
  if (!/^end.user$/i.test(role ?? '')) return { kind: 'agent', name };
  return email ? { kind: 'participant', name, email: mailable(email) } : { kind: 'requester', name };
}

const refused = (pointer: string, detail: string) =>
  new PosternError('invalid-event', 'This trigger of Zendesk does not say enough; see errors.', {
    errors: [{ pointer, detail }],
  });

const user = z.object({
  user: z.looseObject({ id, email: text, name: text, locale: text, iana_time_zone: text }),
});

const copies = z.object({
  users: z.array(z.looseObject({ id, email: text, name: text, locale: text, iana_time_zone: text, role: text })),
});
type Copy = z.infer<typeof copies>['users'][number];

const comments = z.object({
  comments: z.array(
    z.looseObject({
      id,
      author_id: id.nullish(),
      body: text,
      plain_body: text,
      public: z.unknown().optional(),
      created_at: text,
      metadata: z.looseObject({ custom: z.record(z.string(), z.unknown()).nullish() }).nullish(),
      attachments: z
        .array(z.looseObject({ file_name: text, content_type: text, size: z.number().nullish(), content_url: text }))
        .nullish(),
    }),
  ),
  users: z.array(z.looseObject({ id, name: text, role: text })).nullish(),
  meta: z.looseObject({ has_more: z.boolean().nullish(), after_cursor: text }).nullish(),
});
type Comments = z.infer<typeof comments>;

/** Who the requester is and who is on copy, and, for a ticket that is told of, what was said before in public, with the files. */
async function complete(native: NativeEvent, { userId, ticketId }: LookUp, api: SourceApi): Promise<Completed> {
  const found = await api.get(`/api/v2/users/${encodeURIComponent(userId!)}.json`);
  if (!found.ok) return found.reason === 'gone' ? noAddress : { ...found, reason: found.reason };
  const person = user.safeParse(found.body);
  if (!person.success) return unavailable('the user was not read: unknown form');
  const { email, name, locale, iana_time_zone: timeZone } = person.data.user;
  if (!email) return noAddress;
  const onCopy = await copiesOf(ticketId!, api);
  if (!onCopy.ok) return onCopy;
  const requester = { kind: 'guest', email, name, locale, timeZone };
  const data = withCopies({ ...native.data, requester }, onCopy.people);
  if (native.type !== 'ticket.created' && native.type !== 'ticket.replied')
    return { ok: true, native: { ...native, data } };
  const said = await saidIn(ticketId!, data.message?.id, api);
  if (!said.ok) return said;
  const whole = withComments(data, said.pages, userId!, onCopy.people ?? []);
  return whole ? { ok: true, native: { ...native, data: whole } } : internal;
}

/**
 * The newest comments, and those before them down to the event's own: what cannot be seen to be public is never told. A
 * conversation that is too long for one answer is asked for in smaller pages, and told with less of its history.
 */
async function saidIn(
  ticketId: string,
  ownId: string | undefined,
  api: SourceApi,
): Promise<{ ok: true; pages: Comments[] } | Exclude<Completed, { ok: true }>> {
  const pages: Comments[] = [];
  const path = `/api/v2/tickets/${encodeURIComponent(ticketId)}/comments.json?include=users&sort=-created_at`;
  let size = MOST_COMMENTS;
  let after = '';
  for (let asked = 0; asked < MOST_QUESTIONS; asked++) {
    const said = await api.get(`${path}&page[size]=${size}${after}`);
    if (said.ok) {
      const page = comments.safeParse(said.body);
      if (!page.success) return unavailable('the comments were not read: unknown form');
      pages.push(page.data);
      const { meta } = page.data;
      if (ownId === undefined || page.data.comments.some((one) => one.id === ownId)) return { ok: true, pages };
      if (meta?.has_more !== true || !meta.after_cursor) break;
      after = `&page[after]=${encodeURIComponent(meta.after_cursor)}`;
    } else if (said.isTooLarge && size > 1) size = Math.ceil(size / 5);
    else if (said.reason !== 'gone') return { ...said, reason: said.reason };
    else return ownId === undefined ? { ok: true, pages } : internal;
  }
  return unavailable('its comment is not among those of the ticket');
}

/** Who is on copy now; null where this account or credential cannot say, which must not cost the requester their mail. */
async function copiesOf(
  ticketId: string,
  api: SourceApi,
): Promise<{ ok: true; people: Copy[] | null } | Exclude<Completed, { ok: true }>> {
  const found = await api.get(`/api/v2/tickets/${encodeURIComponent(ticketId)}/email_ccs`);
  if (!found.ok)
    return found.reason === 'unavailable' ? { ...found, reason: found.reason } : { ok: true, people: null };
  const parsed = copies.safeParse(found.body);
  // Agents on copy are told by Zendesk, and see the ticket there.
  const people = parsed.success ? parsed.data.users.filter(({ role }) => role === 'end-user') : null;
  return { ok: true, people };
}

function withCopies(data: NativeEvent['data'], people: Copy[] | null): NativeEvent['data'] {
  if (people === null) return data;
  const participants = people.flatMap(({ locale, iana_time_zone: timeZone, ...one }) =>
    guestsOf([one]).map((guest) => ({ ...guest, locale, timeZone })),
  );
  const { message } = data;
  const author = message?.author as { id?: string } | undefined;
  const email = emailAmong(people, author?.id);
  return { ...data, participants, message: message && email ? { ...message, author: { ...author, email } } : message };
}

/** The address of one on copy, so that they are not told of their own words. */
function emailAmong(people: readonly Copy[], id: string | null | undefined): string | undefined {
  return mailable(people.find((one) => one.id === id)?.email);
}

function mailable(email: string | null | undefined): string | undefined {
  return guestsOf([{ email }]).length > 0 ? email! : undefined;
}

/** Of a reply that we wrote there ourselves. */
function markOf(custom: Record<string, unknown> | null | undefined): string | undefined {
  const mark = custom?.[ZENDESK_MARK];
  return typeof mark === 'string' && mark.length <= 64 ? mark : undefined;
}

const noAddress = { ok: false, reason: 'ignored', detail: 'no-address' } as const;
const internal = { ok: false, reason: 'ignored', detail: 'internal' } as const;
const unavailable = (detail: string) => ({ ok: false, reason: 'unavailable', detail }) as const;

/**
 * The event's own comment with its files, and the others as history. What does not say that it is public stays there; null
 * if that is the event's own comment by now.
 */
function withComments(
  data: NativeEvent['data'],
  pages: readonly Comments[],
  requesterId: string,
  onCopy: readonly Copy[],
): NativeEvent['data'] | null {
  const said = pages.flatMap((page) => page.comments);
  if (said.some((one) => one.id === data.message?.id && one.public !== true)) return null;
  const people = new Map(pages.flatMap((page) => page.users ?? []).map((one) => [one.id, one]));
  const messages = said
    .filter((one) => one.public === true)
    .map((one) => {
      const author = people.get(one.author_id ?? '');
      const isStaff = author?.role === 'agent' || author?.role === 'admin';
      return {
        id: one.id,
        author: {
          kind: isStaff ? 'agent' : one.author_id === requesterId ? 'requester' : 'participant',
          email: emailAmong(onCopy, one.author_id),
          name: author?.name,
        },
        body: one.plain_body ?? one.body ?? '',
        format: 'text',
        createdAt: moment(one.created_at),
        visibility: 'public',
        replyId: markOf(one.metadata?.custom),
        attachments: (one.attachments ?? []).flatMap(({ file_name, content_type, size, content_url }) =>
          file_name && content_url ? [{ name: file_name, contentType: content_type, size, url: content_url }] : [],
        ),
      };
    });
  const own = messages.find((one) => one.id === data.message?.id);
  return {
    ...data,
    message: own ? { ...data.message, ...own } : data.message,
    history: messages.filter((one) => one !== own).reverse(),
  };
}
