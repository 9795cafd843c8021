import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/config.js';
import { forecastText } from '../../src/forecast-text.js';
import type { Forecast } from '../../src/intake/dry-run.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { linkOf } from '../support/mail.js';
import { someDatabase } from '../support/some-database.js';
import { dump } from '../support/tables.js';

const path = '/v1/sources/default/events/dry-run';
type Foreseen = Extract<Forecast, { mails: unknown }>;

describe.each(someDatabase)('a dry run, on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => void (test = await createGateway({ database, settings: { QUIET_WINDOW_SECONDS: '30' } })));
  afterAll(() => test.close());
  beforeEach(() => test.clock.advance({ hours: 1 }));

  const foresee = async (body: Parameters<TestGateway['source']['post']>[0], more: object = {}) => {
    const response = await test.source.post(body, { path, ...more });
    return { status: response.status, body: (await response.json()) as Foreseen };
  };
  const budi = { kind: 'guest', email: 'budi@example.com', name: 'Budi', locale: 'pl' };

  it('says who would be told, in which language and why, in which words', async () => {
    const ticket = { id: 'd-1', number: '501' };
    const { status, body } = await foresee(
      test.source.event('ticket.replied', { ticket, message: { body: 'Halo' }, data: { participants: [budi] } }),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      duplicate: false,
      event: { type: 'ticket.replied', data: { ticket, message: { body: 'Halo' } } },
    });
    expect(body.mails.map(({ recipient, localeReason }) => [recipient, localeReason]).sort()).toEqual([
      ['budi@example.com', expect.stringMatching(/exact|language|source|default/)],
      ['siti@example.com', 'language'],
    ]);
    const mail = body.mails.find(({ recipient }) => recipient === 'siti@example.com')!;
    expect(mail).toMatchObject({ channel: 'email', locale: 'id', templateKey: 'ticket-replied', suppressed: null });
    expect(mail.subject).toContain('501');
    expect(mail.html).toContain('lang="id"');
  });

  it('changes no row of any table, sends nothing and shows no link that works, also of a ticket that is known', async () => {
    const ticket = { id: 'd-2', number: '502' };
    await test.source.send('ticket.created', { ticket });
    await test.drain();
    const [before, seen] = [await dump(test), test.inbox.messages.length];
    for (const type of ['ticket.replied', 'ticket.resolved', 'ticket.deleted', 'requester.changed', 'ticket.updated']) {
      const event = test.source.event(type, { ticket, message: { body: 'Halo' }, data: { participants: [budi] } });
      const { status, body } = await foresee(event);
      expect({ type, status }).toEqual({ type, status: 200 });
      for (const mail of body.mails) expect((await fetch(test.url + linkOf(mail))).status).toBe(404);
    }
    const own = { ticket, message: { body: 'Halo', author: { kind: 'requester' } } };
    for (const [untold, event] of [
      ['silent-type', test.source.event('ticket.updated', { ticket })],
      ['own-words', test.source.event('ticket.replied', own)],
      [null, test.source.event('ticket.replied', { ticket, message: {} })],
    ] as const)
      expect([untold, (await foresee(event)).body]).toEqual([untold, expect.objectContaining({ untold })]);
    await test.drain();
    expect(await dump(test)).toBe(before);
    expect(test.inbox.messages.length).toBe(seen);
  });

  it('says what really happens: the same mail comes of the same event, but for its link', async () => {
    const ticket = { id: 'd-3', number: '503' };
    await test.source.send('ticket.created', { ticket });
    await test.drain();
    test.clock.advance({ minutes: 5 });
    const event = test.source.event('ticket.resolved', {
      ticket: { ...ticket, status: 'resolved' },
      message: { body: 'Selesai' },
    });
    const { body } = await foresee(event, { id: 'evt_d3' });
    await test.source.post(event, { id: 'evt_d3' });
    await test.drain();
    const real = test.inbox.messages.at(-1)!;
    const bare = (text: string) =>
      text
        .replace(/\/t\/[\w.-]+/g, '/t/…')
        .replace(/\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]+\b/g, '…')
        .replace(/\s+/g, ' ')
        .trim();
    expect(body.mails.map(({ subject }) => subject)).toEqual([real.subject]);
    expect(bare(body.mails[0]!.text)).toBe(bare(real.text));
    expect((await foresee(event, { id: 'evt_d3' })).body).toMatchObject({ duplicate: true, mails: [] });
    expect((await foresee({ ...event, timestamp: '2026-01-01T00:00:00Z' }, { id: 'evt_d3' })).status).toBe(409);
  });

  it('what would wait in the quiet window says when it would leave, and leaves the mail that waits as it is', async () => {
    const ticket = { id: 'd-4', number: '504' };
    await test.source.send('ticket.created', { ticket });
    await test.drain();
    await test.source.send('ticket.replied', { ticket, message: { body: 'One' } });
    const before = await dump(test);
    const { body } = await foresee(test.source.event('ticket.replied', { ticket, message: { body: 'Two' } }));
    expect(body.mails).toMatchObject([{ templateKey: 'ticket-summary' }]);
    expect(Date.parse(body.mails[0]!.dueAt)).toBeGreaterThan(test.clock.now());
    expect(await dump(test)).toBe(before);
  });

  it('holds to the same answers: 401, 404, 415, 422, and an internal note is not shown', async () => {
    const event = test.source.event('ticket.replied', {
      ticket: { id: 'd-5' },
      message: { body: 'SECRET NOTE', visibility: 'internal' },
    });
    const statuses = [
      await test.source.post(event, { path, ageSeconds: 301 }),
      await test.source.post(event, { path: '/v1/sources/nobody/events/dry-run' }),
      await test.source.post(event, { path, headers: { 'content-type': 'text/plain' } }),
      await test.source.post({ ...event, type: 'x' }, { path }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([401, 404, 415, 422]);
    const { body } = await foresee(event);
    expect(body).toMatchObject({ mails: [] });
    expect(JSON.stringify(body)).not.toContain('SECRET NOTE');
  });

  it('20 of them beside the real event are in nobody’s way', async () => {
    await test.drain();
    const event = test.source.event('ticket.replied', { ticket: { id: 'd-6' }, message: { body: 'Halo' } });
    const answers = await Promise.all(
      Array.from({ length: 21 }, (_, i) => test.source.post(event, { id: 'evt_d6', ...(i === 10 ? {} : { path }) })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(20).fill(200), 202]);
    const seen = test.inbox.messages.length;
    await test.drain();
    expect(test.inbox.messages.length).toBe(seen + 1);
  });
});

