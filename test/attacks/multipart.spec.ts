import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../support/counted.js';
import { png } from '../support/files.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import { send, sendBytes } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { change, dump } from '../support/tables.js';
import { invite, visit, type Visit } from '../support/visit.js';

const MB = 1024 * 1024;
const BOUNDARY = 'postern-boundary';
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** What is wrong with it, the body, and its `content-type`. */
type Broken = [what: string, body: Buffer | string, type?: string];

const part = (head: string, content: Buffer | string = 'x'): Buffer =>
  Buffer.concat([Buffer.from(`--${BOUNDARY}\r\n${head}\r\n\r\n`, 'latin1'), Buffer.from(content), Buffer.from('\r\n')]);
const named = (name: string, more = ''): string => `Content-Disposition: form-data; name="${name}"${more}`;
const field = (name: string, value: string): Buffer => part(named(name), value);
const file = (filename: string, content = png()): Buffer =>
  part(`${named('files', `; filename="${filename}"`)}\r\nContent-Type: image/png`, content);
const end = Buffer.from(`--${BOUNDARY}--\r\n`);

/** A good form that was damaged on its way, or is not what its head says: whatever it held must not be done. */
function damaged(whole: Buffer): Broken[] {
  const text = whole.toString('latin1');
  const other = (from: string | RegExp, to: string) => Buffer.from(text.replace(from, to), 'latin1');
  const every = (from: string, to: string) => Buffer.from(text.replaceAll(from, to), 'latin1');
  const cuts = 40;
  return [
    // At every stage: in a boundary, a header, an empty line, a value, a file, the last boundary.
    ...Array.from({ length: cuts }, (_, n): Broken => {
      const at = Math.floor(((whole.length - 3) * n) / (cuts - 1));
      return [`cut after ${at} bytes of ${whole.length}`, whole.subarray(0, at)];
    }),
    ['the last boundary without its hyphens', other(/--\r\n$/, '\r\n')],
    ['the last boundary with one hyphen', other(/--\r\n$/, '-\r\n')],
    ['no boundary in the type', whole, 'multipart/form-data'],
    ['no boundary, but a semicolon', whole, 'multipart/form-data;'],
    ['an empty boundary', whole, 'multipart/form-data; boundary='],
    ['an empty boundary in quotes', whole, 'multipart/form-data; boundary=""'],
    ['another boundary', whole, 'multipart/form-data; boundary=other'],
    ['a boundary in capitals', whole, `multipart/form-data; boundary=${BOUNDARY.toUpperCase()}`],
    ['a boundary that is the beginning of ours', whole, `multipart/form-data; boundary=${BOUNDARY.slice(0, 4)}`],
    ['a boundary that goes on after ours', whole, `multipart/form-data; boundary=${BOUNDARY}-x`],
    ['a boundary with the hyphens of its lines', whole, `multipart/form-data; boundary=--${BOUNDARY}`],
    ['a boundary of 70 signs that is not there', whole, `multipart/form-data; boundary=${'b'.repeat(70)}`],
    ['a boundary of 4,000 signs', whole, `multipart/form-data; boundary=${'b'.repeat(4000)}`],
    ['a boundary of hyphens', whole, 'multipart/form-data; boundary=--------'],
    ['a boundary of a space', whole, 'multipart/form-data; boundary=" "'],
    ['a boundary with a line break, encoded', whole, 'multipart/form-data; boundary="%0d%0a"'],
    ['a boundary that is called otherwise', whole, `multipart/form-data; bound=${BOUNDARY}`],
    ['a boundary by RFC 2231', whole, `multipart/form-data; boundary*0=${BOUNDARY.slice(0, 7)}; boundary*1=${BOUNDARY.slice(7)}`],
    ['two boundaries, the other first', whole, `multipart/form-data; boundary=other; boundary=${BOUNDARY}`],
    ['the boundary of RFC 2046, another', whole, 'multipart/form-data; boundary=gc0p4Jq0M2Yt08j34c0p'],
    ['multipart/mixed', whole, `multipart/mixed; boundary=${BOUNDARY}`],
    ['multipart/related', whole, `multipart/related; boundary=${BOUNDARY}`],
    ['multipart/x-form-data', whole, `multipart/x-form-data; boundary=${BOUNDARY}`],
    ['multipart alone', whole, 'multipart'],
    ['a form by its words only', whole, 'application/x-www-form-urlencoded'],
    ['JSON by its words only', whole, 'application/json'],
    ['text by its words only', whole, 'text/plain'],
    ['bytes by their words only', whole, 'application/octet-stream'],
    ['two types', whole, `text/plain, ${TYPE}`],
    ['bare line feeds', every('\r\n', '\n')],
    ['bare carriage returns', every('\r\n', '\r')],
    ['line breaks twice', every('\r\n', '\r\n\r\n')],
    ['one byte more in each boundary', every(BOUNDARY, `${BOUNDARY}x`)],
    ['one byte less in each boundary', every(BOUNDARY, BOUNDARY.slice(1))],
    ['a NUL in each boundary', every(BOUNDARY, `${BOUNDARY.slice(0, 4)}\0${BOUNDARY.slice(5)}`)],
    ['UTF-16', Buffer.from(text, 'utf16le')],
    ['UTF-7 for its quotes', every('"', '+ACI-')],
    ['packed', Buffer.from('H4sIAAAAAAAAA0tJTQMAyUzLLAQAAAA=', 'base64')],
    ['base64', whole.toString('base64')],
    ['from its end', Buffer.from(whole).reverse()],
    ['inside of another multipart', Buffer.concat([Buffer.from(`--outer\r\nContent-Type: ${TYPE}\r\n\r\n`), whole, Buffer.from('\r\n--outer--\r\n')]), 'multipart/form-data; boundary=outer'],
    ['the last boundary first', Buffer.concat([end, whole])],
    ['disposition: attachment', every('form-data;', 'attachment;')],
    ['disposition: inline', every('form-data;', 'inline;')],
    ['no disposition', every('Content-Disposition', 'X-Content-Disposition')],
    ['a disposition that is folded wrongly', every('form-data; name', 'form-data;\r\nname')],
    ['a disposition without its colon', every('Content-Disposition:', 'Content-Disposition')],
    ['names in one quote', every('name="', "name='")],
    ['names called otherwise', every(' name=', ' nam=')],
  ]; // prettier-ignore
}

