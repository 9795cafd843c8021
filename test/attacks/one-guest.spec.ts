import { existsSync, readdirSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import sharp from 'sharp';
import { newId } from '../../src/ids.js';
import { DiskSpace } from '../../src/platform/disk-space.js';
import { insertRows } from '../../src/platform/database/rows.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { FileStore } from '../../src/tickets/file-store.js';
import { Reply } from '../../src/tickets/ticket.entity.js';
import { databases } from '../support/databases.js';
import { png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest, type Page } from '../support/guest.js';
import { within } from '../support/long.js';
import { send } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { count, rows } from '../support/tables.js';
import { askForCode, invite, opened, visit, type Visit } from '../support/visit.js';

const MIB = 1024 * 1024;

// What one guest, whose mailbox is proven, can do to the process that serves them all.

describe.each(someDatabase)('one guest on $name', (database) => {
  let test: TestGateway;
  let me: Visit;
  let refused: number | undefined;
  beforeEach(async () => {
    refused = undefined;
    // Nobody has to listen there: a reply only has to be taken.
    const settings = { OUTBOUND_URL: 'http://127.0.0.1:9/', OUTBOUND_SECRET: generateWebhookSecret() };
    test = await createGateway({ database, settings, onMail: () => refused });
    me = await visit(test);
  });
  afterEach(() => test.close());

  const path = () => `/tickets/${me.ticketId}`;
  const earlier = ({ html }: Page, end: string) =>
    new RegExp(`href="(${path()}\\?${end})"`).exec(html.replaceAll('&#x3D;', '=').replaceAll('&amp;', '&'))?.[1];
  const replyForm = (page: Page) => page.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
  const stored = () => {
    const folder = join(test.gateway.config.dataDir, 'files');
    const all = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
    return all.filter((entry) => entry.isFile()).length;
  };
  const keepReplies = (bodies: string[]) => {
    const { participantId } = opened(test, me.link);
    const ticketId = me.ticketId as Reply['ticketId'];
    const replies = bodies.map((body, n) => {
      const createdAt = test.clock.now() + n;
      return {
        id: newId('rpl', createdAt),
        ticketId,
        participantId,
        body,
        formKey: newId('rpl', createdAt),
        createdAt,
      };
    });
    return test.gateway.database.write(async (tx) => {
      for (let from = 0; from < replies.length; from += 50) await insertRows(tx, Reply, replies.slice(from, from + 50));
    });
  };

  it('writes a thousand replies of addresses alone: page and print stay small and quick, and lead to all of it', async () => {
    await keepReplies(Array.from({ length: 1000 }, (_, n) => `No. ${n} ${'a@b.cd '.repeat(2850)}`));
    for (const query of ['', '?print=1']) {
      let page = await me.guest.get(`${path()}${query}`);
      // The quickest of some: what else the machine does is no matter of this page.
      let took = Infinity;
      for (let n = 0; n < 3; n++) {
        const startedAt = performance.now();
        page = await me.guest.get(`${path()}${query}`);
        took = Math.min(took, performance.now() - startedAt);
      }
      expect(page.status).toBe(200);
      expect([query, took < within(1500), Buffer.byteLength(page.html) < 2_000_000]).toEqual([query, true, true]);
      expect(page.text).toContain('No. 999 ');
      expect(page.text).toContain('Show earlier messages');
      // 200 links of each message, the rest is text.
      const [links, texts] = [page.html.split('href="mailto:a@b.cd"').length - 1, page.html.split('No. ').length - 1];
      expect([texts > 20, links]).toEqual([true, texts * 200]);
    }
    const seen: number[] = [];
    let print = await me.guest.get(`${path()}?print=1`);
    for (let pages = 0; pages < 100; pages++) {
      seen.push(...[...print.html.matchAll(/No\. (\d+) /g)].map(([, number]) => Number(number)));
      const next = earlier(print, 'print=1&before=[\\w.]+');
      if (!next || pages === 3) break;
      print = await me.guest.get(next);
    }
    // Each once, without a gap, from the newest on.
    expect(seen.toSorted((a, b) => b - a)).toEqual(Array.from({ length: seen.length }, (_, n) => 999 - n));
    expect(seen.length).toBeGreaterThan(60);
  });

  it('sends thirty replies in an hour, not one more, however many at once; the text is kept, and the next hour is free', async () => {
    const page = await me.guest.get(path());
    const fields = replyForm(page);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        me.guest.post(
          `${path()}/replies`,
          { ...fields, formKey: `key-of-form-${n}`, body: `reply ${n}` },
          { follow: false },
        ),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect([303, 429].map((wanted) => statuses.filter((status) => status === wanted).length)).toEqual([30, 10]);
    expect(await count(test, 'replies')).toBe(30);
    const last = await me.guest.post(`${path()}/replies`, {
      ...fields,
      formKey: 'key-of-form-99',
      body: 'My words & more',
    });
    expect([last.status, Number(last.headers.get('retry-after'))]).toEqual([429, 3600]);
    expect(last.text).toContain('Your reply was not sent yet');
    expect(last.text).toContain('Please wait a little');
    expect(last.html).toContain('My words &amp; more');
    // What was taken is taken: the same form again is no other reply, and counts for none.
    const known = statuses.findIndex((status) => status === 303);
    const again = { ...fields, formKey: `key-of-form-${known}`, body: `reply ${known}` };
    expect((await me.guest.post(`${path()}/replies`, again, { follow: false })).status).toBe(303);
    // Somebody else writes on.
    const other = await visit(test, { email: 'other@example.com' });
    expect((await other.guest.submit(other.page, '/replies', { body: 'Hello' })).status).toBe(200);
    // Idle sessions end after half an hour: the page is looked at in between.
    for (let i = 0; i < 3; i++) {
      test.clock.advance({ minutes: 20 });
      await me.guest.get(path());
    }
    const later = { ...fields, formKey: 'key-of-form-99', body: 'x' };
    expect((await me.guest.post(`${path()}/replies`, later, { follow: false })).status).toBe(303);
  });

  it('brings sixty files in an hour: what comes after that is read past, and the text is kept', async () => {
    const { formToken = '' } = replyForm(me.page);
    const note = (n: number) => ({ name: `${n}.txt`, content: Buffer.from(`file ${n}`) });
    const upload = async (n: number) => {
      const files = Array.from({ length: 5 }, (_, i) => note(n * 5 + i));
      const answer = await me.guest.post(`${path()}/files`, { formToken }, { files });
      for (const { name, sha256 } of answer.status === 200 ? JSON.parse(answer.html).files : [])
        await me.guest.post(`${path()}/files/remove`, { formToken, name, sha256 });
      return answer.status;
    };
    for (let n = 0; n < 12; n++) expect([n, await upload(n)]).toEqual([n, 200]);
    expect(await upload(12)).toBe(429);
    expect(stored()).toBe(0);
    const form = { ...replyForm(await me.guest.get(path())), body: 'See the file' };
    const page = await me.guest.post(`${path()}/replies`, form, { files: [note(99)] });
    expect(page.status).toBe(429);
    expect(page.text).toContain('Please wait a little');
    expect(page.html).toContain('See the file');
    // Without a file it goes.
    expect((await me.guest.submit(page, '/replies', { body: 'See the file' })).status).toBe(200);
    expect(stored()).toBe(0);
  });

  it('is told to wait while the disk is nearly full, or full, with the text given back; nothing half is left', async () => {
    const disk = test.gateway.app.get(DiskSpace, { strict: false });
    const store = test.gateway.app.get(FileStore, { strict: false }) as unknown as {
      blobs: { keep(...given: unknown[]): Promise<void> };
    };
    const [isNearlyFull, keep] = [disk.isNearlyFull, store.blobs.keep];
    const reply = () =>
      me.guest.submit(me.page, '/replies', { body: 'My long text' }, { files: [{ name: 'a.png', content: png() }] });
    const incoming = () => {
      const folder = join(test.gateway.config.dataDir, 'incoming');
      return existsSync(folder) ? readdirSync(folder) : [];
    };
    const ways = [
      () => (disk.isNearlyFull = () => Promise.resolve(true)),
      ...['ENOSPC', 'EDQUOT', 'EROFS'].map((code) => () => {
        store.blobs.keep = () => Promise.reject(Object.assign(new Error('no room'), { code }));
      }),
    ];
    for (const full of ways) {
      full();
      const page = await reply();
      expect([page.status, page.headers.get('retry-after')]).toEqual([503, '60']);
      expect(page.html).toContain('My long text');
      Object.assign(disk, { isNearlyFull });
      store.blobs.keep = keep;
    }
    expect([stored(), incoming(), await count(test, 'replies')]).toEqual([0, [], 0]);
    expect(test.logs.join('\n')).not.toContain('a page failed');
    expect((await reply()).status).toBe(200);
  });

  it('gets the text back when the database cannot take the reply', async () => {
    const { database: store } = test.gateway;
    const { write } = store;
    const failing = () => Promise.reject(Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' }));
    const form = { ...replyForm(me.page), body: 'Words that took an hour' };
    store.write = failing as typeof write;
    try {
      const page = await me.guest.post(`${path()}/replies`, form);
      expect([page.status, page.html.includes('Words that took an hour')]).toEqual([503, true]);
      const withFile = await me.guest.post(`${path()}/replies`, form, { files: [{ name: 'a.png', content: png() }] });
      expect([withFile.status, withFile.html.includes('Words that took an hour')]).toEqual([503, true]);
    } finally {
      store.write = write;
    }
    expect((await me.guest.post(`${path()}/replies`, form)).status).toBe(200);
    expect(await count(test, 'replies')).toBe(1);
  });

  it('has two forms read at once and no more; the others wait, and are read', async () => {
    const store = test.gateway.app.get(FileStore, { strict: false });
    const { receive } = store;
    let [now, most] = [0, 0];
    store.receive = async (...given) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      return receive.apply(store, given).finally(() => now--);
    };
    const { formToken = '' } = replyForm(me.page);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () =>
        me.guest.post(
          `${path()}/files`,
          { formToken },
          { files: [{ name: 'a.txt', content: Buffer.alloc(MIB, 'a') }] },
        ),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(most).toBe(2);
  });

  it('without a session is not read beyond the text that stands before the files', async () => {
    const stranger = new Guest(test.url);
    const body = 'What I wrote';
    const files = Array.from({ length: 3 }, (_, n) => ({ name: `${n}.txt`, content: Buffer.alloc(5 * MIB, 'a') }));
    const page = await stranger.post(`${path()}/replies`, { formToken: 'x', formKey: 'x', body }, { files });
    expect([page.status, page.html.includes(body)]).toEqual([404, true]);
    expect((await stranger.post(`${path()}/files`, { formToken: 'x' }, { files })).status).toBe(404);
    // More than an honest form can hold: it is hung up on.
    const much = files.flatMap((file) => [file, file, file]);
    const ended = await stranger.post(`${path()}/files`, { formToken: 'x' }, { files: much }).then(
      ({ status }) => status,
      () => 'hung up',
    );
    expect([404, 'hung up']).toContain(ended);
    expect(stored()).toBe(0);
  });

  it('has a picture that cannot be read tried once, whoever looks at it, also after a restart', async () => {
    const whole = await sharp({ create: { width: 900, height: 600, channels: 3, background: '#c04020' } })
      .jpeg()
      .toBuffer();
    const broken = whole.subarray(0, whole.length - 700);
    const sent = await me.guest.submit(
      me.page,
      '/replies',
      { body: 'x' },
      { files: [{ name: 'a.jpg', content: broken }] },
    );
    expect(sent.status).toBe(200);
    const [row] = await rows(test, 'attachments');
    const cookie = () => [...me.guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const get = () =>
      send(test.url, { path: `${path()}/attachments/${String(row!.id)}/preview`, headers: { cookie: cookie() } });
    const tries = () => test.logs.filter((line) => line.includes('a picture could not be read')).length;
    const looks = await Promise.all(Array.from({ length: 10 }, get));
    expect(new Set(looks.map(({ status }) => status))).toEqual(new Set([404]));
    expect(tries()).toBe(1);
    await test.restart();
    expect((await get()).status).toBe(404);
    expect(tries()).toBe(1);
  });
});

describe.each(someDatabase)('a code that did not leave on $name', (database) => {
  let test: TestGateway;
  let answer: number | undefined;
  beforeEach(async () => {
    answer = undefined;
    test = await createGateway({ database, onMail: () => answer });
  });
  afterEach(() => test.close());

  it('is not said to have been sent: refused by the mail server, the page says that the address cannot be reached', async () => {
    const link = await invite(test);
    answer = 550;
    const guest = new Guest(test.url);
    const page = await guest.submit(await guest.get(link), '/code');
    await test.drain();
    expect((await rows(test, 'deliveries', "lane = 'codes'")).map(({ state }) => state)).toEqual(['failed']);
    for (const query of ['', '?again=1']) {
      const shown = await guest.get(`${link}/code${query}`);
      expect([shown.status, shown.text.includes('We cannot email this address')]).toEqual([409, true]);
      expect(shown.text).not.toMatch(/sent a code|We emailed/);
    }
    // Pressed again at once: it says the same, and sends nothing.
    expect((await guest.submit(page, '/code')).text).toContain('We cannot email this address');
    expect(await count(test, 'challenges')).toBe(1);
    // It may have been for a moment: a new code is a new try.
    answer = undefined;
    test.clock.advance({ minutes: 2 });
    expect((await askForCode(test, guest, link)).page.text).toContain('We sent a code to');
  });

  it('and waits for longer than a minute, is not said to come within one', async () => {
    const link = await invite(test);
    answer = 451;
    const guest = new Guest(test.url);
    expect((await guest.submit(await guest.get(link), '/code')).text).toContain('We sent a code to');
    await test.drain();
    test.clock.advance({ seconds: 61 });
    const slow = await guest.get(`${link}/code`);
    expect(slow.status).toBe(200);
    expect(slow.text).not.toMatch(/We sent a code|within a minute/);
    expect(slow.html).toContain('role="status">An email can take a minute or two');
    answer = undefined;
    await test.drain();
    expect((await guest.get(`${link}/code`)).text).toContain('We sent a code to');
  });
});

describe('the gateway', () => {
  it('hangs up on a body that does not come to its end, and leaves one with files its time', async () => {
    const test = await createGateway({ longestBodyMs: 150 });
    const sockets: Socket[] = [];
    try {
      const slow = (head: string) =>
        new Promise<string>((resolve) => {
          const { hostname, port } = new URL(test.url);
          const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(head));
          sockets.push(socket);
          let answered = '';
          socket.on('data', (part) => (answered += part.toString('latin1')));
          socket.on('error', () => socket.destroy());
          socket.on('close', () => resolve(answered.slice(0, 12)));
        });
      const post = (to: string, type: string) =>
        `POST ${to} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 1000\r\n\r\n`;
      expect(await slow(`${post('/events/default', 'application/json')}{`)).toBe('HTTP/1.1 408');
      expect(await slow(`${post('/t/x/code', 'application/x-www-form-urlencoded')}a`)).toBe('HTTP/1.1 408');
      const files = slow(`${post('/tickets/x/replies', 'multipart/form-data; boundary=b')}--b\r\n`);
      // Both were begun before it, and are over: it still waits.
      expect(await slow(`${post('/events/default', 'application/json')}{`)).toBe('HTTP/1.1 408');
      expect(await Promise.race([files, Promise.resolve('waits')])).toBe('waits');
      expect(test.gateway.app.getHttpServer()).toMatchObject({ maxConnections: 3000, headersTimeout: 30_000 });
    } finally {
      for (const socket of sockets) socket.destroy();
      await test.close();
    }
  });

  it('keeps its database from the other users of the machine', async () => {
    const test = await createGateway({ database: databases.find(({ name }) => name === 'SQLite')! });
    try {
      await visit(test);
      const folder = test.gateway.config.dataDir;
      const files = readdirSync(folder).filter((name) => /\.(db|sqlite)/.test(name));
      expect(files.length).toBeGreaterThan(0);
      for (const name of files) expect([name, statSync(join(folder, name)).mode & 0o77]).toEqual([name, 0]);
    } finally {
      await test.close();
    }
  });
});
