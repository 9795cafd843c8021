import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../src/config.js';
import { Suppressions } from '../../src/delivery/suppression.js';
import { Erasure } from '../../src/operations/erasure.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { linkOf } from '../support/mail.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, dump, rows, type TableName } from '../support/tables.js';
import { askForCode, newestMail, visit, type Visit } from '../support/visit.js';

const token = 'admin-token-of-at-least-thirty-two-signs';
const siti = 'Siti.Rahma@example.com';
const budi = 'budi@example.com';
/** Words of theirs, each of its own, so that a trace says where it is from. */
const traces = [
  ...['siti.rahma', 'Rahmawati', 'subjectword', 'agentword', 'replyword', 'draftword', 'historyword'],
  ...['fileword', 'draftfile', 'phoneword'],
];

describe.each(someDatabase)('a person who is erased on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeEach(async () => {
    source = await startReceiver();
    test = await createGateway({
      database,
      settings: { ADMIN_TOKEN: token, OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() },
    });
  });
  afterEach(async () => {
    await test.close();
    await source.close();
  });

  const ask = async (method: string, address = siti, query = '') => {
    const url = `${test.url}/v1/admin/people/${address}${query}`;
    const answer = await fetch(url, { method, headers: { authorization: `Bearer ${token}` } });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const erase = (address = siti) => ask('DELETE', address, '?reason=asked%20by%20letter');
  const stored = () => {
    const folder = join(test.gateway.config.dataDir, 'files');
    const all = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
    return all.filter((entry) => entry.isFile()).map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  };
  const tracesLeft = async () => {
    const all = `${await dump(test)}\n${stored().join('\n')}`.toLowerCase();
    return traces.filter((word) => all.includes(word.toLowerCase()));
  };
  const ticket = { id: 'own', number: '4711', subject: 'subjectword' };
  const requester = { email: siti, name: 'Rahmawati', locale: 'en' };
  const participants = [{ kind: 'guest', email: budi, name: 'Budi', locale: 'en' }];

  /** Walks through all that leaves a trace. */
  async function live(): Promise<Visit> {
    source.answer = (post, response) => void response.writeHead(post.body.includes('replyword') ? 500 : 204).end();
    await test.source.send('ticket.replied', {
      ticket,
      requester,
      message: { body: 'agentword' },
      data: {
        participants,
        history: [
          {
            id: 'h-1',
            author: { kind: 'requester', name: 'Rahmawati', email: siti },
            body: 'historyword',
            visibility: 'public',
            attachments: [
              { name: 'phoneword.pdf', contentType: 'application/pdf', size: 1, url: 'https://x.example/f' },
            ],
          },
        ],
      },
    });
    await test.drain();
    const guest = new Guest(test.url);
    const link = linkOf(newestMail(test, siti, ({ text }) => text.includes('/t/')));
    const { page, code } = await askForCode(test, guest, link, siti);
    await guest.submit(page, '/verify', { code: code === '000000' ? '000001' : '000000' });
    let room = await guest.submit(page, '/verify', { code });
    const ticketId = /\/tickets\/(tkt_\w+)/.exec(room.url)![1]!;
    room = await guest.submit(
      room,
      '/replies',
      { body: 'replyword' },
      {
        files: [
          { name: 'a.txt', content: Buffer.from('fileword') },
          { name: 'rahmawati.png', content: png() },
        ],
      },
    );
    await guest.submit(room, '/language', { language: 'id' });
    const fields = room.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
    await guest.post(
      `/tickets/${ticketId}/files`,
      { formToken: fields.formToken! },
      {
        files: [{ name: 'draftword.txt', content: Buffer.from('draftfile') }],
      },
    );
    await test.drain();
    await test.source.send('ticket.resolved', {
      ticket: { ...ticket, status: 'resolved' },
      requester,
      data: { participants },
    });
    await guest.submit(await guest.get(`/tickets/${ticketId}`), '/solved', { solved: 'yes' });
    await test.drain();
    return { guest, email: siti, link, ticketId, page: room };
  }

  it('leaves no trace in database and files, also of what waits, while the others go on', async () => {
    const { guest, link, ticketId } = await live();
    await test.source.send('ticket.reopened', { ticket, requester, data: { participants } });
    await test.drain();
    await test.gateway.database.write((tx) =>
      test.gateway.app.get(Suppressions).suppress(tx, siti.toLowerCase(), 'complaint'),
    );
    const [waits, parked] = await rows(test, 'deliveries', `recipient = '${siti}' AND lane = 'mail'`);
    const waiting = `state = 'deferred', ended_at = NULL, next_attempt_at = 9000000000000`;
    await change(test, `UPDATE deliveries SET ${waiting} WHERE id = '${String(waits!.id)}'`);
    await change(test, `UPDATE deliveries SET state = 'parked', deaths = 3 WHERE id = '${String(parked!.id)}'`);
    const budisLink = linkOf(newestMail(test, budi));
    const there = async (table: TableName) => [table, await count(test, table)];
    const tables = ['drafts', 'sessions', 'challenges', 'solved_answers', 'readings', 'language_choices'] as const;
    expect((await Promise.all(tables.map(there))).filter(([, n]) => n === 0)).toEqual([]);
    expect(await tracesLeft()).toEqual(expect.arrayContaining(['siti.rahma', 'replyword', 'fileword', 'draftfile']));

    const before = await dump(test);
    const counted = await ask('GET');
    expect((await dump(test)) === before).toBe(true);
    const { status, body } = await erase();
    expect(status).toBe(200);
    expect(body).toEqual(counted.body);
    expect(body).toMatchObject({ tickets: 1, messages: 2, replies: 1, files: 3, language: true, suppression: true });

    expect(await tracesLeft()).toEqual([]);
    expect(stored()).toEqual([]);
    await test.drain();
    expect(await tracesLeft()).toEqual([]);
    expect(await count(test, 'deliveries', 'ended_at IS NULL')).toBe(0);
    const ends = await rows(test, 'deliveries', `id IN ('${String(waits!.id)}', '${String(parked!.id)}')`);
    expect(ends.map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
    expect(await count(test, 'outbound_messages', `state = 'cancelled'`)).toBeGreaterThan(0);
    expect((await guest.get(`/tickets/${ticketId}`)).status).toBe(404);
    expect((await new Guest(test.url).get(link)).status).toBe(404);
    expect((await new Guest(test.url).get(budisLink)).status).toBe(200);
    const log = (await rows(test, 'audit_log')).filter(({ action }) => action === 'person.erased');
    expect(log).toMatchObject([
      { actor: 'admin', subject: expect.stringMatching(/^erased:s1:/), detail: 'asked by letter' },
    ]);
  });

  it('is erased once by many at once and by two processes, and a repeat finds nothing', async () => {
    await live();
    const other = await test.beside();
    const reason = { actor: 'admin', reason: 'x' };
    const all = await Promise.all(
      [test.gateway, other, test.gateway, other].map(({ app }) => app.get(Erasure).erase(siti.toLowerCase(), reason)),
    );
    await other.close();
    expect(all.reduce((sum, { tickets }) => sum + tickets, 0)).toBe(1);
    expect(all.reduce((sum, { replies }) => sum + replies, 0)).toBe(1);
    expect(await tracesLeft()).toEqual([]);
    const nothing = await erase();
    expect(Object.values(nothing.body).some(Boolean)).toBe(false);
    expect((await ask('GET')).body).toEqual(nothing.body);
  });

  it('goes on where it was cut off', async () => {
    await live();
    for (const n of [1, 2, 3]) await visit(test, { email: siti, ticket: { id: `t${n}`, number: `${n}` } });
    const erasure = test.gateway.app.get(Erasure);
    const { database } = test.gateway;
    const write = database.write.bind(database);
    let left = 9;
    database.write = (work) => (left-- > 0 ? write(work) : Promise.reject(new Error('cut off')));
    await expect(erasure.erase(siti.toLowerCase(), { actor: 'admin', reason: 'x' })).rejects.toThrow('cut off');
    database.write = write;
    const rest = await erasure.count(siti.toLowerCase());
    expect(rest.tickets).toBeGreaterThan(0);
    expect(rest.tickets).toBeLessThan(4);
    await erase();
    expect(await tracesLeft()).toEqual([]);
  });

  it('loses in another’s ticket what they wrote, and nothing else', async () => {
    const others = await visit(test, {
      email: budi,
      ticket: { ...ticket, id: 'budis' },
      message: { body: 'agentword stays' },
      data: {
        participants: [{ kind: 'guest', email: siti, name: 'Rahmawati', locale: 'en' }],
        history: [
          {
            id: 'h',
            author: { kind: 'participant', name: 'Rahmawati', email: siti },
            body: 'historyword',
            visibility: 'public',
          },
        ],
      },
    });
    await others.guest.submit(others.page, '/replies', { body: 'of budi' });
    await erase();
    const page = await others.guest.get(`/tickets/${others.ticketId}`);
    expect(page.text).toContain('agentword stays');
    expect(page.text).toContain('of budi');
    expect(page.text).toContain('subjectword');
    expect(page.html).not.toContain('historyword');
    expect(page.html).not.toContain('Rahmawati');
    expect((await tracesLeft()).toSorted()).toEqual(['agentword', 'subjectword']);
    expect(await count(test, 'replies')).toBe(1);
  });

  it('leaves to somebody else what they are to be told of, though it names the address or one that ends like it', async () => {
    source.answer = (_, response) => void response.writeHead(500).end();
    const email = `not.${siti}`;
    const participants = [{ kind: 'guest', email: siti, name: 'Rahmawati', locale: 'en' }];
    const other = await visit(test, { email, ticket, data: { participants } });
    const body = `mine, {"email":"${siti}"} knows`;
    await other.guest.submit(other.page, '/replies', { body });
    await erase();
    const [kept] = await rows(test, 'outbound_messages', "type = 'ticket.guest_replied'");
    expect(kept!.ended_at).toBeNull();
    expect(String(kept!.data)).toContain('mine');
  });

  it('stays unmailed if they complained, also after the ticket system names them again, until somebody releases them', async () => {
    await live();
    const suppressions = test.gateway.app.get(Suppressions);
    await test.gateway.database.write((tx) => suppressions.suppress(tx, siti.toLowerCase(), 'complaint'));
    await erase();
    const before = test.inbox.messages.length;
    const tell = (id: string) =>
      test.source.send('ticket.replied', { ticket: { id, number: id }, requester, message: {} });
    await tell('again');
    await test.drain();
    expect(test.inbox.messages).toHaveLength(before);
    expect((await rows(test, 'deliveries')).at(-1)!.state).toBe('suppressed');
    // Erased once more, with the suppression as it stands.
    await erase();
    expect(await tracesLeft()).toEqual([]);
    const url = `${test.url}/v1/admin/suppressions/${siti}`;
    const headers = { authorization: `Bearer ${token}` };
    expect(await (await fetch(url, { headers })).json()).toMatchObject({ suppressed: true, address: null });
    await fetch(`${url}?reason=asked`, { method: 'DELETE', headers });
    await tell('once more');
    await test.drain();
    expect(test.inbox.messages.slice(before).map(({ to }) => to)).toEqual([[siti]]);
  });

  it('begins anew with new news of the same ticket, and what was said before does not come back', async () => {
    const { link } = await live();
    await erase();
    const history = [
      {
        id: 'h-1',
        author: { kind: 'requester', name: 'Rahmawati', email: siti },
        body: 'historyword',
        visibility: 'public',
      },
    ];
    await test.source.send('ticket.replied', {
      ticket: { ...ticket, subject: 'new subject' },
      requester,
      message: { body: 'newword' },
      data: { history },
    });
    await test.drain();
    const fresh = linkOf(newestMail(test, siti, ({ text }) => text.includes('/t/')));
    expect(fresh).not.toBe(link);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, fresh, siti);
    const room = await guest.submit(page, '/verify', { code });
    expect(room.text).toContain('newword');
    expect(room.text).toContain('new subject');
    expect(room.html).not.toMatch(/historyword|agentword|replyword/);
    expect((await new Guest(test.url).get(link)).status).toBe(404);
  });

  it('may be erased by the command line beside the running gateway', async () => {
    const { ticketId, guest } = await live();
    const { dataDir } = test.gateway.config;
    const env = {
      ...{ PATH: process.env.PATH, NODE_ENV: 'test', DATA_DIR: dataDir, DATABASE_URL: test.databaseUrl, ...test.keys },
      ...{ SOURCE_SECRET: test.source.secret, PUBLIC_URL: test.url },
    };
    const run = async (...args: string[]) => {
      const command = [join(packageRoot, 'dist', 'src', 'cli.js'), 'erase', ...args];
      try {
        return { code: 0, ...(await promisify(execFile)(process.execPath, command, { env, cwd: dataDir })) };
      } catch (error) {
        return error as { code: number; stdout: string; stderr: string };
      }
    };
    const [without, nobody] = await Promise.all([run(siti), run('nobody', '--dry')]);
    expect(without.stderr).toContain('--reason WHY');
    expect(nobody.stderr).toContain('no e-mail address');
    expect((await run(siti, '--dry')).stdout).toMatch(/^Would be erased:\n {2}tickets +1\n/);
    expect((await guest.get(`/tickets/${ticketId}`)).status).toBe(200);
    expect((await run(siti, '--reason', 'asked by letter')).stdout).toMatch(/^Erased:\n {2}tickets +1\n/);
    expect((await guest.get(`/tickets/${ticketId}`)).status).toBe(404);
    expect(await tracesLeft()).toEqual([]);
    expect((await run(siti, '--dry')).stdout).toBe('Nothing is kept of this address.\n');
    expect((await rows(test, 'audit_log')).map(({ actor, action }) => [actor, action])).toEqual([
      ['command line', 'person.erased'],
    ]);
  }, 180_000);

  it('needs the token, an address and a reason', async () => {
    await live();
    const before = await dump(test);
    for (const method of ['GET', 'DELETE'])
      expect((await fetch(`${test.url}/v1/admin/people/${siti}?reason=x`, { method })).status).toBe(401);
    expect((await ask('DELETE')).status).toBe(422);
    expect((await erase('nobody')).status).toBe(422);
    expect(Object.values((await erase('nobody@example.com')).body).some(Boolean)).toBe(false);
    expect((await dump(test)) === before).toBe(true);
    expect(test.logs.filter((line) => /siti\.rahma/i.test(line))).toEqual([]);
  });
});
