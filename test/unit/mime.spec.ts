import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import type MailComposerClass from 'nodemailer/lib/mail-composer';
import { Links } from '../../src/access/link.js';
import { type Config, loadConfig } from '../../src/config.js';
import type { Delivery } from '../../src/delivery/delivery.entity.js';
import { type CodeForMail, MailRenderer } from '../../src/delivery/mail-renderer.js';
import type { Mail } from '../../src/delivery/transports/transport.js';
import { siblingId } from '../../src/ids.js';
import * as mime from '../../src/platform/mime.js';
import { type Brand, loadBrand } from '../../src/templates/brand.js';
import { TemplateCatalogue } from '../../src/templates/catalogue.js';
import type { CodeMailValues, TicketMailValues } from '../../src/templates/values.js';
import { readSamples } from '../../src/templates/samples.js';
import { templateKeys } from '../../src/templates/values.js';
import { writeShells } from '../support/shells.js';
import { shippedBrands } from '../support/brands.js';

const MailComposer = createRequire(import.meta.url)('nodemailer/lib/mail-composer') as typeof MailComposerClass;

const workspace = mkdtempSync(join(tmpdir(), 'postern-mime-'));
const templatesDir = join(workspace, 'templates');
const locales = ['en', 'id', 'zh', 'ar'] as const;
let catalogue: TemplateCatalogue;
let config: Config;
let brand: Brand;

// Words of two scripts that are not there yet: short and long ones, with all that a mail's words may do.
const WORDS = {
  zh: { greet: '您好', say: '我们的客服团队已经回复了您的工单。请打开查看答复，如有需要也可以继续留言。', dot: '.点开头' },
  ar: { greet: 'مرحبًا', say: 'لقد رد فريق الدعم على تذكرتك. افتحها لقراءة الرد، واكتب إلينا إذا احتجت إلى شيء آخر.', dot: '.نقطة' },
}; // prettier-ignore

function frameWords({ greet, say }: { greet: string; say: string }): string {
  return `---
greeting: '{{#if greetingName}}${greet} {{greetingName}},{{else}}${greet},{{/if}}'
when: '{{datetime occurredAt}}'
copyAddress: '${say}'
codeHint: |
  {{#if guest}}
  ${say}
  {{/if}}
check: |
  ${say} [${greet}]({{checkUrl}}) = {{checkReference}}.
ticketFooter: |
  ${say}

  ${say} {{brand.name}}
codeFooter: |
  ${say}
---
`;
}

function mailWords(key: string, { greet, say, dot }: { greet: string; say: string; dot: string }): string {
  const number = key === 'access-code' ? '{{reference}}' : '{{ticketNumber}}';
  const code = `detail: '{{plural codeMinutes one="# \\"=${greet}\\"" other="# ${greet}"}}'\nnote: |\n  ${say}`;
  return `---
subject: '${greet} ${number} ${say}'
preheader: '${say}'
heading: '${greet} ${number}'
${key === 'access-code' ? code : `button: '${greet}'`}
---
{{> greeting}}

${dot} ${say} **${number}**${key === 'access-code' ? '' : "\n\n{{#unless guest}}\n- a = b\n- {{#if (eq ticketNumber 'x')}}x{{else}}y{{/if}}\n{{/unless}}"}
`;
}

beforeAll(async () => {
  cpSync(join(process.cwd(), 'templates'), templatesDir, { recursive: true });
  for (const locale of ['zh', 'ar'] as const) {
    writeFileSync(join(templatesDir, 'content', '_frame', `${locale}.hbs`), frameWords(WORDS[locale]));
    for (const key of templateKeys)
      writeFileSync(join(templatesDir, 'content', key, `${locale}.hbs`), mailWords(key, WORDS[locale]));
  }
  await writeShells(join(workspace, 'shells'));
  catalogue = TemplateCatalogue.load({ templatesDir, shellsDir: join(workspace, 'shells'), defaultLocale: 'en', allowHttp: true }); // prettier-ignore
  config = loadConfig({ NODE_ENV: 'test', DATA_DIR: workspace, MAIL_FROM: 'Bantuan <help@support.example>' });
  brand = loadBrand(templatesDir, 'default');
});

afterAll(() => rmSync(workspace, { recursive: true }));

const BASE: Pick<Delivery, 'id' | 'ticketId' | 'participantId' | 'recipient' | 'checkReference' | 'createdAt'> = {
  id: 'dlv_0T6KQ1P5J8MZ3WXV7Y2C4BDFGH',
  ticketId: 'tkt_0T6KQ1P5J8MZ3WXV7Y2C4BDFGH',
  participantId: 'ptc_0T6KQ1P5J8MZ3WXV7Y2C4BDFGH',
  recipient: 'siti@example.com',
  checkReference: null,
  createdAt: Date.parse('2026-11-23T02:15:00Z'),
};

type Given = Partial<TicketMailValues> & Partial<CodeMailValues>;

