import { Webhook } from 'standardwebhooks';
import type { ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../src/ids.js';
import { enableEndpoint } from '../../src/outbound/disabled-endpoint.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { databases } from '../support/databases.js';
import { png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startReceiver, type ReceivedPost, type Receiver } from '../support/receiver.js';
import { change, rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Security 29: after the first try. */
const WAITS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

describe.each(databases)('the outbound webhook on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  const secret = generateWebhookSecret();
  beforeEach(async () => {
    source = await startReceiver();
    test = await createGateway({ database, settings: { OUTBOUND_URL: source.url, OUTBOUND_SECRET: secret } });
  });
  afterEach(async () => {
    await test.close();
    await source.close();
  });

  const refuse =
    (status: number, headers: Record<string, string> = {}): Receiver['answer'] =>
    (_post, response) =>
      void response.writeHead(status, headers).end('no');
  /** A guest replies, and the source answers that so. */
  const guestReplies = async ({
    body = 'Ini ID transaksinya',
    files = [],
    answer = source.answer,
  }: { body?: string; files?: { name: string; content: Buffer }[]; answer?: Receiver['answer'] } = {}) => {
    const { guest, page } = await visit(test);
    await test.drain();
    source.posts.length = 0;
    source.answer = answer;
    const shown = await guest.submit(page, '/replies', { body }, { files });
    if (shown.status !== 200) throw new Error(shown.text);
    return { guest, shown };
  };
  const message = async () => (await rows(test, 'outbound_messages', `type = 'ticket.guest_replied'`)).at(-1)!;
  const told = () => source.posts.filter(({ body }) => body.includes('"ticket.guest_replied"'));
  /** Verified by somebody else's code, which goes by the real clock: the test's never went far from it in this case. */
  const verify = ({ headers, body }: ReceivedPost) =>
    new Webhook(secret).verify(body, headers as Record<string, string>) as {
      type: string;
      timestamp: string;
      data: { ticket: object; reply: { attachments: { url: string; sha256: string }[] } & Record<string, unknown> };
    };

  it('is signed as Standard Webhooks say and tells everything of the reply, once', async () => {
    await guestReplies({ files: [{ name: 'bukti.png', content: png() }] });
    await test.drain();
    await test.drain();
    expect(told()).toHaveLength(1);
    const body = verify(told()[0]!);
    const id = told()[0]!.headers['webhook-id'];
    expect(id).toBe((await message()).id);
    expect(body).toEqual({
      type: 'ticket.guest_replied',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      data: {
        ticket: { id: expect.stringMatching(/^ticket-/) as string, number: expect.any(String) as string },
        reply: {
          id: expect.stringMatching(/^rpl_/) as string,
          email: 'siti@example.com',
          body: 'Ini ID transaksinya',
          createdAt: expect.any(String) as string,
          attachments: [
            {
              name: 'bukti.png',
              contentType: 'image/png',
              size: png().length,
              sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
              url: expect.stringContaining('/v1/files/') as string,
            },
          ],
        },
      },
    });
    const forged = { ...told()[0]!, body: told()[0]!.body.replace('transaksinya', 'transaksimu') };
    expect(() => verify(forged)).toThrow();
  });

  it('is tried at 0, 5 s, 5 min, … 24 h with the same id and body, each time newly signed, then parked in sight', async () => {
    await guestReplies({ answer: refuse(500) });
    const startedAt = test.clock.now();
    await test.drain();
    expect(told()).toHaveLength(1);
    for (const [n, wait] of WAITS.entries()) {
      const { next_attempt_at: due, state } = await message();
      const left = Number(due) - test.clock.now();
      expect([n, state, left >= wait, left <= wait * 1.1 + 1]).toEqual([n, 'queued', true, true]);
      test.clock.advance({ seconds: (wait - 1) / SECOND });
      await test.drain();
      expect([n, told().length]).toEqual([n, n + 1]);
      // A restart in between forgets nothing.
      if (n === 2 || n === 6) await test.restart();
      test.clock.advance({ seconds: (wait * 0.1 + 2) / SECOND });
      await test.drain();
      expect([n, told().length]).toEqual([n, n + 2]);
    }
    expect(told()).toHaveLength(10);
    expect(new Set(told().map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(told().map(({ headers }) => headers['webhook-timestamp'])).size).toBe(10);
    expect(new Set(told().map(({ headers }) => headers['webhook-signature'])).size).toBe(10);
    expect(new Set(told().map(({ body }) => body)).size).toBe(1);
    expect(test.clock.now() - startedAt).toBeGreaterThan(75 * HOUR);

    expect((await message()).state).toBe('parked');
    test.clock.advance({ days: 30 });
    await test.drain();
    expect(told()).toHaveLength(10);
    const health = (await (await fetch(`${test.url}/health/ready`)).json()) as { parked: { outbound: number } };
    expect(health.parked.outbound).toBeGreaterThanOrEqual(1);
    const errors = test.logs.filter((line) => line.includes('"level":50') && line.includes('parked'));
    expect(errors.join()).toContain(String((await message()).id));
    expect(errors.join()).not.toContain('transaksinya');
    expect(await rows(test, 'outbound_attempts', `message_id = '${String((await message()).id)}'`)).toHaveLength(10);
  });

  it('tells the guest when the source would not take the reply', async () => {
    const { guest, shown } = await guestReplies({ answer: refuse(410) });
    await test.drain();
    expect((await guest.get(shown.url)).text).toContain('Not delivered');
    expect((await message()).state).toBe('parked');
    // 410 means never again: one try.
    test.clock.advance({ days: 2 });
    await test.drain();
    expect(told()).toHaveLength(1);
  });

  it('waits as long as Retry-After says, within reason', async () => {
    const asked: [string, string, number][] = [
      ['seconds', '7200', 2 * HOUR],
      ['a date', 'DATE', 3 * HOUR],
      ['less than the schedule', '1', 5 * SECOND],
      ['more than a day', String(10 * 24 * 3600), 24 * HOUR],
      ['nonsense', 'soon', 5 * SECOND],
      ['a negative number', '-5', 5 * SECOND],
      ['a time long ago', 'Mon, 01 Jan 2001 00:00:00 GMT', 5 * SECOND],
    ];
    for (const [what, header, wait] of asked) {
      const value = () => (header === 'DATE' ? new Date(test.clock.now() + 3 * HOUR).toUTCString() : header);
      await guestReplies({
        answer: (_post, response) => void response.writeHead(503, { 'retry-after': value() }).end(),
      });
      await test.drain();
      const left = Number((await message()).next_attempt_at) - test.clock.now();
      // A date has whole seconds.
      expect([what, left > wait - 1001, left <= wait * 1.1 + 1]).toEqual([what, true, true]);
    }
  });

  it('takes 2xx only as taken: a redirect, an error and a broken answer are tried again', async () => {
    const answers: Receiver['answer'][] = [
      refuse(301, { location: 'http://127.0.0.1:1/elsewhere' }),
      refuse(307, { location: '/hooks' }),
      refuse(404),
      refuse(401),
      refuse(429),
      (_post, response) => void response.socket!.destroy(),
      (_post, response) => void response.socket!.end('nonsense\r\n\r\n'),
    ];
    for (const answer of answers) {
      await guestReplies({ answer });
      await test.drain();
      expect([(await message()).state, told().length]).toEqual(['queued', 1]);
      test.clock.advance({ days: 2 });
      source.answer = (_post, response) => void response.writeHead(200).end('x'.repeat(200_000));
      await test.drain();
      // Read up to 64 KiB; that it was taken is known from its status.
      expect([(await message()).state, told().length]).toEqual(['delivered', 2]);
    }
  });

  it('gives the source files for seven days, by a URL that nobody can make', async () => {
    await guestReplies({ files: [{ name: 'bukti.png', content: png() }] });
    await test.drain();
    const { url } = verify(told()[0]!).data.reply.attachments[0]!;
    const get = async (path: string) => {
      const answer = await fetch(path);
      return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()), headers: answer.headers };
    };
    const file = await get(url);
    expect([file.status, file.body]).toEqual([200, png()]);
    expect(file.headers.get('content-disposition')).toMatch(/^attachment; /);
    expect(file.headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
    const bits = Buffer.from(url.split('/v1/files/')[1]!, 'latin1');
    for (let at = 0; at < bits.length; at++) {
      const flipped = Buffer.from(bits);
      flipped[at]! ^= 1 << (at % 8);
      const forged = encodeURIComponent(flipped.toString('latin1'));
      expect([at, (await get(`${test.url}/v1/files/${forged}`)).status]).toEqual([at, 404]);
    }
    test.clock.advance({ days: 6, hours: 23 });
    expect((await get(url)).status).toBe(200);
    test.clock.advance({ hours: 1, seconds: 1 });
    expect((await get(url)).status).toBe(404);
  });

  it('asks nobody twice when two workers look at once, and after a crash the message goes again', async () => {
    let release = () => {};
    await guestReplies({
      answer: (_post, response) => void (release = () => void response.writeHead(204).end()),
    });
    const first = test.drain();
    while (told().length === 0) await new Promise((resolve) => setImmediate(resolve));
    // While it is on its way it is leased: nobody else takes it.
    const { state, next_attempt_at: until } = await message();
    expect(state).toBe('leased');
    expect(Number(until) - test.clock.now()).toBeGreaterThanOrEqual(15 * SECOND);
    expect(Number(until) - test.clock.now()).toBeLessThanOrEqual(60 * SECOND);
    release();
    await first;
    expect(told()).toHaveLength(1);
    expect((await message()).state).toBe('delivered');
    // What a killed process leaves behind: leased, and the lease runs out.
    const { id } = await message();
    await test.gateway.database.write((tx) =>
      tx.query(
        `UPDATE outbound_messages SET state = 'leased', ended_at = NULL, next_attempt_at = ${test.clock.now() + 60_000} WHERE id = '${String(id)}'`,
      ),
    );
    source.answer = (_post, response) => void response.writeHead(204).end();
    test.clock.advance({ seconds: 59 });
    await test.drain();
    expect(told()).toHaveLength(1);
    test.clock.advance({ seconds: 31 });
    await test.drain();
    expect(told()).toHaveLength(2);
    expect(told()[1]!.headers['webhook-id']).toBe(told()[0]!.headers['webhook-id']);
  });
});

describe.each(databases)('several sources and their endpoints, on $name', (database) => {
  let test: TestGateway;
  let live: Receiver;
  let dead: Receiver;
  let folder: string;
  const hanging = new Set<ServerResponse>();
  const hang: Receiver['answer'] = (_post, response) => void hanging.add(response);
  /** Whatever hung is refused, and so is what comes from now on. */
  const release = () => {
    dead.answer = (_post, response) => void response.writeHead(500).end();
    for (const response of hanging) response.writeHead(500).end();
    hanging.clear();
  };
  beforeEach(async () => {
    [live, dead] = [await startReceiver(), await startReceiver()];
    folder = mkdtempSync(join(tmpdir(), 'postern-outbound-'));
    const secret = generateWebhookSecret();
    const source = (name: string, { url }: Receiver) => ({ name, secrets: [secret], outbound: { url, secret } });
    const file = join(folder, 'sources.yaml');
    writeFileSync(file, JSON.stringify({ sources: [source('default', live), source('dead', dead)] }));
    test = await createGateway({ database, settings: { SOURCES_FILE: file, SOURCE_SECRET: secret } });
  });
  afterEach(async () => {
    release();
    await test.close();
    await live.close();
    await dead.close();
    rmSync(folder, { recursive: true });
  });

  /** Messages that wait since long before anything else. */
  async function backlog(
    source: string,
    count: number,
    { type = 'notification.sent', state = 'queued', deaths = 0 } = {},
  ) {
    const at = test.clock.now() - HOUR;
    const ids = Array.from({ length: count }, () => newId('out', at));
    for (const id of ids)
      await change(
        test,
        `INSERT INTO outbound_messages (id, source, type, data, state, attempts, deaths, created_at, next_attempt_at)
         VALUES ('${id}', '${source}', '${type}', '{"ticket":{"id":"1","number":"1"}}', '${state}', 0, ${deaths}, ${at}, ${at})`,
      );
    return ids;
  }
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
  };
  const typesOf = ({ posts }: Receiver) => posts.map(({ body }) => (JSON.parse(body) as { type: string }).type);
  const statesOf = async (ids: readonly string[]) =>
    new Set(
      (await rows(test, 'outbound_messages')).filter(({ id }) => ids.includes(id as string)).map(({ state }) => state),
    );

  it('one that never answers keeps no other waiting, however much is due to it, and what waits is not leased', async () => {
    const { guest, page } = await visit(test);
    await test.drain();
    dead.answer = hang;
    await backlog('dead', 300);
    await backlog('dead', 20, { type: 'ticket.guest_replied' });
    live.posts.length = 0;
    const drained = test.drain();
    // Three quarters of the places of each kind.
    await until(() => hanging.size >= 15);
    await guest.submit(page, '/replies', { body: 'for the one that lives' });
    await until(() => typesOf(live).includes('ticket.guest_replied'));
    const leased = (await rows(test, 'outbound_messages', `source = 'dead' AND state = 'leased'`)).length;
    expect([leased, hanging.size]).toEqual([15, 15]);
    release();
    await drained;
    expect(dead.posts).toHaveLength(320);
  });

  it('what a guest said goes before receipts, also where the source does not answer those', async () => {
    const { guest, page } = await visit(test);
    await test.drain();
    live.answer = (post, response) =>
      post.body.includes('notification.sent') ? hang(post, response) : void response.writeHead(204).end();
    await backlog('default', 250);
    const drained = test.drain();
    await until(() => hanging.size > 0);
    await guest.submit(page, '/replies', { body: 'before the receipts' });
    await until(() => typesOf(live).includes('ticket.guest_replied'));
    expect(hanging.size).toBeLessThanOrEqual(9);
    live.answer = (_post, response) => void response.writeHead(204).end();
    release();
    await drained;
  });

  it('a stop waits for what is under way alone', async () => {
    dead.answer = hang;
    const ids = await backlog('dead', 100);
    void test.drain();
    await until(() => hanging.size >= 9);
    const before = dead.posts.length;
    const stopped = test.restart();
    release();
    await stopped;
    expect(dead.posts).toHaveLength(before);
    await test.drain();
    expect(dead.posts.length - before).toBe(ids.length - before);
  });

  it('410 ends it: nothing more is sent, over restarts and processes, until the URL is another or somebody replays', async () => {
    dead.answer = (_post, response) => void response.writeHead(410).end();
    const first = await backlog('dead', 30);
    await test.drain();
    // Those that were on their way at the same time.
    expect(dead.posts.length).toBeLessThanOrEqual(9);
    expect(await statesOf(first)).toEqual(new Set(['parked']));
    dead.posts.length = 0;
    dead.answer = (_post, response) => void response.writeHead(204).end();
    const second = await backlog('dead', 2);
    const other = await test.beside();
    await Promise.all([other.queue.drain(), test.drain()]);
    await other.close();
    await test.restart();
    const third = await backlog('dead', 2);
    const known = await backlog('default', 1);
    await test.drain();
    expect(dead.posts).toHaveLength(0);
    expect(await statesOf([...second, ...third])).toEqual(new Set(['parked']));
    expect(await statesOf(known)).toEqual(new Set(['delivered']));
    const attempts = await rows(test, 'outbound_attempts', `message_id = '${third[0]}'`);
    expect(attempts).toEqual([expect.objectContaining({ outcome: 'its endpoint answered 410 before' })]);
    expect(JSON.stringify(await rows(test, 'disabled_endpoints'))).not.toContain('127.0.0.1');

    await test.gateway.database.write((tx) => enableEndpoint(tx, 'dead'));
    await change(test, `UPDATE outbound_messages SET state = 'queued', ended_at = NULL WHERE id = '${third[0]}'`);
    await test.drain();
    expect(dead.posts).toHaveLength(1);
    // Disabled again, and another address in the settings is another endpoint.
    dead.answer = (_post, response) => void response.writeHead(410).end();
    await backlog('dead', 1);
    await test.drain();
    const moved = { name: 'dead', secrets: [], outbound: { url: `${dead.url}/v2`, secret: generateWebhookSecret() } };
    writeFileSync(
      join(folder, 'moved.yaml'),
      JSON.stringify({ sources: [{ ...moved, secrets: [test.source.secret] }] }),
    );
    dead.answer = (_post, response) => void response.writeHead(204).end();
    await test.restart({ SOURCES_FILE: join(folder, 'moved.yaml') });
    const fourth = await backlog('dead', 1);
    await test.drain();
    expect(await statesOf(fourth)).toEqual(new Set(['delivered']));
  });

  it('a message over which three workers died is kept for a person, and the others go on', async () => {
    const [killer] = await backlog('dead', 1, { state: 'leased', deaths: 2 });
    const others = await backlog('dead', 20, { state: 'leased' });
    let together = 0;
    let most = 0;
    dead.answer = (_post, response) => {
      most = Math.max(most, ++together);
      setImmediate(() => {
        together--;
        response.writeHead(204).end();
      });
    };
    await test.drain();
    expect(await statesOf([killer!])).toEqual(new Set(['parked']));
    expect(dead.posts.map(({ headers }) => headers['webhook-id'])).not.toContain(killer);
    expect(await rows(test, 'outbound_attempts', `message_id = '${killer}'`)).toEqual([
      expect.objectContaining({ outcome: '3 workers ended while they held it' }),
    ]);
    // What a worker may have died over goes one by one: the next death is that of one message.
    expect([most, await statesOf(others)]).toEqual([1, new Set(['delivered'])]);
  });
});