/** Odd parts behind the good ones, where one that the form cannot do without is missing: none may make up for it. */
function odd(good: Buffer[], missing: string, value: string): Broken[] {
  const also = (...parts: (Buffer | string)[]): Buffer =>
    Buffer.concat([...good, ...parts.map((one) => Buffer.from(one as string)), end]);
  const many = (count: number, one: (n: number) => Buffer) => also(...Array.from({ length: count }, (_, n) => one(n)));
  return [
    ['nothing', ''],
    ['one byte', 'x'],
    ['line breaks', '\r\n\r\n\r\n\r\n'],
    ['NULs', Buffer.alloc(1000)],
    ['every byte', Buffer.from(Array.from({ length: 256 }, (_, n) => n))],
    ['the end only', end],
    ['the end a hundred times', Buffer.concat(Array.from({ length: 100 }, () => end))],
    ['boundaries only', `--${BOUNDARY}\r\n`.repeat(1000)],
    ['nothing else', also()],
    ['a header that was injected into a name', also(part(named(`x\r\nContent-Disposition: form-data; name="${missing}`), value))],
    ['a header that was injected into a file name', also(part(named('x', `; filename="a\r\nContent-Disposition: form-data; name=${missing}\r\n"`), value))],
    ['line breaks in a name, encoded', also(field(`%0d%0a${missing}`, value))],
    ['a backslash in a name', also(field(`${missing}\\`, value))],
    ['a name with a NUL', also(field(`${missing}\0`, value))],
    ['a name that begins with a NUL', also(field(`\0${missing}`, value))],
    ['a name with a space', also(field(` ${missing}`, value))],
    ['a name in capitals', also(field(missing.toUpperCase(), value))],
    ['a name with brackets', also(field(`${missing}[]`, value))],
    ['a name of 100 KB', also(field('n'.repeat(100_000), value))],
    ['an empty name', also(field('', value))],
    ['no name', also(part('Content-Disposition: form-data', value))],
    ['no header at all', also(`--${BOUNDARY}\r\n\r\n${value}\r\n`)],
    ['__proto__', also(field('__proto__', value))],
    ['__proto__ with brackets', also(field(`__proto__[${missing}]`, value))],
    ['constructor', also(field('constructor', value))],
    ['hasOwnProperty', also(field('hasOwnProperty', value))],
    ['a header of 100 KB', also(part(`X-A: ${'a'.repeat(100_000)}\r\n${named('x')}`))],
    ['a header of 2 MB', also(part(`X-A: ${'a'.repeat(2 * MB)}\r\n${named('x')}`))],
    ['a thousand headers', also(part(`${'X-A: b\r\n'.repeat(1000)}${named('x')}`))],
    ['a header line without a colon', also(part(`X-A\r\n${named('x')}`))],
    ['a header with a NUL', also(part(`X-A: \0\r\n${named('x')}`))],
    ['headers that never end', also(`--${BOUNDARY}\r\n${'X-A: b\r\n'.repeat(50)}`)],
    ['a thousand fields', many(1000, () => field('x', 'y'))],
    ['a thousand fields of other names', many(1000, (n) => field(`x${n}`, 'y'))],
    ['five thousand empty parts', many(5000, () => part(''))],
    ['a hundred files', many(100, (n) => file(`${n}.png`))],
    ['a field of 1 MB', also(field('x', 'y'.repeat(MB)))],
    ['an unknown charset', also(part(`${named('x')}\r\nContent-Type: text/plain; charset=x-evil`))],
    ['UTF-7', also(part(`${named('x')}\r\nContent-Type: text/plain; charset=utf-7`, '+AGI-'))],
    ['UTF-16 for a name', also(part(`Content-Disposition: form-data; name*=utf-16le''%62%00`))],
    ['a name by RFC 5987 that is no UTF-8', also(part(`Content-Disposition: form-data; name*=utf-8''%ff%fe`))],
    ['a name by RFC 5987 cut in a sign', also(part(`Content-Disposition: form-data; name*=utf-8''%e2%82`))],
    ['a name by RFC 5987 of no charset', also(part(`Content-Disposition: form-data; name*=''%`))],
    ['_charset_', also(field('_charset_', 'utf-7'))],
    ['base64 as a transfer encoding', also(part(`${named('x')}\r\nContent-Transfer-Encoding: base64`, '!!!!'))],
    ['quoted-printable that is none', also(part(`${named('x')}\r\nContent-Transfer-Encoding: quoted-printable`, '=ZZ='))],
    ['an unknown transfer encoding', also(part(`${named('x')}\r\nContent-Transfer-Encoding: x-evil`))],
    ['a nested multipart', also(part(`${named('x')}\r\nContent-Type: multipart/mixed; boundary=in`, `--in\r\n${named(missing)}\r\n\r\n${value}\r\n--in--`))],
    ['a nested multipart of the same boundary', also(part(`${named('x')}\r\nContent-Type: ${TYPE}`, ''))],
    ['a nested multipart without an end', also(part(`${named('x')}\r\nContent-Type: multipart/mixed; boundary=in`, '--in\r\n'))],
    ['bad JSON', also(part(`${named('x')}\r\nContent-Type: application/json`, '{'))],
    ['JSON with __proto__', also(part(`${named('x')}\r\nContent-Type: application/json`, '{"__proto__":{"a":1}}'))],
    ['JSON of a great depth', also(part(`${named('x')}\r\nContent-Type: application/json`, '['.repeat(50_000)))],
    ['a form after the end', Buffer.concat([...good, end, field(missing, value), end])],
    ['a form before the first boundary', Buffer.concat([Buffer.from(`${named(missing)}\r\n\r\n${value}\r\n`), ...good, end])],
    ['a boundary within a line', also(`--${BOUNDARY} ${named(missing)}\r\n\r\n${value}\r\n`)],
    ['a boundary with a space at its end', also(`--${BOUNDARY}x\r\n${named(missing)}\r\n\r\n${value}\r\n`)],
  ]; // prettier-ignore
}