/** Renders a row that holds the given values, as the worker does. */
function rendered(key: Delivery['templateKey'], locale: string, given: Given, from = config.mail.from): Mail {
  const renderer = new MailRenderer(
    { ...config, mail: { ...config.mail, from } },
    catalogue,
    new Links(config),
    shippedBrands(config),
  );
  const { ticketNumber = '12345', recipientName = 'Siti', guest = true, timeZone = '', occurredAt = 0 } = given;
  const code: CodeForMail | null =
    key === 'access-code'
      ? { code: given.code!, reference: given.reference!, createdAt: 0, expiresAt: 60_000 * given.codeMinutes! }
      : null;
  const updates = Array.from({ length: given.updateCount ?? 1 }, () => ({}) as Delivery['inputs']['updates'][number]);
  const link = { kind: 'account' as const, url: given.link ?? 'https://app.example/support/8f2c' };
  const told = { ticketNumber, recipientName, guest, timeZone, occurredAt, updates, link };
  const inputs = { ...told, generation: 1, brand: 'default' };
  return renderer.render({ ...BASE, templateKey: key, locale, inputs } as Delivery, code);
}

/** The same mail as nodemailer composes it: who reads both must find no difference. */
function composed(mail: Mail): Promise<Buffer> {
  const domain = mail.content().from.address.split('@')[1];
  const id = `<${BASE.ticketId}@${domain}>`;
  const thread = { messageId: `<${mail.deliveryId}@${domain}>`, references: id, inReplyTo: id };
  const date = new Date(BASE.createdAt);
  return new MailComposer({ ...mail.content(), ...thread, date }).compile().build();
}

const REFOLDED = new Set(['content-type']);

async function read(bytes: Buffer) {
  const parsed = await simpleParser(bytes, { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true });
  const { subject, text, html, from, to, date, messageId, inReplyTo, references } = parsed;
  const named = parsed.headerLines.map(({ key }) => key).sort();
  const plain = [...parsed.headers].filter(
    ([key]) => !REFOLDED.has(key) && typeof parsed.headers.get(key) === 'string',
  );
  const addresses = [from?.value, to && !Array.isArray(to) ? to.value : to];
  return { subject, text, html, addresses, date, messageId, inReplyTo, references, named, plain: plain.sort() };
}

/** What every mail must be on the wire, whatever is in it (RFC 5322 2.1, RFC 2045 6.7). */
function expectFitForTheWire(bytes: Buffer): void {
  const raw = bytes.toString('latin1');
  expect(raw).not.toMatch(/[^\r\n\t -~]/);
  expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  for (const line of head.split('\r\n')) expect(line.length).toBeLessThanOrEqual(/=\?|^Subject/.test(line) ? 76 : 998);
  for (const line of rest.join('\r\n\r\n').split('\r\n')) {
    expect(line.length).toBeLessThanOrEqual(76);
    expect(line).not.toMatch(/[ \t]$|^\.|^From /);
  }
}

async function expectSameAsComposed(mail: Mail): Promise<void> {
  const bytes = mail.mime();
  expectFitForTheWire(bytes);
  const { subject, html, text } = mail.content();
  const ours = await read(bytes);
  expect(ours).toEqual(await read(await composed(mail)));
  // And not only alike: what was meant.
  expect([ours.subject, ours.html, ours.text]).toEqual([subject, html, text].map(wellFormed));
}

const ENCODERS = [mime.quotedPrintable, mime.quotedPrintablePiece];

/** RFC 2045 6.7, as a reader does it. */
function decode(encoded: string): string {
  const bytes = encoded
    .replace(/[ \t]+(?=\r\n|$)/g, '')
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

const wellFormed = (text: string) => Buffer.from(text, 'utf8').toString('utf8');
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.array(fc.constantFrom('.', '=', ' ', '\t', '\r\n', '\n', 'From ', '--', 'a'.repeat(75), 'a'.repeat(76), '中文', 'مرحبا', '🧾', '\ud800', '’', '=0D=0A', '=?utf-8?B?', '\u202f', '{{x}}', '<b>&"', 'e\u0301'), { maxLength: 60 }).map((parts) => parts.join('')),
); // prettier-ignore

describe('quoted-printable', () => {
  it('gives back every text, however long, in every script, in lines that any relay passes on', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        // Line ends become CRLF; a carriage return that ends no line is a sign like others.
        const wanted = wellFormed(text).replace(/\r?\n/g, '\r\n');
        for (const encode of ENCODERS) {
          const encoded = encode(text);
          expect(decode(encoded)).toBe(wanted);
          expect(encoded.replaceAll('\r\n', '')).not.toMatch(/[^\t -~]/);
          for (const line of encoded.split('\r\n')) {
            expect(line.length).toBeLessThanOrEqual(76);
            expect(line).not.toMatch(/[ \t]$|^\.|^From /);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('in pieces is the same text, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 6 }), (texts) => {
        const whole = texts.join('');
        fc.pre(wellFormed(whole) === texts.map(wellFormed).join('') && !texts.some((text) => text.endsWith('\r')));
        const encoded = texts.map(mime.quotedPrintablePiece).join('');
        expect(decode(encoded)).toBe(wellFormed(whole).replace(/\r?\n/g, '\r\n'));
        for (const line of encoded.split('\r\n')) expect(line.length).toBeLessThanOrEqual(76);
      }),
    );
  });
});

