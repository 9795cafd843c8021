import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brandCss, loadAssets } from '../../src/portal/page-files.js';
import type { SharedView } from '../../src/portal/page-views.js';
import { GuestPages } from '../../src/portal/pages.js';
import { argumentUses } from '../../src/portal/sentences.js';

import {
  attachments,
  code,
  landing,
  message,
  notices,
  replyBox,
  samples,
  shared,
  ticket,
  type Sample,
} from '../support/page-samples.js';
import { isLong } from '../support/long.js';
import { htmlFaults } from '../support/valid-html.js';

const TEMPLATES = join(import.meta.dirname, '../../templates');
const HOSTILE = `<img src=x onerror="alert(1)">'&amp;{{t "x"}}{name}`;
const pages = GuestPages.load({ templatesDir: TEMPLATES, defaultLocale: 'en' });
const locales = pages.locales().map(({ tag }) => tag);

function render([, page, view]: Sample, locale = 'en', more: Partial<SharedView> = {}): string {
  return pages.render(page, locale, view as never, shared(more));
}

const everyOutput = (): [string, string][] =>
  locales.flatMap((locale) =>
    samples.map((sample): [string, string] => [`${sample[0]} (${locale})`, render(sample, locale)]),
  );

/** What a reader sees: tags out, the five escapes back. */
const textOf = (html: string): string =>
  html
    .replace(/<[^>]*>/g, '')
    .replaceAll('&#x27;', "'")
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#x3D;', '=')
    .replaceAll('&amp;', '&');

/** The same view with every text replaced, but those that choose a branch and the one that is HTML by contract. */
function poisoned<T>(value: T, key = ''): T {
  if (typeof value === 'string') {
    const kept = ['kind', 'status', 'state', 'error', 'notice', 'answer', 'flash', 'bodyHtml', 'field'].includes(key);
    return (kept ? value : HOSTILE) as T;
  }
  if (Array.isArray(value)) return value.map((each) => poisoned(each, key)) as T;
  if (value instanceof Date || typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, poisoned(each, name)])) as T;
}

/** A copy of the pages in which one locale's sentences are changed. */
function loadWith(locale: string, change: (sentences: Record<string, string>) => void): GuestPages {
  const dir = mkdtempSync(join(workspace, 'pages-'));
  cpSync(join(TEMPLATES, 'pages'), join(dir, 'pages'), { recursive: true });
  const file = join(dir, 'pages', `${locale}.json`);
  const sentences = JSON.parse(readFileSync(file, 'utf8'));
  change(sentences);
  writeFileSync(file, JSON.stringify(sentences));
  return GuestPages.load({ templatesDir: dir, defaultLocale: 'en' });
}

/** Sentences are read when first wanted, so the copies stay until the end. */
const workspace = mkdtempSync(join(tmpdir(), 'postern-pages-'));
afterAll(() => rmSync(workspace, { recursive: true }));

const sentencesOf = (locale: string): Record<string, string> =>
  JSON.parse(readFileSync(join(TEMPLATES, 'pages', `${locale}.json`), 'utf8'));