/** Files of a reply, none of which is what its head says. */
function oddFiles(good: Buffer[]): Broken[] {
  const also = (...parts: Buffer[]): Buffer => Buffer.concat([...good, ...parts, end]);
  const bare = (head: string, content = png()) => also(part(head, content));
  return [
    ['a file of another field', bare(named('other', '; filename="a.png"'))],
    ['a file name by RFC 5987 that is no UTF-8', bare(named('files', `; filename*=utf-8''%ff%fe.png`), Buffer.from('x'))],
    ['a file name by RFC 5987 of an unknown charset', bare(named('files', `; filename*=x-evil''a.png`), Buffer.from('x'))],
    ['two file names', bare(named('files', `; filename="a.png"; filename*=utf-8''b.exe`), Buffer.from('MZ'))],
    ['two file names, the better one last', bare(named('files', `; filename="b.exe"; filename="a.png"`), Buffer.from('MZ'))],
    ['a file name with a NUL', bare(named('files', '; filename="a.exe\0.png"'), Buffer.from('MZ'))],
    ['a file name with line breaks', bare(named('files', '; filename="a.png\r\nX-A: b"'), Buffer.from('MZ'))],
    ['a file name of a folder', bare(named('files', '; filename="../../"'))],
    ['a file name of dots', bare(named('files', '; filename=".."'))],
    ['a file name of 10 KB', bare(named('files', `; filename="${'a'.repeat(10_000)}"`))],
    ['a file of no type', bare(named('files', '; filename="a"'))],
    ['a picture that says that it is a page', bare(`${named('files', '; filename="a.html"')}\r\nContent-Type: image/png`)],
    ['a page that says that it is a picture', bare(`${named('files', '; filename="a.png"')}\r\nContent-Type: image/png`, Buffer.from('<html>'))],
    ['an empty file', bare(named('files', '; filename="a.png"'), Buffer.alloc(0))],
    ['a file that is a form', bare(`${named('files', '; filename="a.png"')}\r\nContent-Type: ${TYPE}`, Buffer.from('x'))],
    ['six files and a broken one', also(...Array.from({ length: 6 }, (_, n) => file(`${n}.png`)), part(named('files', '; filename="a.exe"'), 'MZ'))],
  ]; // prettier-ignore
}

