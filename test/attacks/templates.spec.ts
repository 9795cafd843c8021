import { createGateway, type TestGateway } from '../support/gateway.js';
import { counted } from '../support/counted.js';
import { within } from '../support/long.js';
import { studioPerson, type StudioBrowser } from '../support/studio.js';

// Words that want to be more than words: each is refused when it is saved, and a preview of it does nothing.

let test: TestGateway;
let editor: StudioBrowser;
let mail: { text: string; base: string };
let pages: { text: string; base: string };
beforeAll(async () => {
  test = await createGateway();
  editor = await studioPerson(test, 'editor');
  mail = (await editor.ask('GET', 'words/ticket-replied/en')).body;
  pages = (await editor.ask('GET', 'words/pages/en')).body;
});
afterAll(() => test.close());

const MUSTACHES: Record<string, string[]> = {
  'the way to a prototype': [
    ...[
      'constructor',
      '__proto__',
      'constructor.constructor',
      'brand.constructor',
      'brand.__proto__.x',
      'this.constructor',
    ],
    ...['hasOwnProperty', 'toString', 'valueOf', '__defineGetter__', '__lookupGetter__', 'ticketNumber.constructor'],
    ...[
      'ticketNumber.length',
      'brand.name.constructor',
      'prototype',
      '[constructor]',
      'brand.[constructor]',
      '../constructor',
    ],
    ...['@root.constructor', '@root', '@data', '@key', '@index', '@partial-block', 'this', '.', '..', './ticketNumber'],
  ].map((path) => `{{${path}}}`),
  'helpers that are not there': [
    ...[
      'lookup brand "name"',
      'lookup this "constructor"',
      'log ticketNumber',
      'log "x" level="error"',
      'helperMissing',
    ],
    ...[
      'blockHelperMissing',
      'encoded ticketNumber',
      'eval "1"',
      'include "x"',
      'require "fs"',
      'process.env.SECRET_KEYS',
    ],
    ...[
      'env',
      'config',
      'secretKeys',
      'link',
      'code',
      'checkUrl.constructor',
      'with brand',
      'each brand',
      'if',
      'unless',
    ],
    ...['eq ticketNumber 1', 'plural ticketNumber other="x"', 'plural updateCount one="x"', 'datetime ticketNumber'],
    ...[
      'datetime occurredAt format="x"',
      'plural updateCount other=ticketNumber',
      'plural updateCount boo="x" other="y"',
    ],
    ...[
      'datetime (lookup this "x")',
      'ticketNumber "x"',
      'greetingName x=1',
      'brand',
      'brand.light.accent',
      'brand.sender',
    ],
  ].map((call) => `{{${call}}}`),
  'blocks and loops': [
    '{{#each brand}}x{{/each}}',
    '{{#each this}}{{@key}}{{/each}}',
    '{{#each (lookup this "constructor")}}x{{/each}}',
    '{{#with brand}}{{name}}{{/with}}',
    '{{#with constructor}}x{{/with}}',
    '{{#ticketNumber}}x{{/ticketNumber}}',
    '{{^ticketNumber}}x{{/ticketNumber}}',
    '{{#if guest as |x|}}{{x}}{{/if}}',
    '{{#if guest ticketNumber}}x{{/if}}',
    '{{#if guest includeZero=true}}x{{/if}}',
    '{{#if constructor}}x{{/if}}',
    '{{#unless __proto__}}x{{/unless}}',
    '{{#if (lookup this "x")}}x{{/if}}',
    '{{#log ticketNumber}}x{{/log}}',
    '{{#constructor}}x{{/constructor}}',
    '{{#if (constructor)}}x{{/if}}',
    '{{#if (eq this.constructor 1)}}x{{/if}}',
    '{{#if @root}}x{{/if}}',
    '{{#if (eq ticketNumber (lookup this "x"))}}x{{/if}}',
    '{{#if guest}}x{{else each brand}}y{{/if}}',
    '{{#if guest}}x{{else with brand}}y{{/if}}',
    '{{#unless guest}}{{{ticketNumber}}}{{/unless}}',
    '{{#if guest}}{{> body}}{{/if}}',
    '{{plural updateCount one=(lookup this "x") other="y"}}',
    '{{#eq ticketNumber "1"}}x{{/eq}}',
    '{{#each updateCount}}'.repeat(30) + 'x' + '{{/each}}'.repeat(30),
  ],
  'parts and decorators': [
    ...[
      '{{> body}}',
      '{{> nobody}}',
      '{{> (lookup this "x")}}',
      '{{> "greeting"}}',
      '{{> greeting x=1}}',
      '{{> greeting this}}',
    ],
    ...[
      '{{#> greeting}}x{{/greeting}}',
      '{{#> @partial-block}}x{{/@partial-block}}',
      '{{* inline "x"}}',
      '{{> ../../etc/passwd}}',
    ],
    ...['{{#*inline "greeting"}}x{{/inline}}', '{{> constructor}}', '{{> __proto__}}', '{{> [greeting]}}{{> nobody}}'],
  ],
  'raw output': [
    ...['{{{ticketNumber}}}', '{{{greetingName}}}', '{{&ticketNumber}}', '{{& greetingName}}', '{{~{greetingName}~}}'],
    ...[
      '{{{{raw}}}}x{{{{/raw}}}}',
      '\\{{ticketNumber}}',
      '{{{brand.name}}}',
      '{{{datetime occurredAt}}}',
      '{{{> greeting}}}',
    ],
    ...['{{{plural updateCount other="x"}}}', '{{{{ticketNumber}}}}', '{{&brand.name}}', '{{{this}}}'],
  ],
  'links to other hosts': [
    '[Open](https://evil.example/)',
    '[Open](http://evil.example)',
    '[Open](//evil.example)',
    '[Open](/t/x)',
    '[Open](javascript:alert(1))',
    '[Open](JaVaScRiPt:alert(1))',
    '[Open](data:text/html,x)',
    '[Open](vbscript:x)',
    '[Open](https://evil.example/{{ticketNumber}})',
    '[Open]({{checkUrl}}@evil.example)',
    '[Open](https://{{ticketNumber}})',
    '[Open]({{ticketNumber}})',
    '[Open]({{brand.name}})',
    '[Open][1]\n\n[1]: https://evil.example',
    '<https://evil.example>',
    '![x](https://evil.example/x.png)',
    'https://evil.example',
    'www.evil.example',
    'Go to http://evil.example/login now',
    '[Open](ftp://evil.example)',
    '[Open](file:///etc/passwd)',
    '[{{ticketNumber}}](https://evil.example)',
    '[Open](&#104;ttps://evil.example)',
    '[Open](mailto:{{ticketNumber}}@evil.example)',
  ],
  'signs that are not seen': [
    '\u202eabc',
    'a\u200b\u2066b',
    'a\u2028b',
    'a\ufeffb',
    'a\u0000b',
    '\u001b[2J',
    'x\u202dy',
    'a\u2069b',
  ],
};

