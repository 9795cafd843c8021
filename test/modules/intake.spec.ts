import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret, signWebhook } from '../../src/platform/webhook-signature.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { send, type RawAnswer } from '../support/raw.js';
import { TestSource, type EventBody } from '../support/source.js';
import { count, dump, rows } from '../support/tables.js';

const LIMIT = 256 * 1024;
const current = generateWebhookSecret();
const former = generateWebhookSecret();
const ofOther = generateWebhookSecret();

interface Post {
  body?: string | Buffer;
  id?: string;
  secret?: string;
  ageSeconds?: number;
  path?: string;
  method?: string;
  /** Over the right ones; undefined leaves one out. */
  headers?: Record<string, string | undefined>;
  /** Sent instead of what was signed. */
  tampered?: string;
}

describe.each(databases)('webhooks that come in, on $name', (database) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
  let test: TestGateway;
  let source: TestSource;

  beforeAll(async () => {
    const file = join(folder, 'sources.yaml');
    const sources = [
      { name: 'acme', secrets: [current, former] },
      { name: 'other', secrets: [ofOther] },
    ];
    writeFileSync(file, JSON.stringify({ sources })); // JSON is YAML
    test = await createGateway({ database, settings: { SOURCES_FILE: file } });
    source = new TestSource(test.url, current, test.clock, 'acme');
  });
  afterAll(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });

  const event = (): EventBody => source.event('ticket.replied', { ticket: { id: randomUUID() }, message: {} });

  function post(given: Post = {}): Promise<RawAnswer> {
    const { id = `evt_${randomUUID()}`, secret = current, ageSeconds = 0, tampered } = given;
    const body = given.body ?? JSON.stringify(event());
    const timestamp = Math.floor(test.clock.now() / 1000) - ageSeconds;
    const all = {
      'content-type': 'application/json',
      ...signWebhook({ secret, id, timestamp, body }),
      ...given.headers,
    };
    const headers = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
      string,
      string
    >;
    const { method = 'POST', path = '/v1/sources/acme/events' } = given;
    return send(test.url, { method, path, headers, body: method === 'POST' ? (tampered ?? body) : undefined });
  }

  /** The answer is an RFC 9457 problem with this status and code, and no table has changed. */
  async function refusal(request: () => Promise<RawAnswer>, status: number, code: string) {
    await test.drain(); // mails of earlier tests must not be in the middle of being sent
    const before = await dump(test);
    const answer = await request();
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    const problem = JSON.parse(answer.body.toString()) as { errors?: { pointer: string; detail: string }[] };
    expect({ http: answer.status, ...problem }).toMatchObject({ http: status, status, code, type: 'about:blank' });
    expect(problem).toMatchObject({ title: expect.stringMatching(/./), detail: expect.stringMatching(/./) });
    expect(await dump(test)).toBe(before);
    return problem;
  }
  async function expectRefusal(...refused: Parameters<typeof refusal>): Promise<void> {
    await refusal(...refused);
  }

  /** Taken, and known by the id in the answer. */
  async function taken(request: () => Promise<RawAnswer>) {
    const answer = await request();
    expect({ status: answer.status, body: answer.body.toString() }).toEqual({
      status: 202,
      body: expect.stringMatching(/^\{"eventId":"evt_[0-9a-z]{26}","duplicate":false\}$/),
    });
    const { eventId } = JSON.parse(answer.body.toString()) as { eventId: string };
    expect(await count(test, 'events', `id = '${eventId}'`)).toBe(1);
    return eventId;
  }
  async function expectTaken(request: () => Promise<RawAnswer>): Promise<void> {
    await taken(request);
  }

  describe('are taken', () => {
    it('when they are signed', () => expectTaken(() => post()));
    it('when an older secret signed them, during a rotation', () => expectTaken(() => post({ secret: former })));
    it('when one of several signatures is right', () => {
      const body = JSON.stringify(event());
      const id = `evt_${randomUUID()}`;
      const timestamp = Math.floor(test.clock.now() / 1000);
      const good = signWebhook({ secret: current, id, timestamp, body })['webhook-signature'];
      return expectTaken(() =>
        post({ body, id, headers: { 'webhook-signature': `v1a,AAAA v1,${'A'.repeat(43)}= v2,x ${good}` } }),
      );
    });
    it.each([300, -300])('when the signature is %i s off', (ageSeconds) => expectTaken(() => post({ ageSeconds })));
    it.each(['application/json; charset=utf-8', 'application/json;charset=UTF-8', 'Application/JSON'])(
      'with the content type %s',
      (type) => expectTaken(() => post({ headers: { 'content-type': type } })),
    );
    it('with keys that Postern does not know', () => {
      const body = event();
      Object.assign(body, { extra: { constructor: 1, prototype: [] } });
      Object.assign(body.data.ticket as object, { priority: 'high' });
      return expectTaken(() => post({ body: JSON.stringify(body) }));
    });
    it('with nulls where something optional is absent', () => {
      const body = event();
      const nothing = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, null]));
      Object.assign(body.data.ticket as object, nothing('subject', 'version', 'createdAt', 'url'));
      Object.assign(body.data.requester as object, nothing('id', 'name', 'locale', 'timeZone'));
      Object.assign(body.data, nothing('participants', 'history', 'into'), {
        message: {
          ...nothing('body', 'format', 'createdAt', 'replyId'),
          ...{ id: 'm', visibility: 'public', author: { kind: 'agent', ...nothing('id', 'email', 'name') } },
          attachments: [{ name: 'a', url: 'https://help.example/a', ...nothing('contentType', 'size') }],
        },
      });
      return expectTaken(() => post({ body: JSON.stringify(body) }));
    });
    it('with 32 levels', () => {
      const body = JSON.stringify(event()).replace(/}$/, `,"deep":${'['.repeat(31)}${']'.repeat(31)}}`);
      return expectTaken(() => post({ body }));
    });
    it('with the pretty spaces of any JSON writer', () =>
      expectTaken(() => post({ body: `\n${JSON.stringify(event(), null, 2)}\r\n` })));
    it('at exactly 256 KiB', () => {
      const body = JSON.stringify(event());
      return expectTaken(() => post({ body: body + ' '.repeat(LIMIT - Buffer.byteLength(body)) }));
    });
    it('with an unknown locale and time zone, in the fallbacks', async () => {
      const body = event();
      Object.assign(body.data.requester as object, { locale: 'tlh-!!', timeZone: 'Mars/Olympus' });
      const eventId = await taken(() => post({ body: JSON.stringify(body) }));
      expect(await rows(test, 'deliveries', `event_id = '${eventId}'`)).toMatchObject([
        { locale: 'en', inputs: expect.stringContaining('"timeZone":""') },
      ]);
    });
  });

  describe('are refused as not genuine', () => {
    const refusals: [string, Post | (() => Post)][] = [
      [
        'without any signature',
        { headers: { 'webhook-id': undefined, 'webhook-timestamp': undefined, 'webhook-signature': undefined } },
      ],
      ['without webhook-id', { headers: { 'webhook-id': undefined } }],
      ['without webhook-timestamp', { headers: { 'webhook-timestamp': undefined } }],
      ['without webhook-signature', { headers: { 'webhook-signature': undefined } }],
      ['with an empty signature', { headers: { 'webhook-signature': '' } }],
      ['with a signature of another version only', { headers: { 'webhook-signature': 'v2,AAAA' } }],
      ['at 301 s of age', { ageSeconds: 301 }],
      ['from 301 s ahead', { ageSeconds: -301 }],
      ['with a timestamp that is no number', { headers: { 'webhook-timestamp': '2026-11-23T02:15:00Z' } }],
      ['with another body than was signed', () => ({ tampered: JSON.stringify(event()) })],
      [
        'with one space more than was signed',
        () => {
          const body = JSON.stringify(event());
          return { body, tampered: `${body} ` };
        },
      ],
      ['with another id than was signed', { headers: { 'webhook-id': 'evt_other' } }],
      [
        'with another time than was signed',
        () => ({ headers: { 'webhook-timestamp': String(Math.floor(test.clock.now() / 1000) - 1) } }),
      ],
      ['with a full stop in the id, by which id and time could be shifted', { headers: { 'webhook-id': 'evt.1' } }],
      ["with another source's secret", { secret: ofOther }],
      ['with nobody’s secret', { secret: generateWebhookSecret() }],
      ['though the body is not even JSON', { body: '{', secret: ofOther }],
      ['though the body is empty', { body: '', secret: ofOther }],
    ];
    it.each(refusals)('%s', (_what, given) =>
      expectRefusal(() => post(typeof given === 'function' ? given() : given), 401, 'bad-signature'),
    );

    it('always in the same words, which tell a forger nothing', async () => {
      const texts = new Set<string>();
      for (const [, given] of refusals)
        texts.add((await post(typeof given === 'function' ? given() : given)).body.toString());
      expect(texts.size).toBe(1);
    });
  });

  describe('are refused as not JSON', () => {
    it.each<[string, string | Buffer, string]>([
      ['empty', '', 'invalid-json'],
      ['cut off', '{"type":', 'invalid-json'],
      ['followed by something', '{} {}', 'invalid-json'],
      ['with a comma too many', '{"a":1,}', 'invalid-json'],
      ['with a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('{}')]), 'invalid-json'],
      ['in UTF-16', Buffer.from('{}', 'utf16le'), 'invalid-json'],
      ['in Latin-1', Buffer.from('{"a":"\xe9"}', 'latin1'), 'invalid-json'],
      ['with an overlong sign', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'invalid-json'],
      ['with a key twice', '{"type":"a","type":"b"}', 'duplicate-key'],
      ['with a key twice, deep down', '{"data":{"ticket":{"id":"1","id":"2"}}}', 'duplicate-key'],
      ['with a key twice, spelled otherwise', '{"type":"a","\\u0074ype":"b"}', 'duplicate-key'],
      ['with __proto__', '{"__proto__":{}}', 'forbidden-key'],
      ['with __proto__ spelled otherwise', '{"data":{"__pr\\u006fto__":{}}}', 'forbidden-key'],
      ['with constructor.prototype', '{"constructor":{"prototype":{}}}', 'forbidden-key'],
      ['33 deep', '['.repeat(33) + ']'.repeat(33), 'too-deep'],
      ['100,000 deep', '['.repeat(100_000) + ']'.repeat(100_000), 'too-deep'],
    ])('%s', (_what, body, code) => expectRefusal(() => post({ body }), 400, code));
  });

  describe('are refused for their frame', () => {
    it.each([
      ['text/plain'],
      ['application/x-www-form-urlencoded'],
      ['multipart/form-data; boundary=x'],
      ['application/jsonp'],
      ['application/cloudevents+json'],
      ['json'],
      [''],
      [undefined],
    ])('with the content type %o', (type) =>
      expectRefusal(() => post({ headers: { 'content-type': type } }), 415, 'unsupported-media-type'),
    );
    it('over 256 KiB, before anything is verified', () => {
      const body = JSON.stringify(event());
      return expectRefusal(() => post({ body: body + ' '.repeat(LIMIT + 1 - body.length) }), 413, 'body-too-large');
    });
    it('over 256 KiB in chunks, without a length', () =>
      expectRefusal(
        () => post({ body: 'x'.repeat(LIMIT + 1), headers: { 'transfer-encoding': 'chunked' } }),
        413,
        'body-too-large',
      ));
    it.each(['nobody', 'ACME', 'acme%00', '%2e%2e', 'constructor', '__proto__', 'x'.repeat(500)])(
      'for the source %s',
      (name) => expectRefusal(() => post({ path: `/v1/sources/${name}/events` }), 404, 'unknown-source'),
    );
    it('at an address that does not exist', () =>
      expectRefusal(() => post({ path: '/v1/sources/acme/nothing' }), 404, 'not-found'));
    it('at an address that cannot be read', () =>
      expectRefusal(() => post({ path: '/v1/sources/%E0%A4%A/events' }), 404, 'not-found'));
    it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('by %s', (method) =>
      expectRefusal(() => post({ method, headers: { 'content-length': '0' } }), 404, 'not-found'),
    );
  });

  describe('are refused with the place of the fault', () => {
    type Change = (body: EventBody & { data: Record<string, Record<string, unknown>> }) => void;
    const drop =
      (path: string): Change =>
      (body) => {
        const steps = path.slice(1).split('/');
        const last = steps.pop()!;
        delete steps.reduce((at, step) => at[step] as Record<string, unknown>, body as Record<string, unknown>)[last];
      };
    const set =
      (path: string, value: unknown): Change =>
      (body) => {
        const steps = path.slice(1).split('/');
        const last = steps.pop()!;
        steps.reduce((at, step) => at[step] as Record<string, unknown>, body as Record<string, unknown>)[last] = value;
      };
    const cases: [string, string, Change][] = [
      ...[
        '/type',
        '/timestamp',
        '/data',
        '/data/ticket',
        '/data/ticket/id',
        '/data/ticket/number',
        '/data/ticket/status',
        '/data/ticket/updatedAt',
        '/data/requester',
        '/data/requester/kind',
        '/data/requester/email',
        '/data/message/id',
        '/data/message/author',
      ].map((path): [string, string, Change] => [`without ${path}`, path, drop(path)]),
      ['of an unknown type', '/type', set('/type', 'ticket.exploded')],
      ['of a type that is no text', '/type', set('/type', ['ticket.replied'])],
      ['with a local time', '/timestamp', set('/timestamp', '2026-11-23T02:15:00')],
      ['with a day that does not exist', '/timestamp', set('/timestamp', '2026-02-30T02:15:00Z')],
      ['with a time in seconds', '/data/ticket/updatedAt', set('/data/ticket/updatedAt', 1_795_000_000)],
      ['with an unknown status', '/data/ticket/status', set('/data/ticket/status', 'solved')],
      ['with an empty ticket id', '/data/ticket/id', set('/data/ticket/id', '')],
      ['with a ticket id of control characters', '/data/ticket/id', set('/data/ticket/id', '\u0000\u0001')],
      ['with a number as ticket id', '/data/ticket/id', set('/data/ticket/id', 5)],
      ['with an endless ticket id', '/data/ticket/id', set('/data/ticket/id', 'x'.repeat(256))],
      ['with half a version', '/data/ticket/version', set('/data/ticket/version', 1.5)],
      ['with a negative version', '/data/ticket/version', set('/data/ticket/version', -1)],
      ['with a version beyond counting', '/data/ticket/version', set('/data/ticket/version', 1e300)],
      ['with a script as ticket URL', '/data/ticket/url', set('/data/ticket/url', 'javascript:alert(1)')],
      ['with an unknown kind of person', '/data/requester/kind', set('/data/requester/kind', 'admin')],
      ['with an account that has no id', '/data/requester/id', set('/data/requester/kind', 'account')],
      ...[
        '',
        'siti',
        'siti@',
        '@example.com',
        'siti@example',
        'Siti <siti@example.com>',
        'a@b.example,c@d.example',
        'siti@example.com\r\nBcc: x@y.example',
        'si ti@example.com',
        '"siti"@example.com',
        'siti@[127.0.0.1]',
        'siti@example.com\u200b',
      ].map((email): [string, string, Change] => [
        `with the address ${JSON.stringify(email)}`,
        '/data/requester/email',
        set('/data/requester/email', email),
      ]),
      [
        'with a bad address among participants',
        '/data/participants/1/email',
        set('/data/participants', [
          { kind: 'guest', email: 'a@b.example' },
          { kind: 'guest', email: 'b' },
        ]),
      ],
      [
        'with 51 participants',
        '/data/participants',
        set(
          '/data/participants',
          Array.from({ length: 51 }, (_, i) => ({ kind: 'guest', email: `p${i}@b.example` })),
        ),
      ],
      [
        'with 201 messages of history',
        '/data/history',
        set(
          '/data/history',
          Array.from({ length: 201 }, (_, i) => ({ id: `h${i}`, author: { kind: 'agent' } })),
        ),
      ],
      [
        'with a file that lies on a disk',
        '/data/message/attachments/0/url',
        set('/data/message/attachments', [{ name: 'a', url: 'file:///etc/passwd' }]),
      ],
      ['with an unknown format', '/data/message/format', set('/data/message/format', 'rtf')],
      ['with an unknown kind of author', '/data/message/author/kind', set('/data/message/author/kind', 'robot')],
      ['with an endless body', '/data/message/body', set('/data/message/body', 'x'.repeat(200_001))],
      [
        'as an edit of no message',
        '/data/message',
        (body) => {
          body.type = 'message.updated';
          delete body.data.message;
        },
      ],
      ['as a merge into nothing', '/data/into', (body) => void (body.type = 'ticket.merged')],
    ];
    it.each(cases)('%s', async (_what, pointer, change) => {
      const body = event();
      change(body as Parameters<Change>[0]);
      const { errors } = await refusal(() => post({ body: JSON.stringify(body) }), 422, 'invalid-event');
      expect(errors).toContainEqual({ pointer, detail: expect.stringMatching(/./) });
    });

    it('all of them at once', async () => {
      const { errors } = await refusal(
        () => post({ body: '{"type":"x","data":{"ticket":{},"requester":{}}}' }),
        422,
        'invalid-event',
      );
      expect(errors!.map(({ pointer }) => pointer)).toEqual(
        expect.arrayContaining([
          '/type',
          '/timestamp',
          '/data/ticket/id',
          '/data/ticket/number',
          '/data/requester/email',
        ]),
      );
    });

    it.each(['[]', '"text"', '5', 'null', 'true', '{}'])('where the body is only %s', (body) =>
      expectRefusal(() => post({ body }), 422, 'invalid-event'),
    );
  });

  it('store hostile text in every field without an error of the server, and without what a database cannot hold', async () => {
    const nasty = 'a\u0000b\ud800c\udc00\u202e\u001b[31m\ufeff\uffff';
    const person = { kind: 'guest', name: nasty, locale: nasty, timeZone: nasty };
    const body = source.event('ticket.replied', {
      ticket: { id: `n${nasty}`, number: `9${nasty}`, subject: nasty, url: 'https://help.example/\u0000\ud800' },
      requester: { ...person, id: nasty },
      message: {
        id: nasty,
        author: { kind: 'requester', id: nasty, name: nasty },
        body: nasty,
        replyId: nasty,
        visibility: 'public',
        attachments: [{ name: nasty, contentType: nasty, url: 'https://help.example/\u0000\ud800' }],
      },
      data: { participants: [{ ...person, email: 'budi@example.com' }], into: nasty },
    });
    // As sources write it: \u0000 and \ud800 are plain ASCII until they are parsed.
    const text = JSON.stringify(body).replace(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
    await expectTaken(() => post({ body: text }));
    expect(await dump(test)).not.toMatch(/\\u0000|\\ud800|\\udc00/);
  });

  describe('that come again', () => {
    it('are answered 200 with the first id, and mail once', async () => {
      const body = JSON.stringify(event());
      const eventId = await taken(() => post({ body, id: 'evt_twice' }));
      await test.drain();
      const before = await dump(test);
      test.clock.advance({ minutes: 10 }); // a retry is signed anew
      const again = await post({ body, id: 'evt_twice' });
      expect(again.status).toBe(200);
      expect(JSON.parse(again.body.toString())).toEqual({ eventId, duplicate: true });
      expect(await dump(test)).toBe(before);
      expect(await count(test, 'deliveries', `event_id = '${eventId}'`)).toBe(1);
    });

    it('with another body under the same id are a conflict, and change nothing', async () => {
      await expectTaken(() => post({ id: 'evt_conflict' }));
      await expectRefusal(() => post({ id: 'evt_conflict' }), 409, 'event-conflict');
    });

    it('under the same id from another source are events of their own', async () => {
      const body = JSON.stringify(event());
      await expectTaken(() => post({ id: 'evt_shared', body }));
      await expectTaken(() => post({ id: 'evt_shared', body, secret: ofOther, path: '/v1/sources/other/events' }));
      expect(
        await count(
          test,
          'tickets',
          `source_ticket_id = '${(JSON.parse(body) as EventBody & { data: { ticket: { id: string } } }).data.ticket.id}'`,
        ),
      ).toBe(2);
    });

    it('fifty at the same moment make one event and one mail for each recipient', async () => {
      const body = event();
      Object.assign(body.data, { participants: [{ kind: 'guest', email: 'budi@example.com' }] });
      const text = JSON.stringify(body);
      const answers = await Promise.all(Array.from({ length: 50 }, () => post({ body: text, id: 'evt_fifty' })));
      const statuses = answers.map(({ status }) => status).sort();
      expect(statuses).toEqual([...Array.from({ length: 49 }, () => 200), 202]);
      const ids = new Set(answers.map((answer) => (JSON.parse(answer.body.toString()) as { eventId: string }).eventId));
      expect(ids.size).toBe(1);
      const [eventId] = ids;
      expect(await count(test, 'events', `source_event_id = 'evt_fifty'`)).toBe(1);
      const mails = await rows(test, 'deliveries', `event_id = '${eventId}'`);
      expect(mails.map(({ recipient }) => recipient).sort()).toEqual(['budi@example.com', 'siti@example.com']);
    });

    it('fifty different ones about one ticket at the same moment are all kept', async () => {
      const id = randomUUID();
      const bodies = Array.from({ length: 50 }, () => source.event('ticket.replied', { ticket: { id }, message: {} }));
      const answers = await Promise.all(bodies.map((body) => post({ body: JSON.stringify(body) })));
      expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 202));
      const [ticket, ...others] = await rows(test, 'tickets', `source_ticket_id = '${id}'`);
      expect(others).toEqual([]);
      expect(await count(test, 'messages', `ticket_id = '${ticket!.id as string}'`)).toBe(50);
      expect(await count(test, 'participants', `ticket_id = '${ticket!.id as string}'`)).toBe(1);
      // Ten mails an hour, and one that gathers what is left.
      expect(await count(test, 'deliveries', `ticket_id = '${ticket!.id as string}'`)).toBe(11);
      const newest = Math.max(...bodies.map((body) => (body.data.ticket as { version: number }).version));
      expect(Number(ticket!.version)).toBe(newest);
    });
  });

  it('leave no body, address or subject in the log', async () => {
    const body = source.event('ticket.replied', {
      ticket: { id: randomUUID(), subject: 'Planted subject' },
      requester: { email: 'planted@secret.example', name: 'Planted Name' },
      message: { body: 'Planted words' },
    });
    await expectTaken(() => post({ body: JSON.stringify(body) }));
    await test.drain();
    await post({ body: JSON.stringify(body), secret: ofOther });
    expect(test.logs.join('')).not.toMatch(/[Pp]lanted/);
  });
});
