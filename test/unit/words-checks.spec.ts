import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptLocale } from '../../src/translations/accept.js';
import { checkWords } from '../../src/translations/checks.js';
import { report } from '../../src/translations/report.js';
import { localesOf, readLocale } from '../../src/translations/units.js';
import { writeShells } from '../support/shells.js';

const TEMPLATES = join(process.cwd(), 'templates');
const workspace = mkdtempSync(join(tmpdir(), 'postern-words-'));
const shellsDir = join(workspace, 'shells');

beforeAll(() => writeShells(shellsDir));
afterAll(() => rmSync(workspace, { recursive: true }));

type Change = string | null | ((text: string) => string);

/** English and Indonesian alone, some of their files changed; null takes one away. */
function templatesWith(changes: Record<string, Change>): string {
  const copy = mkdtempSync(join(workspace, 'copy-'));
  const filter = (path: string) =>
    !/[\\/](?!en\.|id\.)[\w-]+\.(?:hbs|json)$/.test(path) || !/content|\.json$/.test(path);
  for (const folder of ['brands', 'samples']) cpSync(join(TEMPLATES, folder), join(copy, folder), { recursive: true });
  for (const folder of ['content', 'pages'])
    cpSync(join(TEMPLATES, folder), join(copy, folder), { recursive: true, filter });
  for (const [file, change] of Object.entries(changes)) {
    const path = join(copy, file);
    mkdirSync(join(path, '..'), { recursive: true });
    if (change === null) rmSync(path);
    else writeFileSync(path, typeof change === 'string' ? change : change(readFileSync(path, 'utf8')));
  }
  return copy;
}

const findings = (templatesDir: string, locales?: string[]) =>
  checkWords({ templatesDir, shellsDir, ...(locales ? { locales } : {}) }).map(
    ({ severity, file, line, column, message }) => {
      const place = `${file.replace('templates/', '')}:${line}:${column}`;
      return `${severity} ${place} ${message}`;
    },
  );
/** Errors only, of templates changed so. */
const errors = (changes: Record<string, Change>) =>
  findings(
    templatesWith(changes),
    Object.keys(changes).map((file) => /(\w+)\.\w+$/.exec(file)![1]!),
  ).flatMap((line) => (line.startsWith('error ') ? [line.slice(6)] : []));