/** In front matter: YAML that would be more than text. */
const FRONT: Record<string, (text: string) => string> = {
  'an anchor that grows': (text) => text.replace('subject:', 'a: &a [x,x]\nb: &b [*a,*a]\nsubject:'),
  'aliases of aliases': (text) =>
    text.replace(
      'subject:',
      `a0: &a0 [x]\n${Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}*a${n}]\n`).join('')}subject:`,
    ),
  'an alias of itself': (text) => text.replace('subject:', 'a: &a [*a]\nsubject:'),
  'an alias of nothing': (text) => text.replace(/^heading: .*$/m, 'heading: *nothing'),
  'a merge key': (text) => text.replace('subject:', '<<: {subject: x}\nsubject:'),
  'a tag': (text) => text.replace(/^heading: .*$/m, 'heading: !!js/function "function(){}"\nextra: 1'),
  'a list': (text) => text.replace(/^heading: .*$/m, 'heading: [a, b]'),
  'a map': (text) => text.replace(/^heading: .*$/m, 'heading: {a: b}'),
  'a second key': (text) => text.replace('subject:', 'subject: x\nsubject:'),
  'a key of a prototype': (text) => text.replace('subject:', '__proto__: x\nsubject:'),
  'an unknown field': (text) => text.replace('subject:', 'html: x\nsubject:'),
  'a lost subject': (text) => text.replace(/^subject: .*\n/m, ''),
  'a lost button': (text) => text.replace(/^button: .*\n/m, ''),
  'a subject of two lines': (text) => text.replace(/^subject: .*$/m, 'subject: |\n  one\n  Bcc: x@y.example'),
  'an empty body': (text) => text.replace(/^---\n([^]*?)---\n[^]*$/, '---\n$1---\n'),
  'no front matter': () => 'Hello',
  'no end of it': (text) => text.replace(/\n---\n/, '\n'),
  'a block over two fields': (text) => text.replace(/^heading: .*$/m, "heading: '{{#if guest}}x'").concat('{{/if}}'),
  'braces made of escapes': (text) => text.replace(/^heading: .*$/m, 'heading: "\\x7b\\x7bconstructor\\x7d\\x7d"'),
  'braces made of entities': (text) => `${text}\n&#123;&#123;constructor&#125;&#125;`,
  'braces apart': (text) => `${text}\n{\\{constructor}}`,
};

/** Sentences of pages: ICU that wants more than there is. */
const SENTENCES = [
  ...[
    '{nobody}',
    '{constructor}',
    '{__proto__}',
    '{0}',
    '{secret, number}',
    '{x, plural, other {y}}',
    '{x, select, other {y}}',
  ],
  ...[
    '{x, date, ::yyyy}',
    '{x, selectordinal, other {#}}',
    '{',
    '}{',
    '{x',
    '{x, plural, one {y}}',
    '{x, plural, }',
    '{x, nothing}',
  ],
  ...[
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<a href="https://evil.example">x</a>',
    '<b>{x}</b>',
    '<svg/onload=alert(1)>',
  ],
  ...[
    'a\u202eb',
    '\u2066x',
    'x\u2028y',
    '{x, plural, offset:1 other {{x, plural, other {{x}}}}}',
    '{{{x}}}',
    "'{' {x}",
  ],
  ...['{x, number, ::currency/USD}', '{ x , time , short }'],
];

