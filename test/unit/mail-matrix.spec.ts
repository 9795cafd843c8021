import { parseDocument, DomUtils } from 'htmlparser2';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PostalMime, { type Email } from 'postal-mime';
import type { Links } from '../../src/access/link.js';
import type { Config } from '../../src/config.js';
import type { Delivery } from '../../src/delivery/delivery.entity.js';
import { MailRenderer } from '../../src/delivery/mail-renderer.js';
import { textDirection } from '../../src/platform/locale.js';
import { parseMailbox } from '../../src/platform/address.js';
import { GuestPages } from '../../src/portal/pages.js';
import { loadBrand } from '../../src/templates/brand.js';
import { TemplateCatalogue } from '../../src/templates/catalogue.js';
import { readSamples } from '../../src/templates/samples.js';
import {
  type CodeMailValues,
  greetingName,
  templateKeys,
  type TemplateKey,
  type TicketMailValues,
} from '../../src/templates/values.js';
import { checkWords } from '../../src/translations/checks.js';
import { pseudoText, writePseudoLocale } from '../../src/translations/pseudo.js';
import { localesOf, readLocale } from '../../src/translations/units.js';
import { shippedBrands } from '../support/brands.js';
import { writeShells } from '../support/shells.js';

// Every mail in every language there is, as it leaves, read by a program that shares no code with ours.

const TEMPLATES = join(process.cwd(), 'templates');
const workspace = mkdtempSync(join(tmpdir(), 'postern-matrix-'));
const templatesDir = join(workspace, 'templates');
const shellsDir = join(workspace, 'shells');
const naughtyStrings: string[] = JSON.parse(
  readFileSync(join(process.cwd(), 'node_modules/big-list-of-naughty-strings/blns.json'), 'utf8'),
);
const brand = loadBrand(TEMPLATES, 'default');
const pseudo = ['en-XA', 'ar-XB'] as const;
const locales = [...localesOf(TEMPLATES), ...pseudo];
let catalogue: TemplateCatalogue;
let renderer: MailRenderer;

beforeAll(async () => {
  cpSync(TEMPLATES, templatesDir, { recursive: true });
  for (const locale of pseudo) writePseudoLocale(templatesDir, locale);
  await writeShells(shellsDir);
  catalogue = TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale: 'en' });
  const sender = parseMailbox('Acme Support <no-reply@support.example>');
  if (!sender.ok) throw new Error('the sender is no mailbox');
  const from = { name: sender.name, address: sender.address };
  const given = { publicUrl: 'https://support.example', mail: { from, returnPath: sender.address }, sources: [] };
  const config = given as unknown as Config;
  renderer = new MailRenderer(config, catalogue, {} as Links, shippedBrands(config));
});
afterAll(() => rmSync(workspace, { recursive: true }));

type Values = TicketMailValues & CodeMailValues;

/** The bytes of a mail, and what was read from them. */
async function sent(key: TemplateKey, locale: string, given: TicketMailValues | CodeMailValues) {
  const values = given as Values;
  const { ticketNumber, recipientName, timeZone, occurredAt, guest } = values;
  const isCode = key === 'access-code';
  const delivery = {
    ...{
      id: 'dlv_06f8',
      ticketId: 'tkt_06f8',
      participantId: 'ptc_06f8',
      createdAt: occurredAt,
      locale,
      templateKey: key,
    },
    ...{ recipient: 'siti@example.com', checkReference: '7QK3M8WD2XHVA' },
    inputs: {
      ...{ ticketNumber, recipientName, timeZone, occurredAt, guest, generation: 1, brand: 'default' },
      updates: Array.from({ length: values.updateCount ?? 0 }, () => ({})),
      link: isCode ? null : { kind: 'account', url: values.link },
    },
  } as unknown as Delivery;
  const { code, reference, codeMinutes } = values;
  const codeOfMail = { code, reference, createdAt: occurredAt, expiresAt: occurredAt + codeMinutes * 60_000 };
  const bytes = renderer.render(delivery, isCode ? codeOfMail : null).mime();
  return { bytes, mail: await PostalMime.parse(bytes) };
}

function hrefsOf(html: string): string[] {
  const links = DomUtils.getElementsByTagName('a', parseDocument(html));
  return links.map((link) => link.attribs['href']!);
}

const shown = (html: string) => DomUtils.textContent(DomUtils.getElementsByTagName('body', parseDocument(html)));
const headerNames = (mail: Email) => mail.headers.map(({ key }) => key);
const isolates = /[\u2066-\u2069]/g;

