import { CloudEvent, HTTP } from 'cloudevents';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { someDatabase } from '../support/some-database.js';
import { count, rows } from '../support/tables.js';

const secret = generateWebhookSecret();
const BATCH = 'application/cloudevents-batch+json';

/** The standards' own packages as clients: one makes the events, the other signs them. */
describe.each(someDatabase)('CloudEvents, on $name', (database) => {
  let test: TestGateway;
  let folder: string;
  let number = 0;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-cloudevents-'));
    const sources = [
      { name: 'desk', adapter: 'cloudevents', secrets: [secret] },
      { name: 'own', secrets: [secret] },
    ];
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources }));
    test = await createGateway({ database, settings: { SOURCES_FILE: join(folder, 'sources.yaml') } });
  });
  afterAll(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });

  const data = (more: object = {}) => {
    number += 1;
    return {
      ticket: {
        id: `c-${number}`,
        number: `${number}`,
        status: 'open',
        updatedAt: new Date(test.clock.now()).toISOString(),
      },
      requester: { kind: 'guest', email: `guest-${number}@example.com` },
      message: { id: `m-${number}`, author: { kind: 'agent' }, body: 'Hello', visibility: 'public' },
      ...more,
    };
  };
  const event = (more: object = {}) =>
    new CloudEvent({
      type: 'example.desk.ticket.replied',
      source: '/desk',
      id: randomUUID(),
      time: new Date(test.clock.now()).toISOString(),
      data: data(),
      ...more,
    });
  const post = (body: string, headers: object, path = 'desk/events') => {
    const id = `msg_${randomUUID()}`;
    const at = new Date(test.clock.now());
    return fetch(`${test.url}/v1/sources/${path}`, {
      method: 'POST',
      headers: {
        ...(headers as Record<string, string>),
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(id, at, body),
      },
      body,
    });
  };
  const emit = (message: { headers: object; body: unknown }) => post(String(message.body), message.headers);
  const answerOf = async (response: Response) => ({
    status: response.status,
    body: (await response.json()) as unknown,
  });

  it('binary and structured are the same event: whichever comes second is a repeat', async () => {
    const one = event();
    expect(await answerOf(await emit(HTTP.binary(one)))).toMatchObject({ status: 202, body: { duplicate: false } });
    expect(await answerOf(await emit(HTTP.structured(one)))).toMatchObject({ status: 200, body: { duplicate: true } });
    const seen = test.inbox.messages.length;
    await test.drain();
    expect(test.inbox.messages.length).toBe(seen + 1);
  });

  it('the same id of another source is another event; the same of one source with other data a conflict', async () => {
    const id = randomUUID();
    const statuses = [];
    for (const source of ['/desk', '/other'])
      statuses.push((await emit(HTTP.structured(event({ id, source })))).status);
    statuses.push((await emit(HTTP.structured(event({ id })))).status);
    expect(statuses).toEqual([202, 202, 409]);
  });

  it('a conflict in a batch is named by its place, and the others are taken', async () => {
    const [old, fresh] = [randomUUID(), randomUUID()];
    await emit(HTTP.structured(event({ id: old })));
    const batch = [fresh, old].map((id) => event({ id, time: '2026-11-23T02:16:00Z' }));
    const headers = { 'content-type': 'application/cloudevents-batch+json' };
    const answer = await answerOf(await emit({ headers, body: JSON.stringify(batch) }));
    expect(answer).toMatchObject({ status: 409, body: { errors: [{ pointer: '/1/id' }] } });
    const again = await emit({ headers, body: JSON.stringify(batch.slice(0, 1)) });
    expect(await answerOf(again)).toMatchObject({ status: 200, body: { events: [{ duplicate: true }] } });
  });

  it('headers are percent-decoded, in quotes or not', async () => {
    const id = 'Euro € 😀 100%';
    const body = JSON.stringify(data());
    const attributes = {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-source': '/desk',
      'ce-type': 'ticket.replied',
    };
    const time = new Date(test.clock.now()).toISOString();
    const binary = (value: string) => post(body, { ...attributes, 'ce-time': time, 'ce-id': value });
    expect((await binary('Euro%20%E2%82%AC%20%F0%9F%98%80%20100%25')).status).toBe(202);
    expect((await binary('"Euro%20%E2%82%AC%20%F0%9F%98%80 100%"')).status).toBe(200);
    const structured = HTTP.structured(event({ id, type: 'ticket.replied', time, data: JSON.parse(body) as object }));
    expect((await emit(structured)).status).toBe(200);
    expect(await answerOf(await binary('%ff'))).toMatchObject({
      status: 422,
      body: { errors: [{ detail: expect.stringContaining('ce-id') }] },
    });
  });

  it('data may be base64 of JSON', async () => {
    const { data: plain, ...rest } = event().toJSON() as { data: object };
    const body = JSON.stringify({ ...rest, data_base64: Buffer.from(JSON.stringify(plain)).toString('base64') });
    expect((await post(body, { 'content-type': 'application/cloudevents+json' })).status).toBe(202);
  });

  it('a batch is answered in its order, and one of a single event as a batch, too', async () => {
    const [one, two] = [event(), event()];
    const first = await answerOf(await post(JSON.stringify([one]), { 'content-type': BATCH }));
    expect(first).toMatchObject({ status: 202, body: { events: [{ duplicate: false }] } });
    const both = await answerOf(await post(JSON.stringify([two, one]), { 'content-type': BATCH }));
    expect(both).toMatchObject({ status: 202, body: { events: [{ duplicate: false }, { duplicate: true }] } });
    const again = await answerOf(await post(JSON.stringify([two, one]), { 'content-type': BATCH }));
    expect(again).toMatchObject({ status: 200, body: { events: [{ duplicate: true }, { duplicate: true }] } });
    expect(await answerOf(await post('[]', { 'content-type': BATCH }))).toEqual({ status: 202, body: { events: [] } });
  });

  it('one bad event of a batch refuses all of it, and is named by its place', async () => {
    const before = await count(test, 'events');
    const bad = event({ data: data({ requester: { kind: 'guest', email: 'nobody' } }) });
    const refused = await answerOf(await post(JSON.stringify([event(), event(), bad]), { 'content-type': BATCH }));
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/2/data/requester/email' }] } });
    const id = randomUUID();
    const twice = await answerOf(await post(JSON.stringify([event({ id }), event({ id })]), { 'content-type': BATCH }));
    expect(twice).toMatchObject({ status: 422, body: { errors: [{ pointer: '/1/id' }] } });
    expect(
      (await post(JSON.stringify(Array.from({ length: 101 }, () => event())), { 'content-type': BATCH })).status,
    ).toBe(422);
    expect(await count(test, 'events')).toBe(before);
  });

  it('40 copies at once, alone and in batches, are one event', async () => {
    const one = event();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        i % 2 ? emit(HTTP.structured(one)) : post(JSON.stringify([one]), { 'content-type': BATCH }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(39).fill(200), 202]);
    const { ticket } = one.data as { ticket: { id: string } };
    expect(await rows(test, 'events', `source_ticket_id = '${ticket.id}'`)).toHaveLength(1);
  });

  it('a fault is named where the sender has it', async () => {
    const bad = event({ data: data({ ticket: { id: 'x', number: '1', status: 'new', updatedAt: 'yesterday' } }) });
    const pointers = async (response: Response) =>
      ((await response.json()) as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer);
    expect(await pointers(await emit(HTTP.structured(bad)))).toEqual(['/data/ticket/status', '/data/ticket/updatedAt']);
    expect(await pointers(await emit(HTTP.binary(bad)))).toEqual(['/ticket/status', '/ticket/updatedAt']);
    expect(
      await pointers(await post('{"specversion":"0.3"}', { 'content-type': 'application/cloudevents+json' })),
    ).toEqual(['/specversion', '/id', '/source', '/type']);
  });

  it('the handshake lets a sender in by name, for this adapter alone', async () => {
    const ask = (source: string, headers: Record<string, string> = { 'webhook-request-origin': 'desk.example' }) =>
      fetch(`${test.url}/v1/sources/${source}/events`, { method: 'OPTIONS', headers });
    const before = await count(test, 'events');
    const allowed = await ask('desk');
    expect([
      allowed.status,
      allowed.headers.get('webhook-allowed-origin'),
      allowed.headers.get('webhook-allowed-rate'),
    ]).toEqual([200, 'desk.example', '*']);
    const others = [await ask('own'), await ask('nobody'), await ask('desk', {})];
    expect(others.map(({ status }) => status)).toEqual([405, 404, 400]);
    expect(others.map(({ headers }) => headers.get('webhook-allowed-origin'))).toEqual([null, null, null]);
    expect(await count(test, 'events')).toBe(before);
  });
});
