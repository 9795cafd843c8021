import { z } from 'zod';
import { sha256 } from '../../platform/crypto.js';
import { parseStrictJson, type JsonValue } from '../../platform/strict-json.js';
import {
  headerOf,
  type Completed,
  type LookUp,
  type NativeEvent,
  type Normalised,
  type SourceAdapter,
  type SourceApi,
} from './adapter.js';
import { adfAsMarkdown } from './adf.js';
import { isHmac, moment, readBody } from './reading.js';

/** Jira tries again for so long, with the body of the first time. */
const LATEST_MS = 30 * 60_000;
/** How far its clock may be before ours. */
const EARLIEST_MS = 300_000;
const MAX_DEPTH = 32;
/** Stands where the address comes by a look-up: a name that no mail can reach (RFC 2606). */
const UNKNOWN_ADDRESS = 'unknown@jira.invalid';

const id = z.union([z.int(), z.string().min(1)]).transform(String);
const text = z.string().nullish();

const person = z.looseObject({
  accountId: text,
  accountType: text,
  // Jira Data Center names people by key.
  key: text,
  displayName: text,
  emailAddress: text,
  locale: text,
  timeZone: text,
});
type Person = z.infer<typeof person>;

const payload = z.looseObject({
  // Said by whoever signs, so it dates the signature.
  timestamp: z.int(),
  webhookEvent: z.string().min(1),
  // What an issue's webhook is about, where a comment is in it.
  issue_event_type_name: text,
  issue: z.looseObject({
    id,
    key: z.string().min(1),
    fields: z
      .looseObject({
        summary: text,
        status: z.looseObject({ name: text, statusCategory: z.looseObject({ key: text }).nullish() }).nullish(),
        reporter: person.nullish(),
        project: z.looseObject({ projectTypeKey: text }).nullish(),
        created: z.union([z.string(), z.number()]).nullish(),
        updated: z.union([z.string(), z.number()]).nullish(),
      })
      .nullish(),
  }),
  changelog: z
    .looseObject({
      id: id.nullish(),
      items: z.array(z.looseObject({ field: text, fromString: text })).nullish(),
    })
    .nullish(),
  comment: z
    .looseObject({
      id,
      author: person.nullish(),
      body: z.unknown().optional(),
      created: z.union([z.string(), z.number()]).nullish(),
      updated: z.union([z.string(), z.number()]).nullish(),
      // Only `true` is public.
      jsdPublic: z.unknown().optional(),
      // For a role or group alone, whatever the former says.
      visibility: z.unknown().optional(),
      properties: z.array(z.looseObject({ key: text, value: z.unknown().optional() })).nullish(),
    })
    .nullish(),
});
/** `canAsk`: its source has an API. */
type Payload = z.infer<typeof payload> & { canAsk: boolean };
type Comment = NonNullable<Payload['comment']>;

/** Names that Jira Service Management ships; any other goes by its category. */
const STATUSES: Readonly<Record<string, 'open' | 'pending' | 'resolved' | 'closed'>> = {
  'waiting for customer': 'pending',
  resolved: 'resolved',
  done: 'resolved',
  closed: 'closed',
  canceled: 'closed',
  cancelled: 'closed',
};

/** Jira Service Management's admin webhook with a secret. */
export const jira: SourceAdapter = {
  mediaTypes: ['application/json'],
  signing: 'Give the webhook in Jira one of the secrets of this source. What is more than 30 minutes late is refused.',
  verify({ secrets }, { headers, rawBody, now }) {
    const hex = /^sha256=([0-9a-f]{64})$/.exec(headerOf(headers, 'x-hub-signature') ?? '')?.[1];
    if (!hex || !isHmac('sha256', secrets, [rawBody], Buffer.from(hex, 'hex'))) return null;
    // The signature is good, so the body may be looked at. What is wrong with it otherwise is not about its age.
    const age = now - (timeIn(rawBody) ?? now);
    return age <= LATEST_MS && age >= -EARLIEST_MS ? { id: headerOf(headers, 'x-atlassian-webhook-identifier') } : null;
  },
  normalise({ api }, body, _webhook, { id: identifier }) {
    return happenings({ ...readBody(payload, body, 'Jira'), canAsk: Boolean(api) }, identifier);
  },
  origins: {
    '/data/requester/email': '/issue/fields/reporter/emailAddress',
    '/data/ticket/id': '/issue/id',
    '/data/ticket/number': '/issue/key',
    '/data/ticket/subject': '/issue/fields/summary',
    '/data/ticket/updatedAt': '/issue/fields/updated',
    '/data/message/id': '/comment/id',
    '/data/message/body': '/comment/body',
    '/data/message/createdAt': '/comment/created',
    '/timestamp': '/timestamp',
  },
  complete,
};

