import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clamd } from '../../src/platform/clamd.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { Scanner } from '../../src/tickets/scanner.js';
import {
  answering,
  describeWithClamd,
  eicar,
  isWhole,
  startClamd,
  startScriptedClamd,
  type ScriptedClamd,
} from '../support/clamd.js';
import { docx, png } from '../support/files.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { closedPort, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { someDatabase } from '../support/some-database.js';
import { count } from '../support/tables.js';
import { visit, type Visit } from '../support/visit.js';

const TIMES = { connectMs: 300, silenceMs: 300, wholeMs: 1000 };
// Nobody has to listen there: the reply only has to be taken.
const outbound = () => ({ OUTBOUND_URL: 'http://127.0.0.1:9/', OUTBOUND_SECRET: generateWebhookSecret() });

const filesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile())
      .map(({ name }) => name);
  } catch {
    return []; // nothing was ever kept
  }
};
const kept = (test: TestGateway) =>
  ['files', 'incoming'].flatMap((name) => filesIn(join(test.gateway.config.dataDir, name)));
const reply = async (
  { guest, ticketId }: Visit,
  files: { name: string; content: Buffer | string }[],
  body = 'My text & more',
) =>
  guest.submit(
    await guest.get(`/tickets/${ticketId}`),
    '/replies',
    { body },
    { files: files.map(({ name, content }) => ({ name, content: Buffer.from(content) })) },
  );

