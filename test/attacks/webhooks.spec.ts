import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { native, settingsOf, systems, type Happening, type TestSystem } from '../support/systems.js';
import { dump, rows } from '../support/tables.js';

type Body = Record<string, unknown>;

const all = [native, ...systems];
const email = 'siti@example.com';
const sourceOf = ({ name }: TestSystem) => name.replaceAll(' ', '-');
const mediaTypeOf = ({ mediaType }: TestSystem) => mediaType ?? 'application/json';

describe('webhooks of every ticket system', () => {
  let test: TestGateway;
  let api: ScriptedHttp;
  let folder: string;
  let ticketId = 1000;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-webhooks-'));
    api = await startScriptedHttp((response, request) => {
      const found = systems
        .map((one) => one.api?.(request.url, { emailOf: () => email, copiesOf: () => [] }))
        .find((one) => one != null);
      answer(found ? 200 : 404, found ?? { error: 'RecordNotFound' })(response, request);
    });
    const sources = all.map((system) => settingsOf(system, sourceOf(system), api.origin));
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources }));
    test = await createGateway({ settings: { SOURCES_FILE: join(folder, 'sources.yaml') } });
  });
  afterAll(async () => {
    await test.close();
    await api.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => test.clock.advance({ minutes: 1 }));

  const bodyOf = (system: TestSystem, what: Happening['what'] = 'replied', words?: string): unknown =>
    system.body({ ticketId: ++ticketId, at: test.clock.now(), what, email, words });
  /** What one event of a body is: its only one, where it is a batch. */
  const eventIn = (body: unknown) => (Array.isArray(body) ? body[0] : body) as Body;
  const headersOf = (system: TestSystem, raw: string | Buffer) => system.headers(raw, test.clock.now());
  const post = (system: TestSystem, raw: string | Buffer, headers: Record<string, string> = headersOf(system, raw)) =>
    fetch(`${test.url}/v1/sources/${sourceOf(system)}/events`, {
      method: 'POST',
      headers: { 'content-type': mediaTypeOf(system), ...headers },
      body: typeof raw === 'string' ? raw : new Uint8Array(raw),
    });

  it('what is not their JSON is refused by a 4xx that names it, and leaves no row', async () => {
    const before = await dump(test);
    let cases = 0;
    for (const system of all) {
      for (const raw of malformed(JSON.stringify(bodyOf(system)), system)) {
        const response = await post(system, raw);
        const said = `${system.name}: ${String(raw).slice(0, 60)} → ${response.status}`;
        expect({ said, refused: response.status >= 400 && response.status < 500 }).toEqual({ said, refused: true });
        expect({ said, type: response.headers.get('content-type') }).toEqual({
          said,
          type: 'application/problem+json; charset=utf-8',
        });
        await response.arrayBuffer();
        cases++;
      }
    }
    expect(await dump(test)).toBe(before);
    expect(cases).toBeGreaterThanOrEqual(600);
    counted('malformed webhook bodies', cases);
  }, 120_000);

  it("a customer's first public article brings the link, though Zammad counts others before it", async () => {
    const zammad = systems.find(({ name }) => name === 'zammad')!;
    const said = { ticketId: ++ticketId, what: 'replied', email } as const;
    const send = async (more: Partial<Happening>) => {
      test.clock.advance({ minutes: 1 });
      await post(zammad, JSON.stringify(zammad.body({ ...said, at: test.clock.now(), ...more })));
      return (await rows(test, 'deliveries')).at(-1)!.template_key;
    };
    expect(await send({ by: email, messageId: 70_001 })).toBe('ticket-created');
    expect((await rows(test, 'events')).at(-1)).toMatchObject({ type: 'ticket.created', untold: null });
    expect(await send({ messageId: 70_002 })).toBe('ticket-replied');
    const before = await rows(test, 'deliveries');
    await send({ by: email, messageId: 70_003 });
    expect(await rows(test, 'deliveries')).toEqual(before);
    expect((await rows(test, 'events')).at(-1)).toMatchObject({ type: 'ticket.replied', untold: 'own-words' });
  });

  it('what is ignored since nobody knows its ticket leaves nothing, and counts when it comes again', async () => {
    const zammad = systems.find(({ name }) => name === 'zammad')!;
    const said = { ticketId: ++ticketId, email, at: test.clock.now() };
    const raw = JSON.stringify(zammad.body({ ...said, what: 'resolved' }));
    const send = async () => (await post(zammad, raw)).json();
    const before = await dump(test);
    expect(await Promise.all([send(), send(), send()])).toEqual(
      Array.from({ length: 3 }, () => ({ ignored: 'internal' })),
    );
    expect(await send()).toEqual({ ignored: 'internal' });
    expect(await dump(test)).toBe(before);
    await post(zammad, JSON.stringify(zammad.body({ ...said, at: said.at - 1000, what: 'created' })));
    expect(await send()).toMatchObject({ duplicate: false });
    expect(await send()).toMatchObject({ duplicate: true });
  });

  it('another type, or the right one with another content, is 415 or 400', async () => {
    await test.drain(); // mails of earlier tests must not be in the middle of being sent
    const before = await dump(test);
    const types = ['', 'text/plain', 'text/json', 'application/xml', 'application/jsonp', 'application/x-json'];
    types.push('application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/cloudevents+avro');
    let cases = 0;
    for (const system of all)
      for (const type of types) {
        const raw = JSON.stringify(bodyOf(system));
        const response = await post(system, raw, { ...headersOf(system, raw), 'content-type': type });
        expect({ system: system.name, type, status: response.status }).toEqual({
          system: system.name,
          type,
          status: 415,
        });
        cases++;
      }
    expect(await dump(test)).toBe(before);
    counted('malformed webhook bodies', cases);
  });

  it('what comes in pieces, too slowly or not to its end is never taken in half', async () => {
    const before = await dump(test);
    let cases = 0;
    for (const system of all) {
      const raw = JSON.stringify(bodyOf(system));
      const head = [
        `POST /v1/sources/${sourceOf(system)}/events HTTP/1.1`,
        'host: postern',
        `content-type: ${mediaTypeOf(system)}`,
        ...Object.entries(headersOf(system, raw)).map(([name, value]) => `${name}: ${value}`),
      ];
      const half = raw.slice(0, raw.length / 2);
      const chunk = (part: string) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`;
      const streams = [
        [...head, `content-length: ${raw.length}`, '', half],
        [...head, `content-length: ${raw.length - 1}`, 'connection: close', '', raw.slice(0, -1)],
        [...head, 'transfer-encoding: chunked', '', chunk(half)],
        [...head, 'transfer-encoding: chunked', 'connection: close', '', `${chunk(half)}0\r\n\r\n`],
        [...head, 'transfer-encoding: chunked', '', `zz\r\n${raw}\r\n0\r\n\r\n`],
        [...head, 'transfer-encoding: chunked', `content-length: ${raw.length}`, '', raw],
        [...head, `content-length: ${raw.length}`, `content-length: ${raw.length - 2}`, '', raw],
        [...head, 'content-length: -1', '', raw],
      ];
      for (const lines of streams) {
        const answered = await speak(test.url, lines.join('\r\n'));
        expect(answered).not.toMatch(/^HTTP\/1\.1 [25]/);
        cases++;
      }
    }
    expect(await dump(test)).toBe(before);
    counted('malformed webhook bodies', cases);
  }, 60_000);

  it('any value in any place is taken or refused, and breaks nothing', async () => {
    const odd: unknown[] = [{}, [], '', 'x'.repeat(1001), -1, 1e308, '\u0000', '\ud800', { toString: 1 }, [[null]]];
    let cases = 0;
    for (const system of all) {
      const places = placesIn(eventIn(bodyOf(system)));
      for (const [i, place] of places.entries()) {
        const body = bodyOf(system);
        set(eventIn(body), place, odd[i % odd.length]);
        const response = await post(system, JSON.stringify(body));
        const said = `${system.name} /${place.join('/')} = ${JSON.stringify(odd[i % odd.length]).slice(0, 20)}`;
        expect({ said, whole: response.status < 500 }).toEqual({ said, whole: true });
        await response.arrayBuffer();
        cases++;
      }
    }
    await test.drain();
    counted('odd values in webhooks', cases);
  }, 60_000);

  it('no signature that is not theirs is taken', async () => {
    const before = await dump(test);
    let cases = 0;
    for (const system of all) {
      const raw = JSON.stringify(bodyOf(system));
      for (const headers of forgeries(system, raw, headersOf(system, raw), () => JSON.stringify(bodyOf(system)))) {
        const response = await post(system, raw, headers);
        const said = `${system.name}: ${JSON.stringify(headers).slice(0, 200)}`;
        expect({ said, status: response.status }).toEqual({ said, status: 401 });
        await response.arrayBuffer();
        cases++;
      }
    }
    expect(await dump(test)).toBe(before);
    expect(cases).toBeGreaterThanOrEqual(300);
    counted('forged webhook signatures', cases);
  }, 60_000);

  /** What of a signature is dated, and for how long it may be late, in minutes. */
  const lateness: Partial<Record<string, number>> = {
    standard: 5,
    zendesk: 5,
    cloudevents: 5,
    'cloudevents in batches': 5,
    jira: 30,
  };

  it('a webhook that comes again, at once or late, tells nobody again', async () => {
    let cases = 0;
    for (const system of all) {
      const raw = JSON.stringify(bodyOf(system));
      const first = headersOf(system, raw);
      const seen = test.inbox.messages.length;
      const statuses: number[] = [];
      statuses.push((await post(system, raw, first)).status);
      for (let i = 0; i < 4; i++) statuses.push((await post(system, raw, first)).status);
      for (let i = 0; i < 4; i++) statuses.push((await post(system, raw)).status); // as a delivery of its own
      expect({ system: system.name, statuses }).toEqual({
        system: system.name,
        statuses: [202, ...Array<number>(8).fill(200)],
      });
      const minutes = lateness[system.name];
      const early = JSON.stringify(bodyOf(system));
      const ahead = system.headers(early, test.clock.now() + 6 * 60_000);
      if (minutes && system.name !== 'jira') expect((await post(system, early, ahead)).status).toBe(401);
      test.clock.advance({ minutes: (minutes ?? 60) + 1 });
      for (let i = 0; i < 4; i++) {
        expect({ system: system.name, status: (await post(system, raw, first)).status }).toEqual({
          system: system.name,
          status: minutes ? 401 : 200,
        });
        test.clock.advance({ minutes: 10 });
      }
      await test.drain();
      expect({ system: system.name, mails: test.inbox.messages.length - seen }).toEqual({
        system: system.name,
        mails: 1,
      });
      cases += 13;
    }
    expect(cases).toBeGreaterThanOrEqual(100);
    counted('replays and time shifts', cases);
  });

  it('internal notes never pass, however they are marked or not', async () => {
    let cases = 0;
    const words = 'SECRET NOTE';
    for (const { name, place, marks } of markings) {
      for (const mark of marks) {
        const system = all.find((one) => one.name === name)!;
        const seen = test.inbox.messages.length;
        const body = bodyOf(system, 'replied', words);
        unset(eventIn(body), place);
        mark(eventIn(body));
        const response = await post(system, JSON.stringify(body));
        await test.drain();
        const said = `${name}: ${mark.toString()} → ${response.status} ${await response.text()}`;
        expect({ said, mails: test.inbox.messages.length - seen }).toEqual({ said, mails: 0 });
        expect({ said, passed: (await dump(test)).includes(words) }).toEqual({ said, passed: false });
        cases++;
      }
    }
    expect(test.logs.join('\n').includes(words)).toBe(false);
    counted('internal notes', cases);
  }, 60_000);
});

/** In the manner of JSONTestSuite: every one of them must be refused, whatever system it is for. */
function malformed(good: string, { name }: TestSystem): (string | Buffer)[] {
  const inside = (text: string) => good.replace('{', `{${text},`);
  const cut = Array.from({ length: 20 }, (_, i) => good.slice(0, Math.floor((good.length * i) / 20)));
  const around = ['x', '\0', ',', ']', '}', '{}', good, '//', '\u00a0'].map((more) => good + more);
  const before = ['\ufeff', '[', '{', ',', 'while(1);', ")]}',\n", '\u2028'].map((more) => more + good);
  const syntax = [
    ...['[1,]', '{"a":1,}', "{'a':1}", '{a:1}', '[1 2]', '{"a" 1}', '{"a":1 "b":2}', '{"a",1}', '{:1}', '{1:1}'],
    ...['NaN', 'nan', 'Infinity', '-Infinity', '-', '01', '1.', '.5', '+1', '0x1', '1e', '2.e3', '[-01]', '1_000'],
    ...['"\\x41"', '"\\u12"', '"tab\t"', '"line\n"', '"abc', "'abc'", '"\\"', '[', '{', ']', '}', '[}', '{]', '[,1]'],
    ...['//c\n{}', '/**/{}', '{"a":1/*c*/}', '#\n{}', 'tru', 'nul', 'True', 'None', 'undefined', '<a/>', 'a=1', ' '],
  ];
  const others = ['null', 'true', '0', '"x"', '{}', '[[]]', '[null]', '[1]', '{"type":1}', '{"ticket":{}}'];
  const latin = Buffer.from(inside('"é":1'), 'latin1');
  const bytes = (...values: number[]) =>
    Buffer.concat([
      Buffer.from(`${good.slice(0, good.indexOf('{') + 1)}"x":"`),
      Buffer.from(values),
      Buffer.from(`",${good.slice(good.indexOf('{') + 1)}`),
    ]);
  const encodings = [
    ...[latin, Buffer.from(good, 'utf16le'), Buffer.from(good, 'utf16le').swap16(), gzipSync(good)],
    ...[bytes(0xff), bytes(0xc0, 0x80), bytes(0xed, 0xa0, 0x80), bytes(0xf5, 0x80, 0x80, 0x80), bytes(0xe2, 0x82)],
  ];
  const keys = [
    ...['"x":1,"x":2', '"x":1,"\\u0078":2', '"a":{"b":1,"b":1}', '"__proto__":{}', '"\\u005f_proto__":1'],
    ...[
      '"a":{"__proto__":{"isAdmin":true}}',
      '"constructor":{"prototype":{}}',
      '"a":[{"constructor":{"prototype":1}}]',
    ],
  ].map(inside);
  const deep = [40, 1000, 50_000].flatMap((n) => [
    inside(`"x":${'['.repeat(n)}${']'.repeat(n)}`),
    inside(`"x":${'{"x":'.repeat(Math.min(n, 20_000))}1${'}'.repeat(Math.min(n, 20_000))}`),
    '['.repeat(n),
  ]);
  const large = [good + ' '.repeat(256 * 1024), inside(`"x":"${'x'.repeat(256 * 1024)}"`)];
  const never = name === 'cloudevents in batches' ? [`[${good.slice(1, -1)},{}]`] : ['[]', `[${good}]`];
  return [...cut, ...around, ...before, ...syntax, ...others, ...encodings, ...keys, ...deep, ...large, ...never];
}

/** Headers that name a delivery and prove nothing. */
const NAMES_ONLY = /^x-(zammad-(delivery|trigger)|atlassian-webhook-identifier|zendesk-webhook-invocation-id)$/;

function forgeries(
  system: TestSystem,
  raw: string,
  good: Record<string, string>,
  otherBody: () => string,
): Record<string, string>[] {
  const proofs = Object.keys(good).filter((name) => !NAMES_ONLY.test(name));
  const changes: ((value: string) => string)[] = [
    () => '',
    (value) => value.slice(1),
    (value) => value.slice(0, -4),
    (value) => value + value,
    (value) => value.toUpperCase() + (value === value.toUpperCase() ? 'X' : ''),
    (value) => [...value].reverse().join(''),
    (value) => (value.startsWith('9') ? '8' : '9') + value.slice(1),
    (value) => swapped(value, Math.floor(value.length / 2)),
    (value) => swapped(value, value.length - 5),
    (value) => swapped(value, value.length - 9),
    (value) => value.replace(/^[^=,]*[=,]/, '') + (/[=,]/.test(value) ? '' : 'x'),
    (value) => value.replace(/^(sha1|sha256|v1)/, 'none') + (/^(sha1|sha256|v1)/.test(value) ? '' : 'x'),
    () => 'null',
    () => '0',
    () => 'true',
    () => 'A'.repeat(88),
    () => '0'.repeat(64),
    (value) => `${value.slice(0, -2)}==`.replace(/^(.*)$/, (text) => (text === value ? `${text}=` : text)),
  ];
  const found = [{}, ...proofs.map((name) => without(good, name))];
  for (const name of proofs) for (const change of changes) found.push({ ...good, [name]: change(good[name]!) });
  // Genuine, but of another body: of no use where only a secret is shown.
  if (!system.signsNothing) for (let i = 0; i < 12; i++) found.push(system.headers(otherBody(), Date.now()));
  for (const other of all) if (other.secret !== system.secret) found.push(other.headers(raw, Date.now()));
  return found;
}

function swapped(value: string, place: number): string {
  const sign = value[place] === 'a' ? 'b' : 'a';
  return value.slice(0, place) + sign + value.slice(place + 1);
}

function without(headers: Record<string, string>, name: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));
}

