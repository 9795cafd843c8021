import { Webhook } from 'standardwebhooks';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeliveryRows } from '../../src/delivery/delivery-rows.js';
import { Delivery } from '../../src/delivery/delivery.entity.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { returnedMail } from '../support/returned-mail.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, rows } from '../support/tables.js';
import { askForCode, invite, visit } from '../support/visit.js';

const token = 'feedback-token-of-at-least-32-signs-0001';
const secret = generateWebhookSecret();

interface Told {
  type: string;
  timestamp: string;
  data: { ticket: object; notification?: { id: string }; email: string; at: string; detail?: string };
}

describe.each(someDatabase)('receipts on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  let refuses: { code: number; words: string } | null = null;
  beforeAll(async () => {
    source = await startReceiver();
    test = await createGateway({
      database,
      settings: { OUTBOUND_URL: source.url, OUTBOUND_SECRET: secret, FEEDBACK_TOKEN: token },
      onMail: () => {
        if (refuses) throw Object.assign(new Error(refuses.words), { responseCode: refuses.code });
      },
    });
  });
  afterAll(async () => {
    await test.close();
    await source.close();
  });
  beforeEach(() => {
    refuses = null;
    source.posts.length = 0;
    test.clock.advance({ minutes: 1 });
  });

  let guests = 0;
  const somebody = () => `Guest.${++guests}@example.com`;
  const send = async (email: string, ticket = `r-${guests}`) => {
    await test.source.send('ticket.replied', {
      ticket: { id: ticket, number: ticket },
      requester: { email, locale: 'en' },
      message: {},
    });
    await test.drain();
  };
  const told = (prefix = 'notification.') =>
    source.posts
      .map(({ body }) => JSON.parse(body) as Told)
      .filter(({ type }) => type.startsWith(prefix))
      .toSorted((one, other) => one.type.localeCompare(other.type));
  const deliveryOf = async (email: string) =>
    (await rows(test, 'deliveries', `recipient = '${email}'`)).at(-1) as { id: string; state: string };
  const bounce = (deliveryId: string, recipient: string) =>
    fetch(`${test.url}/v1/feedback/dsn`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'message/rfc822' },
      body: returnedMail('postfix-unknown-user', { deliveryId, recipient }),
    });

  it('say once that a mail was sent, of which notification and ticket, and nothing that opens anything', async () => {
    const email = somebody();
    await send(email, 'r-sent');
    await test.drain();
    const { id } = await deliveryOf(email);
    expect(told()).toEqual([
      {
        type: 'notification.sent',
        timestamp: expect.any(String) as string,
        data: {
          ticket: { id: 'r-sent', number: 'r-sent' },
          notification: {
            id: id.replace('dlv_', 'ntf_'),
            eventId: expect.stringMatching(/^evt_/) as string,
            template: 'ticket-replied',
            locale: 'en',
            attempts: 1,
          },
          email,
          at: new Date(test.clock.now()).toISOString(),
        },
      },
    ]);
    const [post] = source.posts;
    expect(() => new Webhook(secret).verify(post!.body, post!.headers as Record<string, string>)).not.toThrow();
    expect(source.posts.map(({ body }) => body).join()).not.toMatch(/\/t\/|l1\./);
  });

  it('say that a mail failed and why, without an address in the words of the server', async () => {
    const email = somebody();
    refuses = { code: 550, words: `no such mailbox ${email}` };
    await send(email);
    const [failed, ...more] = told();
    expect([failed!.type, more, failed!.data.email]).toEqual(['notification.failed', [], email]);
    expect(failed!.data.detail).toContain('550');
    expect(failed!.data.detail).not.toContain('@example.com');
  });

  it('say once that a mail bounced, however often that is reported, and then what was suppressed', async () => {
    const email = somebody();
    await send(email, 'r-bounce');
    const { id } = await deliveryOf(email);
    const answers = await Promise.all(Array.from({ length: 5 }, () => bounce(id, email)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await test.drain();
    expect(told().map(({ type }) => type)).toEqual(['notification.bounced', 'notification.sent']);
    expect(told()[0]!.data.notification!.id).toBe(told()[1]!.data.notification!.id);
    source.posts.length = 0;
    test.clock.advance({ minutes: 1 });
    await send(email, 'r-bounce');
    expect(told().map(({ type }) => type)).toEqual(['notification.suppressed']);
  });

  it('say nothing of a code’s mail; that the link was opened by the press, never by a page load', async () => {
    const email = somebody();
    const link = await invite(test, { email });
    source.posts.length = 0;
    const guest = new Guest(test.url);
    for (let n = 0; n < 3; n++) await guest.get(link);
    await test.drain();
    expect(told('')).toEqual([]);
    const { page, code } = await askForCode(test, guest, link, email);
    await test.drain();
    expect(told('').map(({ type }) => type)).toEqual(['link.opened']);
    await guest.submit(page, '/verify', { code });
    await test.drain();
    expect(told('').map(({ type }) => type)).toEqual(['guest.verified', 'link.opened']);
    for (const { data } of told('')) expect(data).toMatchObject({ email, at: expect.stringMatching(/Z$/) as string });
    const said = source.posts.map(({ body }) => body).join();
    expect(said).not.toContain(code);
    expect(said).not.toContain(link.slice(3));
  });

  it('are written with the state they tell of, or neither is', async () => {
    const email = somebody();
    await change(test, 'ALTER TABLE outbound_messages RENAME TO outbound_away');
    try {
      await test.source.send('ticket.replied', {
        ticket: { id: 'r-atom', number: '1' },
        requester: { email, locale: 'en' },
        message: {},
      });
      await test.drain().catch(() => undefined); // the lane has no table either
      expect((await deliveryOf(email)).state).toBe('submitting');
    } finally {
      await change(test, 'ALTER TABLE outbound_away RENAME TO outbound_messages');
    }
    test.clock.advance({ minutes: 10 });
    await test.drain();
    expect((await deliveryOf(email)).state).toBe('sent');
    expect(told().map(({ type }) => type)).toEqual(['notification.sent']);
  });

  it('are not written by a worker that lost its delivery to another', async () => {
    const email = somebody();
    await send(email);
    source.posts.length = 0;
    const { id } = await deliveryOf(email);
    const delivery = await test.gateway.database.read((manager) =>
      manager.findOneByOrFail(Delivery, { id: id as never }),
    );
    const late = { ...delivery, attempts: delivery.attempts - 1 };
    const verdict = { delivery: late, tried: [], signs: [], nextAttemptAt: 0 };
    const deliveryRows = test.gateway.app.get(DeliveryRows, { strict: false });
    await deliveryRows.record([{ ...verdict, state: 'failed' }]);
    // And of what has ended already nothing is told again.
    await deliveryRows.record([{ ...verdict, delivery, state: 'sent' }]);
    await test.drain();
    expect(told()).toEqual([]);
  });

  it('are one for each mail, over a hundred at once', async () => {
    const emails = Array.from({ length: 100 }, somebody);
    await Promise.all(
      emails.map((email, n) =>
        test.source.send('ticket.replied', {
          ticket: { id: `r-many-${n}`, number: String(n) },
          requester: { email, locale: 'en' },
          message: {},
        }),
      ),
    );
    await test.drain();
    expect(told()).toHaveLength(100);
    expect(new Set(told().map(({ data }) => data.email)).size).toBe(100);
    expect(new Set(told().map(({ data }) => data.notification!.id)).size).toBe(100);
  });
});

describe.each(someDatabase)('the choice of receipts, on $name', (database) => {
  it('is the source’s: nothing is written for what it does not listen to', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-receipts-'));
    const receiver = await startReceiver();
    const file = join(folder, 'sources.yaml');
    const source = {
      name: 'default',
      secrets: [secret],
      outbound: { url: receiver.url, secret, events: ['ticket.guest_replied', 'notification.failed'] },
    };
    writeFileSync(file, JSON.stringify({ sources: [source] }));
    const test = await createGateway({ database, settings: { SOURCES_FILE: file, SOURCE_SECRET: secret } });
    try {
      await visit(test);
      await test.drain();
      expect(await count(test, 'outbound_messages')).toBe(0);
      expect(receiver.posts).toEqual([]);
    } finally {
      await test.close();
      await receiver.close();
      rmSync(folder, { recursive: true });
    }
  });
});
