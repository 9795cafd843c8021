import fc from 'fast-check';
import { ResendTransport } from '../../src/delivery/transports/resend.js';
import type { Mail, MailContent, TransportOutcome } from '../../src/delivery/transports/transport.js';
import { createGateway } from '../support/gateway.js';
import {
  answer,
  closedPort,
  endless,
  reset,
  resetInTheMiddle,
  silence,
  startScriptedHttp,
  trickle,
  type Script,
  type ScriptedHttp,
} from '../support/scripted-http.js';
import { rows } from '../support/tables.js';

const ID = '49a3999c-0ce1-4ea6-ab68-afcd6dc2e794';
const KEY = 're_planted_key';
const taken = answer(200, { id: ID });
const refusal = (status: number, name: string, headers?: Record<string, string>, message = 'as they say') =>
  answer(status, { statusCode: status, name, message }, headers);

let api: ScriptedHttp;
let transport: ResendTransport;
beforeEach(async () => {
  api = await startScriptedHttp(taken);
  transport = open();
});
afterEach(async () => {
  transport.close();
  await api.close();
});

function open({ endpoint = api.origin, connections = 2, timeoutMs = 10_000 } = {}): ResendTransport {
  return new ResendTransport({ kind: 'resend', name: 'resend', apiKey: KEY, endpoint }, connections, timeoutMs);
}

const content: MailContent = {
  from: { name: 'Acme, "Help"', address: 'no-reply@support.example' },
  to: 'siti@example.com',
  subject: 'Tiket #12345: sudah dibalas — こんにちは',
  html: '<p lang="id">Halo &amp; selamat</p>',
  text: 'Halo & selamat',
  headers: { 'X-Postern-Notification': 'ntf_1', 'Auto-Submitted': 'auto-generated' },
};

function mail(deliveryId = 'dlv_1', made: MailContent = content): Mail {
  return { deliveryId, from: 'bounce@support.example', to: made.to, mime: () => Buffer.alloc(0), content: () => made };
}

describe('a mail for Resend', () => {
  it('is one request of its own, named by its delivery, and accepted with the id it got', async () => {
    await expect(transport.send(mail('dlv_42'))).resolves.toEqual({
      outcome: 'accepted',
      detail: `200 ${ID}`,
      providerId: ID,
    });
    expect(api.requests).toHaveLength(1);
    const [request] = api.requests;
    expect(request).toMatchObject({ method: 'POST', url: '/emails' });
    expect(request!.headers).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'idempotency-key': 'dlv_42',
      'content-type': 'application/json',
      'user-agent': 'postern',
    });
    expect(JSON.parse(request!.body)).toEqual({
      from: '"Acme, \\"Help\\"" <no-reply@support.example>',
      to: 'siti@example.com',
      subject: content.subject,
      html: content.html,
      text: content.text,
      headers: content.headers,
      // Comes back in its webhooks: the mail is found by it though the answer was lost.
      tags: [{ name: 'notification', value: 'ntf_1' }],
    });
  });

  it('has a sender without a name where there is none', async () => {
    await transport.send(mail('dlv_1', { ...content, from: { name: '', address: 'no-reply@support.example' } }));
    expect(JSON.parse(api.requests[0]!.body)).toMatchObject({ from: 'no-reply@support.example' });
  });

  it('is byte for byte the same at each try, whatever is in it and in which order it was made', async () => {
    const headers = fc.dictionary(fc.stringMatching(/^X-[A-Za-z]{1,8}$/), fc.string({ unit: 'binary' }));
    const anyText = fc.string({ unit: 'binary', maxLength: 200 });
    const made = fc.record({
      from: fc.record({ name: anyText, address: fc.constant('no-reply@support.example') }),
      to: fc.constant('siti@example.com'),
      subject: anyText,
      html: anyText,
      text: anyText,
      headers,
    });
    await fc.assert(
      fc.asyncProperty(made, async (first) => {
        api.requests.length = 0;
        const turned = Object.fromEntries(Object.entries(first.headers).reverse());
        await transport.send(mail('dlv_7', first));
        await transport.send(mail('dlv_7', { ...structuredClone(first), headers: turned }));
        expect(api.requests[1]!.body).toBe(api.requests[0]!.body);
        expect(api.requests[1]!.headers).toEqual(api.requests[0]!.headers);
        expect(JSON.parse(api.requests[0]!.body)).toMatchObject({ subject: first.subject, html: first.html });
      }),
      { numRuns: 60 },
    );
  });

  it('opens no more connections than it was given, and keeps them', async () => {
    const sockets = new Set<unknown>();
    api.otherwise = (response, request) => (sockets.add(response.socket), taken(response, request));
    const sent = Array.from({ length: 20 }, (_, i) => transport.send(mail(`dlv_${i}`)));
    for (const outcome of await Promise.all(sent)) expect(outcome).toMatchObject({ outcome: 'accepted' });
    expect(sockets.size).toBe(2);
  });
});