function timeIn(rawBody: Buffer): number | null {
  const json = parseStrictJson(rawBody, { maxDepth: MAX_DEPTH });
  const parsed = json.ok ? payload.pick({ timestamp: true }).safeParse(json.value) : null;
  return parsed?.success ? parsed.data.timestamp : null;
}

/** A change of status and a comment may come in one body: each is a happening of its own. */
function happenings(body: Payload, identifier: string | undefined): Normalised[] {
  const { comment, changelog } = body;
  const found: Normalised[] = [];
  if (comment) found.push(ofComment(body, comment));
  const change = changeIn(body);
  if (change) {
    const what = body.webhookEvent.startsWith('jira:issue_updated') ? changeId(body, identifier) : change.type;
    const happened = `issue ${body.issue.id} ${what}`;
    found.push(event(body, change.type, happened, { isInferred: change.isInferred }));
  }
  if (found.length > 0) return found;
  const isKnown = body.webhookEvent === 'jira:issue_updated' || changelog;
  return [{ kind: 'ignored', reason: isKnown ? 'nothing-new' : 'unknown-type' }];
}

/** The change has an id of its own, which stays the same however often it is told; the webhook's is outside of what is signed. */
function changeId({ changelog, timestamp }: Payload, identifier: string | undefined): string {
  if (changelog?.id) return `change ${changelog.id}`;
  return identifier ? `webhook ${identifier}` : `at ${timestamp}`;
}

interface Change {
  type: string;
  /** The body does not say what the status was before. */
  isInferred?: boolean;
}

function changeIn({ webhookEvent, changelog, issue }: Payload): Change | null {
  if (webhookEvent === 'jira:issue_created') return { type: 'ticket.created' };
  if (webhookEvent === 'jira:issue_deleted') return { type: 'ticket.deleted' };
  if (webhookEvent !== 'jira:issue_updated') return null;
  const items = changelog?.items ?? [];
  const changed = (field: string) => items.find((item) => item.field === field);
  if (changed('reporter')) return { type: 'requester.changed' };
  const status = changed('status');
  if (!status) return changed('summary') ? { type: 'ticket.updated' } : null;
  const after = statusOf(issue.fields);
  // With its resolution the change says that it is one, though a comment of the same step told the new status already.
  if (after === 'resolved' || after === 'closed')
    return { type: `ticket.${after}`, isInferred: changed('resolution') === undefined };
  const before = STATUSES[status.fromString?.toLowerCase() ?? ''];
  // Whoever takes an issue up again takes its resolution away, whatever the status is called.
  const isReopened = before === 'resolved' || before === 'closed' || changed('resolution') !== undefined;
  return { type: isReopened ? 'ticket.reopened' : 'ticket.updated' };
}

