import { createHash, createHmac, randomUUID } from 'node:crypto';
import type { AdapterName } from '../../src/sources.js';
import { generateWebhookSecret, signWebhook } from '../../src/platform/webhook-signature.js';

/** What happens in a ticket system, for every one of them the same story. */
export interface Happening {
  ticketId: number;
  /** ms since 1970. */
  at: number;
  what:
    | 'created'
    | 'replied'
    | 'internal'
    | 'unmarked'
    | 'edited'
    | 'made-internal'
    | 'resolved'
    | 'resolved-with-note'
    | 'reopened'
    | 'updated'
    | 'requester-changed'
    | 'retracted'
    | 'merged'
    | 'deleted'
    | 'no-address'
    | 'unknown';
  messageId?: number;
  words?: string;
  email?: string;
  /** By what the system's API knows the requester. */
  customerId?: number;
  /** The webhook leaves the requester's address out, where the system does that for some. */
  hidesAddress?: boolean;
  /** Who is on copy. */
  copies?: string[];
  /** Its message is the echo of this reply of a guest. */
  replyId?: string;
  /** Address of the author: the requester's own, or that of one on copy. */
  by?: string;
  /** Nothing of the ticket is public, and what says so; else it is. */
  asWhole?: 'internal' | 'unmarked';
}

/** What a system may not be able to say; `by` is about those on copy, every system knows its requester. */
export type Lack =
  | Happening['what']
  | 'copies'
  | 'replyId'
  | 'by'
  | 'asWhole'
  | 'public-state' // a change of state does not say that its ticket is public
  | 'stated-change'; // it says what the state is, and not what it was before

/** Whom a system's API knows. */
export interface KnownPeople {
  emailOf(customerId: number): string | null;
  /** Who is on copy of a ticket. */
  copiesOf(ticketId: number): readonly string[];
}

/** A ticket system as it posts its own webhooks. */
export interface TestSystem {
  name: string;
  /** Its name, unless told. */
  adapter?: AdapterName;
  secret: string;
  /** What else its source has in the settings. */
  settings?: object;
  /** JSON, unless told. */
  mediaType?: string;
  /** A secret shows who sends, and nothing what was sent. */
  signsNothing?: boolean;
  /** What it cannot say. */
  lacks: readonly Lack[];
  body(happening: Happening): unknown;
  headers(raw: string | Buffer, at: number): Record<string, string>;
  /** What its API answers to look-ups, if it needs any: the path begins with a slash. Null: there is no such thing. */
  api?(path: string, known: KnownPeople): unknown;
}

const iso = (at: number) => new Date(at).toISOString();

const ZAMMAD_STATES: Partial<Record<Happening['what'], string>> = {
  resolved: 'closed',
  'resolved-with-note': 'closed',
  merged: 'merged',
  deleted: 'removed',
};

const zammad: TestSystem = {
  name: 'zammad',
  secret: 'a zammad signature token',
  lacks: [
    ...(['retracted', 'unknown', 'edited', 'made-internal', 'reopened', 'requester-changed'] as const),
    ...(['copies', 'by', 'public-state', 'stated-change'] as const),
  ],
  body({
    ticketId,
    at,
    what,
    messageId = ticketId * 10,
    words = 'Mohon kirim ID transaksi.',
    email = 'siti@example.com',
    customerId = 7,
    replyId,
    asWhole,
    by,
  }) {
    const isByCustomer = what === 'created' || by === email;
    const customer = {
      id: customerId,
      firstname: 'Siti',
      lastname: 'Rahma',
      email: what === 'no-address' ? '' : email,
    };
    const article = {
      id: messageId,
      ticket_id: ticketId,
      sender: isByCustomer ? 'Customer' : 'Agent',
      type: 'email',
      ...(what === 'unmarked' || asWhole === 'unmarked'
        ? {}
        : { internal: what === 'internal' || what === 'resolved-with-note' || asWhole === 'internal' }),
      content_type: 'text/html',
      body: `<p>${words}</p>`,
      created_at: iso(at),
      updated_at: iso(at),
      message_id: replyId ? `<${replyId}@postern.example>` : null,
      created_by: isByCustomer ? customer : { id: 3, firstname: 'Rina', lastname: 'Wati', email: 'rina@desk.example' },
      attachments: [],
    };
    return {
      ticket: {
        id: ticketId,
        number: `100${ticketId}`,
        title: 'Penarikan tertunda',
        state: ZAMMAD_STATES[what] ?? 'open',
        created_at: iso(at - 1000),
        updated_at: iso(at),
        article_count: what === 'created' ? 1 : 2,
        customer,
      },
      // The note, if there is one, comes along with the new state.
      article: what !== 'resolved-with-note' && (what === 'updated' || ZAMMAD_STATES[what]) ? {} : article,
    };
  },
  headers: (raw) => ({
    'x-zammad-delivery': randomUUID(),
    'x-zammad-trigger': 'Postern',
    'x-hub-signature': `sha1=${createHmac('sha1', zammad.secret).update(raw).digest('hex')}`,
  }),
};