describe.each(someDatabase)('broken forms on $name', (database) => {
  let test: TestGateway;
  let me: Visit;
  beforeAll(async () => {
    ({ test } = await createGatewayAndReceiver({ database }));
    me = await visit(test);
  });
  afterAll(() => test.close());

  const cookie = () => [...me.guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const headers = (): Record<string, string> => ({ cookie: cookie(), origin: test.url });
  const stored = (): string[] => {
    try {
      const entries = readdirSync(join(test.gateway.config.dataDir, 'files'), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    } catch {
      return []; // nothing was ever stored
    }
  };
  /** Without what was counted: a file is counted before it is known whether it is whole. */
  const state = async () => [(await dump(test)).replace(/^limits\n.*$/m, ''), ...stored().sort()];
  /** Each is answered 4xx and does nothing; the gateway is there afterwards, and saw nothing that it did not expect. */
  const refuse = async (path: string, broken: Broken[]): Promise<void> => {
    const before = await state();
    const others: [string, number][] = [];
    for (const [what, body, type = TYPE] of broken) {
      const answer = await send(test.url, {
        method: 'POST',
        path,
        headers: { ...headers(), 'content-type': type },
        body,
      });
      if (answer.status < 400 || answer.status >= 500) others.push([what, answer.status]);
    }
    expect(others).toEqual([]);
    expect(await state()).toEqual(before);
    expect(test.logs.filter((line) => line.includes('a page failed'))).toEqual([]);
    expect((await me.guest.get(me.link)).status).toBe(200);
  };
  /** Heads that do not fit the body, as no client sends them. */
  const refuseHeads = async (path: string, whole: Buffer): Promise<number> => {
    const length = whole.length;
    const heads: [string, string, (Buffer | string)?][] = [
      ['a length too long', `Content-Length: ${length + 1000}`],
      ['a length too short', `Content-Length: ${length - 20}`],
      ['a length of nothing', 'Content-Length: 0'],
      ['a negative length', 'Content-Length: -1'],
      ['a length that is no number', 'Content-Length: many'],
      ['a length in hex', `Content-Length: 0x${length.toString(16)}`],
      ['a length with a plus', `Content-Length: +${length}`],
      ['a length with a comma', `Content-Length: ${length}, ${length + 1}`],
      ['two lengths', `Content-Length: ${length}\r\nContent-Length: 5`],
      ['a length beyond all numbers', 'Content-Length: 99999999999999999999999'],
      ['a length and chunks', `Content-Length: ${length}\r\nTransfer-Encoding: chunked`],
      ['no length', 'X-A: b'],
      ['chunks that are none', 'Transfer-Encoding: chunked'],
      ['a chunk of a negative size', 'Transfer-Encoding: chunked', Buffer.concat([Buffer.from('-5\r\n'), whole])],
      ['a chunk that is cut', 'Transfer-Encoding: chunked', Buffer.concat([Buffer.from(`${length.toString(16)}\r\n`), whole])],
      ['a chunk too large for any number', 'Transfer-Encoding: chunked', Buffer.concat([Buffer.from('ffffffffffffffffff\r\n'), whole])],
      ['an unknown transfer encoding', 'Transfer-Encoding: x-evil'],
      ['a header of 100 KB', `Content-Length: ${length}\r\nX-A: ${'a'.repeat(100_000)}`],
      ['six thousand headers', `Content-Length: ${length}\r\n${'X-A: b\r\n'.repeat(6000)}X-B: c`],
      ['a header with a NUL', `Content-Length: ${length}\r\nX-A: \0`],
    ]; // prettier-ignore
    const before = await state();
    const usual = Object.entries({ ...headers(), host: new URL(test.url).host, 'content-type': TYPE });
    for (const [what, head, body = whole] of heads) {
      const lines = [`POST ${path} HTTP/1.1`, ...usual.map(([name, value]) => `${name}: ${value}`), head, '', ''];
      const answers = await sendBytes(test.url, Buffer.concat([Buffer.from(lines.join('\r\n')), Buffer.from(body)]));
      expect([what, answers.filter((status) => status < 400 || status >= 500)]).toEqual([what, []]);
    }
    expect(await state()).toEqual(before);
    expect(test.logs.filter((line) => line.includes('a page failed'))).toEqual([]);
    expect((await me.guest.get(me.link)).status).toBe(200);
    return heads.length;
  };

  it('as replies are answered 4xx, each of them, and leave no row and no file', async () => {
    const ticket = await me.guest.get(`/tickets/${me.ticketId}`);
    const { formToken, formKey } = ticket.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
    const path = `/tickets/${me.ticketId}/replies`;
    const good = [field('formToken', formToken!), field('formKey', formKey!)];
    const whole = Buffer.concat([...good, field('body', 'whole'), file('a.png'), end]);
    const broken = [...damaged(whole), ...odd(good, 'body', 'Told'), ...oddFiles(good)];
    expect(broken.length).toBeGreaterThanOrEqual(120);
    await refuse(path, broken);
    const heads = await refuseHeads(path, whole);
    counted('broken forms', broken.length + heads);
    // The form they were made from is a good one, once its files are not counted together with all those.
    await change(test, 'DELETE FROM limits');
    const taken = await send(test.url, {
      method: 'POST',
      path,
      headers: { ...headers(), 'content-type': TYPE },
      body: whole,
    });
    expect(taken.status).toBe(303);
  }, 120_000);

  it('as the one click of RFC 8058 are answered 4xx, each of them, and stop no mail', async () => {
    const link = await invite(test);
    const path = `${link}/stop`;
    const whole = Buffer.concat([field('List-Unsubscribe', 'One-Click'), end]);
    const broken = [...damaged(whole), ...odd([field('x', 'y')], 'List-Unsubscribe', 'One-Click')];
    expect(broken.length).toBeGreaterThanOrEqual(100);
    await refuse(path, broken);
    const heads = await refuseHeads(path, whole);
    counted('broken forms', broken.length + heads);
    const taken = await send(test.url, { method: 'POST', path, headers: { 'content-type': TYPE }, body: whole });
    expect(taken.status).toBe(200);
  }, 120_000);
});
