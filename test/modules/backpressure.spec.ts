import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Admission } from '../../src/intake/admission.js';
import { DiskSpace } from '../../src/platform/disk-space.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { someDatabase } from '../support/some-database.js';
import { TestSource } from '../support/source.js';
import { count, rows } from '../support/tables.js';
import { Guest } from '../support/guest.js';
import { askForCode, invite } from '../support/visit.js';

const token = 'admin-token-of-at-least-32-signs-000001';

describe.each(someDatabase)('more than can be worked at, on $name', (database) => {
  let test: TestGateway;
  let other: TestSource;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-pressure-'));
    const [secret, otherSecret] = [generateWebhookSecret(), generateWebhookSecret()];
    const sources = [
      { name: 'default', secrets: [secret], eventsPerMinute: 5 },
      { name: 'other', secrets: [otherSecret] },
    ];
    const file = join(folder, 'sources.yaml');
    writeFileSync(file, JSON.stringify({ sources }));
    test = await createGateway({
      database,
      settings: { SOURCES_FILE: file, SOURCE_SECRET: secret, ADMIN_TOKEN: token },
    });
    other = new TestSource(test.url, otherSecret, test.clock, 'other');
  });
  afterAll(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => test.clock.advance({ minutes: 2 }));

  let tickets = 0;
  const event = (source: TestSource, email = 'siti@example.com') =>
    source.event('ticket.replied', {
      ticket: { id: `p-${++tickets}`, number: `${tickets}` },
      requester: { email, locale: 'en' },
      message: {},
    });
  const post = async (source: TestSource, options: Parameters<TestSource['post']>[1] = {}) => {
    const answer = await source.post(event(source), options);
    return { status: answer.status, wait: Number(answer.headers.get('retry-after')), body: await answer.text() };
  };
  const decide = async (name: string, what: 'pause' | 'resume', authorization = `Bearer ${token}`) =>
    fetch(`${test.url}/v1/admin/sources/${name}/${what}?reason=maintenance`, {
      method: 'POST',
      headers: { authorization },
    });

  it('a source with a limit gets 429 with the wait until there is room, and nothing of it is taken', async () => {
    for (let n = 0; n < 20; n++)
      expect((await post(test.source, { secret: generateWebhookSecret() })).status).toBe(401);
    const statuses = await Promise.all(Array.from({ length: 9 }, () => post(test.source)));
    expect(statuses.map(({ status }) => status).toSorted()).toEqual([202, 202, 202, 202, 202, 429, 429, 429, 429]);
    const before = await count(test, 'events');
    const refused = await post(test.source);
    expect([refused.status, refused.wait]).toEqual([429, 12]);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'too-many-requests' });
    expect(await count(test, 'events')).toBe(before);
    expect((await post(other)).status).toBe(202);
    test.clock.advance({ seconds: 11 });
    expect((await post(test.source)).status).toBe(429);
    test.clock.advance({ seconds: 1 });
    expect((await post(test.source)).status).toBe(202);
    expect((await post(test.source)).status).toBe(429);
  });

  it('a full line and a full disk get 503 with a wait, and later the same event is taken', async () => {
    const admission = test.gateway.app.get(Admission, { strict: false });
    let release = () => {};
    const gate = new Promise<void>((go) => (release = go));
    const held = Array.from({ length: 5000 }, () => admission.run(1, () => gate));
    const full = await post(other, { id: 'evt-later' });
    expect([full.status, full.wait]).toEqual([503, 5]);
    // Told as what it is: no fault of ours, and no stack for each of thousands.
    const told = test.logs.filter((line) => line.includes('answered 503'));
    expect(told.map((line) => (JSON.parse(line) as { level: number }).level)).toEqual([40]);
    expect(told[0]).toContain('more than can be written down');
    expect(told[0]).not.toContain('.js:');
    release();
    await Promise.all(held);
    const bytes = admission.run(64 * 1024 * 1024 - 10, () => new Promise<void>((go) => (release = go)));
    await new Promise((resolve) => setImmediate(resolve));
    expect((await post(other)).status).toBe(503);
    release();
    await bytes;
    const disk = test.gateway.app.get(DiskSpace, { strict: false }) as unknown as {
      kept: object;
      measure(): Promise<{ free: number; size: number }>;
    };
    const { measure } = disk;
    disk.measure = () => Promise.resolve({ free: 1024, size: 1024 ** 4 });
    disk.kept = { isFull: false, until: 0 };
    const noRoom = await post(other);
    expect([noRoom.status, noRoom.wait]).toEqual([503, 60]);
    disk.measure = measure;
    disk.kept = { isFull: false, until: 0 };
    expect((await post(other)).status).toBe(202);
  });

  it('a paused source loses nothing: its events are recorded, its mails wait, codes go on, others too', async () => {
    const link = await invite(test, { email: 'inside@example.com' });
    expect((await decide('default', 'pause')).status).toBe(200);
    const email = 'paused@example.com';
    expect((await test.source.post(event(test.source, email))).status).toBe(202);
    const to = (address: string) => test.inbox.messages.filter((mail) => mail.to.includes(address)).length;
    await test.drain();
    await other.send('ticket.replied', {
      ticket: { id: 'o-1', number: '1' },
      requester: { email: 'other@example.com' },
      message: {},
    });
    test.clock.advance({ minutes: 30 });
    await test.drain();
    expect([to(email), to('other@example.com')]).toEqual([0, 1]);
    // Whoever stands before the door is let in all the same.
    const { page, code } = await askForCode(test, new Guest(test.url), link, 'inside@example.com');
    expect([page.status, code.length > 0]).toEqual([200, true]);
    // Also by a process that was started anew.
    await test.restart();
    test.clock.advance({ minutes: 30 });
    await test.drain();
    expect(to(email)).toBe(0);
    expect((await rows(test, 'deliveries', `recipient = '${email}'`)).map(({ state }) => state)).toEqual(['queued']);
    expect(test.logs.join('')).toContain('a mail is held back: its source is paused');
    expect(test.logs.join('')).not.toContain('no longer needed');
    const listed = (await (
      await fetch(`${test.url}/v1/admin/sources`, { headers: { authorization: `Bearer ${token}` } })
    ).json()) as { items: { name: string; paused: boolean }[] };
    expect(listed.items.map(({ name, paused }) => [name, paused])).toEqual([
      ['default', true],
      ['other', false],
    ]);
    expect((await decide('default', 'resume')).status).toBe(200);
    await test.drain();
    expect(to(email)).toBe(1);
    test.clock.advance({ minutes: 30 });
    await test.drain();
    expect(to(email)).toBe(1);
  });

  it('pausing is for the operator alone, and is noted once however often it is said', async () => {
    expect((await decide('default', 'pause', 'Bearer nobody')).status).toBe(401);
    expect((await decide('nobody', 'pause')).status).toBe(404);
    const before = await count(test, 'audit_log');
    for (const what of ['pause', 'resume'] as const) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => decide('other', what)));
      expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    }
    const noted = (await rows(test, 'audit_log')).slice(before);
    expect(noted.map(({ action, subject, detail }) => [action, subject, detail])).toEqual([
      ['source.paused', 'other', 'maintenance'],
      ['source.resumed', 'other', 'maintenance'],
    ]);
    expect(await count(test, 'paused_sources')).toBe(0);
  });
});