const ZENDESK_TYPES: Partial<Record<Happening['what'], string>> = {
  created: 'ticket.created',
  resolved: 'ticket.status_changed',
  reopened: 'ticket.status_changed',
  updated: 'ticket.subject_changed',
  'requester-changed': 'ticket.requester_changed',
  deleted: 'ticket.soft_deleted',
  retracted: 'ticket.comment_made_private',
  merged: 'ticket.merged',
  unknown: 'ticket.tags_changed',
};

/** Its ids of those on copy. */
const COPIES_FROM = 9000;
/** What its API knows of the comments that its webhooks told of: by ticket, then by id. */
const zendeskComments = new Map<number, Map<number, object>>();

const zendesk: TestSystem = {
  name: 'zendesk',
  secret: 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==',
  // A change of state is an event of its own, beside that of the note.
  lacks: ['edited', 'made-internal', 'resolved-with-note', 'replyId'],
  body({
    ticketId,
    at,
    what,
    messageId = ticketId * 10,
    words = 'Mohon kirim ID transaksi.',
    email = 'siti@example.com',
    customerId = 7,
    copies = [],
    by,
    asWhole,
  }) {
    const type = ZENDESK_TYPES[what] ?? 'ticket.comment_added';
    const comment = {
      id: String(messageId),
      body: words,
      ...(what === 'unmarked' ? {} : { is_public: what !== 'internal' && what !== 'retracted' }),
      author:
        by === undefined
          ? { id: '3', is_staff: true, name: 'Rina' }
          : { id: String(by === email ? customerId : COPIES_FROM + copies.indexOf(by)), is_staff: false, name: 'Siti' },
    };
    if (type === 'ticket.comment_added') {
      const known = zendeskComments.get(ticketId) ?? new Map<number, object>();
      const { author, is_public: isPublic, body } = comment;
      known.set(messageId, {
        id: messageId,
        author_id: Number(author.id),
        body,
        public: isPublic,
        created_at: iso(at),
      });
      zendeskComments.set(ticketId, known);
    }
    const events: Partial<Record<string, object>> = {
      'ticket.comment_added': { comment },
      'ticket.comment_made_private': { comment },
      'ticket.merged': { target_ticket_id: '1' },
      'ticket.status_changed':
        what === 'reopened' ? { previous: 'SOLVED', current: 'OPEN' } : { previous: 'OPEN', current: 'SOLVED' },
    };
    return {
      account_id: 22129848,
      id: `${type} ${ticketId} ${messageId} ${at}`,
      type: `zen:event-type:${type}`,
      time: iso(at),
      zendesk_event_version: '2022-11-06',
      subject: `zen:ticket:${ticketId}`,
      detail: {
        id: String(ticketId),
        requester_id: what === 'no-address' ? '404' : String(customerId),
        status: what === 'resolved' ? 'SOLVED' : 'OPEN',
        subject: 'Penarikan tertunda',
        created_at: iso(at - 1000),
        updated_at: iso(at),
        ...(asWhole === 'unmarked' ? {} : { is_public: asWhole === undefined }),
      },
      event: events[type] ?? {},
    };
  },
  headers: (raw, at) => ({
    'x-zendesk-webhook-invocation-id': randomUUID(),
    'x-zendesk-webhook-signature-timestamp': iso(at),
    'x-zendesk-webhook-signature': createHmac('sha256', zendesk.secret).update(iso(at)).update(raw).digest('base64'),
  }),
  api: (path, { emailOf, copiesOf }) => {
    const ticketId = Number(/^\/api\/v2\/tickets\/(\d+)\/email_ccs$/.exec(path)?.[1]);
    if (ticketId) {
      const guests = copiesOf(ticketId).map((email, n) => ({
        id: COPIES_FROM + n,
        name: 'Budi',
        email,
        role: 'end-user',
      }));
      const agent = { id: 3, name: 'Rina', email: 'rina@desk.example', role: 'agent' };
      return { users: guests.length > 0 ? [...guests, agent] : [] };
    }
    const id = Number(/^\/api\/v2\/users\/(\d+)\.json/.exec(path)?.[1]);
    if (id) {
      const email = emailOf(id);
      return email && { user: { id, name: 'Siti', email, locale: 'id', iana_time_zone: 'Asia/Jakarta' } };
    }
    const of = Number(/^\/api\/v2\/tickets\/(\d+)\/comments\.json\?/.exec(path)?.[1]);
    if (!of) return null;
    return { comments: [...(zendeskComments.get(of)?.values() ?? [])].reverse(), users: [{ id: 3, role: 'agent' }] };
  },
};