describe('every page in every language', () => {
  it.each(everyOutput())('%s is a whole document that says its language and title', (_, html) => {
    const [, lang, dir] = /^<!doctype html>\n<html lang="([\w-]+)" dir="(ltr|rtl)">/.exec(html)!;
    expect(dir).toBe(['ar', 'he'].includes(lang!) ? 'rtl' : 'ltr');
    expect(html.match(/<h1[ >]/g)).toHaveLength(1);
    expect(html).toMatch(/<title>[^<]*\S[^<]* [—–|-] Acme<\/title>/);
    expect(html).not.toMatch(/undefined|\[object|NaN|Invalid Date/);
  });

  // No sentence has markup: what changes is the direction.
  it.each(isLong ? locales : ['en', 'ar'])('is valid HTML: %s', (locale) => {
    const faults = samples.flatMap((sample) =>
      htmlFaults(render(sample, locale), 'page').map((fault) => `${sample[0]} ${fault}`),
    );
    expect(faults).toEqual([]);
  });

  it.each(everyOutput())('%s has no inline script or style and asks nobody else for anything', (_, html) => {
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/i);
    expect(html.match(/<script[^>]*>/g)).toEqual(['<script src="/assets/1/postern.js" defer>']);
    expect(html).not.toMatch(/(?:src|href|action|srcset|poster)="(?:[a-z]+:|\/\/)/i);
  });

  it.each(everyOutput())('%s has the form token in every form, before any file', (_, html) => {
    const forms = html.match(/<form[^>]*>[\s\S]*?<\/form>/g) ?? [];
    expect(forms.length > 0).toBe(!html.includes('page--print'));
    for (const form of forms) {
      expect(form).toMatch(/^<form[^>]*method="post"/);
      expect(form).toMatch(/^<form[^>]*>\s*<input type="hidden" name="formToken" value="form-token-1">/);
    }
  });

  it('never offers a field for an address', () => {
    for (const [, html] of everyOutput()) {
      const names = [...html.matchAll(/<(?:input|textarea|select)[^>]*\sname="([^"]*)"/g)].map((found) => found[1]!);
      expect(
        names.filter(
          (name) => !['formToken', 'formKey', 'path', 'language', 'code', 'body', 'files', 'reference'].includes(name),
        ),
      ).toEqual([]);
    }
  });
});

describe('values', () => {
  it.each(samples.map((sample) => [sample[0], sample] as const))(
    '%s escapes every hostile value',
    (_, [name, page, view]) => {
      const html = render([name, page, poisoned(view)] as Sample, 'en', { ...poisoned(shared()), timeZone: HOSTILE });
      expect(html).not.toContain('<img src=x');
      expect(html).not.toContain('onerror="');
      expect(textOf(html)).toContain(HOSTILE);
      // Were a value compiled or read as an ICU message, its braces would be gone.
      expect(html).toContain('{{t &quot;x&quot;}}{name}');
    },
  );

  it('passes a message body through as the HTML it is', () => {
    expect(render(['', 'ticket', ticket()])).toContain('<p>Mohon kirim <b>ID</b>.</p>');
  });

  it('isolates addresses and numbers in sentences', () => {
    const html = render(['', 'landing', landing]);
    expect(html).toContain('<bdi>s***i@e***.com</bdi>');
    expect(textOf(html)).toContain('Ticket 12345');
  });

  it('gives back what was typed, character by character', () => {
    const body = '\n  two blanks\n\n</textarea><b>& end  ';
    const html = render(['', 'ticket', ticket({ reply: replyBox({ body }) })]);
    const inside = /<textarea[^>]*>\n([\s\S]*?)<\/textarea>/.exec(html)![1]!;
    expect(textOf(inside)).toBe(body);
  });
});

describe('sentences', () => {
  it.each(locales)('in %s are the same, with the same values, as in the default locale', (locale) => {
    const [own, standard] = [sentencesOf(locale), sentencesOf('en')];
    expect(Object.keys(own)).toEqual(Object.keys(standard));
    for (const key of Object.keys(standard)) {
      expect([key, [...argumentUses(own[key]!).keys()]]).toEqual([key, [...argumentUses(standard[key]!).keys()]]);
    }
  });

  it('are all used somewhere: in the markup or by name from the code', () => {
    const dir = join(TEMPLATES, 'pages');
    const markup = [dir, join(dir, 'parts')].flatMap((each) =>
      readdirSync(each)
        .filter((file) => file.endsWith('.hbs'))
        .map((file) => readFileSync(join(each, file), 'utf8')),
    );
    const families =
      /^(notice|help|check\.(ours|unknown|error)|closed|readOnly|status|author|message\.state|ticket\.flash|code\.(notice|error)|reply\.error)\./;
    const inCode = ['language.name', 'time.dayAndClock', 'ticket.noSubject'];
    const unused = Object.keys(sentencesOf('en')).filter(
      (key) => !families.test(key) && !inCode.includes(key) && !markup.some((text) => text.includes(`"${key}"`)),
    );
    expect(unused).toEqual([]);
  });

  it('missing in the default locale stop the start, each one named', () => {
    const load = (): GuestPages =>
      loadWith('en', (sentences) => {
        delete sentences['landing.action'];
        delete sentences['notice.wait.title'];
        delete sentences['status.pending'];
      });
    expect(load).toThrow(/"landing\.action" is missing/);
    expect(load).toThrow(/"notice\.wait\.title" is missing/);
    expect(load).toThrow(/"status\.pending" is missing/);
  });

  it('missing in another locale are said in the default one', () => {
    const some = loadWith('id', (sentences) => delete sentences['landing.action']);
    const html = some.render('landing', 'id', landing, shared());
    expect(html).toContain('Send code');
    expect(html).toContain('Tiket <bdi>12345</bdi>');
  });

  it.each(['Kode ke {address', '', 7])(
    'that say %j stop the start in the default locale; in another one they are said as the default says them',
    (broken) => {
      const damage = (sentences: Record<string, unknown>) => (sentences['landing.lead'] = broken);
      expect(() => loadWith('en', damage)).toThrow(/en\.json: "landing\.lead"/);
      const id = loadWith('id', damage);
      expect(id.sentence('id', 'landing.lead', { address: 'a' })).toBe(
        pages.sentence('en', 'landing.lead', { address: 'a' }),
      );
      expect(id.sentence('id', 'landing.action')).toBe('Kirim kode');
    },
  );

  it('that want a value nobody gives are said as the default locale says them', () => {
    const id = loadWith('id', (sentences) => (sentences['landing.lead'] = 'Kode ke {alamat}'));
    expect(id.sentence('id', 'landing.lead', { address: 'a' })).toContain('We will send a short code to a.');
  });

  it('of a file that cannot be read are no language', () => {
    const dir = mkdtempSync(join(workspace, 'pages-'));
    cpSync(join(TEMPLATES, 'pages'), join(dir, 'pages'), { recursive: true });
    writeFileSync(join(dir, 'pages', 'id.json'), '{ "landing.lead": ');
    const broken = GuestPages.load({ templatesDir: dir, defaultLocale: 'en' });
    expect(broken.resolveLocale('id')).toBe('en');
    expect(broken.locales().map(({ tag }) => tag)).not.toContain('id');
    expect(broken.render('landing', 'id', landing, shared())).toContain('<html lang="en"');
  });

  it('count in the way of the language', () => {
    expect(textOf(render(['', 'code', { ...code, error: 'wrong', triesLeft: 1 }]))).toContain(
      'You can try 1 more time.',
    );
    expect(textOf(render(['', 'code', { ...code, error: 'wrong', triesLeft: 3 }]))).toContain(
      'You can try 3 more times.',
    );
    expect(pages.sentence('id-ID', 'reply.error.too-long', { max: 20000 })).toContain('20.000');
  });
});

describe('locales', () => {
  it('go from what is wanted to its language to the default, and never fail', () => {
    const wanted = ['id-ID', 'id', 'ID_id', 'in', 'en-GB', 'sw-KE', '', 'not a tag', '../id', null];
    expect(wanted.map((tag) => pages.resolveLocale(tag))).toEqual([
      'id',
      'id',
      'id',
      'id',
      'en',
      'en',
      'en',
      'en',
      'en',
      'en',
    ]);
  });

  it('are named in their own language, and the current one is marked', () => {
    expect(pages.locales()).toEqual(
      expect.arrayContaining([
        { tag: 'en', name: 'English' },
        { tag: 'id', name: 'Bahasa Indonesia' },
      ]),
    );
    expect(render(['', 'landing', landing], 'id')).toMatch(/value="id" lang="id" dir="ltr" selected>Bahasa Indonesia/);
  });

  it('are in one order on every page', () => {
    const order = (locale: string) => [
      ...render(['', 'landing', landing], locale).matchAll(/<option value="([\w-]+)"/g),
    ];
    const tags = order('en').map(([, tag]) => tag);
    expect(tags).toEqual(pages.locales().map(({ tag }) => tag));
    for (const locale of locales) expect(order(locale).map(([, tag]) => tag)).toEqual(tags);
  });

  it('are chosen by a form that knows its page, which says once that the choice is kept', () => {
    const html = render(['', 'landing', landing]);
    expect(html).toContain('action="/t/token/language"');
    expect(html).toContain('name="path" value="/t/token?x&#x3D;1"');
    const kept = pages.sentence('en', 'layout.languageKept');
    expect(textOf(html)).not.toContain(kept);
    expect(textOf(render(['', 'landing', landing], 'en', { languageKept: true }))).toContain(kept);
  });

  it('give the script every plural form they have, whole sentences with places to fill', () => {
    const words = {
      'language.name': 'Русский',
      'ticket.new':
        '{count, plural, one {# новое сообщение} few {# новых сообщения} many {# новых сообщений} other {# сообщения}}',
      'reply.picked': '{count, plural, one {# файл} few {# файла} other {# файлов}}, {size}',
    };
    const dir = mkdtempSync(join(tmpdir(), 'pages-'));
    try {
      cpSync(join(TEMPLATES, 'pages'), join(dir, 'pages'), { recursive: true });
      writeFileSync(join(dir, 'pages', 'ru.json'), JSON.stringify({ ...sentencesOf('en'), ...words }));
      const html = GuestPages.load({ templatesDir: dir, defaultLocale: 'en' }).render(
        'ticket',
        'ru',
        ticket(),
        shared(),
      );
      const forms = (name: string) =>
        JSON.parse(new RegExp(`data-${name}="([^"]+)"`).exec(html)![1]!.replaceAll('&quot;', '"')) as object;
      expect(forms('new')).toEqual({
        one: '{count} новое сообщение',
        few: '{count} новых сообщения',
        many: '{count} новых сообщений',
        other: '{count} сообщения',
      });
      expect(forms('picked')).toMatchObject({ few: '{count} файла, {size}', many: '{count} файлов, {size}' });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('written from right to left say so', () => {
    const dir = mkdtempSync(join(tmpdir(), 'pages-'));
    try {
      cpSync(join(TEMPLATES, 'pages'), join(dir, 'pages'), { recursive: true });
      cpSync(join(dir, 'pages', 'en.json'), join(dir, 'pages', 'ar.json'));
      const some = GuestPages.load({ templatesDir: dir, defaultLocale: 'en' });
      expect(some.render('landing', 'ar-EG', landing, shared())).toContain('<html lang="ar" dir="rtl">');
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('times', () => {
  const timesIn = (at: string, locale: string, timeZone: string | null): string => {
    const html = render(['', 'ticket', ticket({ messages: [message({ at: new Date(at) })] })], locale, { timeZone });
    return textOf(/<time[^>]*>[^<]*<\/time>/.exec(html)![0]).replace(/\s/g, ' ');
  };

  it('are the guest’s own: the day changes where the guest is', () => {
    expect(timesIn('2026-11-23T02:15:00Z', 'id', 'Asia/Jakarta')).toBe('Hari ini pukul 09.15');
    expect(timesIn('2026-11-22T16:59:00Z', 'id', 'Asia/Jakarta')).toBe('Kemarin pukul 23.59');
    expect(timesIn('2026-11-22T17:00:00Z', 'id', 'Asia/Jakarta')).toBe('Hari ini pukul 00.00');
    expect(timesIn('2026-11-23T02:15:00Z', 'en', 'America/New_York')).toBe('Today, 9:15 PM');
  });

  it('name the year when it is another one', () => {
    expect(timesIn('2026-03-02T10:00:00Z', 'en', 'UTC')).toBe('Mar 2, 10:00 AM');
    expect(timesIn('2025-03-02T10:00:00Z', 'en', 'UTC')).toBe('Mar 2, 2025, 10:00 AM');
  });

  it.each([null, 'Mars/Olympus', ''])(
    'in zone %j are UTC, say so, and are left to the script to better',
    (timeZone) => {
      expect(timesIn('2026-11-23T02:15:00Z', 'en', timeZone)).toBe('Today, 2:15 AM UTC');
      expect(render(['', 'ticket', ticket()], 'en', { timeZone })).toMatch(/<body[^>]* data-local-times/);
    },
  );

  it('carry their exact moment', () => {
    expect(render(['', 'ticket', ticket()])).toContain(
      'datetime="2026-11-23T02:15:00.000Z" title="Monday, November 23, 2026',
    );
  });
});

describe('the code page', () => {
  it('says that a code was sent only when it was', () => {
    for (const view of [code, { ...code, notice: 'already-sent' as const }, { ...code, error: 'wrong' as const }]) {
      expect(textOf(render(['', 'code', view]))).not.toMatch(/We sent a code|should arrive/);
    }
    expect(textOf(render(['', 'code', { ...code, notice: 'sent' }]))).toContain('We sent a code to s***i@e***.com.');
  });

  it('has one real input that phones fill by themselves', () => {
    const inputs = render(['', 'code', code]).match(/<input (?!type="hidden")[^>]*>/g)!;
    expect(inputs).toHaveLength(1);
    expect(inputs[0]).toMatch(/name="code".*inputmode="numeric".*autocomplete="one-time-code"/);
  });

  it('announces an error at the field and in the title', () => {
    const html = render(['', 'code', { ...code, error: 'malformed' }]);
    expect(html).toMatch(/<title>Error: /);
    expect(html).toMatch(/id="code-error" role="alert"/);
    expect(html).toMatch(/name="code".*aria-describedby="code-hint code-error" aria-invalid="true"/);
    expect(render(['', 'code', code])).not.toMatch(/role="alert"|aria-invalid|<title>Error/);
  });

  it('hands spans, not moments, to the script, whose clock may be wrong', () => {
    const html = render(['', 'code', code]);
    expect(html).toContain('data-expires-in="570"');
    expect(html).toContain('data-wait="43"');
  });
});

describe('the ticket page', () => {
  const messageTags = (html: string): string[] => html.match(/<li class="message [^>]*>/g) ?? [];

  it('marks the newest message, and only that', () => {
    const tags = messageTags(render(['', 'ticket', ticket()]));
    expect(tags.map((tag) => tag.includes('id="newest"'))).toEqual([false, false, true]);
  });

  it('folds a long past away without losing any of it', () => {
    const messages = Array.from({ length: 30 }, (_, index) => message({ bodyHtml: `<p>nr ${index}.</p>` }));
    const html = render(['', 'ticket', ticket({ messages })]);
    const [folded = '', open = ''] = html.split('</details>');
    expect(messageTags(folded)).toHaveLength(27);
    expect(messageTags(open)).toHaveLength(3);
    expect(textOf(folded)).toContain('Show 27 earlier messages');
    expect(messages.every((each) => html.includes(each.bodyHtml))).toBe(true);
  });

  it('never shows what was withdrawn', () => {
    const secret = message({ retracted: true, edited: true, bodyHtml: '<p>secret</p>', attachments });
    const html = render(['', 'ticket', ticket({ messages: [secret] })]);
    expect(html).not.toMatch(/secret|form\.pdf|Edited/);
    expect(html).toContain('This message was withdrawn.');
  });

  it('says plainly that support has not received a failed reply', () => {
    const failed = ticket({ messages: [message({ mine: true, state: 'failed' })] });
    expect(render(['', 'ticket', failed])).toContain('Support has not received this reply.');
    expect(render(['', 'ticket', ticket()])).not.toContain('has not received');
  });

  it('puts each error at its field, the field in focus, and keeps the text', () => {
    const errors = [
      { field: 'files' as const, text: 'F-error.' },
      { field: 'body' as const, text: 'B-error.' },
    ];
    const html = render(['', 'ticket', ticket({ reply: replyBox({ body: 'Halo', errors }) })]);
    expect(html).toMatch(/id="body-error"><p>B-error\.<\/p>/);
    expect(html).toMatch(/id="files-error"><p>F-error\.<\/p>/);
    expect(html).toMatch(
      /<textarea id="body"[^>]*aria-invalid="true" aria-describedby="body-error reply-hint reply-kept" autofocus>\nHalo</,
    );
    expect(html).toMatch(/<input [^>]*id="files"[^>]*aria-describedby="files-hint files-error" aria-invalid="true">/);
    expect(html).toMatch(/role="alert">[\s\S]*href="#body">B-error\.[\s\S]*href="#files">F-error\./);
    expect(html).toMatch(/<title>Error: /);
  });

  it('sends text, files and the key in one multipart form', () => {
    const form = /<form class="reply"[\s\S]*?<\/form>/.exec(render(['', 'ticket', ticket()]))![0];
    expect(form).toContain('enctype="multipart/form-data"');
    const order = [
      'name="formToken"',
      'name="formKey" value="key-1"',
      'name="body"',
      'name="files" type="file" multiple accept=".pdf,.png"',
    ];
    const places = order.map((part) => form.indexOf(part));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it('has no reply box when the ticket is closed, and says what to do', () => {
    const html = render(['', 'ticket', ticket({ status: 'closed', reply: null })]);
    expect(html).not.toMatch(/<textarea|href="#body"/);
    expect(textOf(html)).toContain('write to support again and mention ticket 12345');
  });

  it('asks whether it is solved only when resolved', () => {
    const solvedAction = '/tickets/tkt_1/solved';
    expect(render(['', 'ticket', ticket({ status: 'resolved', solvedAction })])).toMatch(
      /name="solved" value="yes"[\s\S]*name="solved" value="no"/,
    );
    expect(render(['', 'ticket', ticket({ status: 'open', solvedAction })])).not.toContain('name="solved"');
    expect(render(['', 'ticket', ticket({ status: 'resolved' })])).toContain(
      'If you reply, we open this ticket again.',
    );
  });
});

describe('notices', () => {
  it.each(notices.map((view) => [view.kind, view] as const))('%s offers at most one way on', (_, view) => {
    const html = render(['', 'notice', view]);
    expect((html.match(/class="primary"/g) ?? []).length).toBe('action' in view || 'href' in view ? 1 : 0);
  });

  it('not-found tells nothing about tickets or addresses', () => {
    expect(textOf(render(['', 'notice', { kind: 'not-found' }]))).not.toMatch(/12345|@/);
  });

  it('wait tells how long, in words', () => {
    const wait = (seconds: number): string => textOf(render(['', 'notice', { kind: 'wait', seconds }]));
    expect(wait(20)).toContain('in a moment');
    expect(wait(2400)).toContain('in about 40 minutes');
  });
});

describe('assets', () => {
  it('have a path that changes with their content, and a type', () => {
    const dir = mkdtempSync(join(tmpdir(), 'pages-'));
    try {
      cpSync(join(TEMPLATES, 'pages'), join(dir, 'pages'), { recursive: true });
      const before = loadAssets(dir).get('postern.css')!;
      expect(before).toMatchObject({
        type: 'text/css; charset=utf-8',
        path: expect.stringMatching(/^\/assets\/[0-9a-f]{16}\/postern\.css$/),
      });
      expect(loadAssets(dir).get('postern.css')!.path).toBe(before.path);
      writeFileSync(join(dir, 'pages', 'assets', 'postern.css'), 'a{}');
      expect(loadAssets(dir).get('postern.css')!.path).not.toBe(before.path);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('and the first page weigh at most 50 KB together on their way', () => {
    const bytes = [...loadAssets(TEMPLATES).values()].reduce((sum, asset) => sum + asset.gzipped.length, 0);
    expect(bytes + Buffer.byteLength(render(['', 'landing', landing]))).toBeLessThan(50 * 1024);
  });

  it('ask nobody else for anything', () => {
    const { content } = loadAssets(TEMPLATES).get('postern.css')!;
    expect(content.toString()).not.toMatch(/@import|url\((?!"data:image\/svg\+xml,)/);
  });
});

describe('the brand’s stylesheet', () => {
  it('puts readable words on the accent, whatever it is', () => {
    const css = brandCss({ accent: '#ffd400', accentDark: '#1a1a80' });
    expect(css).toContain('--accent:#ffd400;--on-accent:#111214;--accent-text:#18191b');
    expect(css).toContain('--accent:#1a1a80;--on-accent:#ffffff;--accent-text:#ececef');
  });

  it('keeps an accent that is readable as text', () => {
    expect(brandCss({ accent: '#2453d6', accentDark: '#7d9dff' })).toContain('--accent-text:#2453d6');
  });

  it('takes nothing but a colour', () => {
    for (const accent of ['red', '#fff', '#ffffff;}body{display:none', 'url(https://x.example)']) {
      expect(() => brandCss({ accent, accentDark: '#ffffff' })).toThrow(/not a colour/);
    }
  });
});