describe('npm run postern', () => {
  let folder: string;
  let test: TestGateway;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-cli-'));
    test = await createGateway();
    const sources = [
      { name: 'default', secrets: [test.source.secret] },
      { name: 'desk', adapter: 'zammad', secrets: ['a secret of some length'], defaultLocale: 'id' },
    ];
    writeFileSync(join(folder, 'sources.yaml'), JSON.stringify({ sources }));
    writeFileSync(join(folder, 'body.json'), JSON.stringify(zammadBody));
    writeFileSync(join(folder, 'wrong.json'), '{"ticket":{"id":1}}');
  });
  afterAll(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });
  const zammadBody = {
    ticket: { id: 81, number: '10081', title: 'Late', state: 'open', updated_at: '2026-11-23T02:15:00Z', article_count: 2, customer: { firstname: 'Siti', email: 'siti@example.com' } },
    article: { id: 104, sender: 'Agent', internal: false, body: '<p>Halo</p>', content_type: 'text/html', created_at: '2026-11-23T02:15:00Z' },
  }; // prettier-ignore

  const run = async (...args: string[]) => {
    const env = { PATH: process.env.PATH, NODE_ENV: 'test', PUBLIC_URL: test.url, DATA_DIR: join(folder, 'data') };
    try {
      const command = [join(packageRoot, 'dist', 'src', 'cli.js'), ...args];
      return { code: 0, ...(await promisify(execFile)(process.execPath, command, { env, cwd: folder })) };
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string };
    }
  };

  it('dry-run needs no signature, shows the mail, and leaves nothing behind', async () => {
    const scratch = () => readdirSync(tmpdir()).filter((name) => name.startsWith('postern-dry-run-'));
    const before = scratch();
    const { code, stdout } = await run('dry-run', '--source', 'desk', 'body.json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      event: { type: 'ticket.replied' },
      mails: [{ recipient: 'siti@example.com', locale: 'id', subject: expect.stringContaining('10081') }],
    });
    expect(scratch().filter((name) => !before.includes(name))).toEqual([]);
    expect(readdirSync(folder).filter((name) => name.includes('sqlite'))).toEqual([]);
  });

  it('dry-run says what to change, by the places of the body', async () => {
    const { code, stderr } = await run('dry-run', '--source', 'desk', 'wrong.json');
    expect([code, stderr]).toEqual([1, expect.stringContaining('/ticket/number: is required')]);
  });

  it('dry-run in words shows recipients and mails, and nothing that steers the terminal', () => {
    const words = forecastText(
      [
        { ignored: 'internal' },
        {
          duplicate: false,
          event: { type: 'ticket.closed', data: { ticket: { number: '10080', status: 'closed' } } },
          untold: 'superseded',
          mails: [],
        },
        {
          duplicate: true,
          event: { type: 'ticket.replied', data: { ticket: { number: '10081', status: 'open' } } },
          untold: null,
          mails: [
            {
              ...{ recipient: 'siti@example.com', channel: 'email', locale: 'id', localeReason: 'language' },
              ...{ templateKey: 'ticket-replied', templateRevision: 'abc', dueAt: '', suppressed: 'complaint' },
              ...{
                subject: 'Balasan\u001b[2J',
                text: 'Halo Siti, tim dukungan kami membalas,\nbuka tiket\n',
                html: '<p>',
              },
            },
          ],
        },
      ] as Forecast[],
      { colour: false, columns: 40 },
    );
    expect(words.split('\n')).toEqual([
      ...['Ignored (internal): the message is not marked as public.', ''],
      ...['ticket.closed  ticket 10080, closed'],
      ...['Nobody is mailed (superseded): something newer is known of the ticket.', ''],
      ...['ticket.replied  ticket 10081, open', 'It is known already.', ''],
      'siti@example.com  email, id (language), ticket-replied abc',
      ...[
        '  nothing is sent to it: complaint',
        '  Balasan[2J',
        '  │ Halo Siti, tim dukungan kami',
        '  │ membalas,',
        '  │ buka tiket',
        '',
      ],
    ]);
  });

  it('dry-run in words keeps a line together where the terminal does not say how wide it is', () => {
    const mail = { recipient: 'a@example.com', suppressed: null, subject: 'S', text: 'Halo Siti, apa kabar?' };
    const event = { type: 'ticket.replied', data: { ticket: { number: '7', status: 'open' } } };
    const forecasts = [{ duplicate: false, event, mails: [mail] }] as unknown as Forecast[];
    expect(forecastText(forecasts, { colour: false, columns: 0 })).toContain('│ Halo Siti, apa kabar?\n');
  });

  it('send signs a sample and posts it to the gateway', async () => {
    const { stdout, code } = await run(
      'send',
      '--source',
      'default',
      '--type',
      'ticket.replied',
      '--to',
      'wati@example.com',
      '--locale',
      'id',
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^202 \{"eventId":"evt_\w+","duplicate":false\}/)]);
    await test.drain();
    expect(test.inbox.messages.at(-1)).toMatchObject({ to: ['wati@example.com'] });
  });

  it.each([
    ['nothing', [], 'npm run postern'],
    ['a command that there is not', ['sned'], 'There is no command sned'],
    ['a type that there is not', ['send', '--source', 'default', '--type', 'x'], 'ticket.replied'],
    ['a source that there is not', ['send', '--source', 'x', '--type', 'ticket.replied'], 'default, desk'],
    ['a source of another format', ['send', '--source', 'desk', '--type', 'ticket.replied'], 'zammad'],
    ['a file that there is not', ['dry-run', '--source', 'desk', 'none.json'], 'none.json'],
    ['an option that there is not', ['dry-run', '--sauce', 'desk'], '--sauce'],
  ])('says what is wrong with %s', async (_, args, what) => {
    const { code, stderr } = await run(...args);
    expect([code, stderr]).toEqual([1, expect.stringContaining(what)]);
  });
});