const FRESHDESK_EVENTS: Partial<Record<Happening['what'], string>> = {
  created: '{ticket_action:created}',
  resolved: '{status:{from:Open,to:Resolved}}',
  reopened: '{status:{from:Resolved,to:Open}}',
  updated: '{status:{from:Open,to:Pending}}',
  internal: '{note_type:private}',
  unknown: '{priority:{from:1,to:4}}',
};

const freshdesk: TestSystem = {
  name: 'freshdesk',
  secret: 'a secret header of some length',
  signsNothing: true,
  lacks: [
    ...(['retracted', 'edited', 'made-internal', 'resolved-with-note'] as const),
    ...(['requester-changed', 'merged', 'deleted', 'asWhole'] as const),
  ],
  body({ ticketId, at, what, words = 'Mohon kirim ID transaksi.', email = 'siti@example.com', copies, replyId, by }) {
    return {
      freshdesk_webhook: {
        triggered_event: FRESHDESK_EVENTS[what] ?? '{reply_sent:sent}',
        ticket_id: String(ticketId),
        ticket_subject: 'Penarikan tertunda',
        ticket_status: what === 'resolved' ? 'Resolved' : what === 'updated' ? 'Pending' : 'Open',
        ticket_created_at: iso(at - 1000),
        ticket_updated_at: iso(at),
        ticket_cc_emails: copies?.join(', ') ?? '',
        requester_name: 'Siti',
        requester_email: what === 'no-address' ? '' : email,
        requester_language: 'id',
        public_comment: ['resolved', 'reopened', 'updated'].includes(what) ? '' : `<div>${words}</div>`,
        comment_author: by ? 'Budi' : 'Rina',
        comment_author_email: by ?? '',
        ...(what === 'unmarked' ? {} : { note_type: what === 'internal' ? 'private' : 'public' }),
        ...(replyId ? { reply_id: replyId } : {}),
      },
    };
  },
  headers: () => ({ 'x-postern-secret': freshdesk.secret }),
};

const JIRA_EVENTS: Partial<Record<Happening['what'], string>> = {
  created: 'jira:issue_created',
  resolved: 'jira:issue_updated',
  reopened: 'jira:issue_updated',
  updated: 'jira:issue_updated',
  'requester-changed': 'jira:issue_updated',
  deleted: 'jira:issue_deleted',
  edited: 'comment_updated',
  'made-internal': 'comment_updated',
  retracted: 'comment_deleted',
  unknown: 'worklog_created',
};

/** What its change log says, as far as it was anything of the issue itself. */
const JIRA_CHANGES: Partial<Record<Happening['what'], object>> = {
  resolved: { field: 'status', fromString: 'Open', toString: 'Resolved' },
  reopened: { field: 'status', fromString: 'Resolved', toString: 'Open' },
  updated: { field: 'summary', fromString: 'Penarikan', toString: 'Penarikan tertunda' },
  'requester-changed': { field: 'reporter', fromString: 'Siti', toString: 'Siti' },
};

