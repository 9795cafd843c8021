import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentTypes, tellingTypes } from '../../src/events.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';
import { TestSource } from '../support/source.js';
import { rows } from '../support/tables.js';

const siti = { kind: 'guest', email: 'siti@example.com', name: 'Siti', locale: 'id-ID' };
const budi = { kind: 'guest', email: 'budi@example.com', name: 'Budi', locale: 'en' };
const ani = { kind: 'account', id: 'u-9', email: 'ani@example.com', name: 'Ani', locale: 'en' };

describe.each(databases)('who is told of what, on $name', (database) => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
  const secret = generateWebhookSecret();
  let test: TestGateway;

  beforeAll(async () => {
    const sources = [
      { name: 'plain', secrets: [secret] },
      { name: 'hosts', secrets: [secret], accountHosts: ['app.example', 'help.example:8443'] },
      {
        name: 'page',
        secrets: [secret],
        accountTicketPage: 'https://app.example/support/{id}?n={number}',
        accountHosts: ['app.example'],
      },
      { name: 'indonesian', secrets: [secret], defaultLocale: 'id' },
      { name: 'klingon', secrets: [secret], defaultLocale: 'tlh' },
    ];
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources }));
    test = await createGateway({
      database,
      settings: { SOURCES_FILE: join(folder, 'sources.yaml') },
      onMail: ({ to }) => (to.some((address) => address.startsWith('waiting-')) ? 451 : undefined),
    });
  });
  afterAll(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });

  type Given = Parameters<TestSource['event']>[1];

  /** A ticket at a source, and the mails that each of its events plans. */
  function newTicket(sourceName = 'plain') {
    const id = randomUUID();
    const source = new TestSource(test.url, secret, test.clock, sourceName);
    const send = async (type: string, given: Given = {}) => {
      const { eventId } = await source.send(type, { ...given, ticket: { id, ...given.ticket } });
      const planned = await rows(test, 'deliveries', `event_id = '${eventId}'`);
      return planned.map(
        (row) =>
          ({ ...row, inputs: JSON.parse(row.inputs as string) as Record<string, unknown> }) as typeof row & {
            inputs: Record<string, unknown>;
          },
      );
    };
    const told = async (type: string, given: Given = {}) =>
      (await send(type, given)).map(({ recipient }) => recipient).sort();
    return { id, send, told, source };
  }

  describe('by type:', () => {
    it.each(tellingTypes)('%s tells the requester and each participant, with one mail each', async (type) => {
      const planned = await newTicket().send(type, { message: {}, data: { participants: [budi, ani] } });
      const key = type.replace(/[._]/g, '-');
      expect(
        planned.map(({ recipient, template_key, lane, channel }) => ({
          recipient,
          template_key,
          lane,
          channel,
        })),
      ).toEqual(
        expect.arrayContaining(
          [siti, budi, ani].map(({ email }) => ({
            recipient: email,
            template_key: key,
            lane: 'mail',
            channel: 'email',
          })),
        ),
      );
      expect(planned).toHaveLength(3);
    });

    it.each(silentTypes)('%s mails nobody', async (type) => {
      const ticket = newTicket();
      await ticket.send('ticket.created', { data: { participants: [budi] } });
      expect(await ticket.told(type, { message: {}, data: { participants: [budi], into: 't-2' } })).toEqual([]);
    });

    it.each(silentTypes)('%s mails nobody even where it is the first that is known of a ticket', async (type) =>
      expect(await newTicket().told(type, { message: {}, data: { into: 't-2' } })).toEqual([]),
    );

    it.each(tellingTypes)('%s tells people without a message too', async (type) =>
      expect(await newTicket().told(type)).toEqual([siti.email]),
    );
  });

  describe('of authors:', () => {
    const about = tellingTypes.filter((type) => type !== 'ticket.created');
    it.each(about)('%s leaves the author of its message out', async (type) => {
      const by = (author: object) =>
        newTicket().told(type, { requester: { id: 'u-1' }, message: { author }, data: { participants: [budi, ani] } });
      expect(await by({ kind: 'requester' })).toEqual([ani.email, budi.email]);
      expect(await by({ kind: 'participant', email: 'BUDI@example.com' })).toEqual([ani.email, siti.email]);
      expect(await by({ kind: 'participant', id: 'u-9' })).toEqual([budi.email, siti.email]);
      expect(await by({ kind: 'requester', id: 'u-1' })).toEqual([ani.email, budi.email]);
      expect(await by({ kind: 'agent', email: budi.email })).toEqual([ani.email, siti.email]);
    });

    it.each([
      ['an agent', { kind: 'agent', name: 'Rina' }],
      ["an agent who happens to have an account's number", { kind: 'agent', id: 'u-9' }],
      ['the system', { kind: 'system' }],
      ['a participant nobody knows', { kind: 'participant', email: 'cici@example.com' }],
      ['a participant without any name', { kind: 'participant' }],
    ])('leaves nobody out where the author is %s', async (_who, author) =>
      expect(
        await newTicket().told('ticket.replied', { message: { author }, data: { participants: [budi, ani] } }),
      ).toEqual([ani.email, budi.email, siti.email]),
    );

    it('ticket.created confirms to the requester what they wrote themselves', async () =>
      expect(
        await newTicket().told('ticket.created', {
          message: { author: { kind: 'requester' } },
          data: { participants: [budi] },
        }),
      ).toEqual([budi.email, siti.email]));

    it('knows the author of an echo by the reply, whoever the source says it was', async () => {
      const ticket = newTicket();
      const [mail] = await ticket.send('ticket.created', { data: { participants: [budi] } });
      const reply = {
        id: `rpl_${String(mail!.id).slice(4)}`,
        ticket: mail!.ticket_id as string,
        writer: mail!.participant_id as string,
      };
      await test.gateway.database.write((tx) =>
        tx.query(
          `INSERT INTO replies (id, ticket_id, participant_id, body, form_key, created_at) VALUES ('${reply.id}', '${reply.ticket}', '${reply.writer}', 'x', '${randomUUID()}', 0)`,
        ),
      );
      const writer = mail!.recipient;
      const told = await ticket.told('ticket.replied', {
        message: { replyId: reply.id, author: { kind: 'agent', name: 'API' } },
      });
      expect(told).toEqual([siti.email, budi.email].filter((email) => email !== writer));
    });
  });

  describe('what is no news:', () => {
    it.each(['ticket.replied', 'ticket.info_requested'])('an internal note, sent as %s', async (type) => {
      for (const visibility of ['internal', undefined, 'Public'])
        expect(await newTicket().told(type, { message: { visibility } })).toEqual([]);
    });

    it('is not a new state that comes with an internal note', async () => {
      const planned = await newTicket().send('ticket.resolved', {
        message: { visibility: 'internal', body: 'planted' },
      });
      expect(planned).toHaveLength(1);
      expect(JSON.stringify(planned)).not.toContain('planted');
    });

    it.each(['ticket.created', 'ticket.resolved', 'ticket.reopened', 'ticket.closed'])(
      '%s after something newer',
      async (type) => {
        const ticket = newTicket();
        await ticket.send('ticket.updated', { ticket: { version: 9 } });
        expect(await ticket.told(type, { ticket: { version: 8 }, message: {} })).toEqual([]);
      },
    );

    it.each(['ticket.replied', 'ticket.info_requested'])(
      'is not a message, however late it comes by %s',
      async (type) => {
        const ticket = newTicket();
        await ticket.send('ticket.updated', { ticket: { version: 9 } });
        expect(await ticket.told(type, { ticket: { version: 8 }, message: {} })).toEqual([siti.email]);
      },
    );

    it('a message that was told of already, under another id of an event', async () => {
      const ticket = newTicket();
      expect(await ticket.told('ticket.created', { message: { id: 'm-1' } })).toEqual([siti.email]);
      expect(await ticket.told('ticket.replied', { message: { id: 'm-1' } })).toEqual([]);
      expect(await ticket.told('ticket.replied', { message: { id: 'm-2' } })).toEqual([siti.email]);
      expect(await ticket.told('ticket.info_requested', { message: { id: 'm-2' } })).toEqual([]);
    });

    it('that a ticket was created, said twice, by whatever rules of its system', async () => {
      const ticket = newTicket();
      expect(await ticket.told('ticket.created', { message: { id: 'm-1' } })).toEqual([siti.email]);
      expect(await ticket.told('ticket.created', { message: { id: 'm-1' } })).toEqual([]);
      expect(await ticket.told('ticket.created')).toEqual([]);
      expect(await ticket.told('ticket.replied', { message: { id: 'm-2' } })).toEqual([siti.email]);
    });

    it('is not a message that was only corrected, or part of a history, before it came', async () => {
      const ticket = newTicket();
      const earlier = { id: 'm-0', author: { kind: 'agent' }, visibility: 'public', body: 'x' };
      await ticket.send('message.updated', {
        ticket: { version: 7 },
        message: { id: 'm-1' },
        data: { history: [earlier] },
      });
      expect(await ticket.told('ticket.replied', { ticket: { version: 6 }, message: { id: 'm-1' } })).toEqual([
        siti.email,
      ]);
      expect(await ticket.told('ticket.replied', { ticket: { version: 5 }, message: earlier })).toEqual([siti.email]);
    });

    it('a message that was taken back before it came', async () => {
      const ticket = newTicket();
      await ticket.send('message.retracted', { ticket: { version: 7 }, message: { id: 'm-1' } });
      expect(await ticket.told('ticket.replied', { ticket: { version: 6 }, message: { id: 'm-1' } })).toEqual([]);
    });

    it('anything about a deleted ticket', async () => {
      const ticket = newTicket();
      await ticket.send('ticket.deleted');
      expect(await ticket.told('ticket.replied', { message: {} })).toEqual([]);
    });

    it('anything to somebody who left', async () => {
      const ticket = newTicket();
      await ticket.send('ticket.created', { data: { participants: [budi] } });
      await ticket.send('requester.changed', { requester: ani, data: { participants: [] } });
      expect(await ticket.told('ticket.replied', { requester: ani, message: {}, data: { participants: [] } })).toEqual([
        ani.email,
      ]);
    });

    it.each([
      ['its recipient leaves', 'requester.changed', { requester: budi }],
      ['its ticket is deleted', 'ticket.deleted', {}],
    ])('a mail that still waits when %s', async (_what, type, given) => {
      const ticket = newTicket();
      const email = `waiting-${randomUUID()}@example.com`;
      const [first] = await ticket.send('ticket.created', { requester: { email } });
      await test.drain();
      const state = async () => (await rows(test, 'deliveries', `id = '${first!.id as string}'`))[0]!.state;
      expect(await state()).toBe('deferred');
      await ticket.send(type, { requester: { email }, ...given });
      test.clock.advance({ hours: 1 });
      await test.drain();
      expect(await state()).toBe('cancelled');
    });
  });

  describe('where a mail leads:', () => {
    const url = 'https://app.example/support/8f2c';
    const link = async (source: string, ticket: object, requester: object = ani) => {
      const [row] = await newTicket(source).send('ticket.replied', { ticket, requester, message: {} });
      return { guest: row!.inputs.guest, link: row!.inputs.link as { kind: string; url?: string } };
    };
    const guestLink = {
      guest: true,
      link: { kind: 'guest', source: expect.any(String), expiresAt: expect.any(Number), kid: 'l1' },
    };

    it('a guest: to a link of their own', async () => {
      for (const source of ['plain', 'hosts', 'page']) expect(await link(source, { url }, siti)).toEqual(guestLink);
    });
    it('an account: to the configured page, with id and number in it', async () =>
      expect(await link('page', { id: 'a/b ü', number: '1&2', url: 'https://app.example/other' })).toEqual({
        guest: false,
        link: { kind: 'account', url: 'https://app.example/support/a%2Fb%20%C3%BC?n=1%262' },
      }));
    it("an account: to the event's own URL on a configured host", async () => {
      expect(await link('hosts', { url })).toEqual({ guest: false, link: { kind: 'account', url } });
      const withPort = 'https://help.example:8443/x';
      expect(await link('hosts', { url: withPort })).toEqual({
        guest: false,
        link: { kind: 'account', url: withPort },
      });
    });
    it.each([
      'https://evil.example/support',
      'http://app.example/support',
      'https://app.example.evil.example/',
      'https://app.example@evil.example/',
      'https://user@app.example/',
      'https://:password@app.example/',
      'https://app.example:444/',
      'https://sub.app.example/',
      'https://evil.example/https://app.example/',
      'https://evil.example\\@app.example/',
    ])('an account: to a guest link where the URL is %s', async (untrusted) =>
      expect(await link('hosts', { url: untrusted })).toEqual(guestLink),
    );
    it('an account: to a guest link where nothing is configured or given', async () => {
      expect(await link('plain', { url })).toEqual(guestLink);
      expect(await link('hosts', {})).toEqual(guestLink);
    });

    it('each recipient by another link than anybody else', async () => {
      const ticket = newTicket('hosts');
      const emails = ['one', 'two', 'three'].map((name) => `${name}-${randomUUID()}@example.com`);
      await ticket.send('ticket.replied', {
        requester: { email: emails[0] },
        message: {},
        data: { participants: emails.slice(1).map((email) => ({ kind: 'guest', email })) },
      });
      await test.drain();
      const links = await Promise.all(emails.map(async (email) => linkOf(await test.inbox.nextMailTo(email))));
      expect(new Set(links).size).toBe(3);
    });

    it('an account with a URL of any script: to what a mail can hold', async () => {
      const email = `ani-${randomUUID()}@example.com`;
      await newTicket('hosts').send('ticket.replied', {
        ticket: { url: 'https://app.example/tiket/é"<ü>' },
        requester: { ...ani, email },
        message: {},
      });
      await test.drain();
      expect((await test.inbox.nextMailTo(email)).text).toContain('https://app.example/tiket/%C3%A9%22%3C%C3%BC%3E');
    });
  });

  describe('in which language:', () => {
    it.each([
      ['plain', 'id', 'id', 'exact'],
      ['plain', 'id-ID', 'id', 'language'],
      ['plain', 'id_ID', 'id', 'language'],
      ['plain', 'en-GB', 'en', 'language'],
      ['indonesian', 'en', 'en', 'exact'],
      ['indonesian', 'tlh', 'id', 'source'],
      ['indonesian', undefined, 'id', 'source'],
      ['klingon', 'tlh', 'en', 'default'],
      ['klingon', '!!', 'en', 'default'],
    ])('at source %s a person who wants %s gets %s, because of %s', async (source, wanted, locale, locale_reason) => {
      const [row] = await newTicket(source).send('ticket.replied', { requester: { locale: wanted }, message: {} });
      expect(row).toMatchObject({ locale, locale_reason });
    });

    it('each recipient gets their own', async () => {
      const planned = await newTicket().send('ticket.replied', { message: {}, data: { participants: [budi] } });
      expect(Object.fromEntries(planned.map(({ recipient, locale }) => [recipient, locale]))).toEqual({
        [siti.email]: 'id',
        [budi.email]: 'en',
      });
    });
  });

  it('keeps with the mail what it is made of', async () => {
    const email = `cici-${randomUUID()}@example.com`;
    const timestamp = '2026-11-23T02:15:00.000Z';
    const [row] = await newTicket().send('ticket.replied', {
      ticket: { number: 'A-77' },
      requester: { email, name: 'Cici' },
      message: {},
      timestamp,
    });
    expect(row).toMatchObject({
      recipient: email,
      template_revision: expect.stringMatching(/./),
      inputs: {
        ticketNumber: 'A-77',
        recipientName: 'Cici',
        guest: true,
        generation: 1,
        timeZone: 'Asia/Jakarta',
        brand: 'default',
        occurredAt: Date.parse(timestamp),
        updates: [
          {
            eventId: row!.event_id,
            templateKey: 'ticket-replied',
            occurredAt: Date.parse(timestamp),
            messageId: expect.stringMatching(/^msg_/),
            status: null,
          },
        ],
      },
    });
    expect(Number(row!.created_at)).toBe(test.clock.now());
  });

  it('sends it under the headers of the contract, and without the words of the agent', async () => {
    const email = `dewi-${randomUUID()}@example.com`;
    const ticket = newTicket();
    const [row] = await ticket.send('ticket.replied', {
      requester: { email },
      message: { body: 'Planted words of the agent' },
    });
    await test.drain();
    const mail = await test.inbox.nextMailTo(email);
    const id = (row!.id as string).slice(4);
    const header = (name: string) =>
      new RegExp(`^${name}: (.*)$`, 'im').exec(mail.raw.toString().split('\r\n\r\n')[0]!)?.[1];
    expect(
      Object.fromEntries(
        [
          'Message-ID',
          'References',
          'Auto-Submitted',
          'X-Auto-Response-Suppress',
          'X-Postern-Notification',
          'Content-Language',
          'To',
        ].map((name) => [name, header(name)]),
      ),
    ).toEqual({
      'Message-ID': `<dlv_${id}@support.example>`,
      References: `<${row!.ticket_id as string}@support.example>`,
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-Postern-Notification': `ntf_${id}`,
      'Content-Language': 'id',
      To: email,
    });
    expect(mail.text + mail.html).not.toContain('Planted');
    const [again] = await ticket.send('ticket.resolved', { requester: { email } });
    await test.drain();
    const next = await test.inbox.nextMailTo(email);
    expect(next.raw.toString()).toContain(`References: <${again!.ticket_id as string}@support.example>`);
  });
});