/** The comment's own webhook and the issue's beside it tell the same, so both have the comment's name. */
function ofComment(body: Payload, comment: Comment): Normalised {
  const { webhookEvent, issue_event_type_name: about } = body;
  // Outside of service projects every comment says that it is public.
  const isPublic = comment.jsdPublic === true && comment.visibility == null && isOfServiceProject(body);
  if (webhookEvent === 'comment_deleted' || about === 'issue_comment_deleted')
    return event(body, 'message.retracted', `comment ${comment.id} deleted`, {
      message: messageOf(body, comment, false),
    });
  const editedAt = moment(comment.updated);
  const isEdit =
    webhookEvent === 'comment_updated' ||
    about === 'issue_comment_edited' ||
    (webhookEvent !== 'comment_created' && editedAt !== undefined && editedAt !== moment(comment.created));
  if (isEdit)
    // Words that were public before must go, too: an edit that is not public hides them.
    return event(body, 'message.updated', `comment ${comment.id} edited ${editedAt ?? body.timestamp}`, {
      message: messageOf(body, comment, isPublic),
    });
  if (!isPublic) return { kind: 'ignored', reason: 'internal' };
  return event(body, 'ticket.replied', `comment ${comment.id}`, { message: messageOf(body, comment, true) });
}

function isOfServiceProject({ issue }: Payload): boolean {
  const type = issue.fields?.project?.projectTypeKey;
  return type == null || type === 'service_desk';
}

/**
 * Only what has a request type is a request, which its reporter sees in the portal; all else is for agents. The number of
 * its field differs from site to site.
 */
function isRequest(body: Payload): boolean {
  const fields = Object.entries(body.issue.fields ?? {});
  const hasType = fields.some(
    ([name, value]) => /^customfield_\d+$/.test(name) && customerRequest.safeParse(value).success,
  );
  return hasType && isOfServiceProject(body);
}

const customerRequest = z.looseObject({ requestType: z.looseObject({}) });

/**
 * What nobody may know of yet is made known by a request, or by a public word. Where the body does not say whether it is
 * a request (a comment's has few fields, and that of a new one may be ahead of its type), Jira is asked.
 */
function reachOf(body: Payload, type: string, isPublicWord: boolean): { onlyIfKnown: boolean; isAsked: boolean } {
  if (type === 'ticket.deleted' || isRequest(body)) return { onlyIfKnown: false, isAsked: false };
  const isAsked = body.canAsk && isOfServiceProject(body) && (isPublicWord || type === 'ticket.created');
  return { onlyIfKnown: !isPublicWord && !isAsked, isAsked };
}

function event(
  body: Payload,
  type: string,
  happened: string,
  { message = null, isInferred }: { message?: NativeEvent['data']['message']; isInferred?: boolean },
): Normalised {
  const { issue, timestamp } = body;
  const { reporter, summary, created, updated } = issue.fields ?? {};
  const email = reporter?.emailAddress;
  const comment = message && body.comment;
  // A comment's webhook has no time of its issue, and its own is later than that of a change made in the same step.
  const saidAt = moment(comment?.updated ?? (type === 'ticket.replied' ? comment?.created : null));
  const at = saidAt ?? moment(timestamp)!;
  const { onlyIfKnown, isAsked } = reachOf(body, type, message !== null && 'body' in message);
  const asked = {
    userId: reporter?.accountId ?? undefined,
    ticketId: issue.id,
    authorId: comment?.author?.accountId ?? comment?.author?.key ?? undefined,
  };
  return {
    kind: 'event',
    id: sha256(happened).toString('hex'),
    fingerprint: happened,
    isInferred,
    onlyIfKnown,
    ...(isAsked ? { lookUp: { ...asked, isForRequester: true } } : email ? {} : { lookUp: asked }),
    native: {
      type,
      timestamp: at,
      data: {
        ticket: {
          id: issue.id,
          number: issue.key,
          subject: summary,
          status: statusOf(issue.fields),
          createdAt: moment(created),
          updatedAt: message ? at : (moment(updated) ?? at),
        },
        requester: requesterOf({ ...reporter, emailAddress: email || UNKNOWN_ADDRESS }),
        message,
      },
    },
  };
}

function requesterOf({ emailAddress, displayName, locale, timeZone }: Person) {
  return { kind: 'guest', email: emailAddress!, name: displayName, locale, timeZone };
}

function statusOf(fields: Payload['issue']['fields']): string {
  const { name, statusCategory } = fields?.status ?? {};
  return STATUSES[name?.toLowerCase() ?? ''] ?? (statusCategory?.key === 'done' ? 'resolved' : 'open');
}