async function isRefused(path: string, text: string, base: string): Promise<boolean> {
  const { status, body } = await editor.ask('PUT', path, { text, version: 0, base });
  return status === 422 && body.code === 'words-refused' && body.problems.length > 0;
}

/** A preview answers soon: with a refusal, or with a page in which nothing runs and that leads nowhere. */
async function isHarmless(key: string, text: string): Promise<boolean> {
  const began = performance.now();
  const { status, body } = await editor.ask('POST', 'preview', {
    key,
    locale: 'en',
    brand: 'default',
    sample: 4,
    text,
  });
  if (performance.now() - began > 3000) return false;
  if (status === 422) return true;
  return (
    status === 200 &&
    !/<script(?![^>]* src="\/assets\/)|<[^>]* onerror=|href="(?:javascript|data|https?:\/\/evil)|\[object |native code/i.test(
      body.html,
    )
  );
}

describe.each(Object.entries(MUSTACHES))('%s in the words of a mail', (_what, attacks) => {
  it('is refused at save and harmless in a preview', async () => {
    const through: string[] = [];
    for (const attack of attacks) {
      const text = `${mail.text}\n\n${attack}\n`;
      if (!(await isRefused('drafts/ticket-replied/en', text, mail.base)))
        through.push(`saved: ${JSON.stringify(attack)}`);
      if (!(await isHarmless('ticket-replied', text))) through.push(`shown: ${attack}`);
    }
    expect(through).toEqual([]);
    counted('templates', attacks.length);
  });
});

it('YAML that is more than text is refused at save and harmless in a preview', async () => {
  const through: string[] = [];
  for (const [what, spoil] of Object.entries(FRONT)) {
    const text = spoil(mail.text);
    expect(text).not.toBe(mail.text);
    if (!(await isRefused('drafts/ticket-replied/en', text, mail.base))) through.push(`saved: ${what}`);
    if (!(await isHarmless('ticket-replied', text))) through.push(`shown: ${what}`);
  }
  expect(through).toEqual([]);
  counted('templates', Object.keys(FRONT).length);
});

it('sentences that want more than there is are refused at save and harmless in a preview', async () => {
  const through: string[] = [];
  for (const attack of SENTENCES) {
    const text = pages.text.replace(/("help\.title"): ".*"/, (_, name) => `${name}: ${JSON.stringify(attack)}`);
    if (!(await isRefused('drafts/pages/en', text, pages.base))) through.push(`saved: ${JSON.stringify(attack)}`);
    if (!(await isHarmless('pages', text))) through.push(`shown: ${attack}`);
  }
  expect(through).toEqual([]);
  counted('templates', SENTENCES.length);
});

it('sentences that can be read and not be said are refused, and cost no guest a page', async () => {
  const unsayable = [
    '{max, number, ::unit/foo}',
    '{max, number, ::currency/QQQQ}',
    `{max, number, ::.${'0'.repeat(101)}}`,
  ];
  for (const attack of unsayable) {
    const text = pages.text.replace(/("reply\.error\.too-long"): ".*"/, (_, name) => `${name}: "${attack}"`);
    expect(text).not.toBe(pages.text);
    expect([attack, await isRefused('drafts/pages/en', text, pages.base)]).toEqual([attack, true]);
  }
  counted('templates', unsayable.length);
});

it('a text of any size is answered soon', async () => {
  const large = [
    '{{#if guest}}'.repeat(300) + '{{/if}}'.repeat(300),
    '*'.repeat(9000),
    '*a_'.repeat(2500),
    '`'.repeat(9000),
    '> '.repeat(4000),
    '['.repeat(9000),
    '[a]('.repeat(2000),
    '{{ticketNumber}} '.repeat(500),
  ];
  for (const attack of large) {
    const began = performance.now();
    const { status } = await editor.ask('PUT', 'drafts/ticket-replied/en', {
      text: `${mail.text}\n${attack}`,
      version: 0,
      base: mail.base,
    });
    expect([200, 409, 422]).toContain(status);
    expect(performance.now() - began).toBeLessThan(10_000);
  }
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`k${i}`, '{'])));
  const began = performance.now();
  expect(await isRefused('drafts/pages/en', many, pages.base)).toBe(true);
  expect(performance.now() - began).toBeLessThan(within(1000));
  counted('templates', large.length + 1);
});

it('nothing of it was saved, and no secret was shown', async () => {
  for (const key of ['ticket-replied', 'pages']) {
    const { body } = await editor.ask('GET', `words/${key}/en`);
    if (key === 'pages') expect(body.draft).toBeNull();
    expect(JSON.stringify(body)).not.toContain(test.keys.SECRET_KEYS!.split(':')[1]);
  }
});
