import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Brand, fontStack, loadBrand } from '../../src/templates/brand.js';
import { contrast } from '../../src/templates/palette.js';
import { TemplateCatalogue } from '../../src/templates/catalogue.js';
import { brokenNesting, markdownToHtml, markdownToText } from '../../src/templates/markdown.js';
import { checkSyntax, replaceMustaches, Vault, type Vocabulary } from '../../src/templates/mustache.js';
import { readSamples } from '../../src/templates/samples.js';
import {
  greetingName,
  templateKeys,
  type CodeMailValues,
  type TemplateKey,
  type TicketMailValues,
} from '../../src/templates/values.js';
import Notification from '../../templates/layouts/notification.js';
import { renderShell } from '../../templates/layouts/parts.js';
import { writeShells } from '../support/shells.js';

const TEMPLATES = join(process.cwd(), 'templates');
const workspace = mkdtempSync(join(tmpdir(), 'postern-templates-'));
const shellsDir = join(workspace, 'shells');
let catalogue: TemplateCatalogue;

beforeAll(async () => {
  await writeShells(shellsDir);
  catalogue = load(TEMPLATES);
});

afterAll(() => rmSync(workspace, { recursive: true }));

const brand = loadBrand(TEMPLATES, 'default');
const link = 'https://support.example/t/AQEx8m2pVtq7Jd0yF3nZc5';
const ticket: TicketMailValues = {
  ticketNumber: '12345',
  recipientName: 'Siti',
  guest: true,
  link,
  updateCount: 3,
  brand,
  occurredAt: Date.parse('2026-11-23T02:15:00Z'),
  timeZone: 'Asia/Jakarta',
};
function load(templatesDir: string, defaultLocale = 'en'): TemplateCatalogue {
  return TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale });
}

/** A copy of all templates, changed by writing over some of them. */
function templatesWith(changes: Record<string, string | ((text: string) => string)>): string {
  const copy = mkdtempSync(join(workspace, 'copy-'));
  for (const folder of ['content', 'brands', 'samples'])
    cpSync(join(TEMPLATES, folder), join(copy, folder), { recursive: true });
  for (const [file, change] of Object.entries(changes)) {
    const path = join(copy, file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, typeof change === 'string' ? change : change(readFileSync(path, 'utf8')));
  }
  return copy;
}

