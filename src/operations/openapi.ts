import { z } from 'zod';
import { errorCodes, type ErrorCode } from '../errors.js';
import { deliveryStates } from '../delivery/states.js';
import { eventSchema, silentTypes, tellingTypes } from '../events.js';
import { eventStates, untoldReasons } from '../intake/event-ledger.js';
import { outboundStates } from '../outbound/outbound-ledger.js';

type Json = Record<string, unknown>;

const eventTypes = [...tellingTypes, ...silentTypes];
type EventType = (typeof eventTypes)[number];

/** What an event of a type has beside its ticket and its requester; and as what the ticket ends up. */
const told: Record<EventType, { status?: 'pending' | 'resolved' | 'closed'; has?: object }> = {
  'ticket.created': {},
  'ticket.replied': { has: { message: agentSays('Mohon kirim ID transaksi.') } },
  'ticket.info_requested': { status: 'pending', has: { message: agentSays('Mohon kirim ID transaksi.') } },
  'ticket.resolved': { status: 'resolved', has: { message: agentSays('Dana sudah kami kirim.') } },
  'ticket.reopened': {},
  'ticket.closed': { status: 'closed' },
  'ticket.updated': { status: 'pending' },
  'message.updated': { has: { message: agentSays('Mohon kirim ID transaksi dan tanggalnya.') } },
  'message.retracted': { has: { message: agentSays('Mohon kirim ID transaksi.') } },
  'requester.changed': {},
  'ticket.merged': { status: 'closed', has: { into: '9a01' } },
  'ticket.deleted': { status: 'closed' },
};

function agentSays(body: string) {
  return {
    id: 'm-91',
    author: { kind: 'agent', name: 'Rina' },
    body,
    format: 'text',
    createdAt: '2026-11-23T02:15:00Z',
    visibility: 'public',
  };
}

/** An event of this type that each gateway takes as it is. */
function exampleOf(type: EventType): Json {
  const { status = 'open', has } = told[type];
  const ticket = {
    id: '8f2c',
    number: '12345',
    subject: 'Penarikan tertunda',
    status,
    version: 7 + eventTypes.indexOf(type),
    createdAt: '2026-11-22T10:00:00Z',
    updatedAt: '2026-11-23T02:15:00Z',
  };
  const requester = {
    kind: 'guest',
    email: 'siti@example.com',
    name: 'Siti',
    locale: 'id-ID',
    timeZone: 'Asia/Jakarta',
  };
  return { type, timestamp: '2026-11-23T02:15:00Z', data: { ticket, requester, ...has } };
}

const eventBody = {
  required: true,
  content: {
    'application/json': {
      schema: { $ref: '#/components/schemas/Event' },
      examples: Object.fromEntries(eventTypes.map((type) => [type, { value: exampleOf(type) }])),
    },
  },
};

const string = { type: 'string' };
const time = { type: 'string', format: 'date-time' };
const source = { name: 'source', in: 'path', required: true, schema: string, description: 'The name of the source.' };
const signature = Object.entries({
  'webhook-id': 'The id of what happened, the same on every retry: 1 to 256 printable ASCII characters, no full stop.',
  'webhook-timestamp': 'Unix seconds of this attempt, within five minutes.',
  'webhook-signature':
    '`v1,` and base64 of HMAC-SHA-256 over `{id}.{timestamp}.{raw body}`; the key is the base64 behind `whsec_`.',
}).map(([name, description]) => ({ name, in: 'header', required: true, schema: string, description }));
const id = { name: 'id', in: 'path', required: true, schema: string };
const cursor = { name: 'cursor', in: 'query', schema: string, description: '`nextCursor` of the page before.' };
const reasonText = { type: 'string', minLength: 1, maxLength: 500 };
/** Of every decision; OpenAPI has no word for "here or there". */
const reason = {
  name: 'reason',
  in: 'query',
  schema: reasonText,
  description: 'Why, for the audit log. Required, here or in the body.',
};
const state = (...values: string[]) => ({ name: 'state', in: 'query', schema: { type: 'string', enum: values } });
const query = (name: string, description: string, schema: Json = string) => ({
  name,
  in: 'query',
  schema,
  description,
});
const span = [query('since', 'From this moment on.', time), query('until', 'Before this moment.', time)];
const admin = [{ adminToken: [] }];
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: Json, example?: unknown) => ({
  'application/json': { schema, ...(example === undefined ? {} : { example }) },
});
const reasonBody = {
  description: 'The reason, if it is not in the query.',
  content: json(
    { type: 'object', required: ['reason'], properties: { reason: reasonText } },
    { reason: 'The endpoint was mended.' },
  ),
};
const ok = (description: string, schema: Json, example?: unknown) => ({ description, content: json(schema, example) });

