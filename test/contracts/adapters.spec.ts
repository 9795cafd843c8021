import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zammad } from '../../src/intake/sources/zammad.js';
import { zendesk } from '../../src/intake/sources/zendesk.js';
import { newId } from '../../src/ids.js';
import type { Source } from '../../src/sources.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { someDatabase } from '../support/some-database.js';
import { settingsOf, systems, type Happening, type Lack, type TestSystem } from '../support/systems.js';
import { change, count, dump, rows } from '../support/tables.js';

const email = 'siti@example.com';
/** By what the systems' APIs know them. */
const known: Partial<Record<number, string>> = { 7: email, 8: 'budi@example.com' };

describe.each(someDatabase)('every ticket system, on $name', (database) => {
  describe.each(systems)('$name', (system: TestSystem) => {
    let test: TestGateway;
    let api: ScriptedHttp;
    let folder: string;
    let ticketId = 100;
    let seen = 0;
    /** By what its API says. */
    let onCopy: string[] = [];
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'postern-systems-'));
      api = await startScriptedHttp((response, request) => {
        const found = system.api?.(request.url, { emailOf: (id) => known[id] ?? null, copiesOf: () => onCopy });
        answer(found ? 200 : 404, found ?? { error: 'RecordNotFound' })(response, request);
      });
      const sources = [settingsOf(system, 'desk', api.origin)];
      writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources }));
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
      onCopy = [];
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
      onCopy = more.copies ?? [];
      const response = await send(JSON.stringify(system.body(happening(what, more))));
      await test.drain();
      const body = (await response.json()) as Record<string, unknown> & { events?: Record<string, unknown>[] };
      return { status: response.status, body: body.events?.[0] ?? body };
    }
    const send = (raw: string, headers = system.headers(raw, test.clock.now())) =>
      fetch(`${test.url}/v1/sources/desk/events`, {
        method: 'POST',
        headers: { 'content-type': system.mediaType ?? 'application/json', ...headers },
        body: raw,
      });
    /** Since the test began, or since `seen` was set anew. */
    const mails = () => test.inbox.messages.slice(seen);
    const knows = (what: Lack) => !system.lacks.includes(what);

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

    it.each(['internal', 'unmarked'] as const)(
      'of a ticket that is %s as a whole nobody is told, and nothing is kept, whatever happens to it',
      async (asWhole) => {
        if (!knows('asWhole')) return;
        for (const what of ['created', 'internal', 'resolved', 'resolved-with-note', 'retracted'] as const) {
          if (!knows(what)) continue;
          test.clock.advance({ seconds: 1 });
          const { status } = await post(what, { asWhole, messageId: ticketId * 10, words: 'SECRET NOTE' });
          expect([what, status, mails()]).toEqual([what, 202, []]);
        }
        expect(await rows(test, 'tickets', `source_ticket_id = '${ticketId}'`)).toEqual([]);
        expect((await dump(test)).includes('SECRET NOTE')).toBe(false);
        const untold = (await rows(test, 'events', `source_ticket_id = '${ticketId}'`)).map((one) => one.untold);
        expect(untold.filter((reason) => reason !== 'unknown-ticket' && reason !== 'internal')).toEqual([]);
        // The first public word makes it known.
        test.clock.advance({ seconds: 1 });
        await post('replied', { messageId: ticketId * 10 + 1 });
        expect(mails()).toHaveLength(1);
      },
    );

    it('of a ticket that became public in the middle, many webhooks at once tell the public word alone', async () => {
      if (!knows('asWhole')) return;
      const bodies = Array.from({ length: 20 }, (_, n) => {
        const isInternal = n !== 10;
        const more = {
          messageId: ticketId * 100 + n,
          at: test.clock.now() + n,
          words: isInternal ? 'SECRET NOTE' : 'Hi',
        };
        return system.body(
          happening(isInternal ? 'internal' : 'replied', { ...more, ...(isInternal && { asWhole: 'internal' }) }),
        );
      });
      const answers = await Promise.all(bodies.map((body) => send(JSON.stringify(body))));
      await test.drain();
      expect(answers.map(({ status }) => status)).toEqual(Array<number>(20).fill(202));
      expect(mails()).toHaveLength(1);
      expect(await rows(test, 'tickets', `source_ticket_id = '${ticketId}'`)).toHaveLength(1);
      expect((await dump(test)).includes('SECRET NOTE')).toBe(false);
    });

    it('a ticket that is closed with an internal note is told of as solved, without the note', async () => {
      if (!knows('resolved-with-note')) return;
      await post('created');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('resolved-with-note', { messageId: ticketId * 10 + 1, words: 'SECRET NOTE' });
      expect(mails().map(({ subject }) => subject)).toEqual([expect.stringContaining('sudah diselesaikan')]);
      expect((await dump(test)).includes('SECRET NOTE')).toBe(false);
      test.clock.advance({ seconds: 1 });
      await post('internal', { messageId: ticketId * 10 + 2, words: 'SECRET NOTE' });
      expect(mails()).toHaveLength(1);
      expect((await dump(test)).includes('SECRET NOTE')).toBe(false);
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
      await post('resolved', { hidesAddress: true });
      test.clock.advance({ seconds: 1 });
      if (!knows('stated-change')) {
        await post('resolved', { hidesAddress: true });
        const [last] = (await rows(test, 'events')).slice(-1);
        expect(last).toMatchObject({ type: 'ticket.resolved', untold: 'same-status' });
      }
      expect(mails().map(({ subject }) => subject)).toEqual([expect.stringContaining('sudah diselesaikan')]);
    });

    it('what became of a ticket is told also if the rest of it comes late', async () => {
      if (!knows('public-state')) return;
      const at = test.clock.now();
      test.clock.advance({ seconds: 1 });
      await post('resolved');
      await post('created', { at });
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

    it('an edit is shown and mails nobody', async () => {
      if (!knows('edited')) return;
      await post('replied', { messageId: 5002, words: 'First words' });
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('edited', { messageId: 5002, words: 'Better words' });
      expect(mails()).toEqual([]);
      expect(await rows(test, 'messages', `source_message_id = '5002'`)).toEqual([
        expect.objectContaining({ body: expect.stringContaining('Better words') }),
      ]);
    });

    it('an edit that is internal hides what was public before', async () => {
      if (!knows('made-internal')) return;
      await post('replied', { messageId: 5003, words: 'Too much was said' });
      test.clock.advance({ seconds: 1 });
      await post('made-internal', { messageId: 5003, words: 'SECRET NOTE' });
      expect(await rows(test, 'messages', `source_message_id = '5003'`)).toEqual([
        expect.objectContaining({ body: '' }),
      ]);
    });

    it('a note that becomes public is shown from then on', async () => {
      if (!knows('edited')) return;
      await post('replied', { messageId: 5004 });
      test.clock.advance({ seconds: 1 });
      await post('made-internal', { messageId: 5005, words: 'SECRET NOTE' });
      expect((await dump(test)).includes('SECRET NOTE')).toBe(false);
      test.clock.advance({ seconds: 1 });
      await post('edited', { messageId: 5005, words: 'Public at last' });
      expect(await rows(test, 'messages', `source_message_id = '5005'`)).toEqual([
        expect.objectContaining({ body: expect.stringContaining('Public at last') }),
      ]);
    });

    it('a merged ticket is closed', async () => {
      if (!knows('merged')) return;
      await post('created');
      test.clock.advance({ seconds: 1 });
      await post('merged');
      expect(await rows(test, 'tickets', `source_ticket_id = '${ticketId}'`)).toEqual([
        expect.objectContaining({ status: 'closed' }),
      ]);
    });

    it('who is on copy gets a mail and a link of their own', async () => {
      if (!knows('copies')) return;
      await post('replied', { copies: ['budi@example.com'] });
      expect(
        mails()
          .flatMap(({ to }) => to)
          .sort(),
      ).toEqual(['budi@example.com', email]);
      expect(new Set(mails().map(linkOf)).size).toBe(2);
    });

    it('the requester gets no mail about their own words', async () => {
      await post('created');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('replied', { by: email, messageId: ticketId * 10 + 1 });
      expect(mails()).toEqual([]);
    });

    it('a ticket that is taken up again is told', async () => {
      if (!knows('reopened')) return;
      await post('resolved');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('reopened');
      expect(mails().map(({ subject }) => subject)).toEqual([expect.stringContaining('dibuka kembali')]);
    });

    it('another requester is told from then on, and the former is told no more', async () => {
      if (!knows('requester-changed')) return;
      const budi = { email: 'budi@example.com', customerId: 8 };
      await post('created');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('requester-changed', budi);
      expect(mails()).toEqual([]);
      test.clock.advance({ seconds: 1 });
      await post('replied', { ...budi, messageId: 810_000 + ticketId });
      expect(mails().map(({ to }) => to)).toEqual([['budi@example.com']]);
    });

    it('of a ticket that was deleted nothing is kept and nobody is told', async () => {
      if (!knows('deleted')) return;
      await post('replied');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('deleted');
      test.clock.advance({ seconds: 1 });
      await post('replied', { messageId: 800_000 + ticketId });
      expect(mails()).toEqual([]);
      expect(await rows(test, 'tickets', `source_ticket_id = '${ticketId}'`)).toEqual([
        expect.objectContaining({ subject: '', deleted_at: expect.anything() }),
      ]);
    });

    it('who wrote it gets no mail about it', async () => {
      if (!knows('by')) return;
      await post('replied', { copies: ['budi@example.com'], by: 'budi@example.com' });
      expect(mails().flatMap(({ to }) => to)).toEqual([email]);
    });

    it('the echo of a reply of ours names it', async () => {
      if (!knows('replyId')) return;
      await post('created');
      const replyId = newId('rpl', test.clock.now());
      const [ticket] = await rows(test, 'tickets', `source_ticket_id = '${ticketId}'`);
      const [guest] = await rows(test, 'participants', `ticket_id = '${String(ticket!.id)}'`);
      await change(
        test,
        `INSERT INTO replies (id, ticket_id, participant_id, body, form_key, created_at)
         VALUES ('${replyId}', '${String(ticket!.id)}', '${String(guest!.id)}', 'Our own words', '${replyId}', 1)`,
      );
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      await post('replied', { messageId: 900_000 + ticketId, replyId, words: 'Our own words' });
      expect(mails()).toEqual([]);
      expect(await rows(test, 'messages', `reply_id = '${replyId}'`)).toHaveLength(1);
    });

    it('keys that nobody knows change nothing', async () => {
      const body = system.body(happening('replied'));
      const more = { 'a key of tomorrow': { deep: [1, { x: null }] } };
      const raw = JSON.stringify(
        Array.isArray(body) ? [{ ...(body[0] as object), ...more }] : { ...(body as object), ...more },
      );
      expect((await send(raw)).status).toBe(202);
      await test.drain();
      expect(mails()).toHaveLength(1);
    });

    it('a body that is too large is 413', async () => {
      const raw = JSON.stringify(system.body(happening('replied', { words: 'x'.repeat(300_000) })));
      expect((await send(raw)).status).toBe(413);
    });

    it('another media type is 415', async () => {
      const raw = JSON.stringify(system.body(happening('replied')));
      const headers = { ...system.headers(raw, test.clock.now()), 'content-type': 'text/plain' };
      expect((await send(raw, headers)).status).toBe(415);
    });

    it('a dry run says what would come of it, and leaves no row and no mail', async () => {
      await post('created');
      seen = test.inbox.messages.length;
      test.clock.advance({ seconds: 1 });
      const raw = JSON.stringify(system.body(happening('replied', { messageId: 700_000 + ticketId })));
      const before = await dump(test);
      const response = await fetch(`${test.url}/v1/sources/desk/events/dry-run`, {
        method: 'POST',
        headers: {
          'content-type': system.mediaType ?? 'application/json',
          ...system.headers(raw, test.clock.now()),
        },
        body: raw,
      });
      const answered = (await response.json()) as { events?: unknown[] };
      await test.drain();
      expect(response.status).toBe(200);
      expect(answered.events?.[0] ?? answered).toMatchObject({
        duplicate: false,
        event: { type: 'ticket.replied', data: { requester: { email }, message: { visibility: 'public' } } },
        mails: [
          {
            recipient: email,
            channel: 'email',
            locale: 'id',
            localeReason: expect.stringMatching(/^(exact|source)$/),
            templateKey: 'ticket-replied',
            templateRevision: expect.stringMatching(/./),
            suppressed: null,
            subject: expect.stringMatching(/./),
            html: expect.stringContaining('<html'),
          },
        ],
      });
      // The link looks like one and is nobody's.
      const [mail] = ((answered.events?.[0] ?? answered) as { mails: { text: string }[] }).mails;
      expect((await fetch(new URL(linkOf(mail!), test.url))).status).toBe(404);
      expect(await dump(test)).toBe(before);
      expect(mails()).toEqual([]);
      // The same for real afterwards: nothing of the dry run is in its way.
      expect((await send(raw)).status).toBe(202);
      await test.drain();
      expect(mails()).toHaveLength(1);
    });

    it('nobody to mail: taken and counted, nobody told', async () => {
      if (!knows('no-address')) return;
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
        await send(`${raw} `, system.signsNothing ? {} : headers),
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