const jira: TestSystem = {
  name: 'jira',
  secret: 'a jira webhook secret',
  lacks: ['resolved-with-note', 'merged', 'copies', 'by', 'stated-change'],
  body({
    ticketId,
    at,
    what,
    messageId = ticketId * 10,
    words = 'Mohon kirim ID transaksi.',
    email = 'siti@example.com',
    customerId = 7,
    hidesAddress = false,
    replyId,
    by,
    asWhole,
  }) {
    const webhookEvent = JIRA_EVENTS[what] ?? 'comment_created';
    const isDone = what === 'resolved';
    const isPublic = what !== 'internal' && what !== 'made-internal';
    const change = JIRA_CHANGES[what];
    const customer = { accountId: `customer-${customerId}`, displayName: 'Siti' };
    const comment = {
      id: String(messageId),
      author: by === email ? customer : { accountId: 'agent-3', accountType: 'atlassian', displayName: 'Rina' },
      body: { type: 'doc', version: 1, content: [{ type: 'paragraph', content: [{ type: 'text', text: words }] }] },
      created: iso(at),
      updated: iso(at),
      ...(what === 'unmarked' ? {} : { jsdPublic: isPublic }),
      ...(replyId ? { properties: [{ key: 'postern.reply', value: { id: replyId } }] } : {}),
    };
    return {
      timestamp: at,
      webhookEvent,
      issue: {
        id: String(ticketId),
        key: `DESK-${ticketId}`,
        fields: {
          summary: 'Penarikan tertunda',
          project: { key: 'DESK', projectTypeKey: asWhole === 'internal' ? 'software' : 'service_desk' },
          customfield_10010: asWhole ? null : { requestType: { id: '25', name: 'Get help' }, currentStatus: {} },
          status: isDone
            ? { name: 'Resolved', statusCategory: { key: 'done' } }
            : { name: 'Waiting for support', statusCategory: { key: 'indeterminate' } },
          reporter: {
            ...(what === 'no-address' ? { ...customer, accountId: 'customer-404' } : customer),
            ...(what === 'no-address' || hidesAddress ? {} : { emailAddress: email }),
          },
          created: iso(at - 1000).replace('Z', '+0000'),
          updated: iso(at).replace('Z', '+0000'),
        },
      },
      ...(change ? { changelog: { id: String(at), items: [change] } } : {}),
      ...(webhookEvent.startsWith('comment_') ? { comment } : {}),
    };
  },
  headers: (raw) => ({
    'x-atlassian-webhook-identifier': randomUUID(),
    'x-hub-signature': `sha256=${createHmac('sha256', jira.secret).update(raw).digest('hex')}`,
  }),
  api: (path, { emailOf }) => {
    const id = Number(/^\/rest\/api\/2\/user\?accountId=customer-(\d+)$/.exec(path)?.[1]);
    // An address that it may not show it leaves out.
    return id ? { accountId: `customer-${id}`, displayName: 'Siti', emailAddress: emailOf(id) ?? undefined } : null;
  },
};

const NATIVE_TYPES: Partial<Record<Happening['what'], string>> = {
  created: 'ticket.created',
  resolved: 'ticket.resolved',
  reopened: 'ticket.reopened',
  updated: 'ticket.updated',
  'requester-changed': 'requester.changed',
  edited: 'message.updated',
  'made-internal': 'message.updated',
  retracted: 'message.retracted',
  merged: 'ticket.merged',
  deleted: 'ticket.deleted',
  unknown: 'ticket.escalated',
};

/** What happens to a ticket without a word being said in it. */
const WORDLESS: readonly Happening['what'][] = [
  ...(['resolved', 'reopened', 'updated', 'requester-changed', 'merged', 'deleted'] as const),
];

const cloudEventsSecret = generateWebhookSecret();
function cloudEvent({
  ticketId,
  at,
  what,
  messageId = ticketId * 10,
  words = 'Mohon kirim ID transaksi.',
  email = 'siti@example.com',
  copies,
  replyId,
  by,
}: Happening) {
  const type = NATIVE_TYPES[what] ?? 'ticket.replied';
  const isInternal = what === 'internal' || what === 'made-internal';
  const message = {
    id: String(messageId),
    author: by ? { kind: 'participant', email: by } : { kind: 'agent', name: 'Rina' },
    ...(isInternal ? {} : { body: words }),
    ...(what === 'unmarked' ? {} : { visibility: isInternal ? 'internal' : 'public' }),
    replyId,
  };
  return {
    specversion: '1.0',
    id: `${what} ${messageId} ${at}`,
    source: '/desk/tickets',
    type: `example.desk.${type}`,
    time: iso(at),
    datacontenttype: 'application/json',
    data: {
      ticket: {
        id: String(ticketId),
        number: `100${ticketId}`,
        subject: 'Penarikan tertunda',
        status: what === 'resolved' ? 'resolved' : 'open',
        updatedAt: iso(at),
      },
      requester: { kind: 'guest', email, name: 'Siti' },
      participants: copies?.map((one) => ({ kind: 'guest', email: one })),
      message: WORDLESS.includes(what) ? null : message,
      into: what === 'merged' ? '1' : undefined,
    },
  };
}
const signed = (raw: string | Buffer, at: number) =>
  signWebhook({
    secret: cloudEventsSecret,
    id: `msg_${createHash('sha256').update(raw).digest('hex')}`,
    timestamp: Math.floor(at / 1000),
    body: raw,
  });

const cloudevents: TestSystem = {
  name: 'cloudevents',
  secret: cloudEventsSecret,
  mediaType: 'application/cloudevents+json; charset=utf-8',
  lacks: ['no-address', 'resolved-with-note', 'asWhole'],
  body: cloudEvent,
  headers: signed,
};

