import { createHmac, randomUUID } from 'node:crypto';

/** What happens in a ticket system, for every one of them the same story. */
export interface Happening {
  ticketId: number;
  /** ms since 1970. */
  at: number;
  what: 'created' | 'replied' | 'internal' | 'unmarked' | 'resolved' | 'retracted' | 'no-address' | 'unknown';
  messageId?: number;
  words?: string;
  email?: string;
}

/** A ticket system as it posts its own webhooks. */
export interface TestSystem {
  name: string;
  secret: string;
  /** What it cannot say. */
  lacks: readonly Happening['what'][];
  body(happening: Happening): unknown;
  headers(raw: string, at: number): Record<string, string>;
  /** What its API answers to look-ups, if it needs any: the path begins with a slash. */
  api?(path: string, email: string): unknown;
}

const iso = (at: number) => new Date(at).toISOString();

const zammad: TestSystem = {
  name: 'zammad',
  secret: 'a zammad signature token',
  lacks: ['retracted', 'unknown'],
  body({
    ticketId,
    at,
    what,
    messageId = ticketId * 10,
    words = 'Mohon kirim ID transaksi.',
    email = 'siti@example.com',
  }) {
    const isByCustomer = what === 'created';
    const customer = { id: 7, firstname: 'Siti', lastname: 'Rahma', email: what === 'no-address' ? '' : email };
    const article = {
      id: messageId,
      ticket_id: ticketId,
      sender: isByCustomer ? 'Customer' : 'Agent',
      type: 'email',
      ...(what === 'unmarked' ? {} : { internal: what === 'internal' }),
      content_type: 'text/html',
      body: `<p>${words}</p>`,
      created_at: iso(at),
      updated_at: iso(at),
      message_id: null,
      created_by: isByCustomer ? customer : { id: 3, firstname: 'Rina', lastname: 'Wati', email: 'rina@desk.example' },
      attachments: [],
    };
    return {
      ticket: {
        id: ticketId,
        number: `100${ticketId}`,
        title: 'Penarikan tertunda',
        state: what === 'resolved' ? 'closed' : 'open',
        created_at: iso(at - 1000),
        updated_at: iso(at),
        article_count: isByCustomer ? 1 : 2,
        customer,
      },
      article: what === 'resolved' ? {} : article,
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
  retracted: 'ticket.comment_made_private',
  unknown: 'ticket.tags_changed',
};

const zendesk: TestSystem = {
  name: 'zendesk',
  secret: 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==',
  lacks: [],
  body({ ticketId, at, what, messageId = ticketId * 10, words = 'Mohon kirim ID transaksi.' }) {
    const type = ZENDESK_TYPES[what] ?? 'ticket.comment_added';
    const comment = {
      id: String(messageId),
      body: words,
      ...(what === 'unmarked' ? {} : { is_public: what !== 'internal' && what !== 'retracted' }),
      author: { id: '3', is_staff: true, name: 'Rina' },
    };
    const events: Partial<Record<string, object>> = {
      'ticket.comment_added': { comment },
      'ticket.comment_made_private': { comment },
      'ticket.status_changed': { previous: 'OPEN', current: 'SOLVED' },
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
        requester_id: what === 'no-address' ? '404' : '7',
        status: what === 'resolved' ? 'SOLVED' : 'OPEN',
        subject: 'Penarikan tertunda',
        created_at: iso(at - 1000),
        updated_at: iso(at),
        is_public: true,
      },
      event: events[type] ?? {},
    };
  },
  headers: (raw, at) => ({
    'x-zendesk-webhook-invocation-id': randomUUID(),
    'x-zendesk-webhook-signature-timestamp': iso(at),
    'x-zendesk-webhook-signature': createHmac('sha256', zendesk.secret).update(iso(at)).update(raw).digest('base64'),
  }),
  api: (path, email) => {
    if (path.startsWith('/api/v2/users/7.json'))
      return { user: { id: 7, name: 'Siti', email, locale: 'id', iana_time_zone: 'Asia/Jakarta' } };
    return path.includes('/comments.json') ? { comments: [], users: [] } : null;
  },
};

export const systems: readonly TestSystem[] = [zammad, zendesk];