const replied = 'content/ticket-replied/id.hbs';
const pages = 'pages/id.json';
const swap = (from: string | RegExp, to: string) => (text: string) => {
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${from} is not there`);
  return changed;
};

it('the words of this project are right, in every language there is', () => {
  const wrong = checkWords({ templatesDir: TEMPLATES, shellsDir }).filter(({ severity }) => severity === 'error');
  expect(wrong.map(({ file, line, column, message }) => `${file}:${line}:${column} ${message}`)).toEqual([]);
  expect(localesOf(TEMPLATES)).toEqual(expect.arrayContaining(['en', 'id']));
}, 120_000);

describe('a mail is refused', () => {
  it.each<[what: string, file: string, change: Change, expected: RegExp]>([
    [
      'that names an unknown value',
      replied,
      swap('{{ticketNumber}}', '{{nomor}}'),
      /^content\/ticket-replied\/id\.hbs:2:\d+ there is no value "nomor"/,
    ],
    [
      'with a second link',
      replied,
      (text) => `${text}\n{{link}}\n`,
      /^content\/ticket-replied\/id\.hbs:11:3 there is no value "link"/,
    ],
    [
      'that links to another host',
      replied,
      (text) => `${text}\n[a](https://evil.example/x)\n`,
      /id\.hbs:11:5 "body" links to "https:\/\/evil\.example\/x"/,
    ],
    [
      'that writes another host',
      replied,
      swap(/^button: .*/m, 'button: www.evil.example'),
      /id\.hbs:5:9 "button" links to "www\.evil\.example"/,
    ],
    [
      'that lost a value',
      replied,
      swap(/^heading: .*/m, 'heading: Balasan baru'),
      /id\.hbs:4:10 "heading" lost \{\{ticketNumber\}\}/,
    ],
    [
      'that mixed two values up',
      replied,
      swap(/^heading: .*/m, 'heading: Balasan {{greetingName}}'),
      /id\.hbs:4:18 "heading" has \{\{greetingName\}\}, and the English has none/,
    ],
    ['without the greeting', replied, swap('{{> greeting}}', 'Halo,'), /id\.hbs:7:1 "body" lost \{\{> greeting\}\}/],
    [
      'that puts a value in unescaped',
      replied,
      swap('{{ticketNumber}}', '{{{ticketNumber}}}'),
      /id\.hbs:2:\d+ \{\{\{ticketNumber\}\}\}/,
    ],
    [
      'with a block that does not end',
      replied,
      swap('{{> greeting}}', '{{#if guest}}{{> greeting}}'),
      /id\.hbs:\d+:\d+ .*\{\{\/if\}\}/,
    ],
    ['without a field', replied, swap(/^button: .*\n/m, ''), /id\.hbs:5:1 "button" is missing/],
    ['with a field of no layout', replied, swap('button:', 'tombol:'), /id\.hbs:5:9 "tombol" is not a field here/],
    ['whose YAML is broken', replied, swap(/^button: .*/m, 'button: a: b'), /id\.hbs:5:\d+ .*put the value in quotes/],
    [
      'with a subject too long',
      replied,
      swap(/^subject: .*/m, `subject: {{ticketNumber}} ${'kata '.repeat(15)}`),
      /id\.hbs:2:10 "subject" has 9\d characters for "an account without a name, long ticket number", and 78 is the most/,
    ],
    [
      'with a preheader too long',
      replied,
      swap(/^preheader: .*/m, `preheader: ${'kata '.repeat(27)}`),
      /id\.hbs:3:12 "preheader" has 134 characters .* and 130 is the most/,
    ],
    [
      'that is still English',
      replied,
      swap(/^preheader: .*/m, 'preheader: Our support team has replied. Open the ticket to read the answer.'),
      /id\.hbs:3:12 "preheader" is still in English/,
    ],
    [
      'with a form the language never uses',
      'content/ticket-summary/id.hbs',
      swap('{{plural updateCount other=', '{{plural updateCount one="x" other='),
      /"\w+" has a plural with one, which id never uses/,
    ],
    [
      'without a form the language counts by',
      'content/ticket-summary/en.hbs',
      swap(/one="a new update" /, ''),
      /^content\/ticket-summary\/en\.hbs:2:\d+ "subject" has a plural without one: en counts by one, other/,
    ],
    [
      'with a code in its words',
      'content/access-code/id.hbs',
      swap(/^heading: .*/m, 'heading: Kode 482913'),
      /id\.hbs:4:15 "heading" has "482913", which looks like a code/,
    ],
    [
      'with a code in its value',
      'content/access-code/id.hbs',
      swap(/^heading: .*/m, 'heading: Kode {{code}}'),
      /id\.hbs:4:17 there is no value "code"/,
    ],
    [
      'with signs that turn the text around',
      replied,
      swap(/^button: /m, 'button: a\u202e'),
      /id\.hbs:5:10 "button" has the invisible sign U\+202E/,
    ],
    ['whose file is missing', replied, null, /^content\/ticket-replied\/id\.hbs:0:0 is missing/],
  ])('%s', (_, file, change, expected) => {
    const found = errors({ [file]: change });
    expect(found.join('\n')).toMatch(new RegExp(expected.source, 'm'));
  });
});