function messageOf({ issue }: Payload, comment: Comment, isPublic: boolean): { id: string } {
  const { author, created, body, properties } = comment;
  const isReporter = isNamed(issue.fields?.reporter, author?.accountId ?? author?.key);
  const kind = isReporter ? 'requester' : author?.accountType === 'customer' ? 'participant' : 'agent';
  const isDocument = typeof body === 'object' && body !== null;
  const message = {
    id: comment.id,
    author: isPublic ? { kind, name: author?.displayName } : { kind },
    visibility: isPublic ? 'public' : 'internal',
    ...(isPublic && {
      body: isDocument ? adfAsMarkdown(body as JsonValue) : typeof body === 'string' ? body : '',
      format: isDocument ? 'markdown' : 'text',
      createdAt: moment(created),
      replyId: replyIdIn(properties),
    }),
  };
  return message;
}

function isNamed(one: Person | null | undefined, name: string | null | undefined): boolean {
  return name != null && (name === one?.accountId || name === one?.key);
}

/** Whoever posts a guest's reply as a comment says so by this property of it. */
function replyIdIn(properties: Comment['properties']): string | undefined {
  const value = properties?.find(({ key }) => key === 'postern.reply')?.value;
  const replyId = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : value;
  return typeof replyId === 'string' && /^rpl_[0-9a-z]{26}$/.test(replyId) ? replyId : undefined;
}

const foundIssue = z.looseObject({ fields: z.looseObject({ reporter: person.nullish() }) });

const foundRequest = z.looseObject({ reporter: person.nullish() });

/** Who the reporter is: a comment's webhook leaves them out, and Jira shows an address only to whom it may. */
async function complete(native: NativeEvent, lookUp: LookUp, api: SourceApi): Promise<Completed> {
  let accountId = lookUp.userId;
  if (lookUp.isForRequester || !accountId) {
    const path = encodeURIComponent(lookUp.ticketId!);
    const found = await api.get(
      lookUp.isForRequester ? `/rest/servicedeskapi/request/${path}` : `/rest/api/2/issue/${path}?fields=reporter`,
    );
    const none = lookUp.isForRequester ? internal : noAddress;
    if (!found.ok) return found.reason === 'gone' ? none : { ...found, reason: found.reason };
    const parsed = lookUp.isForRequester
      ? foundRequest.safeParse(found.body)
      : foundIssue.transform(({ fields }) => fields).safeParse(found.body);
    if (!parsed.success) return { ok: false, reason: 'unavailable', detail: 'the issue was not read: unknown form' };
    const { reporter } = parsed.data;
    if (reporter?.emailAddress) return whole(native, lookUp, reporter);
    accountId = reporter?.accountId ?? accountId;
  }
  if (!accountId) return noAddress;
  const user = await api.get(`/rest/api/2/user?accountId=${encodeURIComponent(accountId)}`);
  if (!user.ok) return user.reason === 'gone' ? noAddress : { ...user, reason: user.reason };
  const found = person.safeParse(user.body);
  if (!found.success) return { ok: false, reason: 'unavailable', detail: 'the user was not read: unknown form' };
  return found.data.emailAddress ? whole(native, lookUp, { ...found.data, accountId }) : noAddress;
}

const noAddress: Completed = { ok: false, reason: 'ignored', detail: 'no-address' };
const internal: Completed = { ok: false, reason: 'ignored', detail: 'internal' };

/** Only now it shows whether the reporter wrote the comment: its own webhook names its author alone. */
function whole(native: NativeEvent, { authorId }: LookUp, reporter: Person): Completed {
  const { message } = native.data;
  const isOwn = message && isNamed(reporter, authorId);
  const data = {
    ...native.data,
    requester: requesterOf(reporter),
    ...(isOwn && { message: { ...message, author: { ...(message.author as object), kind: 'requester' } } }),
  };
  return { ok: true, native: { ...native, data } };
}