/** What `GET /v1/admin/events/{id}` answers. */
const eventStory = {
  id: 'evt_01kas0f9c0vb8y2m7qk4d1w9xe',
  source: 'acme',
  sourceEventId: 'evt-8f2c-7',
  type: 'ticket.replied',
  sourceTicketId: '8f2c',
  state: 'done',
  occurredAt: '2026-11-23T02:15:00.000Z',
  receivedAt: '2026-11-23T02:15:01.000Z',
  lookUp: null,
  untold: null,
  deliveries: [
    {
      id: 'dlv_01kas0f9c0vb8y2m7qk4d1w9xf',
      notificationId: 'ntf_01kas0f9c0vb8y2m7qk4d1w9xf',
      state: 'sent',
      channel: 'email',
      recipient: 'siti@example.com',
      locale: 'id',
      localeReason: 'language',
      templateKey: 'ticket-replied',
      templateRevision: 'file:3f9a1c',
      dueAt: '2026-11-23T02:15:01.000Z',
      endedAt: '2026-11-23T02:15:02.000Z',
    },
  ],
};

/** The answers with these codes, as problems. */
function problems(...codes: ErrorCode[]): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorCodes[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      String(status),
      {
        description: ofStatus.map((code) => `\`${code}\`: ${errorCodes[code].title}`).join('; '),
        ...(status === 429 || status === 503 ? { headers: { 'Retry-After': { schema: { type: 'integer' } } } } : {}),
        content: { 'application/problem+json': { schema: ref('Problem') } },
      },
    ]),
  );
}

const eventProblems = [
  ...(['invalid-json', 'duplicate-key', 'forbidden-key', 'too-deep', 'bad-signature', 'unknown-source'] as const),
  ...(['event-conflict', 'body-too-large', 'unsupported-media-type', 'invalid-event', 'unavailable'] as const),
];
const adminProblems = problems('unauthorized', 'not-found', 'invalid-request');
const adminDecisionProblems = problems(
  ...(['unauthorized', 'not-found', 'invalid-request'] as const),
  ...(['invalid-json', 'duplicate-key', 'forbidden-key', 'too-deep'] as const),
);
const decision = (summary: string, answer: Json, more: Json = {}, ...parameters: Json[]) => ({
  post: {
    tags: ['Admin'],
    summary,
    security: admin,
    parameters: [id, reason, ...parameters],
    requestBody: reasonBody,
    responses: { ...answer, ...adminDecisionProblems, ...more },
  },
});
const list = (summary: string, ...parameters: Json[]) => ({
  get: {
    tags: ['Admin'],
    summary,
    security: admin,
    parameters: [...parameters, cursor],
    responses: { '200': ok('A page, the newest first.', ref('Page')), ...adminProblems },
  },
});
const one = (summary: string, parameter: Json) => ({
  get: {
    tags: ['Admin'],
    summary,
    security: admin,
    parameters: [parameter],
    responses: { '200': ok('What is known of it.', { type: 'object' }), ...adminProblems },
  },
});

const pausing = (summary: string) => ({
  post: {
    tags: ['Admin'],
    summary,
    security: admin,
    parameters: [{ ...id, name: 'name' }, reason],
    requestBody: reasonBody,
    responses: {
      '200': ok('How it is now.', { type: 'object' }, { name: 'acme', paused: true }),
      ...adminDecisionProblems,
    },
  },
});

