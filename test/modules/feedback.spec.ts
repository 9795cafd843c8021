import { randomUUID } from 'node:crypto';
import { generateWebhookSecret, signWebhook } from '../../src/platform/webhook-signature.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { returnedMail } from '../support/returned-mail.js';
import { someDatabase } from '../support/some-database.js';
import { change, dump, rows } from '../support/tables.js';

const secret = generateWebhookSecret();
const token = 'feedback-token-of-at-least-32-signs-0001';
const settings = { RESEND_WEBHOOK_SECRET: secret, FEEDBACK_TOKEN: token };

describe.each(someDatabase)('feedback on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database, settings });
  });
  afterAll(() => test.close());

  let guests = 0;
  /** A mail that was sent, to somebody of their own. */
  async function sent(given: { providerId?: string | null } = {}) {
    const recipient = `Guest.${++guests}@example.com`;
    await test.source.send('ticket.replied', {
      ticket: { id: `f-${guests}`, number: `${guests}` },
      requester: { email: recipient, locale: 'en' },
      message: {},
    });
    await test.drain();
    const [{ id }] = (await rows(test, 'deliveries', `recipient = '${recipient}'`)) as [{ id: string }];
    const { providerId = `re-${randomUUID()}` } = given;
    if (providerId !== null) await set(id, `provider_id = '${providerId}'`);
    return { id, recipient, providerId: providerId ?? '' };
  }
  const set = (id: string, what: string) => change(test, `UPDATE deliveries SET ${what} WHERE id = '${id}'`);
  const deliveryOf = async (id: string) => (await rows(test, 'deliveries', `id = '${id}'`))[0]!;
  const wordsOf = async (id: string) =>
    (await rows(test, 'feedback', `delivery_id = '${id}'`)).map(({ kind }) => kind as string);
  const suppressionOf = async (recipient: string) =>
    (await rows(test, 'suppressions', `address_key = '${recipient.toLowerCase()}'`))[0];

  interface Signed {
    id?: string;
    by?: string;
    ageSeconds?: number;
    headers?: Record<string, string>;
  }
  function postResend(body: object | string, { id = randomUUID(), by = secret, ageSeconds = 0, headers }: Signed = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const timestamp = Math.floor(test.clock.now() / 1000) - ageSeconds;
    const signed = Object.entries(signWebhook({ secret: by, id, timestamp, body: text }));
    const svix = Object.fromEntries(signed.map(([name, value]) => [name.replace('webhook', 'svix'), value]));
    return fetch(`${test.url}/v1/feedback/resend`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...svix, ...headers },
      body: text,
    });
  }
  const eventOf = (type: string, mail: { providerId: string; recipient: string }, data: object = {}) => ({
    type,
    created_at: new Date(test.clock.now()).toISOString(),
    data: { email_id: mail.providerId, from: 'no-reply@support.example', to: [mail.recipient], subject: 's', ...data },
  });
  const hard = { bounce: { type: 'Permanent', subType: 'General', message: 'no such user <x@example.com>' } };
  const soft = { bounce: { type: 'Transient', subType: 'MailboxFull', message: 'full' } };

  const postDsn = (mail: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) =>
    fetch(`${test.url}/v1/feedback/dsn`, {
      method: 'POST',
      headers: { 'content-type': 'message/rfc822', ...headers },
      body: mail,
    });
  const said = async (answer: Response) => [answer.status, await answer.json()] as [number, unknown];
  const once = [200, { recorded: 1, duplicate: 0 }];
  const nothing = [200, { recorded: 0, duplicate: 0 }];

  describe('of Resend', () => {
    it.each([
      ['a hard bounce', 'email.bounced', hard, 'bounced', 'bounced', 'hard-bounce'],
      ['a complaint', 'email.complained', {}, 'complained', 'bounced', 'complaint'],
      [
        'its own suppression',
        'email.suppressed',
        { suppressed: { message: 'on list' } },
        'bounced',
        'bounced',
        'hard-bounce',
      ],
      ['a failure of our account', 'email.failed', { failed: { reason: 'quota' } }, 'refused', 'bounced', undefined],
      ['a soft bounce', 'email.bounced', soft, 'soft-bounced', 'sent', null],
      ['an undetermined bounce', 'email.bounced', { bounce: { type: 'Undetermined' } }, 'soft-bounced', 'sent', null],
      ['a delay', 'email.delivery_delayed', {}, 'delayed', 'sent', undefined],
      ['a delivery', 'email.delivered', {}, 'delivered', 'sent', undefined],
    ])('draws the conclusions of %s, at once', async (_what, type, data, kind, state, reason) => {
      const mail = await sent();
      expect(await said(await postResend(eventOf(type, mail, data)))).toEqual(once);
      expect(await wordsOf(mail.id)).toEqual([kind]);
      expect((await deliveryOf(mail.id)).state).toBe(state);
      expect((await suppressionOf(mail.recipient))?.reason).toBe(reason);
    });

    it('keeps its words without an address in them', async () => {
      const mail = await sent();
      await postResend(eventOf('email.bounced', mail, hard));
      const [word] = await rows(test, 'feedback', `delivery_id = '${mail.id}'`);
      expect(word).toMatchObject({ origin: 'resend', detail: 'Permanent General no such user <x***@e***.com>' });
    });

    it('finds a mail by the name we gave it, where its answer was lost', async () => {
      for (const name of ['tags', 'headers'] as const) {
        const mail = await sent({ providerId: null });
        await set(mail.id, `state = 'uncertain', uncertain_at = 1, ended_at = NULL`);
        const ntf = mail.id.replace('dlv', 'ntf');
        const by = { tags: { notification: ntf }, headers: [{ name: 'X-Postern-Notification', value: ntf }] };
        const event = eventOf('email.delivered', { ...mail, providerId: randomUUID() }, { [name]: by[name] });
        expect(await said(await postResend(event))).toEqual(once);
        // It has left, so it is not tried again.
        expect(await deliveryOf(mail.id)).toMatchObject({ state: 'sent' });
        expect((await deliveryOf(mail.id)).ended_at).not.toBeNull();
      }
    });

    it('counts a word once, however often and under whatever id it comes', async () => {
      const mail = await sent();
      const event = eventOf('email.bounced', mail, soft);
      const id = randomUUID();
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => postResend(event, n % 2 ? { id } : {})));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      const receipts = (await Promise.all(answers.map((one) => one.json()))) as { recorded: number }[];
      expect(receipts.reduce((sum, { recorded }) => sum + recorded, 0)).toBe(1);
      expect(await wordsOf(mail.id)).toEqual(['soft-bounced']);
      expect(Number((await suppressionOf(mail.recipient))!.soft_count)).toBe(1);
    });

    it('ends in the same state in every order of a delivery, a bounce and a complaint', async () => {
      const kinds = ['email.delivered', 'email.bounced', 'email.complained'];
      for (const [a, b, c] of [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ] as const) {
        const mail = await sent();
        for (const n of [a, b, c]) await postResend(eventOf(kinds[n]!, mail, hard));
        expect((await deliveryOf(mail.id)).state).toBe('bounced');
        expect(await suppressionOf(mail.recipient)).toMatchObject({ reason: 'complaint', released_at: null });
      }
    });

    it.each(['email.opened', 'email.sent', 'contact.created', 'toString', '__proto__'])(
      'counts %s nowhere',
      async (type) => {
        const mail = await sent();
        expect(await said(await postResend(eventOf(type, mail)))).toEqual(nothing);
        expect(await wordsOf(mail.id)).toEqual([]);
      },
    );

    it.each<[string, () => Promise<Response>]>([
      ['of another secret', () => postResend({}, { by: generateWebhookSecret() })],
      ['that is too old', () => postResend({}, { ageSeconds: 301 })],
      ['from the future', () => postResend({}, { ageSeconds: -301 })],
      ['of other bytes', () => postResend('{}', { headers: { 'svix-id': 'other' } })],
      ['that is missing', () => postResend({}, { headers: { 'svix-signature': '' } })],
      [
        'under the names of the standard',
        () => {
          const body = '{}';
          const timestamp = Math.floor(test.clock.now() / 1000);
          const headers = { ...signWebhook({ secret, id: 'a', timestamp, body }), 'content-type': 'application/json' };
          return fetch(`${test.url}/v1/feedback/resend`, { method: 'POST', headers, body });
        },
      ],
      ['and no body', () => fetch(`${test.url}/v1/feedback/resend`, { method: 'POST' })],
    ])('refuses a signature %s, and writes nothing', async (_what, post) => {
      const before = await dump(test);
      const answer = await post();
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'bad-signature']);
      expect(await dump(test)).toBe(before);
    });

    it('reads JSON as strictly as anything signed', async () => {
      expect((await postResend('{"type":"a","type":"b"}')).status).toBe(400);
      expect((await postResend('not json')).status).toBe(400);
      expect((await postResend(`{"type":"${'a'.repeat(257 * 1024)}"}`)).status).toBe(413);
      for (const body of ['[]', 'null', '{"type":1}', '{"type":"email.bounced","data":{"email_id":{},"to":"a"}}'])
        expect(await said(await postResend(body))).toEqual(nothing);
    });
  });

  describe('of returned mails', () => {
    it.each([
      ['postfix-unknown-user', 'bounced', 'bounced', 'hard-bounce'],
      ['ses-unknown-user', 'bounced', 'bounced', 'hard-bounce'],
      ['qmail-unknown-user', 'bounced', 'bounced', 'hard-bounce'],
      ['arf-abuse', 'complained', 'bounced', 'complaint'],
      ['exim-policy', 'refused', 'bounced', undefined],
      ['outlook-full-mailbox', 'soft-bounced', 'sent', null],
      ['postfix-delayed', 'delayed', 'sent', undefined],
    ])('draws the conclusions of %s', async (name, kind, state, reason) => {
      const { id, recipient } = await sent();
      const mail = returnedMail(name, { deliveryId: id, recipient });
      expect(await said(await postDsn(mail))).toEqual(once);
      expect(await said(await postDsn(mail))).toEqual([200, { recorded: 0, duplicate: 1 }]);
      expect(await wordsOf(id)).toEqual([kind]);
      expect((await deliveryOf(id)).state).toBe(state);
      expect((await suppressionOf(recipient))?.reason).toBe(reason);
    });

    it.each(['sent', 'submitting', 'uncertain'])('counts for a mail that is %s', async (state) => {
      const { id, recipient } = await sent();
      await set(id, `state = '${state}', ended_at = NULL`);
      await postDsn(returnedMail('postfix-unknown-user', { deliveryId: id, recipient }));
      expect(await deliveryOf(id)).toMatchObject({ state: 'bounced' });
      expect((await deliveryOf(id)).ended_at).not.toBeNull();
    });

    it.each(['queued', 'leased', 'deferred', 'cancelled', 'expired', 'failed', 'suppressed'])(
      'counts for nothing where the mail is %s and never left',
      async (state) => {
        const { id, recipient } = await sent();
        await set(id, `state = '${state}'`);
        const mail = returnedMail('postfix-unknown-user', { deliveryId: id, recipient });
        expect(await said(await postDsn(mail))).toEqual(nothing);
        expect((await deliveryOf(id)).state).toBe(state);
        expect(await suppressionOf(recipient)).toBeUndefined();
      },
    );

    it('says nothing about somebody else: another recipient, another delivery, none of ours', async () => {
      const [one, two] = [await sent(), await sent()];
      const foreign = [
        returnedMail('postfix-unknown-user', { deliveryId: one.id, recipient: two.recipient }),
        returnedMail('postfix-unknown-user', { deliveryId: one.id, recipient: 'stranger@example.com' }),
        returnedMail('arf-abuse', { deliveryId: one.id, recipient: two.recipient }),
        returnedMail('qmail-unknown-user', { deliveryId: one.id, recipient: two.recipient }),
        returnedMail('postfix-unknown-user', {
          deliveryId: one.id,
          recipient: one.recipient,
          messageId: `<${two.id}@support.example>`,
        }),
        returnedMail('postfix-unknown-user', {
          deliveryId: 'dlv_00000000000000000000000000',
          recipient: one.recipient,
        }),
        returnedMail('out-of-office', { deliveryId: one.id, recipient: one.recipient }),
        '',
      ];
      const before = await dump(test);
      for (const mail of foreign) expect(await said(await postDsn(mail))).toEqual(nothing);
      expect(await dump(test)).toBe(before);
    });

    it.each([
      ['no token', {}],
      ['a wrong token', { authorization: 'Bearer feedback-token-of-at-least-32-signs-0002' }],
      ['a token that is too short', { authorization: `Bearer ${token.slice(0, -1)}` }],
      ['an empty token', { authorization: 'Bearer ' }],
      ['Basic', { authorization: `Basic ${Buffer.from(token).toString('base64')}` }],
      ['the token in a query', { authorization: `token=${token}` }],
    ])('lets nobody in with %s, and writes nothing', async (_what, headers) => {
      const { id, recipient } = await sent();
      const before = await dump(test);
      const answer = await postDsn(
        returnedMail('postfix-unknown-user', { deliveryId: id, recipient }),
        headers as Record<string, string>,
      );
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'unauthorized']);
      expect(await dump(test)).toBe(before);
    });

    it('takes 256 KiB at most', async () => {
      expect((await postDsn('a'.repeat(257 * 1024))).status).toBe(413);
    });
  });

  it('leaves no whole address in the log', () => {
    expect(test.logs.join('')).toContain('feedback received');
    expect(test.logs.filter((line) => /guest\.\d+@example\.com/i.test(line))).toEqual([]);
  });

  it('is not there without its secrets', async () => {
    await test.restart({ RESEND_WEBHOOK_SECRET: '', FEEDBACK_TOKEN: '' });
    expect((await postResend({})).status).toBe(404);
    expect((await postDsn('')).status).toBe(404);
    await test.restart(settings);
  });
});