/** What loading says about a replied mail whose words were changed so. */
function complaint(change: (text: string) => string): string {
  try {
    load(templatesWith({ 'content/ticket-replied/en.hbs': change }));
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

function unescape(html: string): string {
  const signs: Record<string, string> = {
    lt: '<',
    gt: '>',
    quot: '"',
    amp: '&',
    '#x27': "'",
    '#x60': '`',
    '#x3D': '=',
    '#39': "'",
  };
  return html.replace(/&(lt|gt|quot|amp|#x27|#x60|#x3D|#39);/g, (_all, name: string) => signs[name]!);
}

const hrefs = (html: string) => [...html.matchAll(/href="([^"]*)"/g)].map((match) => unescape(match[1]!));

describe('every mail in every language', () => {
  const cases = templateKeys.flatMap((key) =>
    readdirSync(join(TEMPLATES, 'content', key)).flatMap((file) =>
      readSamples(TEMPLATES, key, brand).map((sample) => ({ key, locale: file.replace('.hbs', ''), ...sample })),
    ),
  );

  it('is there in 24 languages', () => {
    expect(new Set(cases.map(({ key, locale }) => `${key}/${locale}`)).size).toBe(templateKeys.length * 24);
  });

  it.each(cases)('$key in $locale reads whole for $about', ({ key, locale, values }) => {
    const mail = catalogue.render(key, locale, values);
    expect(`${mail.subject}${mail.text}${mail.html}`).not.toMatch(/\{\{|zq\d|undefined|\[object|NaN/);
    expect(`${mail.subject}${mail.text}`).not.toContain('}}');
    expect(mail.html).toMatch(new RegExp(`<html dir="${mail.dir}" lang="${locale}">`));
    expect(mail.html).not.toMatch(/<(?:img|link|script|iframe)\b|url\(|@import|src=/i);
    expect(Buffer.byteLength(mail.html)).toBeLessThan(20_000);
    expect(mail.html.match(/<h1\b/g)).toHaveLength(1);
    expect(mail.html.match(/<table\b/g)?.length).toBe(mail.html.match(/<table\b[^>]*role="presentation"/g)?.length);
    expect(brokenNesting(mail.html.replace(/<!DOCTYPE[^>]*>|<!--[^]*?-->/g, ''))).toBeNull();
    expect(mail.text).not.toMatch(/<[a-z/]+>|&\w+;|\*\*|\n{3}/);
  });

  it.each(cases.filter(({ key }) => key !== 'access-code'))(
    '$key in $locale has one ticket link for $about, the same in button, address and text',
    ({ key, locale, values }) => {
      const wanted = (values as TicketMailValues).link;
      const { html, text, subject } = catalogue.render(key, locale, values);
      const links = hrefs(html).filter((href) => href !== values.checkUrl);
      expect(links).toEqual([wanted, wanted]);
      expect(unescape(html)).toContain(`>${wanted}</a>`);
      expect(text.split('\n').filter((line) => line === wanted)).toHaveLength(1);
      expect(text.match(/https?:\/\/[^\s>]+/g)?.filter((url) => url !== values.checkUrl)).toEqual([wanted]);
      expect(subject).toContain(values.ticketNumber);
    },
  );

  it.each(cases.filter(({ key }) => key === 'access-code'))(
    '$key in $locale shows the code once, as a word of its own, and never where an inbox shows it ($about)',
    ({ key, locale, values }) => {
      const { code: secret, reference } = values as CodeMailValues;
      const { html, text, subject } = catalogue.render(key, locale, values);
      expect(subject).not.toContain(secret);
      expect(subject).toContain(reference);
      const [beforeHeading = ''] = html.split('<h1');
      expect(beforeHeading).not.toContain(secret);
      expect(html.split(`<bdi>${secret}</bdi>`)).toHaveLength(2);
      expect(text.split('\n').filter((line) => line === secret)).toHaveLength(1);
      // Phones offer the one number that looks like a code: there must be no other.
      expect(text.match(/(?<![\w-])\d{6,10}(?![\w-])/g)).toEqual([secret]);
      expect(hrefs(html).filter((href) => href !== values.checkUrl)).toEqual([]);
    },
  );

  it('gives the same bytes and revision for the same words and values', () => {
    const other = load(TEMPLATES);
    expect(other.render('ticket-replied', 'id', ticket)).toEqual(catalogue.render('ticket-replied', 'id', ticket));
    expect(other.revision('ticket-replied', 'id')).toBe(catalogue.revision('ticket-replied', 'id'));
    expect(catalogue.revision('ticket-replied', 'id')).not.toBe(catalogue.revision('ticket-replied', 'en'));
  });

  it('gives changed words another revision', () => {
    const changed = load(templatesWith({ 'content/_frame/en.hbs': (text) => text.replace('Hello', 'Dear') }));
    expect(changed.revision('ticket-replied', 'en')).not.toBe(catalogue.revision('ticket-replied', 'en'));
  });

  it('writes times for the reader’s zone and language, and says UTC when the zone is unknown', () => {
    expect(catalogue.render('ticket-replied', 'id', ticket).text).toContain('23 November 2026 pukul 09.15\u00a0WIB');
    const lost = { ...ticket, timeZone: 'Mars/Base' };
    expect(catalogue.render('ticket-replied', 'en', lost).text).toMatch(/2:15\sAM\u00a0UTC/);
  });

  it.each([
    ['th', '23 พฤศจิกายน 2569 เวลา 09:15\u00a0GMT+7'],
    ['zh-Hans', '2026年11月23日 09:15（GMT+7）'],
    ['zh-Hant', '2026年11月23日 上午9:15（GMT+7）'],
    ['vi', '09:15\u00a0GMT+7, ngày 23 tháng 11, 2026'],
    ['ko', '2026년 11월 23일 오전 9:15\u00a0GMT+7'],
    ['hi', '23 नवंबर 2026 को सुबह 9:15 बजे (GMT+7)'],
    ['ru', '23 ноября 2026 г. в 09:15\u00a0GMT+7'],
  ])('writes the zone where %s has it', (locale, written) => {
    expect(catalogue.render('ticket-replied', locale, ticket).text.split('\n')[1]).toBe(written);
  });

  it('asks for an answer in the ticket only while the ticket takes answers', () => {
    for (const locale of catalogue.availableLocales) {
      const footer = (key: 'ticket-closed' | 'ticket-replied') =>
        /\* \* \*\n\n(.*)\n/.exec(catalogue.render(key, locale, ticket).text)![1]!;
      expect(footer('ticket-closed').length).toBeLessThan(footer('ticket-replied').length);
    }
    expect(catalogue.render('ticket-closed', 'en', ticket).text).not.toContain('belongs in the ticket');
  });

  it('speaks of a link in the text part, where there is no button', () => {
    const { text } = catalogue.render('ticket-replied', 'en', ticket);
    expect(text).toContain(`Read the reply\n${link}\n`);
    expect(text).not.toContain('button');
  });

  it('keeps together what no line should part, in the HTML part alone', () => {
    const mail = (locale: string) => catalogue.render('ticket-created', locale, ticket);
    expect(mail('de').html).toContain('schicken wir Ihnen eine E\u2011Mail.');
    expect(mail('de').text).toContain('schicken wir Ihnen eine E-Mail.');
    expect(mail('pl').html).toContain('wszystkim w\u00a0tej sprawie w\u00a0tym jednym');
    expect(mail('pl').text).toContain('wszystkim w tej sprawie w tym jednym');
    expect(mail('ru').html).toContain('Ваше обращение уже у\u00a0службы');
    expect(mail('uk').html).toContain('звернення та\u00a0додати');
    expect(mail('en').html).toContain('your ticket\u00a0<bdi>12345</bdi>');
    expect(mail('en').text).toContain('your ticket 12345');
    expect(mail('tr').html).toContain('<bdi>12345</bdi>\u00a0numaralı');
    expect(mail('pl').subject).toBe('Otrzymaliśmy Twoje zgłoszenie nr 12345');
  });

  it('sets every line of a right-to-left text part to the right', () => {
    for (const locale of ['ar', 'he']) {
      const lines = catalogue.render('ticket-replied', locale, ticket).text.split('\n');
      expect(lines).toContain('\u200f* * *');
      expect(lines).toContain(`\u200f${brand.name}`);
      expect(lines).toContain(link);
    }
    expect(catalogue.render('ticket-replied', 'en', ticket).text).not.toContain('\u200f');
  });

  it('counts as the language counts', () => {
    const subject = (locale: string, updateCount: number) =>
      catalogue.render('ticket-summary', locale, { ...ticket, updateCount }).subject;
    expect(subject('en', 1)).toBe('Your support ticket 12345 has a new update');
    expect(subject('en', 1200)).toBe('Your support ticket 12345 has 1,200 new updates');
    expect(subject('id', 1200)).toBe('Ada 1.200 pembaruan pada tiket bantuan 12345');
  });

  it('tells only guests about the code', () => {
    expect(catalogue.render('ticket-replied', 'en', ticket).text).toContain('confirm your email address');
    expect(catalogue.render('ticket-replied', 'en', { ...ticket, guest: false }).text).not.toContain('confirm');
  });
});

describe('values', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom(
      '{{link}}',
      '{{{x}}}',
      '<b>x</b>',
      '"><script>',
      "' onclick='x",
      'a\r\nBcc: x@y.example',
      '**b**',
      '&lt;',
      'a\u202eb',
      'x\u2028y',
      '[a](b)',
      'zq0x',
      '$&',
      '# #',
    ),
  );

  it('arrive escaped in HTML, letter for letter in text, and add no line anywhere', () => {
    const plain = catalogue.render('ticket-replied', 'en', ticket);
    fc.assert(
      fc.property(hostile, hostile, (ticketNumber, name) => {
        const values = { ...ticket, ticketNumber, brand: { ...brand, name } };
        const { subject, html, text } = catalogue.render('ticket-replied', 'en', values);
        const clean = (value: string) =>
          value.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/gu, ' ').trim();
        expect(subject).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
        expect(subject).toBe(`New reply to your support ticket ${clean(ticketNumber)}`.replace(/\s+/g, ' ').trim());
        expect(text.split('\n')).toHaveLength(plain.text.split('\n').length - (clean(name) ? 0 : 2));
        expect(text.split('\n')[0]).toBe(`New reply to your ticket ${clean(ticketNumber)}`.trimEnd());
        expect(tags(html)).toEqual(tags(plain.html));
        expect(unescape(/<h1[^>]*>[^]*?<bdi>([^]*?)<\/bdi>/.exec(html)![1]!)).toBe(clean(ticketNumber));
      }),
      { numRuns: 300 },
    );
  });

  it('are never read as template, Markdown or HTML', () => {
    const { html, text } = catalogue.render('ticket-replied', 'en', { ...ticket, ticketNumber: '{{link}} **x** <b>' });
    expect(html).toContain('<bdi>{{link}} **x** &lt;b&gt;</bdi>');
    expect(text).toContain('New reply to your ticket {{link}} **x** <b>\n');
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    '//evil.example',
    '/t/x',
    'https://a b',
    'https://a"b',
    'https://x\r\ny',
    '',
  ])('refuses %j as a link', (bad) =>
    expect(() => catalogue.render('ticket-replied', 'en', { ...ticket, link: bad })).toThrow(
      /link must be an absolute URL/,
    ),
  );

  it('takes plain http only where the gateway itself is on http', () => {
    const local = { ...ticket, link: 'http://localhost:3000/t/x' };
    expect(() => catalogue.render('ticket-replied', 'en', local)).toThrow(RangeError);
    const http = TemplateCatalogue.load({ templatesDir: TEMPLATES, shellsDir, defaultLocale: 'en', allowHttp: true });
    expect(http.render('ticket-replied', 'en', local).text).toContain('\nhttp://localhost:3000/t/x\n');
  });

  it.each(['Siti', 'María José', "Seán O'Neill", '李小龍', 'Анна-Мария', 'J. R. Smith', 'محمد', 'Nguyễn Thị Ánh'])(
    'greets %s by name',
    (name) => expect(greetingName(name)).toBe(name.normalize('NFC')),
  );

  it.each([
    'win.example',
    'Visit www win',
    'http://x',
    'a@b',
    'Call 555123',
    '{{x}}',
    '<b>',
    'Siti\u202e',
    'x'.repeat(41),
    'Your account is closed call us',
    'Pay: now',
    'a/b',
    '',
    'evil。example',
    '(free money)',
  ])('greets namelessly when the name is %j', (name) => {
    expect(greetingName(name)).toBe('');
    expect(catalogue.render('ticket-replied', 'en', { ...ticket, recipientName: name }).text).toContain('\nHello,\n');
  });

  it('the code mail’s words cannot name the code', () => {
    const files = {
      'content/access-code/en.hbs': (text: string) =>
        text.replace('subject: Your', 'subject: "{{code}} is your"\nx: Your'),
    };
    expect(() => load(templatesWith(files))).toThrow(/access-code\/en\.hbs:2:13: there is no value "code"/);
  });
});

describe('languages', () => {
  it.each([
    ['id', 'id', 'exact'],
    ['id-ID', 'id', 'language'],
    ['id_ID', 'id', 'language'],
    ['in', 'id', 'exact'],
    ['en-GB', 'en', 'language'],
    ['xx', 'en', 'default'],
    ['not a tag', 'en', 'default'],
    ['', 'en', 'default'],
    [null, 'en', 'default'],
  ])('%j is answered in %s (%s)', (wanted, locale, reason) => {
    expect(catalogue.resolveLocale(wanted)).toEqual({ locale, reason });
    expect(catalogue.resolveLocale(wanted, 'access-code')).toEqual({ locale, reason });
  });

  it('are found by their files, and a half translated one counts only for the mails it has', () => {
    const english = readFileSync(join(TEMPLATES, 'content/ticket-replied/en.hbs'), 'utf8');
    const frame = readFileSync(join(TEMPLATES, 'content/_frame/en.hbs'), 'utf8');
    const more = load(
      templatesWith({ 'content/ticket-replied/sr-Latn.hbs': english, 'content/_frame/sr-Latn.hbs': frame }),
    );
    expect(more.availableLocales).toEqual([...catalogue.availableLocales, 'sr-Latn'].sort());
    expect(more.resolveLocale('sr-ME', 'ticket-replied')).toEqual({ locale: 'sr-Latn', reason: 'script' });
    expect(more.resolveLocale('sr-RS', 'ticket-replied').reason).toBe('default');
    expect(more.resolveLocale('sr-ME', 'ticket-closed')).toEqual({ locale: 'en', reason: 'default' });
    expect(more.resolveLocale('sr-ME').reason).toBe('default');
  });

  it('a translation that does not compile is passed over for the default, and check says why', () => {
    const broken = load(
      templatesWith({ 'content/ticket-replied/id.hbs': (text) => text.replace('{{> greeting}}', '{{nobody}}') }),
    );
    expect(broken.resolveLocale('id', 'ticket-replied')).toEqual({ locale: 'en', reason: 'default' });
    expect(broken.resolveLocale('id', 'ticket-closed').locale).toBe('id');
    expect(broken.check().map(({ file, line }) => `${file}:${line}`)).toEqual([
      'templates/content/ticket-replied/id.hbs:7',
    ]);
    expect(() => broken.render('ticket-replied', 'id', ticket)).toThrow(/nobody/);
  });

  it('written from right to left turn the mail around and keep numbers whole', () => {
    const dir = templatesWith(
      Object.fromEntries(
        ['_frame', 'ticket-replied'].map((key) => [
          `content/${key}/ar.hbs`,
          readFileSync(join(TEMPLATES, 'content', key, 'en.hbs'), 'utf8'),
        ]),
      ),
    );
    const mail = load(dir).render('ticket-replied', 'ar', { ...ticket, ticketNumber: 'AB-12' });
    expect(mail.dir).toBe('rtl');
    expect(mail.html).toContain('<html dir="rtl" lang="ar">');
    expect(mail.html).toContain('<bdi>AB-12</bdi>');
    expect(mail.html).toContain('Geeza Pro');
    expect(mail.subject).toContain('\u2068AB-12\u2069');
  });
});

describe('mustaches', () => {
  const source = [
    '{{t "x"}} *{{t "a * b"}}* and **{{plural n one="a" other="b"}}**',
    '{{> part}} [{{t \'q"x\'}}]({{url}} "{{t "title"}}") `{{x}}` "{{y}}" {{z_a_b}}',
    '{{#if (eq a \'b\')}}<{{q}}>{{else}}& {{w "}}"}}{{/if}} {{~trim~}}',
  ].join('\n');
  const all = [
    '{{t "x"}}',
    '{{t "a * b"}}',
    '{{plural n one="a" other="b"}}',
    '{{> part}}',
    "{{t 'q\"x'}}",
    '{{url}}',
    '{{t "title"}}',
    '{{x}}',
    '{{y}}',
    '{{z_a_b}}',
    "{{#if (eq a 'b')}}",
    '{{q}}',
    '{{else}}',
    '{{w "}}"}}',
    '{{/if}}',
    '{{~trim~}}',
  ];

  it('come through Markdown as they went in', () => {
    const vault = new Vault(source);
    const seen: string[] = [];
    const html = vault.restore(markdownToHtml(vault.hideAll(source), {}), (mustache) => {
      seen.push(mustache);
      return mustache;
    });
    expect([...seen].sort()).toEqual([...all].sort());
    expect(html).toContain('<em>{{t "a * b"}}</em> and <strong>{{plural n one="a" other="b"}}</strong>');
    expect(html).toContain('<a href="{{url}}" title="{{t "title"}}">{{t \'q"x\'}}</a>');
    expect(vault.restore(vault.hideAll(source))).toBe(source);
  });

  it('are hidden behind words that the text does not hold by chance', () => {
    const text = 'zq0x zqq0x {{a}} zq1x';
    const vault = new Vault(text);
    expect(vault.restore(vault.hideAll(text))).toBe(text);
  });

  it('come through React and the layouts unescaped', async () => {
    const shell = await renderShell(Notification);
    expect(shell).toContain('{{> heading}}');
    expect(shell).toMatch(/\{\{> body p='class="text" style="[^']*color:\{\{brand\.light\.text\}\}/);
    expect(shell).toContain("<title>{{> subject as='plain'}}</title>");
    expect(shell.match(/href="\{\{link\}\}"/g)).toHaveLength(2);
    expect(shell).not.toMatch(/zq\d|&gt; |&quot;/);
    const seen: string[] = [];
    replaceMustaches(shell, (mustache) => (seen.push(mustache), ''));
    expect(seen.join('').split('{{').length).toBeGreaterThan(seen.length);
  });

  const vocabulary: Vocabulary = { name: 'word', flag: 'flag', n: 'count', at: 'time', url: 'url' };
  const complaints = (text: string) => checkSyntax(text, 'words.hbs', vocabulary, ['part']);

  it.each([
    '{{name}}',
    '{{#if flag}}a{{else if (eq name "b")}}c{{else}}d{{/if}}',
    '{{#unless flag}}a{{/unless}}',
    '{{plural n one="a" other="b"}}',
    '{{datetime at}}',
    '{{> part}}',
    '{{! a note }}',
  ])('%s is allowed', (text) => expect(complaints(text)).toEqual([]));

  it.each([
    ['{{{name}}}', /unescaped, which is not allowed: write \{\{name\}\}/],
    ['{{&name}}', /unescaped/],
    ['{{* deco}}', /decorators/],
    ['{{#* inline "x"}}{{/inline}}', /decorators/],
    ['{{> (lookup . "x")}}', /whose name is computed/],
    ['{{> other}}', /there is no part "other"; there are: part/],
    ['{{> part name}}', /takes no parameters/],
    ['{{#> part}}x{{/part}}', /not allowed/],
    ['{{lookup name "x"}}', /no helper "lookup"/],
    ['{{log name}}', /no helper "log"/],
    ['{{#with name}}x{{/with}}', /\{\{#with\}\} is not allowed/],
    ['{{#each name}}x{{/each}}', /\{\{#each\}\} is not allowed/],
    ['{{#if flag as |x|}}x{{/if}}', /block parameters/],
    ['{{nobody}}', /no value "nobody" in this mail; there are: name, flag/],
    ['{{@root.name}}', /no value "@root.name"/],
    ['{{../name}}', /no value "..\/name"/],
    ['{{this}}', /no value "this"/],
    ['{{name.constructor}}', /no value "name.constructor"/],
    ['{{__proto__}}', /no value "__proto__"/],
    ['{{constructor}}', /no value "constructor"/],
    ['{{#if nobody}}x{{/if}}', /no value "nobody"/],
    ['{{#if (eq nobody 1)}}x{{/if}}', /no value "nobody"/],
    ['{{at}}', /write \{\{datetime at\}\}/],
    ['{{flag}}', /write \{\{#if flag\}\}/],
    ['{{datetime name}}', /takes a time, and name is none/],
    ['{{plural n one="a"}}', /needs the form other/],
    ['{{plural n other="a" couple="b"}}', /no form "couple"/],
    ['{{eq name "x"}}', /used wrongly/],
    ['\\{{name}}', /not allowed: write values as/],
    ['{{{{raw}}}}x{{{{/raw}}}}', /not allowed/],
    ['{{#if flag}}x', /is not finished/],
    ['{{name', /is not finished/],
    ['{{name\nand {{name}}', /is not finished/],
    ['{{#if flag}}x\n{{name}}', /is not finished/],
    ['x{{/if}}\n{{name}}', /is not finished/],
  ])('%s is refused with its place and the fix', (text, message) => {
    const [problem] = complaints(`first line\n${text}`);
    expect(problem?.message).toMatch(message);
    expect(problem?.file).toBe('words.hbs');
    expect(problem?.line).toBe(2);
  });
});

describe('loading', () => {
  it('names every problem of the default locale at once', () => {
    const dir = templatesWith({
      'content/ticket-replied/en.hbs': (text) => text.replace('{{> greeting}}', '{{{greetingName}}}\n\n{{sender}}'),
      'content/ticket-closed/en.hbs': (text) => text.replace(/^button.*\n/m, ''),
    });
    rmSync(join(dir, 'content/link-renewed/en.hbs'));
    const said = () => load(dir);
    expect(said).toThrow(/ticket-replied\/en\.hbs:7:1: \{\{\{greetingName\}\}\}/);
    expect(said).toThrow(/ticket-replied\/en\.hbs:9:3: there is no value "sender"/);
    expect(said).toThrow(/ticket-closed\/en\.hbs:5:1: "button" is missing/);
    expect(said).toThrow(/link-renewed\/en\.hbs: is missing/);
  });

  it('refuses words that would break the mail, and says how to mend them', () => {
    expect(complaint((text) => text.replace('{{> greeting}}', '{{#if guest}}**a{{/if}}**'))).toMatch(
      /"body": a block and .* overlap/,
    );
    expect(complaint((text) => text.replace(/^subject.*$/m, 'subject: "{{#if guest}}x"'))).toMatch(/\{\{\/if\}\}/);
    expect(complaint((text) => `${text}\n[x](http://evil.example)`)).toMatch(/links to "http:\/\/evil\.example"/);
    expect(complaint((text) => `${text}\n[x]({{ticketNumber}})`)).toMatch(/links to "\{\{ticketNumber\}\}"/);
    expect(complaint((text) => `${text}\n[x](https://a.example/{{checkUrl}})`)).toMatch(/one value that is an address/);
    expect(complaint((text) => `${text}\n{\\{link}}`)).toMatch(/two braces/);
    expect(complaint((text) => `${text}\nSee www.evil.example.`)).toMatch(/en\.hbs:11:5: "body" links to "www\.evil/);
    expect(complaint((text) => `${text}\n[x](https://other.example)`)).toMatch(
      /:11:5: .*no words lead to another host/,
    );
    expect(complaint((text) => `${text}\n{{link}}`)).toMatch(/no value "link"/);
    expect(complaint((text) => text.replace('Read the', 'Read\u202e the'))).toMatch(/:5:13: "button" has .* U\+202E/);
    expect(complaint((text) => text.replace('button:', 'bouton:'))).toMatch(
      /"bouton" is not a field here[^]*"button" is missing/,
    );
    expect(complaint((text) => text.replace(/^subject: /m, 'subject: a: '))).toMatch(/put the value in quotes/);
    expect(complaint(() => 'just words')).toMatch(/begin with a line ---/);
  });

  it('takes values at the beginning of a field, unquoted', () => {
    const dir = templatesWith({
      'content/ticket-replied/en.hbs': (text) =>
        text.replace(/^heading: .*$/m, 'heading: {{ticketNumber}} {{plural updateCount one="# a: b" other="x #"}}'),
    });
    expect(load(dir).render('ticket-replied', 'en', { ...ticket, updateCount: 2 }).text).toMatch(/^12345 x 2\n/);
  });

  it('puts the words of a link and its address into both parts', () => {
    const values = { ...ticket, checkUrl: 'https://support.example/check', checkReference: '7QK3' };
    const linked = (text: string) => text.replace('at {{checkUrl}}', '[right here]({{checkUrl}})');
    const { html, text } = load(templatesWith({ 'content/_frame/en.hbs': linked })).render(
      'ticket-replied',
      'en',
      values,
    );
    expect(hrefs(html)).toContain('https://support.example/check');
    expect(text).toContain('Check its ID number 7QK3 right here <https://support.example/check>');
  });

  it('says by which reference and at which address a mail is checked, in both parts', () => {
    const values = { ...ticket, checkUrl: 'https://support.example/check', checkReference: '7QK3' };
    const { html, text } = catalogue.render('ticket-replied', 'en', values);
    for (const part of [html.replace(/<[^>]+>/g, ''), text])
      expect(unescape(part)).toContain('Check its ID number 7QK3 at https://support.example/check');
  });

  it('shapes whole paragraphs by blocks on lines of their own, and leaves no empty ones', () => {
    const dir = templatesWith({
      'content/ticket-replied/en.hbs': (text) => `${text}\n{{#if guest}}\nOnly you.\n{{/if}}\n`,
    });
    const loaded = load(dir);
    expect(loaded.render('ticket-replied', 'en', ticket).html).toMatch(/<p[^>]*>Only you\.<\/p>/);
    const { html, text } = loaded.render('ticket-replied', 'en', { ...ticket, guest: false });
    expect(html).not.toMatch(/<p[^>]*>\s*<\/p>/);
    expect(text).not.toMatch(/Only you|\n{3}/);
  });
});

describe('the text part', () => {
  it('writes lists, line breaks and links as a letter would', () => {
    const text = markdownToText(
      'Hello *you*,\nand **all**\n\n- one\n- two  \n  more\n\n3. three\n4. four\n\n[Here](https://a.example) or <https://b.example>',
    );
    expect(text).toBe(
      'Hello you, and all\n\n- one\n- two\n  more\n\n3. three\n4. four\n\nHere <https://a.example> or https://b.example',
    );
  });
});

describe('brands', () => {
  it('the default one is readable in light and dark', () => {
    for (const mode of [brand.light, brand.dark]) expect(contrast(mode.text, mode.surface)).toBeGreaterThan(7);
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
  });

  it('one takes what it does not say from the default', () => {
    const dir = templatesWith({ 'brands/acme/brand.json': '{ "name": "Acme", "light": { "accent": "#7a1fa2" } }' });
    const acme = loadBrand(dir, 'acme');
    expect(acme).toMatchObject({ key: 'acme', name: 'Acme', radius: brand.radius, dark: brand.dark });
    expect(acme.light).toEqual({ ...brand.light, accent: '#7a1fa2' });
    expect(load(dir).render('ticket-replied', 'en', { ...ticket, brand: acme }).html).toContain(
      'background-color:#7a1fa2',
    );
  });

  it.each([
    [
      '{ "name": "A", "light": { "accent": "#ffee00" } }',
      /light\.accent on light\.surface has a contrast of 1\.\d+, and needs 4\.5 \(#ffee00 on #ffffff\): light\.accent #\w{6} would pass/,
    ],
    ['{ "name": "A", "light": { "ground": "#000000" } }', /light\.text on light\.ground .*: no colour is readable/],
    [
      '{ "name": "A", "light": { "accent": "#ff9a1f" } }',
      /light\.onAccent on light\.accent .*: light\.accent #\w{6} would pass/,
    ],
    ['{ "name": "A", "sender": "A <a@>" }', /sender: must be a name and an address like/],
    ['{ "name": "A", "footer": { "en": "" } }', /footer/],
    ['{ "name": "A", "dark": { "soft": "#808080" } }', /dark\.quiet on dark\.soft has a contrast/],
    ['{ "name": "A", "light": { "accent": "red;}" } }', /light\.accent: must be a colour/],
    ['{ "name": "A", "logo": { "file": "../x.png", "width": 9, "height": 9 } }', /logo\.file/],
    ['{ "name": "A", "logo": { "file": "x.png", "width": 9, "height": 9 } }', /x\.png is not there/],
    ...[
      'http://acme.example/',
      'javascript:alert(1)',
      'https://user:secret@acme.example/',
      'mailto:a@acme.example,b@acme.example',
      'mailto:help@acme.example?bcc=eve@evil.example',
      'mailto:',
      '/contact',
    ].map((contact): [string, RegExp] => [
      JSON.stringify({ name: 'A', contact }),
      /contact: must be an https: or mailto:/,
    ]),
    ['{', /is not a JSON object/],
  ])('%s is refused with a reason', (json, reason) => {
    expect(() => loadBrand(templatesWith({ 'brands/bad/brand.json': json }), 'bad')).toThrow(reason);
  });

  it.each([
    ['light', 'accent', '#ffee00'],
    ['dark', 'text', '#333333'],
    ['light', 'quiet', '#aaaaaa'],
    ['dark', 'onAccent', '#cccccc'],
  ])('one that nobody can read is told a colour that passes: %s.%s %s', (mode, name, colour) => {
    const withColour = (value: string) =>
      templatesWith({ 'brands/bad/brand.json': JSON.stringify({ name: 'A', [mode]: { [name]: value } }) });
    let said = '';
    try {
      loadBrand(withColour(colour), 'bad');
    } catch (error) {
      said = (error as Error).message;
    }
    const better = new RegExp(`${mode}\\.${name} (#\\w{6}) would pass`).exec(said)?.[1];
    expect(better).toBeDefined();
    // Another pair may still fail, such as what stands on the new accent; this colour's own ones do not.
    try {
      loadBrand(withColour(better!), 'bad');
    } catch (error) {
      expect((error as Error).message).not.toContain(`${mode}.${name} on `);
    }
  });

  it('writes its last line in the language of the mail, else in the first one there is, and as one line of text', () => {
    const footer = { en: 'Acme <b>Ltd</b> & {{link}}', id: 'PT Acme' };
    const read = (locale: string, own: Brand['footer']) =>
      catalogue.render('ticket-replied', locale, { ...ticket, brand: { ...brand, footer: own } });
    expect(read('en', footer).text.trimEnd().split('\n').at(-1)).toBe(footer.en);
    expect(read('en', footer).html).toContain('>Acme &lt;b&gt;Ltd&lt;/b&gt; &amp; {{link}}</p>');
    expect(read('id', footer).text).toContain('\nPT Acme\n');
    expect(read('id', { de: 'Acme GmbH', en: 'Acme' }).text).toContain('\nAcme GmbH\n');
    expect(read('id', 'Acme\r\nBcc: x').text).toContain('\nAcme Bcc: x\n');
    expect(read('en', undefined).text).toBe(catalogue.render('ticket-replied', 'en', ticket).text);
  });

  it('may name a page or a mailbox to go on to, and it is nobody else’s', () => {
    for (const contact of ['https://acme.example/contact?from=ticket', 'mailto:help@acme.example'])
      expect(
        loadBrand(templatesWith({ 'brands/acme/brand.json': JSON.stringify({ name: 'Acme', contact }) }), 'acme')
          .contact,
      ).toBe(contact);
    const silent = templatesWith({ 'brands/acme/brand.json': '{ "name": "Acme" }' });
    expect(loadBrand(silent, 'acme').contact).toBeUndefined();
  });

  it.each(['nobody', '../default', ''])('there is none called %j', (key) => {
    expect(() => loadBrand(TEMPLATES, key)).toThrow(/There is no brand/);
  });

  it('shows a logo when there is one, with the name for those who do not load it', () => {
    const withLogo = { ...brand, logo: { file: 'logo.png', width: 120, height: 32 } };
    const { html } = catalogue.render('ticket-replied', 'en', {
      ...ticket,
      brand: withLogo,
      logoUrl: 'https://support.example/logo.png',
    });
    expect(html).toMatch(/<img [^>]*alt="Postern Support"/);
  });

  it('has fonts for each script', () => {
    expect(fontStack('ja')).toContain('Hiragino');
    expect(fontStack('zh-TW')).toContain('PingFang TC');
    expect(fontStack('id')).toMatch(/^-apple-system.*sans-serif$/);
  });
});

/** The tags of a page without what the values put into their attributes. */
function tags(html: string): string[] {
  return [...html.matchAll(/<\/?[a-z][a-z0-9]*/gi)].map(([tag]) => tag);
}

it('every key has samples', () => {
  const withoutSamples = templateKeys.filter((key: TemplateKey) => readSamples(TEMPLATES, key, brand).length === 0);
  expect(withoutSamples).toEqual([]);
});