/** The public HTTP API of Postern, as OpenAPI 3.1. Guest pages are for people and not in it. */
export function openApi(publicUrl: string, version: string): Json {
  const event = z.toJSONSchema(eventSchema, { io: 'input', unrepresentable: 'any' }) as Json;
  delete event.$schema;
  return {
    openapi: '3.1.0',
    info: {
      title: 'Postern',
      version,
      description: 'Tickets in, mails out, guests let in by a code, replies back.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: publicUrl }],
    tags: [
      { name: 'Sources', description: 'For ticket systems: signed requests.' },
      { name: 'Feedback', description: 'What mail servers and providers say of mails.' },
      { name: 'Admin', description: 'For operators, by `ADMIN_TOKEN`.' },
      { name: 'Operation', description: 'For whoever keeps it running.' },
    ],
    paths: {
      '/v1/sources/{source}/events': {
        post: {
          tags: ['Sources'],
          summary: 'Says what happened to a ticket',
          description:
            'Answered only after it is durable. The same id again is taken once: repeat on 429 and any 5xx. Signed by Standard Webhooks 1.0; a source with an adapter of its own takes the body and the signature of that system instead.',
          security: [],
          parameters: [source, ...signature],
          requestBody: eventBody,
          responses: {
            '202': ok('Taken.', ref('Receipt'), { eventId: 'evt_01kaq2g8w0f4x5y6z7a8b9c0d1', duplicate: false }),
            '200': ok('Taken before.', ref('Receipt'), { eventId: 'evt_01kaq2g8w0f4x5y6z7a8b9c0d1', duplicate: true }),
            ...problems(...eventProblems, 'too-many-requests'),
          },
        },
        options: {
          tags: ['Sources'],
          summary: 'The handshake of CloudEvents’ web hooks, for sources with that adapter',
          security: [],
          parameters: [
            source,
            {
              name: 'WebHook-Request-Origin',
              in: 'header',
              required: true,
              schema: string,
              description: 'Who would post.',
            },
          ],
          responses: {
            '200': { description: 'It may post: see WebHook-Allowed-Origin and WebHook-Allowed-Rate.' },
            ...problems('unknown-source', 'method-not-allowed', 'bad-request'),
          },
        },
      },
      '/v1/sources/{source}/events/dry-run': {
        post: {
          tags: ['Sources'],
          summary: 'Says what an event would do: who would be told, in which language and why, with the whole mail',
          description: 'The same body and signature as an event. Nothing is sent or stored; the link opens nothing.',
          security: [],
          parameters: [source, ...signature],
          requestBody: eventBody,
          responses: {
            '200': ok('What would happen.', { type: 'object' }),
            ...problems(...eventProblems),
          },
        },
      },
      '/v1/sources/{source}/handoffs/redeem': {
        post: {
          tags: ['Sources'],
          summary: 'Redeems the token that a guest brought to the source’s own ticket page',
          security: [],
          parameters: [source, ...signature],
          requestBody: {
            required: true,
            content: json({ type: 'object', required: ['token'], properties: { token: string } }, { token: 'hof_…' }),
          },
          responses: {
            '200': ok('Who came.', ref('HandedOver')),
            ...problems('bad-signature', 'unknown-source', 'handoff-unusable', 'invalid-request'),
          },
        },
      },
      '/v1/files/{token}': {
        get: {
          tags: ['Sources'],
          summary: 'A file of a reply, by the URL of the outbound webhook',
          security: [],
          parameters: [{ name: 'token', in: 'path', required: true, schema: string }],
          responses: {
            '200': { description: 'The file, as a download.', content: { 'application/octet-stream': {} } },
            ...problems('not-found'),
          },
        },
      },
      '/v1/feedback/resend': {
        post: {
          tags: ['Feedback'],
          summary: 'Webhooks of Resend, by its own signature',
          security: [],
          requestBody: { required: true, content: json({ type: 'object' }) },
          responses: {
            '200': ok('What was new.', ref('Feedback')),
            ...problems('invalid-json', 'bad-signature', 'not-found'),
          },
        },
      },
      '/v1/feedback/dsn': {
        post: {
          tags: ['Feedback'],
          summary: 'A bounce or complaint as a whole mail',
          security: [{ feedbackToken: [] }],
          requestBody: { required: true, content: { 'message/rfc822': { schema: string } } },
          responses: { '200': ok('What was new.', ref('Feedback')), ...problems('unauthorized', 'not-found') },
        },
      },
      '/v1/admin/suppressions': list('Addresses that get no mail'),
      '/v1/admin/suppressions/{address}': {
        ...one('What is known of one address', { ...id, name: 'address' }),
        delete: {
          tags: ['Admin'],
          summary: 'Releases an address',
          security: admin,
          parameters: [{ ...id, name: 'address' }, reason],
          requestBody: reasonBody,
          responses: { '200': ok('As it was.', { type: 'object' }), ...adminDecisionProblems },
        },
      },
      '/v1/admin/deliveries': list(
        'Deliveries, all or some',
        state(...deliveryStates),
        query('ticket', 'Of this ticket, by Postern’s own id of it.'),
        ...span,
      ),
      '/v1/admin/deliveries/{id}': one('A delivery with every attempt', id),
      '/v1/admin/deliveries/{id}/resend': decision(
        'Queues an ended delivery again',
        { '202': ok('Queued.', { type: 'object' }) },
        problems('not-resendable'),
      ),
      '/v1/admin/events': list(
        'Events, all or some',
        state(...eventStates),
        query('source', 'Of this source.'),
        query('type', 'Of this type.', { type: 'string', enum: eventTypes }),
        query('ticket', 'Of this ticket, by its source’s own id of it; with `source`.'),
        ...span,
      ),
      '/v1/admin/events/{id}': {
        get: {
          ...one('An event and what came of it: the mails that were planned, or why nobody was told', id).get,
          responses: { '200': ok('What is known of it.', ref('EventStory'), eventStory), ...adminProblems },
        },
      },
      '/v1/admin/events/{id}/retry': decision(
        'Has the source asked again about an event that was given up',
        { '202': ok('Queued.', { type: 'object' }) },
        problems('not-parked'),
      ),
      '/v1/admin/outbound': list(
        'Messages to the sources, all or some',
        state(...outboundStates),
        query('source', 'Of this source; with `ticket`.'),
        query('ticket', 'Of this ticket, by its source’s own id of it; with `source`.'),
        ...span,
      ),
      '/v1/admin/outbound/{id}': one('A message to a source with every attempt, without its text', id),
      '/v1/admin/outbound/{id}/replay': decision(
        'Sends a parked message to its source again, with the same id',
        { '202': ok('Queued.', { type: 'object' }) },
        problems('not-parked'),
      ),
      '/v1/admin/tickets/{id}/revoke-links': decision(
        'Ends the links, codes and sessions of a ticket',
        { '200': ok('How many people it met.', { type: 'object' }) },
        {},
        {
          name: 'address',
          in: 'query',
          schema: string,
          description: 'Of this person alone; without it of all. May stand in the body, as `reason` may.',
        },
      ),
      '/v1/admin/people/{address}': {
        ...one('How much is kept of a person', { ...id, name: 'address' }),
        delete: {
          tags: ['Admin'],
          summary: 'Erases a person',
          description: 'Done when it is answered; may be repeated. Files, words and addresses go, states and ids stay.',
          security: admin,
          parameters: [{ ...id, name: 'address' }, reason],
          requestBody: reasonBody,
          responses: { '200': ok('What was erased.', { type: 'object' }), ...adminDecisionProblems },
        },
      },
      '/v1/admin/sources': {
        get: {
          tags: ['Admin'],
          summary: 'The sources, and which of them are paused',
          security: admin,
          responses: { '200': ok('All of them.', { type: 'object' }), ...adminProblems },
        },
      },
      '/v1/admin/sources/{name}/pause': pausing('Takes a source’s events, and lets its mails wait'),
      '/v1/admin/sources/{name}/resume': pausing('Lets them go'),
      '/v1/admin/audit': list('Who did what, when and why', { name: 'subject', in: 'query', schema: string }),
      '/health/live': {
        get: {
          tags: ['Operation'],
          summary: 'The process answers',
          security: [],
          responses: { '200': ok('It does.', { type: 'object' }, { status: 'ok' }) },
        },
      },
      '/health/ready': {
        get: {
          tags: ['Operation'],
          summary: 'Work can be done',
          security: [],
          responses: { '200': ok('It can.', { type: 'object' }), '503': ok('What is missing.', { type: 'object' }) },
        },
      },
      '/metrics': {
        get: {
          tags: ['Operation'],
          summary: 'Figures for Prometheus',
          security: [{ metricsToken: [] }, {}],
          responses: {
            '200': { description: 'Prometheus text format.', content: { 'text/plain': { schema: string } } },
            ...problems('unauthorized', 'not-found'),
          },
        },
      },
      '/.well-known/jwks.json': {
        get: {
          tags: ['Sources'],
          summary: 'Public keys of `handoff: jwt`',
          security: [],
          responses: { '200': { description: 'RFC 7517.', content: { 'application/jwk-set+json': {} } } },
        },
      },
    },
    components: {
      schemas: {
        Event: event,
        Receipt: { anyOf: [ref('TakenEvent'), ref('IgnoredEvent'), ref('Receipts')] },
        TakenEvent: {
          type: 'object',
          required: ['eventId', 'duplicate'],
          properties: { eventId: string, duplicate: { type: 'boolean' } },
        },
        IgnoredEvent: {
          type: 'object',
          description: 'Genuine, and nobody is told: why.',
          required: ['ignored'],
          properties: { ignored: { type: 'string', enum: ['internal', 'unknown-type', 'no-address', 'nothing-new'] } },
        },
        Receipts: {
          type: 'object',
          description: 'Of a batch, and of a body with several happenings or none: in their order.',
          required: ['events'],
          properties: { events: { type: 'array', items: { anyOf: [ref('TakenEvent'), ref('IgnoredEvent')] } } },
        },
        HandedOver: {
          type: 'object',
          required: ['ticket', 'email', 'verifiedAt'],
          properties: {
            ticket: { type: 'object', required: ['id', 'number'], properties: { id: string, number: string } },
            email: string,
            verifiedAt: time,
          },
        },
        EventStory: {
          type: 'object',
          required: Object.keys(eventStory),
          properties: {
            ...{ id: string, source: string, sourceEventId: string, sourceTicketId: string },
            type: { type: 'string', enum: eventTypes },
            state: { type: 'string', enum: eventStates },
            occurredAt: time,
            receivedAt: time,
            lookUp: { type: ['object', 'null'], description: 'What is asked for at its source, while it is.' },
            untold: {
              type: ['string', 'null'],
              enum: [...untoldReasons, null],
              description: 'Why nobody was told. Null: somebody was, its source is still asked, or it is not known.',
            },
            deliveries: {
              type: 'array',
              description: 'The mails that tell of it, alone or with other news, as far as they are kept.',
              items: {
                type: 'object',
                required: Object.keys(eventStory.deliveries[0]!),
                properties: {
                  ...{ id: string, notificationId: string, state: { type: 'string', enum: deliveryStates } },
                  ...{ channel: string, recipient: string, locale: string, localeReason: string },
                  ...{ templateKey: string, templateRevision: string },
                  dueAt: time,
                  endedAt: { type: ['string', 'null'], format: 'date-time' },
                },
              },
            },
          },
        },
        Feedback: {
          type: 'object',
          required: ['recorded', 'duplicate'],
          properties: { recorded: { type: 'integer' }, duplicate: { type: 'integer' } },
        },
        Page: {
          type: 'object',
          required: ['items', 'nextCursor'],
          properties: { items: { type: 'array', items: { type: 'object' } }, nextCursor: { type: ['string', 'null'] } },
        },
        Problem: {
          type: 'object',
          description: 'RFC 9457. `code` is stable.',
          required: ['type', 'title', 'status', 'code', 'detail'],
          properties: {
            type: string,
            title: string,
            status: { type: 'integer' },
            code: { type: 'string', enum: Object.keys(errorCodes) },
            detail: string,
            errors: {
              type: 'array',
              items: {
                type: 'object',
                required: ['pointer', 'detail'],
                properties: { pointer: string, detail: string },
              },
            },
            problems: {
              type: 'array',
              items: { type: 'object' },
              description: 'What is wrong with words, brand or logo.',
            },
            theirs: { type: ['object', 'null'], description: 'Of a conflict: what somebody else has written.' },
            base: { type: ['object', 'null'], description: 'Of a conflict: what both began with.' },
          },
        },
      },
      securitySchemes: {
        adminToken: { type: 'http', scheme: 'bearer' },
        feedbackToken: { type: 'http', scheme: 'bearer' },
        metricsToken: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}
