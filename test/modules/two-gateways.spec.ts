import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.js';
import { startGateway, type Gateway } from '../../src/gateway.js';
import { Logger } from '../../src/platform/logger.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { databases } from '../support/databases.js';
import { desks, startDesk, type Desk } from '../support/desks.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { freePort } from '../support/program.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

const shared = databases.filter(({ name }) => name === 'Postgres');
const token = 'admin-token-of-at-least-32-signs-000001';

describe.each(shared)('two gateways on one $name', (database) => {
  let one: TestGateway;
  let other: Gateway;
  let desk: Desk;
  let receiver: Receiver;
  let folder: string;
  const kind = desks.find(({ writer }) => writer === 'zendesk')!;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-two-'));
    desk = await startDesk(kind);
    receiver = await startReceiver();
    const secret = generateWebhookSecret();
    const source = {
      name: 'default',
      secrets: [secret],
      api: { url: desk.http.origin, authorization: 'Bearer desk' },
      writer: kind.writer,
      outbound: { url: receiver.url, secret: generateWebhookSecret() },
    };
    const file = join(folder, 'sources.yaml');
    writeFileSync(file, JSON.stringify({ sources: [source] }));
    const settings = { SOURCES_FILE: file, SOURCE_SECRET: secret, ADMIN_TOKEN: token };
    one = await createGateway({ database, settings });
    const port = await freePort();
    const config = loadConfig({
      NODE_ENV: 'test',
      PUBLIC_URL: one.url,
      PORT: String(port),
      DATA_DIR: folder,
      FILES_URL: `file:${(one.gateway.config.files as { path: string }).path}`,
      DATABASE_URL: one.databaseUrl,
      MAIL_URL: one.inbox.smtpUrl,
      MAIL_FROM: 'Support <no-reply@support.example>',
      QUIET_WINDOW_SECONDS: '0',
      ...one.keys,
      ...settings,
    });
    other = await startGateway(config, {
      clock: one.clock,
      logger: new Logger('error', { write: () => true }),
      sweepEveryMs: 0,
    });
  });
  afterAll(async () => {
    await other.close();
    await one.close();
    await desk.http.close();
    await receiver.close();
    rmSync(folder, { recursive: true });
  });

  const drainBoth = () => Promise.all([one.drain(), other.queue.drain(), one.drain(), other.queue.drain()]);

  it('write a reply once, and tell of a mail once, whoever works', async () => {
    const ticket = { id: kind.ticketId, number: kind.ticketId };
    const { guest, page } = await visit(one, { ticket });
    for (let n = 0; n < 10; n++)
      await guest.submit(await guest.get(page.url), '/replies', {
        body: `reply ${n}`,
        formKey: `key-${n}-of-sixteen-signs`,
      });
    await drainBoth();
    // All due once more at one moment, so that both look for them together.
    await one.gateway.database.write((tx) =>
      tx.query(
        `UPDATE outbound_messages SET state = 'queued', ended_at = NULL, next_attempt_at = ${one.clock.now()} WHERE type = 'ticket.guest_replied'`,
      ),
    );
    await drainBoth();
    const messages = await rows(one, 'outbound_messages', `type = 'ticket.guest_replied'`);
    expect(messages).toHaveLength(10);
    expect(messages.every(({ state }) => state === 'delivered')).toBe(true);
    expect(desk.notes.map(({ text }) => text).toSorted()).toEqual(Array.from({ length: 10 }, (_, n) => `reply ${n}`));
    const sent = receiver.posts.filter(({ body }) => body.includes('"notification.sent"'));
    const deliveries = await rows(one, 'deliveries', `lane = 'mail' AND state = 'sent'`);
    expect(sent).toHaveLength(deliveries.length);
    expect(new Set(sent.map(({ headers }) => headers['webhook-id'])).size).toBe(deliveries.length);
  });

  it('know of a pause that the other was told of', async () => {
    const decide = async (what: string) =>
      (
        await fetch(`${one.url}/v1/admin/sources/default/${what}?reason=maintenance`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
        })
      ).status;
    expect(await decide('pause')).toBe(200);
    one.clock.advance({ seconds: 2 });
    const to = (email: string) => one.inbox.messages.filter((mail) => mail.to.includes(email)).length;
    await one.source.send('ticket.replied', {
      ticket: { id: 'two-1', number: '1' },
      requester: { email: 'two@example.com' },
      message: {},
    });
    one.clock.advance({ minutes: 11 });
    await drainBoth();
    expect(to('two@example.com')).toBe(0);
    expect(await decide('resume')).toBe(200);
    one.clock.advance({ seconds: 2 });
    await other.queue.drain();
    await drainBoth();
    expect(to('two@example.com')).toBe(1);
  });
});