describeWithClamd('a real clamd', () => {
  it('finds the test file plain and inside a document, by TCP and by socket, and passes what is clean', async () => {
    const clamd = await startClamd();
    const test = await createGateway({ settings: { ...outbound(), CLAMD_URL: clamd.url } });
    try {
      for (const url of [clamd.url, clamd.socketUrl]) {
        await test.restart({ CLAMD_URL: url });
        const me = await visit(test);
        const before = [await count(test, 'replies'), kept(test).length];
        for (const [name, content] of [
          ['harmless.txt', eicar],
          ['letter.docx', docx(undefined, { 'word/media/note.txt': eicar })],
        ] as const) {
          const refused = await reply(me, [
            { name: 'good.png', content: png() },
            { name, content },
          ]);
          expect(refused.status).toBe(422);
          expect(refused.text).toContain(`${name} contains a virus, so we did not send it`);
          expect(refused.html).toContain('My text &amp; more');
        }
        expect([await count(test, 'replies'), kept(test).length]).toEqual(before);
        expect((await reply(me, [{ name: 'good.docx', content: docx() }])).status).toBe(200);
        expect(await (await fetch(`${test.url}/health/ready`)).json()).toMatchObject({ status: 'ok', scanner: 'ok' });
      }
      await clamd.stop();
      // As long as anybody who asks at once is told the same.
      expect(await (await fetch(`${test.url}/health/ready`)).json()).toMatchObject({ scanner: 'ok' });
      test.clock.advance({ seconds: 2 });
      expect(await (await fetch(`${test.url}/health/ready`)).json()).toMatchObject({
        status: 'ok',
        scanner: 'unavailable',
      });
      expect(test.logs.join('\n')).not.toMatch(/harmless\.txt|letter\.docx/);
    } finally {
      await clamd.stop();
      await test.close();
    }
  });

  it('that takes no files of this size is no reason to pass them', async () => {
    const clamd = await startClamd(['StreamMaxLength 1M']);
    const folder = mkdtempSync(join(tmpdir(), 'postern-scan-'));
    try {
      const path = join(folder, 'large');
      writeFileSync(path, Buffer.alloc(8 * 1024 * 1024, 'a'));
      const { port } = new URL(clamd.url);
      expect((await new Clamd({ host: '127.0.0.1', port: Number(port) }).scan(path)).kind).toBe('unknown');
    } finally {
      await clamd.stop();
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a scanner that misbehaves', () => {
  let clamd: ScriptedClamd;
  const folder = mkdtempSync(join(tmpdir(), 'postern-scan-'));
  const path = join(folder, 'file');
  beforeAll(async () => {
    writeFileSync(path, Buffer.alloc(300_000, 'a'));
    clamd = await startScriptedClamd(answering('stream: OK\0'));
  });
  afterAll(async () => {
    await clamd.close();
    rmSync(folder, { recursive: true });
  });
  const scan = () => new Clamd({ host: '127.0.0.1', port: Number(new URL(clamd.url).port) }, TIMES).scan(path);

  it('gets the whole file in chunks that say their length, and its OK is taken', async () => {
    let content = Buffer.alloc(0);
    clamd.script = (socket, received) => {
      if (!isWhole(received)) return;
      for (let at = 10; received.readUInt32BE(at) > 0; at += 4 + received.readUInt32BE(at))
        content = Buffer.concat([content, received.subarray(at + 4, at + 4 + received.readUInt32BE(at))]);
      socket.end('stream: OK\0');
    };
    expect(await scan()).toEqual({ kind: 'clean' });
    expect(content).toEqual(Buffer.alloc(300_000, 'a'));
  });

  it('is believed when it finds something, also before it has read everything', async () => {
    clamd.script = answering('stream: Win.Test FOUND\0');
    expect(await scan()).toEqual({ kind: 'infected', signature: 'Win.Test' });
    clamd.script = (socket, received) => void (received.length > 70_000 && socket.end('stream: Early FOUND\0'));
    expect(await scan()).toEqual({ kind: 'infected', signature: 'Early' });
  });

  it.each<[string, ScriptedClamd['script']]>([
    ['says nothing', () => undefined],
    ['says nothing after all was read', (_socket, received) => void isWhole(received)],
    ['closes at once', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['closes after all was read', (socket, received) => void (isWhole(received) && socket.end())],
    ['breaks off its answer', (socket, received) => void (isWhole(received) && socket.end('stream: OK'))],
    ['finds the file too large', answering('INSTREAM size limit exceeded. ERROR\0')],
    [
      'finds it too large in the middle',
      (socket, received) => void (received.length > 70_000 && socket.end('INSTREAM size limit exceeded. ERROR\0')),
    ],
    ['has an error', answering("stream: Can't allocate memory ERROR\0")],
    ['does not know the command', answering('UNKNOWN COMMAND\0')],
    ['talks HTTP', answering('HTTP/1.1 200 OK\r\n\r\nstream: OK\0')],
    ['says OK of something else', answering('other: OK\0')],
    ['says OK and more', answering('stream: OK or not\0')],
    ['says only OK', answering('OK\0')],
    ['says FOUND of nothing', answering('stream:  FOUND\0')],
    ['says nothing but an end', answering('\0')],
    ['does not stop talking', (socket) => void socket.write('a'.repeat(5000))],
    [
      'drips',
      (socket, received) => {
        if (isWhole(received)) {
          const timer = setInterval(() => socket.write('s'), 50);
          socket.on('close', () => clearInterval(timer));
        }
      },
    ],
  ])('and %s passes nothing', async (_what, script) => {
    clamd.script = script;
    expect((await scan()).kind).not.toBe('clean');
  });

  it('is not there: nothing passes', async () => {
    const gone = new Clamd({ host: '127.0.0.1', port: await closedPort() }, TIMES);
    expect((await gone.scan(path)).kind).toBe('unknown');
    expect((await new Clamd({ path: join(folder, 'none.sock') }, TIMES).scan(path)).kind).toBe('unknown');
    expect(await gone.ping()).toBe(false);
  });
});

describe.each(someDatabase)('files while the scanner is away, on $name', (database) => {
  let test: TestGateway;
  let clamd: ScriptedClamd;
  let desk: ScriptedHttp;
  beforeAll(async () => {
    clamd = await startScriptedClamd(answering('stream: OK\0'));
    desk = await startScriptedHttp((_request) => undefined);
    desk.otherwise = (response) => void response.writeHead(200).end('from the desk');
    test = await createGateway({ database, settings: { ...outbound(), CLAMD_URL: clamd.url } });
  });
  afterAll(async () => {
    await test.close();
    await clamd.close();
    await desk.close();
  });

  it('are not taken, the text is kept, and goes alone or with its files once the scanner is back', async () => {
    const me = await visit(test);
    clamd.script = (socket) => socket.end();
    const refused = await reply(me, [{ name: 'a.png', content: png() }], 'Only my words');
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('Send the text alone, or try again in a few minutes');
    expect(refused.html).toContain('Only my words');
    expect([await count(test, 'replies'), await count(test, 'attachments'), kept(test)]).toEqual([0, 0, []]);
    expect((await me.guest.submit(refused, '/replies', {}, { files: [] })).status).toBe(200);
    clamd.script = answering('stream: OK\0');
    expect((await reply(me, [{ name: 'a.png', content: png() }])).status).toBe(200);
    expect(await count(test, 'attachments')).toBe(1);
  });

  it('of the source are not handed out either, nor when something was found in them', async () => {
    const attachments = [{ name: 'form.txt', contentType: 'text/plain', size: 13, url: `${desk.origin}/form` }];
    const me = await visit(test, { message: { attachments } });
    const href = /\/tickets\/\w+\/attachments\/\w+/.exec(me.page.html)![0];
    clamd.script = answering('stream: OK\0');
    expect((await me.guest.get(href)).html).toBe('from the desk');
    clamd.script = answering('stream: Bad FOUND\0');
    const unsafe = await me.guest.get(href);
    expect([unsafe.status, unsafe.headers.get('content-disposition')]).toEqual([403, null]);
    expect(unsafe.text).toContain('This file is not safe');
    clamd.script = (socket) => socket.end();
    const unchecked = await me.guest.get(href);
    expect(unchecked.status).toBe(503);
    for (const { text } of [unsafe, unchecked]) expect(text).not.toContain('from the desk');
    expect(filesIn(join(test.gateway.config.dataDir, 'incoming'))).toEqual([]);
  });

  it('are scanned four at a time, and who finds forty in line is told to come again', async () => {
    let most = 0;
    const waiting: (() => void)[] = [];
    clamd.script = (socket, received) => void (isWhole(received) && waiting.push(() => socket.end('stream: OK\0')));
    const path = join(test.gateway.config.dataDir, 'one');
    writeFileSync(path, 'x');
    const scans = Array.from({ length: 50 }, () => test.gateway.app.get(Scanner).scan(path));
    let done = false;
    const all = Promise.all(scans).finally(() => (done = true));
    while (!done) {
      most = Math.max(most, waiting.length);
      for (const go of waiting.splice(0)) go();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const verdicts = await all;
    expect(verdicts.filter((one) => one === 'unchecked')).toHaveLength(6);
    expect(verdicts.filter((one) => one === 'clean')).toHaveLength(44);
    // Never more than four, and not one after the other.
    expect(most).toBeLessThanOrEqual(4);
    expect(most).toBeGreaterThan(1);
  });
});