const deferred = (more: object = {}) => ({ outcome: 'deferred', scope: 'transport', ...more });
const noTime = { outcome: 'deferred', detail: expect.any(String), scope: 'transport' };
const uncertain = { outcome: 'uncertain' };
const rejected = { outcome: 'rejected' };
const soon = (seconds: number) => new Date(Date.UTC(2026, 10, 24, 8, 0, seconds)).toUTCString();

describe('what Resend answers is judged by what is certain', () => {
  it.each<[what: string, script: Script, expected: object]>([
    [
      '429 with Retry-After',
      refusal(429, 'rate_limit_exceeded', { 'retry-after': '3' }),
      deferred({ retryAfterSeconds: 3 }),
    ],
    ['429 with a part of a second', refusal(429, 'x', { 'retry-after': '0.2' }), deferred({ retryAfterSeconds: 1 })],
    [
      '429 until a date',
      refusal(429, 'x', { 'retry-after': soon(50), date: soon(10) }),
      deferred({ retryAfterSeconds: 40 }),
    ],
    [
      '429 until a past date',
      refusal(429, 'x', { 'retry-after': soon(5), date: soon(10) }),
      deferred({ retryAfterSeconds: 1 }),
    ],
    ['429 until next year', refusal(429, 'x', { 'retry-after': '31536000' }), deferred({ retryAfterSeconds: 3600 })],
    ['429 with its window', refusal(429, 'x', { 'ratelimit-reset': '7' }), deferred({ retryAfterSeconds: 7 })],
    ['429 with a riddle', refusal(429, 'x', { 'retry-after': 'later' }), noTime],
    ['429 without a time', refusal(429, 'daily_quota_exceeded'), noTime],
    ['503', refusal(503, 'application_error'), deferred()],
    ['503 by a proxy', answer(503, '<h1>busy</h1>'), deferred()],
    ['521: the proxy reached nobody', answer(521, ''), deferred()],
    ['500', refusal(500, 'internal_server_error'), uncertain],
    ['502 by a proxy', answer(502, '<h1>bad gateway</h1>'), uncertain],
    ['504', answer(504, ''), uncertain],
    ['a key that is wrong', refusal(403, 'invalid_api_key'), deferred()],
    ['no key', refusal(401, 'missing_api_key'), deferred()],
    ['a domain that is not verified', refusal(403, 'validation_error'), deferred()],
    ['a sender that is not allowed', refusal(422, 'invalid_from_address'), deferred()],
    ['a wrong endpoint', refusal(404, 'not_found'), deferred()],
    ['a proxy that does not like us', answer(400, '<h1>bad request</h1>'), deferred()],
    ['a fault in this mail', refusal(422, 'validation_error'), rejected],
    ['a fault in its fields', refusal(400, 'validation_error'), rejected],
    ['a field that is missing', refusal(422, 'missing_required_field'), rejected],
    ['an earlier try that is still at work', refusal(409, 'concurrent_idempotent_requests'), uncertain],
    ['an earlier try with other content', refusal(409, 'invalid_idempotent_request'), uncertain],
    ['200 without an id', answer(200, {}), uncertain],
    ['200 with an empty id', answer(200, { id: '' }), uncertain],
    ['200 with an id that is none', answer(200, { id: { a: 1 } }), uncertain],
    ['200 with an endless id', answer(200, { id: 'x'.repeat(201) }), uncertain],
    ['200 with null', answer(200, 'null'), uncertain],
    ['200 with a list', answer(200, `["${ID}"]`), uncertain],
    ['200 with bad JSON', answer(200, `{"id":"${ID}"`), uncertain],
    ['200 with nothing', answer(200, ''), uncertain],
    ['204', answer(204, ''), uncertain],
    ['200 that does not end', endless(200), uncertain],
    ['422 that does not end', endless(422), deferred()],
    ['500 that does not end', endless(500), uncertain],
    ['a reset', reset, uncertain],
    ['a reset within 200', resetInTheMiddle(200), uncertain],
    ['a reset within 403', resetInTheMiddle(403), deferred()],
    ['a redirect', answer(307, '', { location: 'http://127.0.0.1:1/' }), deferred()],
    ['a redirect to what was made', answer(303, '', { location: '/emails/1' }), uncertain],
  ])('%s', async (_, script, expected) => {
    api.scripts = [script];
    const outcome = await transport.send(mail());
    expect(outcome).toMatchObject(expected);
    expect('retryAfterSeconds' in outcome).toBe('retryAfterSeconds' in expected);
    // No try of its own, and no other place.
    expect(api.requests).toHaveLength(1);
  });

  it.each<[what: string, script: Script, outcome: TransportOutcome['outcome']]>([
    ['no answer', silence, 'uncertain'],
    ['an answer byte by byte', trickle(200), 'uncertain'],
    ['a refusal byte by byte', trickle(401), 'deferred'],
  ])('%s, when its time is over', async (_, script, outcome) => {
    api.scripts = [script];
    transport.close();
    transport = open({ timeoutMs: 150 });
    expect(await transport.send(mail())).toMatchObject({ outcome });
  });

  it('a connection that nobody takes: nothing was sent', async () => {
    transport.close();
    transport = open({ endpoint: `http://127.0.0.1:${await closedPort()}` });
    expect(await transport.send(mail())).toEqual(deferred({ detail: 'connect: ECONNREFUSED' }));
  });

  it('a request that waited for a connection until its time was over: nothing was sent', async () => {
    transport.close();
    transport = open({ connections: 1, timeoutMs: 150 });
    api.otherwise = silence;
    const [first, second] = await Promise.all([transport.send(mail('dlv_1')), transport.send(mail('dlv_2'))]);
    expect(first).toMatchObject(uncertain);
    expect(second).toMatchObject(deferred());
    expect(api.requests).toHaveLength(1);
  });

  it('an endpoint that points into our own network: nothing was sent', async () => {
    transport.close();
    transport = open({ endpoint: `https://127.0.0.1:${api.port}` });
    expect(await transport.send(mail())).toEqual(deferred({ detail: 'refused-address: the address is loopback' }));
  });

  it('the repeat of a mail whose answer was lost gets the first answer and makes no second mail', async () => {
    const made = new Map<string, string>();
    const remembering: Script = (response, request) => {
      const key = String(request.headers['idempotency-key']);
      if (!made.has(key)) made.set(key, request.body);
      const [status, said] =
        made.get(key) === request.body ? [200, { id: ID }] : [409, { name: 'invalid_idempotent_request' }];
      answer(status as number, said)(response, request);
    };
    // The first time it does its work and the answer is lost on the way.
    api.scripts = [
      (_response, request) => (
        made.set(String(request.headers['idempotency-key']), request.body),
        reset(_response, request)
      ),
    ];
    api.otherwise = remembering;
    expect(await transport.send(mail())).toMatchObject(uncertain);
    expect(await transport.send(mail())).toMatchObject({ outcome: 'accepted', providerId: ID });
    expect(made.size).toBe(1);
  });

  it('tells the operator in their words, in one short line without the key and without control characters', async () => {
    api.scripts = [refusal(403, 'invalid_api_key', {}, `API key ${KEY} is\r\ninvalid\u0000 ${'x'.repeat(1000)}`)];
    const { detail } = await transport.send(mail());
    expect(detail).toMatch(/^403 invalid_api_key API key \[key\] is invalid +x+$/);
    expect(detail).toHaveLength(500);
  });
});

describe('a gateway that sends by Resend', () => {
  it('repeats a mail with the same key and the same bytes until it is taken', async () => {
    const test = await createGateway({ settings: { MAIL_URL: `resend://${KEY}@127.0.0.1:${api.port}` } });
    try {
      api.scripts = [
        refusal(429, 'rate_limit_exceeded', { 'retry-after': '1' }),
        reset,
        refusal(500, 'application_error'),
      ];
      await test.source.send('ticket.replied', {
        ticket: { id: 'r-1', number: '12345' },
        requester: { email: 'siti@example.com', locale: 'id' },
        message: {},
      });
      // More rounds than tries: breakers postpone some.
      for (let i = 0; i < 8; i++) {
        await test.drain();
        test.clock.advance({ hours: 1 });
      }
      const [delivery] = await rows(test, 'deliveries');
      expect(delivery).toMatchObject({ state: 'sent' });
      expect(api.requests).toHaveLength(4);
      expect(new Set(api.requests.map(({ body }) => body)).size).toBe(1);
      expect(new Set(api.requests.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([delivery!.id]));
      expect(test.logs.join('')).not.toContain(KEY);
    } finally {
      await test.close();
    }
  });
});
