import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zammad } from '../../src/intake/sources/zammad.js';
import { zendesk } from '../../src/intake/sources/zendesk.js';
import type { Source } from '../../src/sources.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { systems, type Happening, type TestSystem } from '../support/systems.js';
import { count, rows } from '../support/tables.js';

const email = 'siti@example.com';

describe.each(databases)('every ticket system, on $name', (database) => {
  describe.each(systems)('$name', (system: TestSystem) => {
    let test: TestGateway;
    let api: ScriptedHttp;
    let folder: string;
    let ticketId = 100;
    let seen = 0;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'postern-systems-'));
      api = await startScriptedHttp((response, request) => {
        const found = system.api?.(request.url, email);
        answer(found ? 200 : 404, found ?? { error: 'RecordNotFound' })(response, request);
      });
      const source = {
        name: 'desk',
        adapter: system.name,
        secrets: [system.secret],
        defaultLocale: 'id',
        ...(system.api ? { api: { url: api.origin, authorization: 'Basic dGVzdA==' } } : {}),
      };
      writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources: [source] }));
      test = await createGateway({ database, settings: { SOURCES_FILE: join(folder, 'sources.yaml') } });
    });
    afterAll(async () => {
      await test.close();
      await api.close();
      rmSync(folder, { recursive: true });
    });
    beforeEach(() => {
      ticketId += 1;
      seen = test.inbox.messages.length;
      test.clock.advance({ minutes: 1 });
    });

    const happening = (what: Happening['what'], more: Partial<Happening> = {}): Happening => ({
      ticketId,
      at: test.clock.now(),
      what,
      email,
      ...more,
    });
    /** Posts as the system does, and works until all of it is done. */
    async function post(what: Happening['what'], more: Partial<Happening> = {}) {
      const response = await send(JSON.stringify(system.body(happening(what, more))));
      await test.drain();
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    }
    const send = (raw: string, headers = system.headers(raw, test.clock.now())) =>
      fetch(`${test.url}/v1/sources/desk/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: raw,
      });
    /** Since the test began, or since `seen` was set anew. */
    const mails = () => test.inbox.messages.slice(seen);
    const knows = (what: Happening['what']) => !system.lacks.includes(what);

    it('a public reply reaches its requester, in the language that is known of them', async () => {
      expect(await post('replied')).toMatchObject({ status: 202, body: { duplicate: false } });
      expect(mails()).toHaveLength(1);
      const [mail] = mails();
      expect(mail!.to).toEqual([email]);
      expect(mail!.text).toContain('Tim dukungan kami sudah membalas');
      expect(linkOf(mail!)).toMatch(/^\/t\//);
      expect(await rows(test, 'messages')).toContainEqual(expect.objectContaining({ author_kind: 'agent' }));
    });

    it('a new ticket is confirmed', async () => {
      await post('created');
      expect(mails().map(({ subject }) => subject)).toEqual([expect.stringContaining('sudah kami terima')]);
    });

    it.each(['internal', 'unmarked'] as const)('what is %s tells nobody and is stored nowhere', async (what) => {
      if (!knows(what)) return;
      const before = await count(test, 'messages');
      expect(await post(what, { words: 'SECRET NOTE' })).toMatchObject({ status: 202, body: { ignored: 'internal' } });
      expect(mails()).toEqual([]);
      expect(await count(test, 'messages')).toBe(before);
    });

    it('the same happening again, by whatever delivery, tells nobody again', async () => {
      const raw = JSON.stringify(system.body(happening('replied')));
      const answers = [];
      for (let i = 0; i < 3; i++) answers.push((await send(raw)).status);
      await test.drain();
      expect(answers).toEqual([202, 200, 200]);
      expect(mails()).toHaveLength(1);
    });

    it('50 copies at once are one event', async () => {
      const raw = JSON.stringify(system.body(happening('replied')));
      const answers = await Promise.all(Array.from({ length: 50 }, () => send(raw)));
      await test.drain();
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(49).fill(200), 202]);
      expect(mails()).toHaveLength(1);
    });

    it('a solved ticket is told once, however often its state is repeated', async () => {
      await post('created');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('resolved');
      test.clock.advance({ seconds: 1 });
      if (system.name === 'zammad') await post('resolved');
      expect(mails().map(({ subject }) => subject)).toEqual([expect.stringContaining('sudah diselesaikan')]);
    });

    it('a message made private is shown no longer', async () => {
      if (!knows('retracted')) return;
      await post('replied', { messageId: 5001, words: 'Too much was said' });
      test.clock.advance({ seconds: 1 });
      await post('retracted', { messageId: 5001 });
      expect(await rows(test, 'messages', `source_message_id = '5001'`)).toEqual([
        expect.objectContaining({ body: '' }),
      ]);
    });

    it('nobody to mail: taken and counted, nobody told', async () => {
      const { status } = await post('no-address');
      expect(status).toBe(202);
      expect(mails()).toEqual([]);
    });

    it('a type that Postern does not know: taken and counted, nobody told', async () => {
      if (!knows('unknown')) return;
      expect(await post('unknown')).toMatchObject({ status: 202, body: { ignored: 'unknown-type' } });
      expect(mails()).toEqual([]);
    });

    it('another signature, a changed body and no signature are 401 with one text, and leave no row', async () => {
      const before = await count(test, 'events');
      const raw = JSON.stringify(system.body(happening('replied')));
      const headers = system.headers(raw, test.clock.now());
      const attempts = [
        await send(raw, {}),
        await send(`${raw} `, headers),
        await send(raw, Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, `x${value}`]))),
      ];
      expect(attempts.map(({ status }) => status)).toEqual([401, 401, 401]);
      expect(new Set(await Promise.all(attempts.map((one) => one.text()))).size).toBe(1);
      expect(await count(test, 'events')).toBe(before);
    });

    it('a body of another system is 422 and names what is missing', async () => {
      const response = await send('{"hello":"world"}');
      expect(response.status).toBe(422);
      const { errors } = (await response.json()) as { errors: { pointer: string }[] };
      expect(errors.length).toBeGreaterThan(0);
    });
  });
});

describe('the vectors of the systems', () => {
  const source = (...secrets: string[]) => ({ secrets }) as Source;
  const at = (text: string) => Date.parse(text);
  const webhook = (headers: Record<string, string>, raw: string, now = 0) => ({
    headers,
    rawBody: Buffer.from(raw),
    mediaType: 'application/json',
    now,
  });

  it('Zammad: HMAC-SHA1 over the raw body', () => {
    const raw = '{"ticket":{"id":81,"number":"10081"},"article":{"id":104,"ticket_id":81}}';
    const headers = { 'x-hub-signature': 'sha1=90c5081fdd89bf76794c7b2f150491422cc1b6b9' };
    expect(zammad.verify(source('s3cr3t'), webhook(headers, raw))).not.toBeNull();
    expect(zammad.verify(source('s3cr3u'), webhook(headers, raw))).toBeNull();
    const sha256 = createHmac('sha256', 's3cr3t').update(raw).digest('hex');
    expect(zammad.verify(source('s3cr3t'), webhook({ 'x-hub-signature': `sha256=${sha256}` }, raw))).toBeNull();
  });

  it('Zendesk: time and body, in this order, within five minutes', () => {
    const secret = 'dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==';
    const raw = '{"type":"zen:event-type:ticket.comment_added","id":"d4f5c389-8f4a-4c2e-a1b9-8e4f39c71d52"}';
    const time = '2021-03-25T05:09:27Z';
    const headers = {
      'x-zendesk-webhook-signature': 'kA+V0t2fFWb8qa4g9L5MMxkf9PettzuOwFCHqLJeEk0=',
      'x-zendesk-webhook-signature-timestamp': time,
    };
    const isGood = (now: number) => zendesk.verify(source('another', secret), webhook(headers, raw, now)) !== null;
    expect([0, 299_000, -299_000, 301_000, -301_000].map((off) => isGood(at(time) + off))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('Zendesk: the sample of its old page, which signs body and time, fails', () => {
    const headers = {
      'x-zendesk-webhook-signature': 'tRDSF7URY8BLCDlaBcQ7FHu051Zk+aAB0NKMP53teMw=',
      'x-zendesk-webhook-signature-timestamp': '2021-07-25T10:00:00Z',
    };
    const now = at('2021-07-25T10:00:00Z');
    const secret = 'HRkRd4BeOAoUkfZr-mhauJT64rvBASlJRoIyPsd3zeA=';
    expect(zendesk.verify(source(secret), webhook(headers, '{"say": "hello"}', now))).toBeNull();
  });
});
