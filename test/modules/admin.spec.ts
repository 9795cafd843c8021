import { Suppressions } from '../../src/delivery/suppression.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, dump, rows } from '../support/tables.js';
import { linksOf } from '../support/visit.js';

const token = 'admin-token-of-at-least-thirty-two-signs';

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

describe.each(someDatabase)('the admin API on $name', (database) => {
  let test: TestGateway;
  let relay: Relay;
  beforeAll(async () => {
    relay = await startRelay();
    test = await createGateway({ database, settings: { ADMIN_TOKEN: token, MAIL_URL: relay.url } });
  });
  afterAll(async () => {
    await test.close();
    await relay.close();
  });

  async function ask(
    method: string,
    path: string,
    given: { body?: string; auth?: string | null } = {},
  ): Promise<Answer> {
    const { body, auth = `Bearer ${token}` } = given;
    const headers: Record<string, string> = auth === null ? {} : { authorization: auth };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const answer = await fetch(`${test.url}/v1/admin/${path}`, { method, headers, body });
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> };
  }
  const items = async (path: string) => (await ask('GET', path)).body.items as Record<string, unknown>[];
  const suppress = (key: string) =>
    test.gateway.database.write((tx) => test.gateway.app.get(Suppressions).suppress(tx, key, 'hard-bounce'));

  let guests = 0;
  /** A delivery that ended in this state. */
  async function ended(state: string, more = ''): Promise<{ id: string; email: string }> {
    const email = `adm-${++guests}@example.com`;
    await test.source.send('ticket.replied', {
      ticket: { id: `a-${guests}`, number: `${guests}` },
      requester: { email, locale: 'en' },
      message: {},
    });
    await test.drain();
    const id = String((await rows(test, 'deliveries', `recipient = '${email}'`))[0]!.id);
    await change(test, `UPDATE deliveries SET state = '${state}'${more} WHERE id = '${id}'`);
    return { id, email };
  }
  const stateOf = async (id: string) => (await rows(test, 'deliveries', `id = '${id}'`))[0]!.state;

  const routes = [
    ['GET', 'suppressions'],
    ['GET', 'suppressions/siti@example.com'],
    ['DELETE', 'suppressions/siti@example.com?reason=x'],
    ['GET', 'deliveries'],
    ['GET', 'deliveries/dlv_00000000000000000000000000'],
    ['POST', 'deliveries/dlv_00000000000000000000000000/resend?reason=x'],
    ['GET', 'audit'],
  ] as const;

  it.each(routes)('lets nobody in without the token: %s %s', async (method, path) => {
    const before = await dump(test);
    for (const auth of [null, '', 'Bearer', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, token]) {
      const { status, body, headers } = await ask(method, path, { auth });
      expect([auth, status, body.code]).toEqual([auth, 401, 'unauthorized']);
      expect(headers.get('cache-control')).toBe('no-store');
    }
    expect(await dump(test)).toBe(before);
  });

  it('has its answers kept by nobody', async () => {
    for (const [method, path] of routes) {
      const { headers, status } = await ask(method, path);
      expect([path, status < 500, headers.get('cache-control')]).toEqual([path, true, 'no-store']);
    }
  });

  it('lists suppressions, newest first, a hundred to a page, each once', async () => {
    for (let n = 0; n < 205; n++) await suppress(`page-${n}@example.com`);
    const seen: unknown[] = [];
    let cursor: unknown = null;
    const sizes: number[] = [];
    do {
      const { body } = await ask('GET', `suppressions${cursor === null ? '' : `?cursor=${String(cursor)}`}`);
      const page = body.items as { address: string }[];
      sizes.push(page.length);
      seen.push(...page.map(({ address }) => address));
      cursor = body.nextCursor;
    } while (cursor !== null);
    expect(sizes.slice(0, 2)).toEqual([100, 100]);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((one) => String(one).startsWith('page-'))).toHaveLength(205);
    expect(seen[0]).toBe('page-204@example.com');
  });

  it('releases a suppression once, and says in the audit log who, when, what and why, without the address', async () => {
    await suppress('rel@example.com');
    const body = JSON.stringify({ reason: 'mailbox works again, told rel@example.com by phone' });
    const { status, body: released } = await ask('DELETE', 'suppressions/Rel@Example.com', { body });
    expect(status).toBe(200);
    expect(released).toMatchObject({ address: 'rel@example.com', suppressed: false, reason: 'hard-bounce' });
    expect(await ask('DELETE', 'suppressions/rel@example.com', { body })).toMatchObject({ status: 404 });
    expect((await ask('GET', 'suppressions/rel@example.com')).body).toMatchObject({ suppressed: false });
    const log = await items(`audit?subject=${String(released.id)}`);
    expect(log).toEqual([
      {
        id: expect.stringMatching(/^aud_/),
        at: new Date(test.clock.now()).toISOString(),
        actor: 'admin',
        action: 'suppression.released',
        subject: released.id,
        detail: 'hard-bounce; mailbox works again, told r***@e***.com by phone',
      },
    ]);
  });

  it.each([
    ['no reason', '', undefined],
    ['an empty one', '?reason=%20', undefined],
    ['one that is too long', `?reason=${'a'.repeat(501)}`, undefined],
    ['one that is no text', '', '{"reason":1}'],
    ['no JSON object', '', 'null'],
  ])('releases nothing for %s', async (_what, query, body) => {
    await suppress('keep@example.com');
    const { status, body: problem } = await ask('DELETE', `suppressions/keep@example.com${query}`, { body });
    expect([status, problem.code]).toEqual([422, 'invalid-request']);
    expect((await ask('GET', 'suppressions/keep@example.com')).body.suppressed).toBe(true);
  });

  it.each([
    ['no JSON', '{', 'invalid-json'],
    ['a key twice', '{"reason":"a","reason":"b"}', 'duplicate-key'],
    ['a key that reaches for a prototype', '{"__proto__":{},"reason":"a"}', 'forbidden-key'],
    ['what is nested too deep', '{"reason":[[[[[]]]]]}', 'too-deep'],
  ])('calls a body with %s what every other door calls it', async (_what, body, code) => {
    await suppress('json@example.com');
    const { status, body: problem } = await ask('DELETE', 'suppressions/json@example.com', { body });
    expect([status, problem.code]).toEqual([400, code]);
  });

  it('says what an address must be wherever it stands, and which states there are', async () => {
    const ticket = 'tickets/tkt_00000000000000000000000000/revoke-links?reason=x&address=nobody';
    expect((await ask('POST', ticket)).body.detail).toBe('The address must be an e-mail address.');
    expect((await ask('GET', 'deliveries?state=lost')).body.detail).toContain('state is one of queued, deferred,');
  });

  it('shows a delivery with every attempt and all that was said of it', async () => {
    const { id, email } = await ended('sent');
    const { body } = await ask('GET', `deliveries/${id}`);
    expect(body).toMatchObject({
      delivery: { id, notificationId: id.replace('dlv', 'ntf'), recipient: email, state: 'sent' },
      attempts: [{ number: 1, outcome: 'accepted' }],
      feedback: [],
    });
    expect(JSON.stringify(body)).not.toContain('/t/');
    const { status } = await ask('GET', 'deliveries/dlv_nothing');
    expect(status).toBe(404);
  });

  it('lists deliveries of one state, and of all', async () => {
    const { id } = await ended('parked');
    expect((await items('deliveries?state=parked')).map((one) => one.id)).toEqual([id]);
    expect((await items('deliveries')).length).toBeGreaterThan(1);
    expect((await ask('GET', 'deliveries?state=lost')).body.code).toBe('invalid-request');
    expect((await ask('GET', 'deliveries?cursor=1')).body.code).toBe('invalid-request');
  });

  it.each(['parked', 'failed', 'suppressed'])(
    'sends a mail again that was %s: once, the same bytes, audited',
    async (state) => {
      const { id, email } = await ended(state, ', deaths = 3');
      const sent = relay.handedOver.filter(({ to }) => to[0] === email);
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => ask('POST', `deliveries/${id}/resend?reason=again`)),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array.from({ length: 9 }, () => 409)]);
      await test.drain();
      const all = relay.handedOver.filter(({ to }) => to[0] === email);
      expect(all).toHaveLength(sent.length + 1);
      expect(new Set(all.map(({ raw }) => raw)).size).toBe(1);
      expect(await rows(test, 'deliveries', `id = '${id}'`)).toMatchObject([{ state: 'sent', deaths: 0, attempts: 2 }]);
      expect(await items(`audit?subject=${id}`)).toMatchObject([
        { action: 'delivery.resent', detail: `${state}; again` },
      ]);
    },
  );

  it.each(['queued', 'leased', 'submitting', 'deferred', 'uncertain'])(
    'does not touch a mail that is %s and may leave by itself',
    async (state) => {
      const { id } = await ended(state, ', ended_at = NULL, next_attempt_at = 9000000000000');
      const { status, body } = await ask('POST', `deliveries/${id}/resend?reason=x`);
      expect([status, body.code]).toEqual([409, 'not-resendable']);
      expect(await stateOf(id)).toBe(state);
      expect(await items(`audit?subject=${id}`)).toEqual([]);
      await change(test, `UPDATE deliveries SET state = 'sent', ended_at = 1 WHERE id = '${id}'`);
    },
  );

  it.each(['sent', 'cancelled', 'expired'])('does not send again what is %s', async (state) => {
    const { id } = await ended(state);
    expect((await ask('POST', `deliveries/${id}/resend?reason=x`)).body.code).toBe('not-resendable');
    expect(await stateOf(id)).toBe(state);
  });

  it('sends what bounced again after a day, and only to an address that is not suppressed', async () => {
    const { id, email } = await ended('bounced');
    const resend = () => ask('POST', `deliveries/${id}/resend?reason=x`);
    expect((await resend()).body.detail).toContain('less than a day ago');
    test.clock.advance({ days: 1 });
    await suppress(email);
    expect((await resend()).body.detail).toContain('release that first');
    await ask('DELETE', `suppressions/${email}?reason=x`);
    expect((await resend()).status).toBe(202);
    await test.drain();
    expect(await stateOf(id)).toBe('sent');
  });

  it('never sends a code again', async () => {
    const { email } = await ended('sent');
    const guest = new Guest(test.url);
    const { raw } = relay.handedOver.findLast(({ to }) => to[0] === email)!;
    await guest.submit(await guest.get(linksOf(raw)), '/code');
    const code = (await rows(test, 'deliveries', `recipient = '${email}' AND lane = 'codes'`))[0]!;
    await test.drain();
    await change(test, `UPDATE deliveries SET state = 'parked' WHERE id = '${String(code.id)}'`);
    const { body } = await ask('POST', `deliveries/${String(code.id)}/resend?reason=x`);
    expect(body.detail).toContain('never sent late');
    await change(test, `UPDATE deliveries SET state = 'sent' WHERE id = '${String(code.id)}'`);
  });

  it('writes no address to its log, and adds to the audit log only', async () => {
    expect(test.logs.filter((line) => /adm-\d+@example\.com/.test(line))).toEqual([]);
    expect(await count(test, 'audit_log', `detail LIKE '%@example.com%'`)).toBe(0);
  });

  it('is not there without a token', async () => {
    await test.restart({ ADMIN_TOKEN: '' });
    for (const [method, path] of routes)
      for (const auth of [null, `Bearer ${token}`, 'Bearer '])
        expect((await ask(method, path, { auth })).body.code).toBe('not-found');
    await test.restart({ ADMIN_TOKEN: token });
  });
});