type Place = (string | number)[];
type Mark = (event: Body) => void;

/** Every place of a body, objects and lists included. */
function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => [[...at, key], ...placesIn(one, [...at, key])]);
}

function parentOf(body: unknown, place: Place): Body {
  return place.slice(0, -1).reduce((one, key) => (one as Body)[key] as Body, body as Body);
}

function set(body: unknown, place: Place, value: unknown): void {
  parentOf(body, place)[place.at(-1)!] = value;
}

function unset(body: unknown, place: Place): void {
  delete parentOf(body, place)[place.at(-1)!];
}

/** Everything that a careless reader could take for the one value that says "public". */
const alike = (place: Place, yes: unknown, ...more: unknown[]): Mark[] => [
  () => undefined,
  ...[
    null,
    '',
    0,
    1,
    -1,
    [],
    {},
    [yes],
    { value: yes },
    'yes',
    'True',
    'TRUE',
    ' true',
    'public ',
    'Public',
    'PUBLIC',
    ...more,
  ]
    .filter((value) => value !== yes)
    .map(
      (value): Mark =>
        (body) =>
          set(body, place, value),
    ),
  // The right value in another spelling of the key, or in another place.
  ...[String(place.at(-1)).toUpperCase(), ` ${place.at(-1)}`, `${place.at(-1)}\u0000`, `is_${place.at(-1)}`].map(
    (key): Mark =>
      (body) =>
        set(body, [...place.slice(0, -1), key], yes),
  ),
  (body) => set(body, [...place.slice(0, -1), 'metadata'], { [String(place.at(-1))]: yes }),
  (body) => (body[String(place.at(-1))] = place.length > 1 ? yes : undefined),
];