describe('the outbound webhook', () => {
  it('never reaches a private address where none is allowed, however it is spelled', async () => {
    const test = await createGateway();
    try {
      const urls = [
        'https://127.0.0.1:8443/hooks',
        'https://[::1]:8443/hooks',
        'https://localhost:8443/hooks',
        'https://10.0.0.1/hooks',
        'https://169.254.169.254/latest/meta-data',
        'https://[::ffff:127.0.0.1]/hooks',
        'https://0x7f.1/hooks',
        'https://2130706433/hooks',
      ];
      for (const url of urls) {
        const allowed = { ALLOW_PRIVATE_HOSTS: 'none.invalid' };
        await test.restart({ OUTBOUND_URL: url, OUTBOUND_SECRET: generateWebhookSecret(), ...allowed });
        const { guest, page } = await visit(test);
        await guest.submit(page, '/replies', { body: 'to nowhere' });
        await test.drain();
        const [message] = (await rows(test, 'outbound_messages', `type = 'ticket.guest_replied'`)).slice(-1);
        const attempts = await rows(test, 'outbound_attempts', `message_id = '${String(message!.id)}'`);
        expect([url, message!.state, attempts.map(({ outcome }) => outcome)]).toEqual([
          url,
          'queued',
          ['refused-address'],
        ]);
        test.clock.advance({ hours: 2 });
      }
    } finally {
      await test.close();
    }
  });
});
