import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { databases } from '../support/databases.js';
import { png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { dump, rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

const token = 'admin-token-of-at-least-thirty-two-signs';
const TRIES = 10;

describe.each(databases)('messages that a source did not take, on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeEach(async () => {
    source = await startReceiver();
    const outbound = { OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() };
    test = await createGateway({ database, settings: { ADMIN_TOKEN: token, ...outbound } });
  });
  afterEach(async () => {
    await test.close();
    await source.close();
  });

  async function ask(method: string, path: string, { auth = `Bearer ${token}`, url = test.url } = {}) {
    const response = await fetch(`${url}/v1/admin/${path}`, { method, headers: { authorization: auth } });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
  const list = async (state: string) =>
    (await ask('GET', `outbound?state=${state}`)).body.items as Record<string, unknown>[];
  const told = () => source.posts.filter(({ body }) => body.includes('"ticket.guest_replied"'));
  const answers = (status: number): Receiver['answer'] => {
    return (_post, response) => void response.writeHead(status).end();
  };
  /** A reply, parked; its id, and the page that it stands on. */
  async function parked(status = 410) {
    const { guest, page } = await visit(test);
    await test.drain();
    source.posts.length = 0;
    source.answer = answers(status);
    const files = [{ name: 'bukti.png', content: png() }];
    const shown = await guest.submit(page, '/replies', { body: 'Ini ID transaksinya' }, { files });
    for (let n = 0; n < TRIES; n++) {
      await test.drain();
      test.clock.advance({ days: 2 });
    }
    const [message] = await rows(test, 'outbound_messages', `type = 'ticket.guest_replied'`);
    return { id: String(message!.id), guest, shown };
  }

  it('are listed with what came of each try, and without what they say', async () => {
    const { id } = await parked(500);
    const found = (await list('parked')).find((one) => one.id === id);
    expect(found).toMatchObject({ source: 'default', type: 'ticket.guest_replied', state: 'parked', attempts: TRIES });
    const of = async (query: string) =>
      ((await ask('GET', `outbound?${query}`)).body.items as { id: string }[]).map((one) => one.id);
    const [{ source_ticket_id: ticket } = {}] = await rows(test, 'outbound_messages', `id = '${id}'`);
    expect(await of(`source=default&ticket=${String(ticket)}&state=parked`)).toContain(id);
    expect(await of('source=default&ticket=another')).toEqual([]);
    expect(await of(`until=${new Date(test.clock.now() - 86_400_000 * 365).toISOString()}`)).toEqual([]);
    const { body } = await ask('GET', `outbound/${id}`);
    expect(body).toMatchObject({ message: { id, state: 'parked', replayedAt: null } });
    expect((body.attempts as object[]).at(-1)).toMatchObject({ number: TRIES, status: 500, outcome: '500' });
    expect(JSON.stringify([body, found])).not.toMatch(/transaksi|siti@|bukti/);
    expect(new Set((await list('delivered')).map(({ state }) => state))).toEqual(new Set(['delivered']));
    const { status, body: problem } = await ask('GET', 'outbound?state=lost');
    expect([status, problem.detail]).toEqual([422, 'state is one of queued, leased, delivered, parked, cancelled.']);
    const errors = test.logs.filter((line) => line.includes('"level":50') && line.includes(id));
    expect(errors.join()).toContain(`POST /v1/admin/outbound/${id}/replay`);
  });

  it('are replayed once, however often it is said: the same id, and the guest sees that it arrived', async () => {
    const { id, guest, shown } = await parked();
    source.answer = answers(204);
    source.posts.length = 0;
    const other = await test.beside();
    const replies = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        ask('POST', `outbound/${id}/replay?reason=endpoint+is+back`, { url: n % 2 ? other.url : test.url }),
      ),
    );
    await other.close();
    expect(replies.map(({ status }) => status).sort()).toEqual([202, ...Array.from({ length: 11 }, () => 409)]);
    await test.drain();
    await test.drain();
    expect(told().map(({ headers }) => headers['webhook-id'])).toEqual([id]);
    expect(await rows(test, 'outbound_messages', `id = '${id}'`)).toMatchObject([{ state: 'delivered', attempts: 2 }]);
    expect((await guest.get(shown.url)).text).not.toContain('Not delivered');
    expect(await rows(test, 'audit_log')).toMatchObject([
      { action: 'outbound.replayed', subject: id, detail: 'endpoint is back', actor: 'admin' },
    ]);
    const again = await ask('POST', `outbound/${id}/replay?reason=x`);
    expect([again.status, again.body.code]).toEqual([409, 'not-parked']);
    await test.drain();
    expect(told()).toHaveLength(1);
  });

  it('have the whole schedule before them again, and count on', async () => {
    const { id } = await parked(500);
    source.posts.length = 0;
    expect((await ask('POST', `outbound/${id}/replay?reason=x`)).status).toBe(202);
    await test.drain();
    expect(await rows(test, 'outbound_messages', `id = '${id}'`)).toMatchObject([{ state: 'queued' }]);
    for (let n = 0; n < TRIES; n++) {
      test.clock.advance({ days: 2 });
      await test.drain();
    }
    expect(told()).toHaveLength(TRIES);
    const { body } = await ask('GET', `outbound/${id}`);
    expect((body.attempts as { number: number }[]).map(({ number }) => number)).toEqual(
      Array.from({ length: 2 * TRIES }, (_, n) => n + 1),
    );
    expect(body).toMatchObject({ message: { state: 'parked', attempts: 2 * TRIES } });
  });

  it('bring their files along, however late they are replayed', async () => {
    const { id } = await parked();
    test.clock.advance({ days: 20 });
    source.answer = answers(204);
    source.posts.length = 0;
    await ask('POST', `outbound/${id}/replay?reason=x`);
    await test.drain();
    const { data } = JSON.parse(told()[0]!.body) as { data: { reply: { attachments: { url: string }[] } } };
    const file = await fetch(data.reply.attachments[0]!.url);
    expect([file.status, Buffer.from(await file.arrayBuffer()).length]).toEqual([200, png().length]);
  });

  it('are for the operator alone, who says why, and only what is parked is', async () => {
    const { id } = await parked();
    const before = await dump(test);
    for (const [method, path] of [
      ['GET', 'outbound'],
      ['GET', `outbound/${id}`],
      ['POST', `outbound/${id}/replay?reason=x`],
    ] as const)
      for (const auth of ['', `Bearer ${token}x`, token])
        expect([path, auth, (await ask(method, path, { auth })).status]).toEqual([path, auth, 401]);
    expect((await ask('POST', `outbound/${id}/replay`)).body.code).toBe('invalid-request');
    expect((await ask('POST', 'outbound/out_00000000000000000000000000/replay?reason=x')).status).toBe(404);
    const delivered = String((await rows(test, 'outbound_messages', `state = 'delivered'`))[0]!.id);
    expect((await ask('POST', `outbound/${delivered}/replay?reason=x`)).body.code).toBe('not-parked');
    expect(await dump(test)).toBe(before);
  });
});
