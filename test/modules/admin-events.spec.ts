import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { someDatabase } from '../support/some-database.js';
import { settingsOf, systems } from '../support/systems.js';
import { count, dump, rows } from '../support/tables.js';

const token = 'admin-token-of-at-least-thirty-two-signs';
const email = 'siti@example.com';
/** The first question, and what it is asked again. */
const QUESTIONS = 10;
/** Its webhooks leave the address out. */
const zendesk = systems.find(({ name }) => name === 'zendesk')!;

interface EventShown {
  id: string;
  state: string;
  lookUp: { attempts: number; outcome: string; endedAt: string | null } | null;
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
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources: [settingsOf(zendesk, 'desk', api.origin)] }));
    const settings = { SOURCES_FILE: join(folder, 'sources.yaml'), ADMIN_TOKEN: token, METRICS_TOKEN: token };
    test = await createGateway({ database, settings });
  });
  afterEach(async () => {
    await test.close();
    await api.close();
    rmSync(folder, { recursive: true });
  });

  async function ask(method: string, path: string, auth = `Bearer ${token}`) {
    const response = await fetch(`${test.url}/v1/admin/${path}`, { method, headers: { authorization: auth } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
  const list = async (state: string) => (await ask('GET', `events?state=${state}`)).body.items as EventShown[];
  const parkedOf = async () =>
    ((await (await fetch(`${test.url}/health/ready`)).json()) as { parked: Record<string, number> }).parked.events;
  const metrics = async () =>
    (await fetch(`${test.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();

  /** One whose source refuses to say whom it concerns. */
  async function post(): Promise<string> {
    const at = test.clock.now();
    const raw = JSON.stringify(zendesk.body({ ticketId: 500 + ++tickets, at, what: 'replied', email }));
    const headers = { 'content-type': 'application/json', ...zendesk.headers(raw, at) };
    const response = await fetch(`${test.url}/v1/sources/desk/events`, { method: 'POST', headers, body: raw });
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
    expect(JSON.stringify(body)).not.toContain('transaksi');

    const told = test.logs.filter((line) => line.includes('"level":50'));
    expect(told.filter((line) => line.includes('asking again'))).toHaveLength(QUESTIONS - 1);
    const last = told.filter((line) => line.includes('is parked'));
    expect(last).toHaveLength(1);
    expect(last[0]).toContain(`/v1/admin/events/${id}/retry`);
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