const batches: TestSystem = {
  ...cloudevents,
  name: 'cloudevents in batches',
  adapter: 'cloudevents',
  mediaType: 'application/cloudevents-batch+json',
  body: (happening) => [cloudEvent(happening)],
};

const helpdesk: TestSystem = {
  name: 'mapping',
  secret: 'a secret of the help desk',
  settings: {
    mapping: {
      signature: { header: 'X-Desk-Signature', algorithm: 'sha512', encoding: 'base64', prefix: 'v1=' },
      id: '/delivery/key',
      type: {
        pointer: '/event',
        map: {
          opened: 'ticket.created',
          answered: 'ticket.replied',
          solved: 'ticket.resolved',
          'taken up': 'ticket.reopened',
          changed: 'ticket.updated',
          'passed on': 'requester.changed',
          removed: 'ticket.deleted',
          edited: 'message.updated',
          withdrawn: 'message.retracted',
          joined: 'ticket.merged',
        },
      },
      ticket: {
        id: '/case/id',
        subject: '/case/title',
        status: { pointer: '/case/state', map: { solved: 'resolved', working: 'open' } },
        updatedAt: '/case/changed',
      },
      requester: { email: '/case/customer/mail', name: '/case/customer/name', locale: { value: 'id' } },
      participants: { each: '/case/cc', email: '' },
      message: {
        id: '/note/id',
        public: { pointer: '/note/kind', map: { external: true } },
        body: '/note/text',
        createdAt: '/case/changed',
        replyId: '/note/reply',
        author: { kind: { pointer: '/note/role', map: { staff: 'agent', other: 'participant' } }, email: '/note/from' },
      },
      into: '/case/into',
    },
  },
  lacks: ['resolved-with-note', 'asWhole'],
  body({
    ticketId,
    at,
    what,
    messageId = ticketId * 10,
    words = 'Mohon kirim ID transaksi.',
    email = 'siti@example.com',
    copies,
    replyId,
    by,
  }) {
    const events: Partial<Record<Happening['what'], string>> = {
      created: 'opened',
      resolved: 'solved',
      reopened: 'taken up',
      updated: 'changed',
      'requester-changed': 'passed on',
      deleted: 'removed',
      edited: 'edited',
      'made-internal': 'edited',
      retracted: 'withdrawn',
      merged: 'joined',
      unknown: 'escalated',
    };
    const isInternal = what === 'internal' || what === 'made-internal';
    return {
      delivery: { key: `${what} ${messageId} ${at}` },
      event: events[what] ?? 'answered',
      case: {
        id: ticketId,
        title: 'Penarikan tertunda',
        state: what === 'resolved' ? 'solved' : 'working',
        changed: at,
        customer: { mail: what === 'no-address' ? null : email, name: 'Siti' },
        ...(copies ? { cc: copies } : {}),
        ...(what === 'merged' ? { into: 1 } : {}),
      },
      ...(WORDLESS.includes(what)
        ? {}
        : {
            note: {
              id: messageId,
              role: by ? 'other' : 'staff',
              from: by ?? null,
              text: words,
              ...(what === 'unmarked' ? {} : { kind: isInternal ? 'memo' : 'external' }),
              ...(replyId ? { reply: replyId } : {}),
            },
          }),
    };
  },
  headers: (raw) => ({
    'x-desk-signature': `v1=${createHmac('sha512', helpdesk.secret).update(raw).digest('base64')}`,
  }),
};

/** Postern's own format: it has no words of its own for what it leaves out. */
export const native: TestSystem = {
  name: 'standard',
  secret: cloudEventsSecret,
  lacks: ['unknown', 'no-address', 'resolved-with-note', 'asWhole'],
  body(happening) {
    const { type, time, data } = cloudEvent(happening);
    return { type: type.replace('example.desk.', ''), timestamp: time, data };
  },
  headers: signed,
};

export const systems: readonly TestSystem[] = [zammad, zendesk, freshdesk, jira, cloudevents, batches, helpdesk];

/** A source of this system, as the sources file has it; `api` is where its own API answers. */
export function settingsOf(
  { name, adapter, secret, settings, api }: TestSystem,
  source: string,
  apiUrl: string,
): object {
  return {
    name: source,
    adapter: adapter ?? name,
    secrets: [secret],
    defaultLocale: 'id',
    ...(api ? { api: { url: apiUrl, authorization: 'Basic dGVzdA==' } } : {}),
    ...settings,
  };
}
