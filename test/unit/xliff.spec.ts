import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { acceptLocale } from '../../src/translations/accept.js';
import { exportXliff, importXliff } from '../../src/translations/exchange.js';
import { Lock, states } from '../../src/translations/lock.js';
import { notesOf } from '../../src/translations/notes.js';
import { piecesOf } from '../../src/translations/placeholders.js';
import { localesOf, mailFiles, mailPath, pagesPath, readLocale, type Unit } from '../../src/translations/units.js';
import { type ExportedUnit, readXliff, writeXliff } from '../../src/translations/xliff.js';
import { writeShells } from '../support/shells.js';
import { someLocales } from '../support/some-locales.js';

const TEMPLATES = join(process.cwd(), 'templates');
const workspace = mkdtempSync(join(tmpdir(), 'postern-xliff-'));
const shellsDir = join(workspace, 'shells');

beforeAll(() => writeShells(shellsDir));
afterAll(() => rmSync(workspace, { recursive: true }));

function copyOfTemplates(): string {
  const copy = mkdtempSync(join(workspace, 'copy-'));
  for (const folder of ['content', 'pages', 'brands', 'samples'])
    cpSync(join(TEMPLATES, folder), join(copy, folder), { recursive: true });
  return copy;
}

const unit = (text: string, format: Unit['format'], id = 'ticket-replied/body'): Unit => ({
  ...{ id, whole: id, text, format, file: 'templates/x' },
  at: () => ({ line: 1, column: 1 }),
});
const texts = (dir: string, locale: string) =>
  [...readLocale(dir, locale).units.values()].map(({ id, text }) => [id, text] as const);
/** The XLIFF file with the target of one unit written anew. */
function withTarget(xliff: string, id: string, change: (target: string) => string): string {
  const at = xliff.indexOf(`name="${id}"`);
  const end = xliff.indexOf('</unit>', at);
  const own = xliff.slice(at, end);
  const changed = own.replace(
    /<target>([^]*)<\/target>/,
    (_all, target: string) => `<target>${change(target)}</target>`,
  );
  if (changed === own) throw new Error(`${id} was not changed`);
  return xliff.slice(0, at) + changed + xliff.slice(end);
}

