import { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { deflateRawSync } from 'node:zlib';
import { attachmentDisposition, cleanName } from '../../src/tickets/file-rules.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { counted } from '../support/counted.js';
import { docx, gif, jpeg, pdf, png, zip } from '../support/files.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import type { Page } from '../support/guest.js';
import { send } from '../support/raw.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, rows } from '../support/tables.js';
import { visit, type Visit } from '../support/visit.js';

const MB = 1024 * 1024;
const BOUNDARY = 'postern-boundary';

interface Upload {
  name: string;
  content: Buffer;
}

describe.each(someDatabase)('uploads on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  let me: Visit;
  beforeAll(async () => {
    ({ test, source } = await createGatewayAndReceiver({ database }));
    me = await visit(test);
  });
  afterAll(() => test.close());
  // Each test has its own hour of files.
  beforeEach(() => change(test, 'DELETE FROM limits'));

  const store = () => join(test.gateway.config.dataDir, 'files');
  const stored = (): string[] => {
    try {
      return readdirSync(store(), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
    } catch {
      return []; // nothing was ever stored
    }
  };
  const fresh = () => me.guest.get(`/tickets/${me.ticketId}`);
  const reply = async (files: Upload[], body = 'Here they are') =>
    me.guest.submit(await fresh(), '/replies', { body }, { files });
  const cookie = () => [...me.guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const fieldsOf = (page: Page) => page.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
  /** Posts a body as it is. */
  const post = (body: Buffer | string, type = `multipart/form-data; boundary=${BOUNDARY}`) =>
    send(test.url, {
      method: 'POST',
      path: `/tickets/${me.ticketId}/replies`,
      headers: { cookie: cookie(), origin: test.url, 'content-type': type },
      body,
    });
  /** Nothing of what was refused remains. */
  const snapshot = async () => [stored().sort(), await count(test, 'replies'), await count(test, 'attachments')];

  it('that are allowed are stored under random names that only we can read, and come back as they were', async () => {
    const files: Upload[] = [
      { name: 'a.png', content: png() },
      { name: 'b.jpg', content: jpeg() },
      { name: 'c.gif', content: gif() },
      { name: 'd.pdf', content: pdf() },
      { name: 'e.docx', content: docx() },
    ];
    const page = await reply(files);
    expect(page.status).toBe(200);
    const attachments = (await rows(test, 'attachments')).slice(-5);
    expect(attachments.map(({ name }) => name)).toEqual(files.map(({ name }) => name));
    for (const [n, { id, file }] of attachments.entries()) {
      const path = join(store(), String(file).slice(0, 2), String(file));
      expect(String(file)).toMatch(/^[0-9a-f]{48}$/);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
      const download = await send(test.url, {
        path: `/tickets/${me.ticketId}/attachments/${String(id)}`,
        headers: { cookie: cookie() },
      });
      expect(download.body).toEqual(files[n]!.content);
      // By its own name nobody finds it: there is no way by path.
      for (const way of [`/files/${String(file)}`, `/assets/../files/${String(file)}`, `/v1/files/${String(file)}`])
        expect((await me.guest.get(way)).status).toBe(404);
    }
  });

  it.each<[string, Upload[], RegExp]>([
    ['six files', Array.from({ length: 6 }, (_, n) => ({ name: `${n}.png`, content: png() })), /5 files/],
    ['a file over 10 MB', [{ name: 'large.txt', content: Buffer.alloc(10 * MB + 1, 'a') }], /large\.txt.*10 MB|10 MB/],
    ['files over 25 MB together', Array.from({ length: 3 }, (_, n) => ({ name: `${n}.txt`, content: Buffer.alloc(9 * MB, 'a') })), /25 MB/],
    ['an empty file', [{ name: 'empty.png', content: Buffer.alloc(0) }], /empty\.png/],
    ['a picture', [{ name: 'a.svg', content: Buffer.from('<svg onload="alert(1)"/>') }], /a\.svg/],
    ['a page', [{ name: 'a.html', content: Buffer.from('<script>') }], /a\.html/],
    ['a program', [{ name: 'a.exe', content: Buffer.from('MZ') }], /a\.exe/],
    ['an archive', [{ name: 'a.zip', content: zip({ a: 'b' }) }], /a\.zip/],
    ['a document with macros', [{ name: 'a.docm', content: docx() }], /a\.docm/],
    ['a picture that is a document', [{ name: 'a.pdf', content: png() }], /a\.pdf/],
    ['a page that is a picture', [{ name: 'a.gif', content: Buffer.from('<html>') }], /a\.gif/],
    ['a picture of 1,600 megapixels', [{ name: 'bomb.png', content: png(40_000, 40_000) }], /bomb\.png/],
    ['a name that JavaScript knows', [{ name: 'a.constructor', content: Buffer.from('x') }], /a\.constructor/],
    ['one bad file of three', [{ name: 'a.png', content: png() }, { name: 'b.exe', content: Buffer.from('MZ') }, { name: 'c.png', content: png() }], /b\.exe/],
  ])('refuse %s, say why, keep the text and leave nothing', async (_what, files, said) => {
    const before = await snapshot();
    const text = 'Ini teks saya & <b>lebih</b>\nbaris dua';
    const answer = await reply(files, text);
    expect(answer.status).toBe(422);
    expect(answer.text).toMatch(said);
    expect(fieldsOf(answer).body!.replace(/\r\n?/g, '\n')).toBe(text);
    expect(await snapshot()).toEqual(before);
    const again = await me.guest.submit(answer, '/replies', {}, { files: [] });
    expect([again.status, await count(test, 'replies')]).toEqual([200, (before[1] as number) + 1]);
  }); // prettier-ignore

  it('take exactly 10 MB, and 25 MB together', async () => {
    const files = [10, 10, 5].map((size, n) => ({ name: `${n}.txt`, content: Buffer.alloc(size * MB, 'a') }));
    expect((await reply(files)).status).toBe(200);
  });

  it('stop at 200 MB for a ticket, also when they come at once', async () => {
    const page = await reply([{ name: 'counted.png', content: png() }]);
    expect(page.status).toBe(200);
    const size = png().length;
    const [last] = (await rows(test, 'attachments')).slice(-1);
    const used = (await rows(test, 'attachments', `ticket_id = '${me.ticketId}'`)).reduce(
      (sum, one) => sum + Number(one.size),
      0,
    );
    // Room for one more file and a half.
    const raised = 200 * MB - (used - size) - Math.floor(1.5 * size);
    await change(test, `UPDATE attachments SET size = ${raised} WHERE id = '${String(last!.id)}'`);
    const before = await snapshot();
    const pages = await Promise.all(Array.from({ length: 8 }, fresh));
    const answers = await Promise.all(
      pages.map((one, n) =>
        me.guest.submit(one, '/replies', { body: `at once ${n}` }, { files: [{ name: 'a.png', content: png() }] }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const refused of answers.filter(({ status }) => status !== 200)) {
      expect(refused.status).toBe(422);
      expect(fieldsOf(refused).body).toMatch(/^at once \d$/);
    }
    expect(await count(test, 'attachments')).toBe((before[2] as number) + 1);
    expect(stored()).toHaveLength((before[0] as string[]).length + 1);
    await change(test, `UPDATE attachments SET size = 1 WHERE id = '${String(last!.id)}'`);
  });

  it('of one form make one reply and one message, however often it is sent', async () => {
    for (const how of ['one after another', 'at once']) {
      const page = await fresh();
      const before = await snapshot();
      const messages = await count(test, 'outbound_messages');
      const files = [{ name: 'once.png', content: png() }];
      const submit = () => me.guest.submit(page, '/replies', { body: how }, { files, follow: false });
      const answers: Page[] = [];
      if (how === 'at once') answers.push(...(await Promise.all(Array.from({ length: 20 }, submit))));
      else for (let n = 0; n < 3; n++) answers.push(await submit());
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
      expect(new Set(answers.map(({ headers }) => headers.get('location'))).size).toBe(1);
      expect([how, await count(test, 'replies')]).toEqual([how, (before[1] as number) + 1]);
      expect([how, await count(test, 'attachments')]).toEqual([how, (before[2] as number) + 1]);
      expect([how, await count(test, 'outbound_messages')]).toEqual([how, messages + 1]);
      expect(stored()).toHaveLength((before[0] as string[]).length + 1);
      await test.drain();
      expect(source.posts.filter(({ body }) => body.includes(`"body":"${how}"`))).toHaveLength(1);
    }
  });

  it('that break off in the middle leave no file and no row', async () => {
    const before = await snapshot();
    const { formToken, formKey } = fieldsOf(await fresh());
    const head = Buffer.concat([
      field('formToken', formToken!),
      field('formKey', formKey!),
      field('body', 'gone'),
      file('whole.png', png()),
      fileHead('half.txt'),
    ]);
    let arrived = 0;
    for (const half of [0, 10, 64 * 1024, 3 * MB]) {
      await new Promise<void>((resolve) => {
        const call = request(`${test.url}/tickets/${me.ticketId}/replies`, {
          method: 'POST',
          headers: {
            cookie: cookie(),
            origin: test.url,
            'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
            'content-length': String(20 * MB),
          },
        });
        call.on('error', () => resolve());
        call.write(Buffer.concat([head, Buffer.alloc(half, 'a')]), () => {
          // Only when the server has begun to store is this the middle.
          void until(() => stored().length > (before[0] as string[]).length)
            .then(() => arrived++)
            .finally(() => {
              call.destroy();
              resolve();
            });
        });
      });
      await until(() => stored().length === (before[0] as string[]).length);
    }
    expect(arrived).toBe(4);
    expect(await snapshot()).toEqual(before);
    expect(test.logs.filter((line) => line.includes('a page failed'))).toEqual([]);
  });

  it('of forms without their token are read to the end, so that a browser sees the answer, and leave nothing', async () => {
    const before = await snapshot();
    const { formKey } = fieldsOf(await fresh());
    const files = Array.from({ length: 3 }, (_, n) => file(`${n}.txt`, Buffer.alloc(5 * MB, 'a')));
    const answer = await post(Buffer.concat([field('formKey', formKey!), field('body', 'x'), ...files, end]));
    expect(answer.status).toBe(403);
    const stranger = await send(test.url, {
      method: 'POST',
      path: `/tickets/${me.ticketId}/replies`,
      headers: { origin: test.url, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: Buffer.concat([...files, end]),
    });
    expect(stranger.status).toBe(404);
    // The token stands behind the file: the file is not kept to find out.
    const { formToken } = fieldsOf(await fresh());
    const late = await post(
      Buffer.concat([files[0]!, field('formToken', formToken!), field('formKey', formKey!), end]),
    );
    expect(late.status).toBe(403);
    expect(await snapshot()).toEqual(before);
  });

  it('that are no forms at all, or broken ones, are answered, never with a 500, and leave nothing', async () => {
    const { formToken, formKey } = fieldsOf(await fresh());
    const good = [field('formToken', formToken!), field('formKey', formKey!)];
    const whole = Buffer.concat([...good, field('body', 'whole'), file('a.png', png()), end]);
    const type = `multipart/form-data; boundary=${BOUNDARY}`;
    const cut = (at: number) => whole.subarray(0, at);
    const raw = (text: string) => Buffer.concat([...good, Buffer.from(text), end]);
    const broken: [string, Buffer | string, string?][] = [
      ['nothing', ''],
      ['one byte', 'x'],
      ['line breaks', '\r\n\r\n\r\n'],
      ['the end only', end],
      ['the end twice', Buffer.concat([end, end])],
      ['no boundary in the type', whole, 'multipart/form-data'],
      ['an empty boundary', whole, 'multipart/form-data; boundary='],
      ['a quoted empty boundary', whole, 'multipart/form-data; boundary=""'],
      ['another boundary', whole, 'multipart/form-data; boundary=other'],
      ['a boundary of 300 signs', whole, `multipart/form-data; boundary=${'b'.repeat(300)}`],
      ['a boundary said twice, the wrong one first', whole, `multipart/form-data; boundary=other; boundary=${BOUNDARY}`],
      ['another multipart', whole, `multipart/mixed; boundary=${BOUNDARY}`],
      ['a plain form', `formToken=${formToken}&formKey=${formKey}&body=x`, 'application/x-www-form-urlencoded'],
      ['JSON', JSON.stringify({ formToken, formKey, body: 'x' }), 'application/json'],
      ['text', 'body=x', 'text/plain'],
      ['an odd type', whole, 'multipart'],
      ['cut after the boundary', cut(10)],
      ['cut in a header', cut(40)],
      ['cut in the token', cut(120)],
      ['cut before the file', cut(whole.length - png().length - 60)],
      ['cut in the file', cut(whole.length - 50)],
      ['cut in the last boundary', cut(whole.length - 4)],
      ['no end', cut(whole.length - end.length)],
      ['a part without headers', raw(`--${BOUNDARY}\r\n\r\nx\r\n`)],
      ['a part without a name', raw(`--${BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n`)],
      ['a part with an empty name', Buffer.concat([...good, field('', 'x'), end])],
      ['a part that is no form data', raw(`--${BOUNDARY}\r\nContent-Disposition: attachment; name="body"\r\n\r\nx\r\n`)],
      ['bare line feeds', Buffer.from(whole.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')],
      ['a NUL in a name', Buffer.concat([...good, field('bo\0dy', 'x'), end])],
      ['__proto__', Buffer.concat([...good, field('__proto__', 'x'), end])],
      ['constructor', Buffer.concat([...good, field('constructor', 'x'), end])],
      ['a file called __proto__', Buffer.concat([...good, file('a.png', png(), '__proto__'), end])],
      ['a body that is a file', Buffer.concat([...good, file('body.txt', Buffer.from('x'), 'body'), end])],
      ['a token that is a file', Buffer.concat([file('t.txt', Buffer.from(formToken!), 'formToken'), ...good.slice(1), end])],
      ['a key that is JSON', Buffer.concat([good[0]!, json('formKey', '["x"]'), field('body', 'x'), end])],
      ['a token that is JSON', Buffer.concat([json('formToken', '{"a":1}'), good[1]!, field('body', 'x'), end])],
      ['a field that is bad JSON', Buffer.concat([...good, json('body', '{'), end])],
      ['no key', Buffer.concat([good[0]!, field('body', 'x'), end])],
      ['an odd key', Buffer.concat([good[0]!, field('formKey', "x'--\0"), field('body', 'x'), end])],
      ['a very long key', Buffer.concat([good[0]!, field('formKey', 'k'.repeat(100_000)), field('body', 'x'), end])],
      ['a thousand fields', Buffer.concat([...good, ...Array.from({ length: 1000 }, () => field('body', 'x')), end])],
      ['a hundred files', Buffer.concat([...good, ...Array.from({ length: 100 }, () => file('a.png', png())), end])],
      ['a field of 1 MB', Buffer.concat([...good, field('body', 'x'.repeat(MB)), end])],
      ['a header of 100 KB', raw(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${'n'.repeat(100_000)}"\r\n\r\nx\r\n`)],
      ['a hundred headers', raw(`--${BOUNDARY}\r\n${'X-A: b\r\n'.repeat(100)}Content-Disposition: form-data; name="b"\r\n\r\nx\r\n`)],
      ['a transfer encoding', raw(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n`)],
      ['an unknown charset', raw(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="b"\r\nContent-Type: text/plain; charset=x-evil\r\n\r\nx\r\n`)],
      ['bytes that are no UTF-8 in a file name', raw(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename*=utf-8''%ff%fe.png\r\n\r\nx\r\n`)],
    ]; // prettier-ignore
    expect(broken.length).toBeGreaterThan(40);
    const before = await snapshot();
    for (const [what, body, contentType] of broken) {
      const answer = await post(body, contentType ?? type);
      expect([what, answer.status >= 400 && answer.status < 500]).toEqual([what, true]);
    }
    expect(await snapshot()).toEqual(before);
    counted('broken forms', broken.length);
    // What may be odd and is still a reply: text with every sign, a body said twice, an unknown field.
    const odd = Buffer.concat([
      ...good,
      field('unknown', '1'),
      field('body', 'first'),
      field('body', 'a\0b\u202e💣'),
      end,
    ]);
    expect((await post(odd)).status).toBe(303);
    expect((await rows(test, 'replies')).at(-1)!.body).toBe('ab\u202e💣');
  });

  it('are called by a clean name everywhere: row, page, download and webhook', async () => {
    const given = ['..\\..\\evil.png', '/etc/passwd.png', 'a\u202egnp.png', 'CON.png', `${'x'.repeat(300)}.png`];
    const clean = ['evil.png', 'passwd.png', 'agnp.png', '_CON.png', `${'x'.repeat(146)}.png`];
    const { formToken, formKey } = fieldsOf(await fresh());
    const files = given.map((name) => file(name, png()));
    const before = source.posts.length;
    const answer = await post(
      Buffer.concat([
        field('formToken', formToken!),
        field('formKey', formKey!),
        field('body', 'names'),
        ...files,
        end,
      ]),
    );
    expect(answer.status).toBe(303);
    const stored = (await rows(test, 'attachments')).slice(-5);
    expect(stored.map(({ name }) => name)).toEqual(clean);
    await test.drain();
    const told = JSON.parse(source.posts.at(-1)!.body) as { data: { reply: { attachments: { name: string }[] } } };
    expect(source.posts.length).toBeGreaterThan(before);
    expect(told.data.reply.attachments.map(({ name }) => name)).toEqual(clean);
    const page = await fresh();
    for (const name of clean) expect(page.html).toContain(name);
    const download = await me.guest.get(`/tickets/${me.ticketId}/attachments/${String(stored[0]!.id)}`);
    expect(download.headers.get('content-disposition')).toBe(
      `attachment; filename="evil.png"; filename*=UTF-8''evil.png`,
    );
  });
});

describe('uploads', () => {
  it('stream to disk: five files of 5 MB never stand in memory', async () => {
    const source = await startReceiver();
    const test = await createGateway({
      settings: { OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() },
    });
    try {
      const { guest, ticketId, page } = await visit(test);
      const { formToken, formKey } = page.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
      const cookie = [...guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      setFlagsFromString('--expose-gc');
      const collect = runInNewContext('gc') as () => void;
      const held = () => {
        collect();
        return process.memoryUsage().arrayBuffers;
      };
      const before = held();
      let most = 0;
      const chunk = Buffer.alloc(64 * 1024, 'a');
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const call = request(
          `${test.url}/tickets/${ticketId}/replies`,
          {
            method: 'POST',
            headers: { cookie, origin: test.url, 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
          },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode);
          },
        ).on('error', reject);
        const pieces = function* () {
          yield* [field('formToken', formToken!), field('formKey', formKey!), field('body', 'large')];
          for (let n = 0; n < 5; n++) {
            yield fileHead(`${n}.txt`);
            for (let sent = 0; sent < 5 * MB; sent += chunk.length) yield chunk;
            yield Buffer.from('\r\n');
          }
          yield end;
        };
        const rest = pieces();
        let written = 0;
        const go = (): void => {
          if (written++ % 16 === 0) most = Math.max(most, held() - before);
          const { value, done } = rest.next();
          if (done) call.end();
          else if (call.write(value)) setImmediate(go);
          else call.once('drain', go);
        };
        go();
      });
      expect(status).toBe(303);
      expect(most).toBeLessThan(5 * MB);
    } finally {
      await test.close();
      await source.close();
    }
  });

  it('that are gone from the disk are said to be gone, to guest and source', async () => {
    const source = await startReceiver();
    const test = await createGateway({
      settings: { OUTBOUND_URL: source.url, OUTBOUND_SECRET: generateWebhookSecret() },
    });
    try {
      const { guest, page } = await visit(test);
      const shown = await guest.submit(page, '/replies', { body: 'x' }, { files: [{ name: 'a.png', content: png() }] });
      const href = /\/tickets\/\w+\/attachments\/\w+/.exec(shown.html)![0];
      await test.drain();
      const signed = /\/v1\/files\/[\w.-]+/.exec(source.posts.at(-1)!.body)![0];
      expect((await guest.get(href)).status).toBe(200);
      await change(test, `UPDATE attachments SET file = '${'0'.repeat(48)}'`);
      for (const path of [href, signed]) {
        const { status, headers } = await guest.get(path);
        expect([path, status, headers.get('content-disposition')]).toEqual([path, 404, null]);
      }
    } finally {
      await test.close();
      await source.close();
    }
  });
});

describe('a corpus of uploads', () => {
  let test: TestGateway;
  let me: Visit;
  beforeAll(async () => {
    // Nobody has to listen there: the reply only has to be taken.
    const settings = { OUTBOUND_URL: 'http://127.0.0.1:9/', OUTBOUND_SECRET: generateWebhookSecret() };
    test = await createGateway({ settings });
    me = await visit(test);
  });
  afterAll(() => test.close());
  const submit = async (name: string, content: Buffer) => {
    // Nobody sends so many in an hour.
    await change(test, 'DELETE FROM limits');
    return me.guest.submit(
      await me.guest.get(`/tickets/${me.ticketId}`),
      '/replies',
      { body: 'x' },
      { files: [{ name, content }] },
    );
  };

  it('of 150 malicious files has none that is taken', async () => {
    const programs =
      'exe dll com scr bat cmd ps1 vbs js jse wsf hta jar msi lnk sh py php phtml jsp asp aspx cgi pl rb apk deb rpm dmg pkg iso img vhd reg url desktop';
    const pages = 'html htm xhtml shtml mht svg svgz xml xsl swf';
    const archives = 'zip rar 7z gz tgz bz2 xz tar cab arj lz ace z';
    const documents = 'doc xls ppt docm xlsm pptm dotm xltm xlam rtf odp pub one mdb';
    const named = [programs, pages, archives, documents]
      .join(' ')
      .split(' ')
      .map((kind) => [`a.${kind}`, png()] as const);
    const pictures = { png: png(), jpg: jpeg(), jpeg: jpeg(), gif: gif(), webp: png(), heic: png() };
    const foreign: Record<string, Buffer> = {
      program: Buffer.from('4d5a90000300000004000000ffff0000', 'hex'),
      elf: Buffer.from('7f454c4602010100', 'hex'),
      page: Buffer.from('<!doctype html><script>alert(1)</script>'),
      svg: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
      archive: zip({ 'a.txt': 'x' }),
      shell: Buffer.from('#!/bin/sh\nrm -rf /'),
      bytes: Buffer.from([0, 1, 2, 3]),
    };
    const disguised = Object.entries(foreign).flatMap(([what, content]) =>
      [...Object.keys(pictures), 'pdf', 'docx', 'mp4'].map((kind) => [`${what}.${kind}`, content] as const),
    );
    const behind = zip({ 'a.class': 'x', 'META-INF/MANIFEST.MF': 'x' });
    const polyglots = [
      ['jar.png', Buffer.concat([png(), behind])],
      ['jar.jpg', Buffer.concat([jpeg(), behind])],
      ['jar.gif', Buffer.concat([gif(), behind])],
      ['jar.pdf', Buffer.concat([pdf(), behind])],
      ['jar.txt', Buffer.concat([Buffer.from('hello\n'), Buffer.alloc(70_000, 'a'), behind])],
      ['pdf.gif', gif(1, 1, pdf())],
      ['pdf.txt', Buffer.concat([Buffer.from('hello\n'), pdf()])],
    ] as const;
    const macro = (more: Record<string, string>) => docx(undefined, more);
    const packed = deflateRawSync(Buffer.from('<Types ContentType="application/vnd.ms-office.vbaProject"/>'));
    const documentsThatRun = [
      ['vba.docx', macro({ 'word/vbaProject.bin': 'x' })],
      ['loud.docx', macro({ 'WORD/VBAPROJECT.BIN': 'x' })],
      ['data.docx', macro({ 'word/vbaData.xml': 'x' })],
      ['type.docx', macro({ '[content_types].xml': 'application/vnd.ms-office.vbaProject' })],
      ['twice.docx', macro({ 'WORD/document.xml': 'x' })],
      ['activex.docx', macro({ 'word/activeX/activeX1.bin': 'x' })],
      ['ole.docx', macro({ 'word/embeddings/oleObject1.bin': 'x' })],
      ['exe.docx', macro({ 'word/media/a.exe': 'x' })],
      ['sheet.docx', macro({ 'xl/macrosheets/sheet1.xml': 'x' })],
      ['basic.docx', macro({ 'Basic/Standard/Module1.xml': 'x' })],
      ['renamed.docx', withPackedTypes(packed)],
      ['tail.docx', Buffer.concat([docx(), Buffer.from('more')])],
      ['cut.docx', docx().subarray(0, -30)],
      ['two.docx', Buffer.concat([docx(), behind])],
    ] as const;
    const bombs = [
      ['bomb.png', png(40_000, 40_000)],
      ['bomb.jpg', jpeg(65_000, 65_000)],
      ['bomb.gif', gif(65_535, 65_535)],
      ['no.png', png(0, 0)],
      ['double.png.exe', png()],
      ['blank.png .exe', png()],
      ['none', png()],
      ['.png', png()],
      ['nul.txt', Buffer.from('a\0b')],
    ] as const;
    const corpus = [...named, ...disguised, ...polyglots, ...documentsThatRun, ...bombs];
    expect(corpus.length).toBeGreaterThanOrEqual(150);
    const taken: string[] = [];
    for (const [name, content] of corpus) {
      const { status } = await submit(name, content);
      if (status !== 422) taken.push(`${name}: ${status}`);
    }
    expect(taken).toEqual([]);
    counted('malicious files', corpus.length);
    expect(await count(test, 'attachments')).toBe(0);
    expect(['files', 'incoming'].map((folder) => filesIn(join(test.gateway.config.dataDir, folder)))).toEqual([0, 0]);
  });

  it('of 150 file names has none that is more than a name: on the page, in the row, in the header', async () => {
    const devices = [
      'con',
      'PRN',
      'aux',
      'NUL',
      'CONIN$',
      'conout$',
      ...[1, 5, 9, '¹', '²', '³'].flatMap((n) => [`com${n}`, `LPT${n}`]),
    ];
    const hidden = [
      '\u202e',
      '\u202d',
      '\u202a',
      '\u2066',
      '\u2067',
      '\u2069',
      '\u200e',
      '\u200f',
      '\u061c',
      '\u200b',
      '\u200d',
      '\ufeff',
      '\u00ad',
      '\u2028',
      '\u2029',
      '\u0000',
      '\u0001',
      '\u001b',
      '\u007f',
      '\u0085',
      '\u{e0041}',
      '\ue000',
    ];
    const signs = [
      '<',
      '>',
      ':',
      '"',
      '|',
      '?',
      '*',
      ';',
      '%',
      "'",
      '`',
      '&',
      '=',
      ',',
      '$',
      '#',
      '{',
      '}',
      '{{',
      '${',
      '\\',
      '/',
      '//',
      '../',
      '..\\',
      '%00',
      '%2e%2e%2f',
      '%0d%0a',
    ];
    const scripts = ['文件', 'ファイル', 'ملف', 'קובץ', 'ไฟล์', 'फ़ाइल', 'файл', 'é', 'e\u0301', '💣', '👩‍👩‍👧', 'ﷺ', 'Ω'];
    const given = [
      ...devices.flatMap((name) => [`${name}.png`, `${name} .png`]),
      ...hidden.flatMap((sign) => [`a${sign}gnp.png`, `${sign}.png`]),
      ...signs.map((sign) => `a${sign}b.png`),
      ...scripts.map((name) => `${name}.png`),
      ...[
        '.htaccess.png',
        '..png',
        '...png',
        ' .png',
        '. .png',
        '-rf.png',
        '~.png',
        '/etc/passwd.png',
        'C:\\a.png',
        '\\\\host\\a.png',
        'file:///a.png',
      ],
      ...[149, 150, 151, 300, 5000].flatMap((n) => [`${'x'.repeat(n)}.png`, `${'文'.repeat(n)}.png`]),
      ...Array.from({ length: 20 }, (_, n) => `${String.fromCodePoint(0x20 + 3 * n)}${n}.png`),
    ];
    expect(new Set(given).size).toBeGreaterThanOrEqual(150);
    for (const name of given) {
      const clean = cleanName(name);
      expect([name, clean]).not.toEqual([name, '']);
      expect(clean).not.toMatch(/[\p{C}\p{Zl}\p{Zp}/\\<>:"|?*;%]/u);
      expect(clean).not.toMatch(/^[.\s]|[.\s]$|^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³])\s*(\.|$)/i);
      expect([...clean].length).toBeLessThanOrEqual(150);
      expect(cleanName(clean)).toBe(clean);
      expect(attachmentDisposition(clean)).toMatch(
        /^attachment; filename="[\x20\x21\x23-\x5b\x5d-\x7e]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]*$/,
      );
    }
    counted('malicious file names', given.length);
    // Some of them through the whole house; the page escapes what it shows.
    for (const name of ['a{{b.png', "a'b.png", 'a&b.png', '👩‍👩‍👧.png', `${'文'.repeat(300)}.png`]) {
      const page = await submit(name, png());
      expect([name, page.status]).toEqual([name, 200]);
      const [row] = (await rows(test, 'attachments')).slice(-1);
      expect(row!.name).toBe(cleanName(name));
      const answer = await me.guest.get(`/tickets/${me.ticketId}/attachments/${String(row!.id)}`);
      expect(answer.headers.get('content-disposition')).toBe(attachmentDisposition(cleanName(name)));
    }
  });
});

function filesIn(folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).length;
  } catch {
    return 0; // nothing was ever kept
  }
}

/** A Word document whose list of types is packed, as the programs write it, and names macros that are called otherwise. */
function withPackedTypes(packed: Buffer): Buffer {
  const whole = zip({
    '[Content_Types].xml': 'x'.repeat(packed.length),
    'word/document.xml': 'x',
    'word/innocent.bin': 'x',
  });
  const at = whole.indexOf('x'.repeat(packed.length));
  packed.copy(whole, at);
  whole.writeUInt16LE(8, 8);
  whole.writeUInt16LE(8, whole.indexOf(Buffer.from('504b0102', 'hex')) + 10);
  return whole;
}

const end = Buffer.from(`--${BOUNDARY}--\r\n`);

function field(name: string, value: string): Buffer {
  return Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`);
}

function json(name: string, value: string): Buffer {
  return Buffer.from(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\nContent-Type: application/json\r\n\r\n${value}\r\n`,
  );
}

function fileHead(filename: string, name = 'files'): Buffer {
  return Buffer.from(
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  );
}

function file(filename: string, content: Buffer, name = 'files'): Buffer {
  return Buffer.concat([fileHead(filename, name), content, Buffer.from('\r\n')]);
}

/** Waits for what the server does by itself, ten seconds at most. */
async function until(holds: () => boolean): Promise<void> {
  for (const from = performance.now(); !holds(); await new Promise((resolve) => setImmediate(resolve)))
    if (performance.now() - from > 10_000) throw new Error('it did not happen within ten seconds');
}