/** Where each system says that a message is public, and all the ways in which it does not. */
const markings: { name: string; place: Place; marks: Mark[] }[] = [
  {
    name: 'standard',
    place: ['data', 'message', 'visibility'],
    marks: alike(['data', 'message', 'visibility'], 'public', 'internal', true),
  },
  {
    name: 'cloudevents',
    place: ['data', 'message', 'visibility'],
    marks: alike(['data', 'message', 'visibility'], 'public', 'internal', true),
  },
  {
    name: 'cloudevents in batches',
    place: ['data', 'message', 'visibility'],
    marks: alike(['data', 'message', 'visibility'], 'public', 'internal', true),
  },
  {
    name: 'zammad',
    place: ['article', 'internal'],
    marks: alike(['article', 'internal'], false, true, 'false', 'False'),
  },
  {
    name: 'zendesk',
    place: ['event', 'comment', 'is_public'],
    marks: alike(['event', 'comment', 'is_public'], true, false, 'true', 'false'),
  },
  {
    name: 'freshdesk',
    place: ['freshdesk_webhook', 'note_type'],
    marks: [
      ...alike(['freshdesk_webhook', 'note_type'], 'public', 'private', true, 'true'),
      (body) =>
        Object.assign(body.freshdesk_webhook as Body, { note_type: 'public', triggered_event: '{note_type:private}' }),
      (body) =>
        Object.assign(body.freshdesk_webhook as Body, {
          note_type: 'public',
          postern_event: 'replied',
          triggered_event: '{note_type:Private}',
        }),
    ],
  },
  {
    name: 'jira',
    place: ['comment', 'jsdPublic'],
    marks: [
      ...alike(['comment', 'jsdPublic'], true, false, 'true', 'false'),
      (body) =>
        Object.assign(body.comment as Body, { jsdPublic: true, visibility: { type: 'role', value: 'Administrators' } }),
      (body) => Object.assign(body, { webhookEvent: 'jira:issue_updated' }),
      (body) => Object.assign(body, { webhookEvent: 'jira:issue_updated', issue_event_type_name: 'issue_commented' }),
      (body) => Object.assign(body, { webhookEvent: 'comment_updated' }),
      (body) => Object.assign(body, { webhookEvent: 'comment_deleted' }),
    ],
  },
  {
    name: 'mapping',
    place: ['note', 'kind'],
    marks: alike(['note', 'kind'], 'external', true, 'true', 'External', 'external ', 'toString', '__proto__'),
  },
];

/** Says this and hangs up its side; what it is answered. */
async function speak(origin: string, said: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  socket.end(said);
  try {
    return await text(socket);
  } catch {
    return ''; // cut off, which is an answer too
  }
}