describe('a header', () => {
  it('holds any text in short lines of ASCII, and no reader finds another header in it', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (given) => {
        const text = given.replace(/\s+/g, ' ').trim();
        const field = mime.headerField('Subject', mime.headerText(text, 'Subject: '.length));
        for (const line of field.split('\r\n')) expect(line.length).toBeLessThanOrEqual(76);
        expect(field).toMatch(/^[\r\n -~]*\r\n$/);
        expect(field.slice(0, -2)).not.toMatch(/\r\n(?! [!-~])/);
        const bytes = Buffer.from(`${field}\r\n`);
        const { subject = '', headerLines } = await simpleParser(bytes);
        expect(headerLines).toHaveLength(1);
        expect(subject).toBe(wellFormed(text));
      }),
      { numRuns: 500 },
    );
  });

  it('is refused if something in it was not encoded', () => {
    for (const body of ['a\r\nBcc: x', 'a\n b', 'a\r b', 'a\0', 'é', 'a\r\n', 'a\r\n \r\n b'])
      expect(() => mime.headerField('Subject', body)).toThrow(/not encoded/);
    for (const address of [
      'a@b.example, c@d.example',
      'a b@c.example',
      'a@b.example\r\n',
      '<a@b.example>',
      'é@b.example',
    ])
      expect(() => mime.headerAddress(address)).toThrow(/not one e-mail address/);
  });
});

describe('the bytes of a mail', () => {
  const cases = templateKeys.flatMap((key) => locales.map((locale) => ({ key, locale })));

  it.each(cases)('read as those that nodemailer composes: $key in $locale', async ({ key, locale }) => {
    for (const { values } of readSamples(templatesDir, key, brand))
      await expectSameAsComposed(rendered(key, locale, values));
  });

  it.each(locales)('read so whatever values hold, in %s', async (locale) => {
    await fc.assert(
      fc.asyncProperty(hostile, hostile, fc.boolean(), fc.nat(3), async (ticketNumber, name, guest, more) => {
        const recipientName = more === 0 ? name : name.replace(/[^\p{L} ]/gu, '').slice(0, 40);
        const values = { ticketNumber, recipientName, guest, updateCount: 1 + more, timeZone: 'Asia/Jakarta' };
        await expectSameAsComposed(rendered('ticket-summary', locale, values));
      }),
      { numRuns: 15 },
    );
  });

  it('name the sender in every script, and quote what needs it', async () => {
    const names = ['', 'Support', "Anna's Help-Desk", 'Acme, Inc.', 'A "B" \\ C', 'x'.repeat(100), 'a.b@c.example', '客服中心 ' + '中'.repeat(80), 'مركز المساعدة', 'Zoë 🧾']; // prettier-ignore
    for (const name of names)
      await expectSameAsComposed(rendered('ticket-replied', 'en', {}, { ...config.mail.from, name }));
    // nodemailer lets this one through as it is, and a reader shows "x".
    const name = '=?utf-8?B?eA==?=';
    const { addresses } = await read(rendered('ticket-replied', 'en', {}, { ...config.mail.from, name }).mime());
    expect(addresses[0]).toEqual([{ name, address: 'help@support.example' }]);
  });

  it('are the same each time, and finished when it was rendered', () => {
    const mail = rendered('ticket-replied', 'id', {});
    expect(mail.mime()).toEqual(mail.mime());
    expect(rendered('ticket-replied', 'id', {}).mime()).toEqual(mail.mime());
    expect(() => rendered('ticket-replied', 'id', { link: 'javascript:alert(1)' })).toThrow(RangeError);
    expect(mail.content().headers['X-Postern-Notification']).toBe(siblingId('ntf', BASE.id));
  });

  it('hold the text in the shorter encoding of its language', () => {
    const encodings = locales.map((locale) => {
      const raw = rendered('ticket-replied', locale, {}).mime().toString('latin1');
      return /Content-Type: text\/plain.*\r\nContent-Transfer-Encoding: (.*)\r\n/.exec(raw)?.[1];
    });
    expect(encodings).toEqual(['quoted-printable', 'quoted-printable', 'base64', 'base64']);
  });

  it('have a boundary that nothing in a part can be', () => {
    const number = `--=_${BASE.id}--`;
    const raw = rendered('ticket-replied', 'en', { ticketNumber: number }).mime().toString('latin1');
    const body = raw.slice(raw.indexOf('\r\n\r\n'));
    expect(body.split(`--=_${BASE.id}`)).toHaveLength(4);
  });
});
