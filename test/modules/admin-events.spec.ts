import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EntityManager } from 'typeorm';
import { silentTypes, tellingTypes } from '../../src/events.js';
import { EventLedger } from '../../src/intake/event-ledger.js';
import { SourceApis } from '../../src/intake/source-api.js';
import type { ApiAnswer } from '../../src/intake/sources/adapter.js';
import { between } from '../../src/platform/admin-request.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { someDatabase } from '../support/some-database.js';
import { settingsOf, systems, type Happening } from '../support/systems.js';
import { change, count, dump, rows } from '../support/tables.js';

const token = 'admin-token-of-at-least-thirty-two-signs';
const email = 'siti@example.com';
/** The first question, and what it is asked again. */
const QUESTIONS = 10;
/** Its webhooks leave the address out. */
const zendesk = systems.find(({ name }) => name === 'zendesk')!;

interface EventShown {
  id: string;
  state: string;
  lookUp: { attempts: number; deaths: number; outcome: string; endedAt: string | null } | null;
}
interface StoryShown extends EventShown {
  untold: string | null;
  deliveries: Record<string, unknown>[];
}

/** Asks the admin API of a gateway. */
async function askOf({ url }: { url: string }, method: string, path: string, auth = `Bearer ${token}`) {
  const response = await fetch(`${url}/v1/admin/${path}`, { method, headers: { authorization: auth } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe.each(someDatabase)('events that lack something, on $name', (database) => {
  let test: TestGateway;
  let api: ScriptedHttp;
  let folder: string;
  let tickets = 0;
  const refuses = answer(401, { error: 'Couldn’t authenticate you' });
  const tells: ScriptedHttp['otherwise'] = (response, request) => {
    const found = zendesk.api!(request.url, { emailOf: () => email, copiesOf: () => [] });
    answer(found ? 200 : 404, found ?? {})(response, request);
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-events-'));
    api = await startScriptedHttp(refuses);
    const sources = [settingsOf(zendesk, 'desk', api.origin), settingsOf(zendesk, 'dead', `${api.origin}/dead`)];
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources }));
    const settings = { SOURCES_FILE: join(folder, 'sources.yaml'), ADMIN_TOKEN: token, METRICS_TOKEN: token };
    test = await createGateway({ database, settings });
  });
  afterEach(async () => {
    await test.close();
    await api.close();
    rmSync(folder, { recursive: true });
  });

  const ask = (method: string, path: string, auth?: string) => askOf(test, method, path, auth);
  const list = async (state: string) => (await ask('GET', `events?state=${state}`)).body.items as EventShown[];
  const parkedOf = async () =>
    ((await (await fetch(`${test.url}/health/ready`)).json()) as { parked: Record<string, number> }).parked.events;
  const metrics = async () =>
    (await fetch(`${test.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();

  /** One whose source refuses to say whom it concerns. */
  async function post(customerId?: number, more: Partial<Happening> = {}, source = 'desk'): Promise<string> {
    const at = test.clock.now();
    const body = zendesk.body({ ticketId: 500 + ++tickets, at, what: 'replied', email, customerId, ...more });
    const raw = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', ...zendesk.headers(raw, at) };
    const response = await fetch(`${test.url}/v1/sources/${source}/events`, { method: 'POST', headers, body: raw });
    expect(response.status).toBe(202);
    return ((await response.json()) as { eventId: string }).eventId;
  }
  /** Until nobody asks any more. */
  async function giveUp(): Promise<void> {
    for (let n = 0; n <= QUESTIONS; n++) {
      await test.drain();
      test.clock.advance({ days: 1 });
    }
  }

  it('are seen by whoever looks: while they wait, and once they are given up', async () => {
    const id = await post();
    await test.drain();
    expect(await list('waiting')).toMatchObject([
      { id, state: 'waiting', lookUp: { attempts: 1, outcome: 'status 401', endedAt: null } },
    ]);
    expect([await parkedOf(), await list('parked')]).toEqual([0, []]);
    test.clock.advance({ minutes: 10 });
    const text = await metrics();
    expect(text).toContain('postern_waiting{lane="lookups",state="waiting"} 1');
    expect(text).toMatch(/postern_lag_seconds\{lane="lookups"\} 59\d/);
    expect(text).toContain('postern_parked{kind="events"} 0');

    await giveUp();
    expect(api.requests).toHaveLength(QUESTIONS);
    expect(await parkedOf()).toBe(1);
    expect(await metrics()).toContain('postern_parked{kind="events"} 1');
    expect([await list('waiting'), await list('done')]).toEqual([[], []]);
    expect(await list('parked')).toMatchObject([{ id, state: 'parked', lookUp: { attempts: QUESTIONS } }]);
    const { body } = await ask('GET', `events/${id}`);
    expect(body).toMatchObject({ id, source: 'desk', type: 'ticket.replied', state: 'parked' });
    expect(body).toMatchObject({ untold: 'look-up-failed', deliveries: [] });
    expect(JSON.stringify(body)).not.toContain('transaksi');

    const told = test.logs.filter((line) => line.includes('"level":50'));
    expect(told.filter((line) => line.includes('asking again'))).toHaveLength(QUESTIONS - 1);
    const last = told.filter((line) => line.includes('is parked'));
    expect(last).toHaveLength(1);
    expect(last[0]).toContain(`/v1/admin/events/${id}/retry`);
  });

  it('and take words or a ticket away wait for nobody, not even for their ticket to be known', async () => {
    const said = (ticketId: number) =>
      rows(test, 'messages', `ticket_id IN (SELECT id FROM tickets WHERE source_ticket_id = '${ticketId}')`);
    api.otherwise = tells;
    await post(7, { ticketId: 71, messageId: 1 });
    await post(7, { ticketId: 72, messageId: 2 });
    await test.drain();
    expect([await said(71), await said(72)]).toMatchObject([[{ retracted_at: null }], [{ retracted_at: null }]]);
    api.otherwise = refuses;
    const asked = api.requests.length;
    test.clock.advance({ minutes: 10 });
    await post(8, { ticketId: 71, messageId: 1, what: 'retracted' });
    await post(8, { ticketId: 72, what: 'deleted' });
    expect(await said(71)).toMatchObject([{ body: '', retracted_at: expect.anything() }]);
    expect([await said(72), api.requests.length]).toEqual([[], asked]);
    expect(await rows(test, 'participants', 'ended_at IS NULL')).toMatchObject([{ email, role: 'requester' }]);
    expect(await list('waiting')).toEqual([]);

    // Words that nobody has seen yet: what takes them away waits beside them, and stands before they are shown.
    const words = await post(9, { ticketId: 73, messageId: 3 });
    const gone = await post(10, { ticketId: 73, messageId: 3, what: 'retracted' });
    await test.drain();
    expect((await list('waiting')).map(({ id }) => id).sort()).toEqual([words, gone].sort());
    api.otherwise = (response, request) =>
      (request.url.includes('/10.json') ? answer(403, {}) : tells)(response, request);
    test.clock.advance({ minutes: 10 });
    await test.drain();
    expect(await said(73)).toMatchObject([{ body: '', retracted_at: expect.anything() }]);
    expect(await list('waiting')).toEqual([]);
    expect(test.inbox.messages).toHaveLength(2);
  });

  it('are told also of a conversation that is too long for one answer', async () => {
    const megabytes = 'x'.repeat(3 * 1024 * 1024);
    api.otherwise = (response, request) =>
      (request.url.includes('page[size]=100') ? answer(200, { comments: [], megabytes }) : tells)(response, request);
    await post();
    await test.drain();
    expect(test.inbox.messages.map(({ to }) => to)).toEqual([[email]]);
  });

  it('wait for a person where their words do not fit, and have no address where that cannot be mailed', async () => {
    let address = email;
    api.otherwise = (response, request) => {
      const found = zendesk.api!(request.url, { emailOf: () => address, copiesOf: () => [] });
      const long = request.url.includes('/comments.json') && (found as { comments: { body: string }[] });
      for (const comment of long ? long.comments : []) comment.body = 'x'.repeat(200_001);
      answer(200, found)(response, request);
    };
    const id = await post(11);
    await test.drain();
    expect(await list('waiting')).toMatchObject([
      { id, lookUp: { outcome: 'what it said does not fit: /data/message/body' } },
    ]);
    address = 'broken@';
    const other = await post(12);
    await test.drain();
    expect((await ask('GET', `events/${other}`)).body).toMatchObject({ state: 'done', untold: 'no-address' });
  });

  it('of a source that does not answer keep nobody else waiting', async () => {
    const hanging: ServerResponse[] = [];
    const isOtherAsked = new Promise<void>((resolve) => {
      api.otherwise = (response, request) => {
        if (request.url.startsWith('/dead')) return void hanging.push(response);
        resolve();
        tells(response, request);
      };
    });
    for (let n = 0; n < 8; n++) await post(20 + n, {}, 'dead');
    await post();
    const drained = test.drain();
    await isOtherAsked;
    expect(hanging.length).toBeLessThan(4);
    api.otherwise = (response, request) => (request.url.startsWith('/dead') ? refuses : tells)(response, request);
    for (const response of hanging) response.destroy();
    await drained;
    expect(test.inbox.messages).toHaveLength(1);
  });

  it('of a source whose API fails for all are tried by one of them, until it answers', async () => {
    for (let n = 0; n < 8; n++) await post(30 + n);
    const asked = async () => {
      const before = api.requests.length;
      await test.drain();
      return api.requests.length - before;
    };
    // Those that were under way when the first one failed.
    expect(await asked()).toBeLessThan(4);
    test.clock.advance({ seconds: 5 });
    expect(await asked()).toBe(1);
    test.clock.advance({ seconds: 5 });
    expect(await asked()).toBe(0);
    api.otherwise = tells;
    test.clock.advance({ minutes: 10 });
    await test.drain();
    expect(test.inbox.messages).toHaveLength(8);
    expect(await list('waiting')).toEqual([]);
  });

  it('are taken up again once, however often it is said, and tell the guest then', async () => {
    const id = await post();
    await giveUp();
    api.otherwise = tells;
    const other = await test.beside();
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const url = `${n % 2 ? other.url : test.url}/v1/admin/events/${id}/retry?reason=key+renewed`;
        return (await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status;
      }),
    );
    await other.close();
    expect(answers.sort()).toEqual([202, ...Array.from({ length: 11 }, () => 409)]);
    await test.drain();
    expect(test.inbox.messages.map(({ to }) => to)).toEqual([[email]]);
    expect([await parkedOf(), await list('parked')]).toEqual([0, []]);
    expect(await list('done')).toMatchObject([{ id, lookUp: null }]);
    const { body: story } = await ask('GET', `events/${id}`);
    expect(story).toMatchObject({ untold: null, deliveries: [{ state: 'sent', recipient: email }] });
    expect(await rows(test, 'audit_log')).toMatchObject([
      { action: 'event.retried', subject: id, detail: 'key renewed', actor: 'admin' },
    ]);
    expect((await ask('POST', `events/${id}/retry?reason=x`)).body).toMatchObject({ status: 409, code: 'not-parked' });
    expect(await count(test, 'audit_log')).toBe(1);
  });

  it('are asked for by the whole schedule again, and are given up again', async () => {
    const id = await post();
    await giveUp();
    expect((await ask('POST', `events/${id}/retry?reason=x`)).status).toBe(202);
    await test.drain();
    expect(await list('waiting')).toMatchObject([{ id, lookUp: { attempts: 1 } }]);
    await giveUp();
    expect(api.requests).toHaveLength(2 * QUESTIONS);
    expect(await list('parked')).toMatchObject([{ id }]);
  });

  it('end three workers at most, while others are told: then they are parked, and asked about anew when it is said', async () => {
    api.otherwise = tells;
    const apis = test.gateway.app.get(SourceApis, { strict: false });
    const { of } = apis;
    let asked = 0;
    apis.of = (...given) => {
      const known = of.apply(apis, given)!;
      const get = (path: string): Promise<ApiAnswer> => {
        if (!path.includes('/users/13.json')) return known.get(path);
        asked++;
        // As if the process ended here: nothing is recorded, and the lease stays.
        throw new Error('the worker ends');
      };
      return { get };
    };
    const id = await post(13);
    await post();
    for (let n = 0; n < 6; n++) {
      await test.drain();
      test.clock.advance({ seconds: 61 });
    }
    expect(asked).toBe(3);
    expect(test.inbox.messages).toHaveLength(1);
    const outcome = '3 workers ended while they asked about it';
    expect(await list('parked')).toMatchObject([{ id, lookUp: { attempts: 0, deaths: 3, outcome } }]);
    expect(await parkedOf()).toBe(1);
    expect(test.logs.filter((line) => line.includes(outcome) && line.includes(`events/${id}/retry`))).toHaveLength(1);

    apis.of = of;
    api.otherwise = refuses;
    expect((await ask('POST', `events/${id}/retry?reason=mended`)).status).toBe(202);
    expect(await list('waiting')).toMatchObject([{ id, lookUp: { deaths: 0 } }]);
    await test.drain();
    // An answer, even a refusal, is no death.
    expect(await list('waiting')).toMatchObject([{ id, lookUp: { attempts: 1, deaths: 0, outcome: 'status 401' } }]);
  });

  it('are for the operator alone, who says why', async () => {
    const id = await post();
    await giveUp();
    const before = await dump(test);
    const doors = [
      ['GET', 'events'],
      ['GET', `events/${id}`],
      ['POST', `events/${id}/retry?reason=x`],
    ] as const;
    for (const [method, path] of doors)
      for (const auth of ['', `Bearer ${token}x`, token])
        expect([path, auth, (await ask(method, path, auth)).status]).toEqual([path, auth, 401]);
    expect((await ask('POST', `events/${id}/retry`)).body.code).toBe('invalid-request');
    expect((await ask('POST', 'events/evt_00000000000000000000000000/retry?reason=x')).status).toBe(404);
    expect((await ask('GET', 'events/nothing')).status).toBe(404);
    const { status, body } = await ask('GET', 'events?state=lost');
    expect([status, body.detail]).toEqual([422, 'state is one of done, waiting, parked.']);
    expect(await dump(test)).toBe(before);
  });
});

describe.each(databases)('events that were taken, on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database, settings: { ADMIN_TOKEN: token, QUIET_WINDOW_SECONDS: '30' } });
  });
  afterAll(() => test.close());
  beforeEach(() => test.clock.advance({ hours: 2 }));

  const ask = (path: string) => askOf(test, 'GET', path);
  const idsOf = async (query: string) => {
    const { status, body } = await ask(`events?${query}`);
    expect([query, status]).toEqual([query, 200]);
    return (body.items as EventShown[]).map(({ id }) => id);
  };
  const storyOf = async (id: string) => (await ask(`events/${id}`)).body as unknown as StoryShown;
  const iso = (at: number) => new Date(at).toISOString();

  it('are found by source, type, ticket and time, page by page', async () => {
    const from = test.clock.now();
    const ids: string[] = [];
    for (let n = 0; n < 6; n++) {
      const ticket = { id: `f-${n % 2}`, number: `${n % 2}` };
      ids.push((await test.source.send(n < 4 ? 'ticket.updated' : 'ticket.created', { ticket })).eventId);
      test.clock.advance({ seconds: 10 });
    }
    const newest = ids.toReversed();
    const since = `since=${iso(from)}`;
    expect(await idsOf(since)).toEqual(newest);
    expect(await idsOf(`${since}&source=default&type=ticket.created`)).toEqual(newest.slice(0, 2));
    expect(await idsOf(`${since}&type=ticket.updated&state=done`)).toEqual(newest.slice(2));
    expect(await idsOf(`${since}&source=default&ticket=f-1`)).toEqual([ids[5], ids[3], ids[1]]);
    expect(await idsOf(`${since}&source=another`)).toEqual([]);
    // From the very moment on, and before the very moment; an offset is one.
    expect(await idsOf(`since=${iso(from + 20_000)}&until=${iso(from + 40_000)}`)).toEqual([ids[3], ids[2]]);
    const there = iso(from + 20_000 + 7 * 3_600_000).replace('Z', '%2B07:00');
    expect(await idsOf(`since=${there}&until=${iso(from + 30_000)}`)).toEqual([ids[2]]);
    expect(await idsOf(`${since}&cursor=${ids[3]}`)).toEqual([ids[2], ids[1], ids[0]]);
    expect(await idsOf(`until=${iso(from + 20_000)}&source=default&ticket=f-0&cursor=${ids[5]}`)).toEqual([ids[0]]);
  });

  it('are not looked for by what is no source, type, ticket or time', async () => {
    const rubbish = {
      'type=ticket.lost': `type is one of ${[...tellingTypes, ...silentTypes].join(', ')}.`,
      'since=yesterday': 'since is a time of RFC 3339',
      'until=2026-11-23': 'until is a time of RFC 3339',
      'since=2026-11-23T02:15:00': 'since is a time of RFC 3339',
      'since=2026-11-23T02:15:00Z&until=2026-11-23T02:15:00Z': 'since is before until.',
      'since=2026-11-23T02:15:00Z&since=2026-11-24T02:15:00Z': 'since is a time of RFC 3339',
      'ticket=7': 'give source too',
      'source=': 'source is given once',
      'source=a&source=b': 'source is given once',
      'source=a%00': 'source is given once',
      [`source=a&ticket=${'x'.repeat(256)}`]: 'ticket is given once',
      'cursor=dlv_1': 'Take the cursor',
      '../deliveries?ticket=8f2c': 'ticket is an id of ours',
      '../deliveries?until=then': 'until is a time of RFC 3339',
      '../outbound?source=acme': 'are given together',
      '../outbound?ticket=8f2c': 'are given together',
    };
    for (const [query, detail] of Object.entries(rubbish)) {
      const { status, body } = await ask(query.startsWith('../') ? query.slice(3) : `events?${query}`);
      expect([query, status, body.code, body.detail]).toEqual([
        query,
        422,
        'invalid-request',
        expect.stringContaining(detail),
      ]);
    }
  });

  it('say who was told of them, also by a mail that tells of several, or why nobody was', async () => {
    const ticket = { id: 'told', number: '9' };
    const send = async (type: string, given: Parameters<TestGateway['source']['event']>[1] = {}) =>
      (await test.source.send(type, { ticket, ...given })).eventId;
    const first = await send('ticket.created');
    await test.drain();
    const second = await send('ticket.replied', { message: { id: 'm-a' } });
    const third = await send('ticket.replied', { message: { id: 'm-b' } });
    const untold: Record<string, string> = {
      'silent-type': await send('ticket.updated'),
      'no-new-message': await send('ticket.replied', { message: { id: 'm-b' } }),
      'own-words': await send('ticket.replied', { message: { author: { kind: 'requester' } } }),
      superseded: await send('ticket.resolved', { ticket: { ...ticket, status: 'resolved', version: 1 } }),
    };
    const [waits] = (await storyOf(second)).deliveries;
    expect(waits).toMatchObject({ state: 'queued', channel: 'email', recipient: email, locale: 'id', endedAt: null });
    expect((await storyOf(third)).deliveries.map(({ id }) => id)).toEqual([waits!.id]);
    test.clock.advance({ minutes: 1 });
    await test.drain();
    const told = await storyOf(third);
    expect(told).toMatchObject({ state: 'done', untold: null, deliveries: [{ id: waits!.id, state: 'sent' }] });
    const [{ id: ticketId } = {}] = await rows(test, 'tickets', `source_ticket_id = 'told'`);
    const found = async (query: string) => ((await ask(`deliveries?${query}`)).body.items as { id: string }[]).length;
    expect([await found(`ticket=${String(ticketId)}`), await found(`since=${iso(test.clock.now())}`)]).toEqual([2, 0]);
    const { body } = await ask(`deliveries/${String(waits!.id)}`);
    const { templateRevision, templateKey } = (body as { delivery: Record<string, unknown> }).delivery;
    expect(told.deliveries).toMatchObject([{ templateKey: 'ticket-summary', templateRevision }]);
    expect(templateKey).toBe('ticket-summary');
    expect((await storyOf(first)).deliveries).toHaveLength(1);

    await change(test, `UPDATE participants SET mail_stopped_at = 1 WHERE email_key = '${email}'`);
    untold['no-mails-wanted'] = await send('ticket.replied', { message: {} });
    await send('ticket.deleted');
    untold['deleted-ticket'] = await send('ticket.replied', { message: {} });
    for (const [reason, id] of Object.entries(untold))
      expect([reason, await storyOf(id)]).toEqual([
        reason,
        expect.objectContaining({ untold: reason, deliveries: [] }),
      ]);
  });

  it('are listed by an index, whatever they are looked for by', async () => {
    const wide = database.name === 'SQLite' ? "printf('evt_%026d', n)" : "'evt_' || lpad(n::text, 26, '0')";
    await change(
      test,
      `INSERT INTO events (id, source, source_event_id, body_hash, type, source_ticket_id, occurred_at, received_at)
       WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
       SELECT ${wide}, CASE WHEN n % 4000 = 0 THEN 'rare' WHEN n % 2 = 0 THEN 'other' ELSE 'default' END, 'x-' || n, '',
         CASE WHEN n % 5000 = 2 THEN 'ticket.merged' WHEN n % 2 = 0 THEN 'ticket.closed' ELSE 'ticket.replied' END, 'x-' || (n / 4), 0, 0 FROM numbers`,
    );
    if (database.name === 'Postgres') await change(test, 'ANALYZE events');
    const ledger = test.gateway.app.get(EventLedger, { strict: false });
    const all = between('evt', {});
    const served = {
      sqlite_autoindex_events_1: all,
      events_source_id_idx: { ...all, source: 'rare' },
      events_type_id_idx: { ...all, type: 'ticket.merged' },
      events_source_type_id_idx: { ...all, source: 'default', type: 'ticket.closed' },
      events_source_source_ticket_id_id_idx: { ...all, source: 'default', ticket: 'x-77' },
    } as const;
    for (const [index, filter] of Object.entries(served)) {
      const plan = await test.gateway.database.read(async ({ dataSource }) => {
        let asked: [string, unknown[]] = ['', []];
        const queryRunner = { query: (...given: [string, unknown[]]) => ((asked = given), { records: [] }) };
        await ledger.list({ dataSource, queryRunner, findBy: () => [] } as unknown as EntityManager, filter);
        const explain = database.name === 'SQLite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
        return JSON.stringify(await dataSource.query(`${explain} ${asked[0]}`, asked[1]));
      });
      // Postgres knows how many rows there are of each, and may find a hundred of many sooner from the newest on.
      if (database.name === 'SQLite') expect(plan).toContain(index);
      expect(plan).not.toMatch(/Seq Scan|SCAN|Sort|TEMP B-TREE/);
    }
  });
});