describe.each(locales)('every mail in %s', (locale) => {
  const cases = templateKeys.flatMap((key) =>
    readSamples(TEMPLATES, key, brand).map((sample) => [key, sample.about, sample.values] as const),
  );

  it.each(cases)('%s, %s, arrives whole', async (key, _, values) => {
    const { bytes, mail } = await sent(key, locale, values);
    const check = 'https://support.example/check';
    const { subject } = catalogue.render(key, locale, values);
    const [html, text] = [mail.html!, mail.text!];
    expect(bytes.length).toBeLessThan(100 * 1024);
    expect(bytes.every((byte) => byte < 128)).toBe(true);
    expect(mail.subject).toBe(subject);
    expect(mail.headers.find((header) => header.key === 'content-language')!.value).toBe(locale);
    expect(html).toContain(`<html dir="${textDirection(locale)}" lang="${locale}">`);
    expect(`${subject}${shown(html)}${text}`).not.toMatch(/\{\{|\}\}|zq\d|undefined|\[object|NaN/);
    const lines = text.split(/\r?\n/);
    const urls = text.match(/https?:\/\/[^\s<>]+/g)!;
    expect(urls.filter((url) => url === check)).toHaveLength(1);
    const links = hrefsOf(html).filter((href) => href !== check);
    if (key === 'access-code') {
      const { code } = values as CodeMailValues;
      // A line of its own, with nothing unseen beside it: it is copied by a double click.
      expect(lines.filter((line) => line.includes(code))).toEqual([code]);
      expect(shown(html).split(code)).toHaveLength(2);
      expect(subject).not.toContain(code);
      expect(links).toEqual([]);
    } else {
      const { link } = values as TicketMailValues;
      expect(new Set(links)).toEqual(new Set([link]));
      expect(urls.filter((url) => url !== check)).toEqual([link]);
      expect(lines.filter((line) => line.includes(link))).toEqual([link]);
    }
    const ownDirection = textDirection(locale) === 'rtl';
    expect(`${text}${subject}`.search(isolates) >= 0).toBe(ownDirection);
  });
});

describe('strings that break programs', () => {
  // As docs/languages.md says: what starts a line or turns the reading direction becomes a blank.
  const cleaned = (given: string) =>
    given.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu, ' ').trim();
  const wellFormed = naughtyStrings.filter((string) => string.isWellFormed());
  const [sample] = readSamples(TEMPLATES, 'ticket-replied', brand);

  it.each(['en', 'ar-XB'])('are shown as they are in a mail in %s, and change no header', async (locale) => {
    const plain = headerNames((await sent('ticket-replied', locale, sample!.values)).mail);
    for (const string of wellFormed) {
      const values = { ...sample!.values, ticketNumber: string, recipientName: string };
      const { mail } = await sent('ticket-replied', locale, values);
      const number = cleaned(string);
      expect(headerNames(mail)).toEqual(plain);
      expect(mail.subject).toBe(catalogue.render('ticket-replied', locale, values).subject);
      expect(mail.subject!.replace(isolates, '')).toContain(number.replace(/\s+/g, ' '));
      expect(mail.text!.replace(isolates, '')).toContain(number);
      expect(shown(mail.html!)).toContain(number);
      if (greetingName(string)) expect(shown(mail.html!)).toContain(greetingName(string));
    }
  });

  it('are shown as they are on a page', () => {
    const pages = GuestPages.load({ templatesDir, defaultLocale: 'en' });
    const asset = '/assets/x';
    const shared = {
      brand: { name: 'Acme', accent: '#1f6f5c', accentDark: '#1f6f5c', logo: null },
      assets: { style: asset, script: asset, icon: asset, brandStyle: asset },
      ...{ formToken: 't', path: '/', languageAction: '/language', helpHref: null, checkHref: null },
      ...{ now: new Date(0), timeZone: null },
    };
    for (const locale of ['en', 'ar-XB'])
      for (const string of wellFormed) {
        const view = { ticketNumber: string, maskedAddress: string, sendAction: '/t/x/code' };
        const html = pages.render('landing', locale, view, { ...shared, brand: { ...shared.brand, name: string } });
        const isolated = DomUtils.getElementsByTagName('bdi', parseDocument(html)).map((each) =>
          DomUtils.textContent(each),
        );
        expect(isolated).toContain(string);
        expect(DomUtils.getElementsByTagName('script', parseDocument(html))).toHaveLength(1);
      }
  });
});

describe('pseudo-locales', () => {
  it('are right by all checks, and never offered to anybody', () => {
    const wrong = checkWords({ templatesDir, shellsDir, locales: [...pseudo] }).filter(
      // They are longer on purpose, and an email's subject is not.
      ({ severity, message }) => severity === 'error' && !/is the most/.test(message),
    );
    expect(wrong.map(({ file, line, message }) => `${file}:${line} ${message}`)).toEqual([]);
    expect(localesOf(TEMPLATES)).not.toEqual(expect.arrayContaining([expect.stringMatching(/-X[AB]$/)]));
  });

  it('keep values and shapes, and are 40 % longer where English is long', () => {
    expect(pseudoText('Send code to {address}', 'icu', 'en-XA')).toMatch(/^\[Šéñð çöðé ţö \{address\}(?: ~)+\]$/);
    expect(pseudoText('{n, plural, one {# try} other {# tries}}', 'icu', 'en-XA')).toContain(
      '{n, plural, one {# ţŕý} other {# ţŕîéš}}',
    );
    expect(pseudoText('{n, plural, one {# try} other {# tries}}', 'icu', 'ar-XB')).toMatch(
      /zero \{#.*many \{#.*other \{#/,
    );
    for (const { text, format } of readLocale(TEMPLATES, 'en').units.values()) {
      if (format === 'markdown' || text.length < 20 || text.includes('{')) continue;
      expect(pseudoText(text, format, 'en-XA').length).toBeGreaterThanOrEqual(text.length * 1.4);
    }
  });
});
