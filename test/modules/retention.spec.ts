import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Suppressions } from '../../src/delivery/suppression.js';
import { Retention } from '../../src/operations/retention.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import type { AdapterName } from '../../src/sources.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { isLong } from '../support/long.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { studioPerson } from '../support/studio.js';
import { change, count, dump, rows, type TableName } from '../support/tables.js';
import { visit } from '../support/visit.js';

const siti = 'siti@example.com';

describe.each(databases)('what is of no use any more on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeEach(async () => {
    source = await startReceiver();
    const settings = { OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() };
    test = await createGateway({ database, settings });
  });
  afterEach(async () => {
    await test.close();
    await source.close();
  });

  const sweep = () => test.gateway.app.get(Retention).sweep();
  const stored = () => {
    const folder = join(test.gateway.config.dataDir, 'files');
    const all = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
    return all.filter((entry) => entry.isFile()).length;
  };
  const counts = async (tables: readonly TableName[]) =>
    Object.fromEntries(await Promise.all(tables.map(async (table) => [table, await count(test, table)] as const)));
  const newsOf = (id: string) =>
    test.source.send('ticket.replied', {
      ticket: { id, number: id },
      requester: { email: siti, locale: 'en' },
      message: {},
    });
  const reply = async (id: string) => {
    const one = await visit(test, { ticket: { id, number: id, subject: 'subjectword' } });
    const page = await one.guest.submit(
      one.page,
      '/replies',
      { body: 'replyword' },
      {
        files: [{ name: 'fileword.txt', content: Buffer.from('of siti') }],
      },
    );
    await one.guest.submit(page, '/language', { language: 'id' });
    await test.drain();
    return one;
  };

  it('goes with its ticket, 90 days after the last news of it, with all that hangs on it; others stay', async () => {
    await reply('old');
    await newsOf('alive');
    await test.drain();
    test.clock.advance({ days: 60 });
    await newsOf('alive');
    await test.drain();
    test.clock.advance({ days: 29 });
    expect((await sweep()).tickets).toBeUndefined();
    expect(stored()).toBe(1);
    test.clock.advance({ days: 2 });
    const other = await test.beside();
    const swept = await Promise.all([sweep(), sweep(), other.app.get(Retention).sweep()]);
    await other.close();
    expect(swept.reduce((sum, { tickets = 0 }) => sum + tickets, 0)).toBe(1);
    expect(stored()).toBe(0);
    expect(await dump(test)).not.toMatch(/subjectword|replyword|fileword/);
    const gone = [
      'replies',
      'attachments',
      'drafts',
      'sessions',
      'challenges',
      'readings',
      'outbound_messages',
      'outbound_attempts',
    ] as const;
    expect(await counts(gone)).toEqual(Object.fromEntries(gone.map((table) => [table, 0])));
    expect(
      await counts(['tickets', 'participants', 'messages', 'deliveries', 'attempts', 'events', 'language_choices']),
    ).toEqual({
      ...{ tickets: 1, participants: 1, messages: 2, deliveries: 2, attempts: 2, events: 2, language_choices: 1 },
    });
    test.clock.advance({ days: 90 });
    expect(await sweep()).toMatchObject({ tickets: 1, language_choices: 1 });
    expect(await dump(test)).not.toContain(siti);
    // What the source tells then is new to everybody.
    await newsOf('old');
    await test.drain();
    expect(await count(test, 'deliveries', `state = 'sent'`)).toBe(1);
  });

  it('does not go while a reply waits for its source, or a mail is under way', async () => {
    source.answer = (_post, response) => void response.writeHead(500).end();
    await reply('stuck');
    await newsOf('waits');
    await test.drain();
    await change(test, `UPDATE outbound_messages SET state = 'parked', ended_at = 1`);
    const waits = `ticket_id = (SELECT id FROM tickets WHERE source_ticket_id = 'waits')`;
    await change(test, `UPDATE deliveries SET state = 'deferred', ended_at = NULL WHERE ${waits}`);
    test.clock.advance({ days: 365 });
    expect((await sweep()).tickets).toBeUndefined();
    expect(await count(test, 'outbound_messages')).toBe(await count(test, 'outbound_messages', `state = 'parked'`));
    expect(stored()).toBe(1);
    await change(test, `UPDATE outbound_messages SET state = 'delivered'`);
    await change(test, `UPDATE deliveries SET state = 'failed', ended_at = 1 WHERE ${waits}`);
    // A table that cannot be swept keeps no other from it.
    await change(test, 'ALTER TABLE studio_challenges RENAME TO studio_away');
    expect((await sweep()).tickets).toBe(2);
    await change(test, 'ALTER TABLE studio_away RENAME TO studio_challenges');
    expect(await counts(['tickets', 'deliveries', 'replies', 'outbound_messages'])).toEqual({
      ...{ tickets: 0, deliveries: 0, replies: 0, outbound_messages: 0 },
    });
  });

  it('goes piece by piece without losing news that comes meanwhile', async () => {
    for (let n = 0; n < 50; n++) await newsOf(`t${n}`);
    await test.drain();
    test.clock.advance({ days: 91 });
    const many = Array.from({ length: 10 }, (_, n) => newsOf(`t${n}`));
    const [swept] = await Promise.all([sweep(), ...many]);
    await test.drain();
    // Whichever came first: the ticket of each news is there, with that news and its mail.
    expect(swept!.tickets).toBeGreaterThanOrEqual(40);
    expect(await count(test, 'tickets')).toBe(10);
    const fresh = `received_at > ${test.clock.now() - 86_400_000}`;
    expect(await count(test, 'events', fresh)).toBe(10);
    expect(await count(test, 'deliveries', `created_at > ${test.clock.now() - 86_400_000} AND state = 'sent'`)).toBe(
      10,
    );
    expect(await count(test, 'messages')).toBeGreaterThanOrEqual(10);
  });

  it('stays where only the row of an event holds off that a webhook is sent again', async () => {
    const body = test.source.event('ticket.replied', { message: {} });
    const post = () => test.source.post(body, { id: 'evt_once' });
    expect((await post()).status).toBe(202);
    await test.drain();
    test.clock.advance({ days: 91 });
    const [one] = test.gateway.config.sources as { adapter: AdapterName }[];
    one!.adapter = 'zammad';
    expect((await sweep()).tickets).toBe(1);
    one!.adapter = 'standard';
    expect(await counts(['events', 'deliveries'])).toEqual({ events: 1, deliveries: 0 });
    expect((await post()).status).toBe(200);
    await test.drain();
    expect(await count(test, 'deliveries')).toBe(0);
  });

  it('goes by a time of its own where it is of use for a while only', async () => {
    const one = await reply('alive');
    const suppressions = test.gateway.app.get(Suppressions);
    await test.gateway.database.write(async (tx) => {
      await suppressions.countSoftBounce(tx, 'soft@example.com');
      await suppressions.suppress(tx, 'hard@example.com', 'hard-bounce');
      await suppressions.suppress(tx, 'free@example.com', 'hard-bounce');
      await suppressions.release(tx, 'free@example.com');
    });
    const [at] = [test.clock.now()];
    await change(
      test,
      `INSERT INTO audit_log VALUES ('aud_${one.ticketId.slice(4)}', ${at}, 'admin', 'x.y', 's', 'd')`,
    );
    const waiting = (await rows(test, 'events'))[0]!;
    const columns = '(id, source, sealed, attempts, outcome, created_at, next_attempt_at, ended_at)';
    await change(
      test,
      `INSERT INTO waiting_events ${columns} VALUES ('${String(waiting.id)}', 'default', 'sealed', 9, 'x', ${at}, ${at}, ${at})`,
    );
    const watched = ['challenges', 'sessions', 'waiting_events', 'suppressions', 'audit_log'] as const;
    // Each further news has a receipt of its own.
    const told = () => count(test, 'outbound_messages', `type NOT LIKE 'notification.%'`);
    const after = async (days: number) => {
      test.clock.advance({ days });
      // So that the ticket stays.
      await newsOf('alive');
      await test.drain();
      await sweep();
      return [...Object.values(await counts(watched)), await told()].join(' ');
    };
    const outbound = await told();
    expect(outbound).toBeGreaterThan(1);
    expect(await after(0)).toBe(`1 1 1 3 1 ${outbound}`);
    expect(await after(2)).toBe(`0 1 1 3 1 ${outbound}`);
    expect(await after(13)).toBe(`0 1 0 3 1 ${outbound}`);
    // What carried the reply stays beside it, so that its writer still reads that it arrived.
    expect(await after(16)).toBe('0 0 0 2 1 1');
    for (let n = 0; n < 6; n++) await after(60);
    expect(await after(11)).toBe('0 0 0 1 0 1');
    expect((await rows(test, 'suppressions'))[0]!.address_key).toBe('hard@example.com');
    expect(stored()).toBe(1);
  });

  it('stays of what a mail was compiled from as long as the mail does: admins read exactly what was sent', async () => {
    const tell = (type: string, id: string) =>
      test.source.send(type, { ticket: { id, number: id }, requester: { email: siti, locale: 'en' }, message: {} });
    await tell('ticket.resolved', 'old');
    await tell('ticket.replied', 'alive');
    await test.drain();
    test.clock.advance({ days: 60 });
    await tell('ticket.reopened', 'alive');
    await test.drain();
    expect(await sweep()).not.toHaveProperty('template_renditions');
    test.clock.advance({ days: 31 });
    const other = await test.beside();
    const swept = await Promise.all([sweep(), other.app.get(Retention).sweep()]);
    await other.close();
    expect(swept.reduce((sum, { template_renditions: gone = 0 }) => sum + gone, 0)).toBe(1);
    const kept = async () => (await rows(test, 'template_renditions')).map(({ key }) => key).sort();
    expect(await kept()).toEqual(['ticket-reopened', 'ticket-replied']);
    // This process wrote it down once, and knows it still.
    await tell('ticket.resolved', 'alive');
    await test.drain();
    expect(await kept()).toEqual(['ticket-reopened', 'ticket-replied', 'ticket-resolved']);
    await test.restart();
    const admin = await studioPerson(test, 'admin');
    const hidden = (text: string) => text.replaceAll(/(\/t\/)[\w.~-]{20,}/g, '$1••••••');
    const list = (await admin.ask('GET', 'sent?ticket=alive')).body as { id: string; revision: string }[];
    const shown = await Promise.all(list.toReversed().map(({ id }) => admin.ask('GET', `sent/${id}`)));
    const mails = test.inbox.messages.filter(({ subject }) => subject.includes('alive'));
    expect(shown.map(({ body: { subject, text, html } }) => [subject, text.trim(), html.trim()])).toEqual(
      mails.map(({ subject, text, html }) => [subject, hidden(text).trim(), hidden(html).trim()]),
    );
    expect(new Set(list.map(({ revision }) => revision)).size).toBe(3);
  });

  it('stays of what a mail is made of at that moment, though nothing named it just before', async () => {
    await newsOf('race');
    await test.drain();
    const other = await test.beside();
    const sweepers = [test.gateway, other].map(({ app }) => app.get(Retention));
    for (let turn = 0; turn < (isLong ? 50 : 6); turn++) {
      test.clock.advance({ days: 7, hours: 1 });
      // As if the tickets of all former ones were forgotten.
      await change(test, `UPDATE deliveries SET template_revision = 'none'`);
      await Promise.all([newsOf('race').then(() => test.drain()), ...sweepers.map((one) => one.sweep())]);
      const fixed = await rows(test, 'deliveries', `template_revision <> 'none'`);
      expect(fixed).toMatchObject([{ state: 'sent' }]);
      expect((await rows(test, 'template_renditions')).map(({ id }) => id)).toEqual([fixed[0]!.template_revision]);
    }
    await other.close();
  });

  it('stays for ever if told so', async () => {
    await test.restart({ RETENTION_DAYS: '0' });
    await newsOf('old');
    await test.drain();
    test.clock.advance({ days: 3000 });
    await sweep();
    expect(await counts(['tickets', 'messages', 'events'])).toEqual({ tickets: 1, messages: 1, events: 1 });
  });
});