describe('a sentence is refused', () => {
  const line = (key: string) =>
    readFileSync(join(TEMPLATES, pages), 'utf8')
      .split('\n')
      .findIndex((text) => text.includes(`"${key}"`)) + 1;
  const lead = (sentence: string) => swap(/"landing\.lead": .*/, `"landing.lead": ${JSON.stringify(sentence)},`);

  it.each<[what: string, change: Change, expected: string]>([
    ['that lost a value', lead('Kami kirim kode.'), '20 "landing.lead" lost {address}'],
    [
      'that wants an unknown value',
      lead('Kode ke {address}, {alamat}'),
      '39 "landing.lead" wants {alamat}, which nobody gives',
    ],
    [
      'that takes a text for a number',
      lead('Kode ke {address, number}'),
      '28 "landing.lead" takes {address} for a number, and it is none',
    ],
    ['that is no ICU message', lead('Kode ke {address'), '20 "landing.lead" cannot be read'],
    ['with a tag', lead('Kode <b>ke</b> {address}'), '25 "landing.lead" has the tag <b>'],
    ['with an invisible sign', lead('Kode\u2067 ke {address}'), '24 "landing.lead" has the invisible sign U+2067'],
    ['that is empty', lead(' '), '20 "landing.lead" is empty'],
    [
      'that is still English',
      lead(JSON.parse(readFileSync(join(TEMPLATES, 'pages/en.json'), 'utf8'))['landing.lead']),
      '20 "landing.lead" is still in English',
    ],
  ])('%s', (_, change, expected) =>
    expect(errors({ [pages]: change }).join('\n')).toContain(`${pages}:${line('landing.lead')}:${expected}`),
  );

  it('that counts otherwise than its language', () => {
    const forms = (text: string) => swap(/"ticket\.new": .*/, `"ticket.new": ${JSON.stringify(text)},`);
    expect(errors({ [pages]: forms('{count, plural, one {# pesan} other {# pesan}}') }).join()).toContain(
      'has a plural with one, which id never uses',
    );
    expect(errors({ 'pages/en.json': forms('{count, plural, other {# new messages}}') }).join()).toContain(
      '"ticket.new" has a plural without one',
    );
  });

  it('that is missing, unknown or there twice', () => {
    expect(errors({ [pages]: swap(/ *"landing\.lead".*\n/, '') }).join()).toContain(
      '"landing.lead" is missing: translate "To keep',
    );
    expect(errors({ [pages]: swap('"landing.lead"', '"landing.led"') }).join()).toContain('"landing.led" is unknown');
    expect(errors({ [pages]: swap('"landing.lead"', '"landing.lead": "Satu",\n  "landing.lead"') }).join()).toContain(
      '"landing.lead" stands here twice',
    );
  });

  it('with all its file where that is no JSON, and the place is named', () =>
    expect(errors({ [pages]: '{\n  "a": "b"\n  "c": "d"\n}\n' }).join()).toMatch(/^pages\/id\.json:3:3 is not JSON/));
});

describe('the record of what was translated', () => {
  it('warns of what nobody accepted, and then of what changed since', () => {
    const dir = templatesWith({});
    expect(findings(dir)).toEqual([
      expect.stringMatching(/^warning translations\.json:0:0 does not know of which English \d+ pieces of id/),
    ]);
    const options = { templatesDir: dir, shellsDir };
    expect(acceptLocale(options, 'id')).toEqual({ accepted: readLocale(dir, 'en').units.size, refused: 0 });
    expect(findings(dir)).toEqual([]);
    const file = join(dir, 'pages/en.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"Send code"', '"Send me a code"'));
    const mail = join(dir, 'content/ticket-replied/en.hbs');
    writeFileSync(mail, readFileSync(mail, 'utf8').replace('Read the reply', 'Read what they say'));
    expect(findings(dir)).toEqual([
      expect.stringMatching(
        /^warning content\/ticket-replied\/id\.hbs:5:9 "button" was made of an English that has changed/,
      ),
      expect.stringMatching(
        /^warning pages\/id\.json:\d+:22 "landing\.action" was made of an English that has changed/,
      ),
    ]);
    acceptLocale(options, 'id');
    expect(findings(dir)).toEqual([]);
  });

  it('takes short words that are the same in both languages once somebody accepted them', () => {
    const dir = templatesWith({ [pages]: swap(/"reply\.action": .*/, '"reply.action": "Send reply",') });
    expect(findings(dir).join()).toContain('"reply.action" is the same as in English');
    acceptLocale({ templatesDir: dir, shellsDir }, 'id');
    expect(findings(dir)).toEqual([]);
  });

  it('does not take what is wrong', () => {
    const dir = templatesWith({ [pages]: swap(/"landing\.lead": .*/, '"landing.lead": "Kode",') });
    expect(acceptLocale({ templatesDir: dir, shellsDir }, 'id').refused).toBe(1);
    expect(findings(dir).join()).toContain('"landing.lead" lost {address}');
  });
});

it('the report names file, line and column, and counts', () => {
  const finding = {
    severity: 'error' as const,
    about: 'x',
    file: 'templates/a',
    line: 3,
    column: 7,
    message: 'is wrong',
  };
  expect(report([finding], 2, 1.25, false)).toBe(
    'templates/a\n  error   templates/a:3:7 is wrong\n\n1 error and 0 warnings (2 languages, 1.3 s)\n',
  );
  expect(report([finding], 2, 1.25, true)).toContain('\u001b[31merror');
});