describe('a round trip', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom(
      ...[
        '{{ticketNumber}}',
        '{{> greeting}}',
        '{{#if guest}}',
        '{{/if}}',
        '{{else}}',
        '{{plural n one="# <a>" other="b"}}',
      ],
      ...[
        '{address}',
        '{n, plural, one {# {x}} other {<b>}}',
        '{max, number}',
        '}',
        '{',
        "'{'",
        '#',
        '\n',
        '\r\n',
        ']]>',
      ],
      ...['&amp;', '<!-- -->', '<ph id="1"/>', '\u0000', '\ufffe', '\ud800', '  ', '"', '\u2028'],
    ),
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

  it('loses nothing, whatever the words are', () => {
    fc.assert(
      fc.property(
        text,
        fc.option(text),
        fc.constantFrom('icu', 'line', 'markdown'),
        fc.constantFrom(...states),
        (source, target, format, state) => {
          const exported: ExportedUnit = {
            source: unit(source, format as Unit['format']),
            target: target === null ? null : unit(target, format as Unit['format']),
            state,
            notes: [{ about: 'n', text: 'how <many> & which' }],
          };
          expect(readXliff(writeXliff('en', 'de', [exported]))).toMatchObject({
            locale: 'de',
            units: [{ id: 'ticket-replied/body', source, target, state }],
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  it('cuts texts into pieces that are the text again', () => {
    fc.assert(
      fc.property(text, fc.constantFrom('icu', 'line'), (words, format) => {
        const pieces = piecesOf({ text: words, format: format as Unit['format'] });
        expect(pieces.map((each) => each.text).join('')).toBe(words);
      }),
      { numRuns: 500 },
    );
  });

  it('of every language there is changes no word, and no file', () => {
    for (const locale of someLocales(localesOf(TEMPLATES)).filter((each) => each !== 'en')) {
      const dir = copyOfTemplates();
      const before = texts(dir, locale);
      const files = [...mailFiles.map(({ key }) => mailPath(key, locale)), pagesPath(locale)];
      const bytes = files.map((file) => readFileSync(join(dir, file), 'utf8'));
      // Of a language that was never accepted nothing is known, so it goes out as translated.
      const report = importXliff({ templatesDir: dir, shellsDir }, exportXliff(dir, locale));
      expect(report).toMatchObject({ locale, refused: [], untouched: 0 });
      expect(report.taken).toBe(before.length);
      expect(texts(dir, locale)).toEqual(before);
      expect(files.map((file) => readFileSync(join(dir, file), 'utf8'))).toEqual(bytes);
    }
  }, 300_000);

  it('makes a new language out of a file alone', () => {
    const dir = copyOfTemplates();
    const before = texts(dir, 'id');
    const xliff = exportXliff(dir, 'id')
      .replace('trgLang="id"', 'trgLang="jv"')
      .replaceAll('state="initial"', 'state="translated"');
    const report = importXliff({ templatesDir: dir, shellsDir }, xliff);
    expect(report).toMatchObject({ locale: 'jv', refused: [], taken: before.length });
    expect(texts(dir, 'jv')).toEqual(before);
  });
});

describe('an export', () => {
  it('protects values, and says what they mean', () => {
    const xliff = exportXliff(TEMPLATES, 'id');
    expect(xliff).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<xliff xmlns="urn:oasis:names:tc:xliff:document:2\.0" version="2\.1" srcLang="en" trgLang="id"/,
    );
    expect(xliff).toMatch(
      /<source>New reply to your support ticket <ph id="1" dataRef="d1" canCopy="no" canDelete="no" disp="\{\{ticketNumber\}\}"\/><\/source>/,
    );
    expect(xliff).toMatch(/<data id="d1">\{\{ticketNumber\}\}<\/data>/);
    expect(xliff).toContain('<note category="ticketNumber">the ticket’s number, like 12345</note>');
    expect(xliff).toMatch(
      /<pc id="1" dataRefStart="d1" dataRefEnd="d2"[^>]*dispStart="\{tries, plural,"[^>]*> one \{# more time\} other \{# more times\}<\/pc>/,
    );
  });

  it('says what each value of a sentence means', () => {
    const noteless = [...readLocale(TEMPLATES, 'en').units.values()].filter((source) => {
      const values = [...source.text.matchAll(/(?<!\{)\{(\w+)\b|\{\{(?:#if |plural |datetime )?([\w.]+)[ }]/g)];
      const names = values.map(([, one, other]) => one ?? other!).filter((name) => name !== 'else');
      const noted = new Set(notesOf(source).map(({ about }) => about));
      return source.format === 'icu' ? names.length > 0 && noted.size === 0 : names.some((name) => !noted.has(name));
    });
    expect(noteless.map(({ id }) => id)).toEqual([]);
  });
});

describe('an import', () => {
  const taken = (change: (xliff: string) => string, dir = copyOfTemplates()) => {
    const report = importXliff({ templatesDir: dir, shellsDir }, change(exportXliff(dir, 'id')));
    return { dir, report, words: new Map(texts(dir, 'id')) };
  };

  it('takes what is right and refuses the rest, sentence by sentence', () => {
    const { report, words, dir } = taken((xliff) =>
      withTarget(
        withTarget(xliff, 'pages/landing.action', () => 'Kirim kodenya'),
        'pages/landing.lead',
        () => 'Tanpa alamat',
      ),
    );
    expect(report.refused).toMatchObject([
      { id: 'pages/landing.lead', message: expect.stringContaining('lost {address}') },
    ]);
    expect(words.get('pages/landing.action')).toBe('Kirim kodenya');
    expect(words.get('pages/landing.lead')).toBe(new Map(texts(TEMPLATES, 'id')).get('pages/landing.lead'));
    const lines = exportXliff(dir, 'id').split('\n');
    expect(lines[report.refused[0]!.line - 1]).toContain('name="pages/landing.lead"');
  });

  it.each([
    ['a value lost', 'Balasan baru', /lost \{\{ticketNumber\}\}/],
    ['an unknown value', 'Balasan {{nomor}}', /there is no value "nomor"/],
    ['another host', '<ph id="1" dataRef="d1"/> www.evil.example', /links to "www\.evil\.example"/],
    ['a subject too long', `<ph id="1" dataRef="d1"/> ${'kata '.repeat(20)}`, /and 78 is the most/],
  ])('takes no half mail: with %s all of it stays as it was', (_, subject, message) => {
    const { report, words } = taken((xliff) =>
      withTarget(
        withTarget(xliff, 'ticket-replied/subject', () => subject),
        'ticket-replied/button',
        () => 'Lihat',
      ),
    );
    const mail = [...new Map(texts(TEMPLATES, 'id'))].filter(([id]) => id.startsWith('ticket-replied/'));
    for (const [id, text] of mail) expect(words.get(id)).toBe(text);
    expect(report.refused).toHaveLength(mail.length);
    expect(report.refused.find(({ id }) => id === 'ticket-replied/subject')!.message).toMatch(message);
  });

  it('refuses what was made of another English, and what is unknown or there twice', () => {
    const { report } = taken((xliff) => {
      const twice = xliff.replace(/( *<unit id="help\.title"[^]*?<\/unit>\n)/, '$1$1');
      return twice
        .replace('<source>Send code</source>', '<source>Send it</source>')
        .replace('<unit id="check.title"', '<unit id="check.titel"');
    });
    expect(report.refused.map(({ id, message }) => `${id} ${message.split(':')[0]}`).sort()).toEqual([
      'pages/check.titel is unknown',
      'pages/help.title is in the file twice',
      'pages/landing.action was made of an English that has changed',
    ]);
  });

  it('leaves alone what is not translated', () => {
    const { report, words } = taken((xliff) =>
      withTarget(xliff, 'pages/landing.action', () => 'Nanti').replace(
        /(name="pages\/landing\.action"[^]*?state=)"\w+"/,
        '$1"initial"',
      ),
    );
    expect(report).toMatchObject({ refused: [], untouched: 1 });
    expect(words.get('pages/landing.action')).toBe('Kirim kode');
  });

  it('keeps the state of each translation until the English changes', () => {
    const dir = copyOfTemplates();
    acceptLocale({ templatesDir: dir, shellsDir }, 'id');
    taken(
      (xliff) =>
        xliff
          .replace(/(name="pages\/landing\.action"[^]*?state=)"\w+"/, '$1"reviewed"')
          .replace(/(name="pages\/landing\.lead"[^]*?state=)"\w+"/, '$1"final"'),
      dir,
    );
    const states = () => new Map(readXliff(exportXliff(dir, 'id')).units.map(({ id, state }) => [id, state]));
    expect([
      states().get('pages/landing.action'),
      states().get('pages/landing.lead'),
      states().get('pages/landing.next'),
    ]).toEqual(['reviewed', 'final', 'translated']);
    acceptLocale({ templatesDir: dir, shellsDir }, 'id');
    expect(states().get('pages/landing.action')).toBe('reviewed');
    const english = join(dir, 'pages/en.json');
    writeFileSync(english, readFileSync(english, 'utf8').replace('"Send code"', '"Send me a code"'));
    expect(states().get('pages/landing.action')).toBe('initial');
    acceptLocale({ templatesDir: dir, shellsDir }, 'id');
    expect(states().get('pages/landing.action')).toBe('translated');
    expect(Lock.read(dir).age('id', readLocale(dir, 'en').units.get('pages/landing.action')!)).toBe('current');
  });

  it.each([
    [
      'a document type',
      '<?xml version="1.0"?><!DOCTYPE xliff SYSTEM "http://evil.example/x"><xliff/>',
      /document type/,
    ],
    [
      'entities',
      '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><xliff>&b;</xliff>',
      /line 1: has a document type/,
    ],
    [
      'an unknown entity',
      '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="de">&b;</xliff>',
      /is not XML/,
    ],
    [
      'a processing instruction',
      '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="de"><?php x ?></xliff>',
      /processing instruction/,
    ],
    ['half a file', '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="de">', /is not XML/],
    ['an older version', '<xliff xmlns="urn:oasis:names:tc:xliff:document:1.2" version="1.2"/>', /is not XLIFF 2/],
    ['no language', '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1"/>', /trgLang/],
    ['English', '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="en"/>', /is in "en"/],
    [
      'a pseudo-locale',
      '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="ar-XB"/>',
      /is in "ar-XB"/,
    ],
    [
      'a path for a language',
      '<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="../x"/>',
      /is in "\.\.\/x"/,
    ],
    [
      'endless depth',
      `<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" trgLang="de">${'<a>'.repeat(1000)}`,
      /nested deeper/,
    ],
    ['endless length', ' '.repeat(9 * 1024 * 1024), /is too large/],
    ['no XML', 'landing.action = Kirim', /is not XML/],
  ])('refuses a file with %s', (_, xliff, reason) => {
    expect(() => importXliff({ templatesDir: TEMPLATES, shellsDir }, xliff)).toThrow(reason);
  });
});
