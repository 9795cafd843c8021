import { counted } from '../support/counted.js';
import { PageAddress } from '../../src/platform/page-address.js';
import type { TestGateway } from '../support/gateway.js';
import { createHandingGateway, handOver } from '../support/handed.js';

/** What an attacker would put into a ticket number or id to move the guest somewhere else. */
const steps = [
  '../x',
  '..',
  '.',
  './',
  '../../admin',
  '/..',
  'a/../../b',
  '..\\x',
  'a\\..\\b',
  '.\\',
  '..;/x/..',
  '/.',
];
const hosts = [
  '//evil.example',
  '///evil.example',
  '////evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '\\/evil.example',
  'https://evil.example',
  'https:evil.example',
  'http:\\\\evil.example',
  '@evil.example',
  ':pass@evil.example',
  ':8443@evil.example/',
  '.evil.example',
  ':443',
  'evil.example#',
  '?next=https://evil.example',
  '#@evil.example',
  ';@evil.example',
  'javascript:alert(1)',
  'data:text/html,x',
];
const encoded = [
  '%2f',
  '%2F%2Fevil.example',
  '%2e%2e%2f',
  '%2e%2e',
  '%2E%2E/',
  '.%2e',
  '%2e.',
  '%252e%252e%252f',
  '%25252e%25252e%25252f',
  '..%2f',
  '..%5c',
  '%5c%5cevil.example',
  '%40evil.example',
  '%00',
  '%0d%0aLocation:%20https://evil.example',
  '%E0%A4%A',
  '%',
  '%zz',
  '%3Fhandoff=x',
  '%23',
];
const unicode = [
  '\u2215\u2215evil.example',
  '\uff0f\uff0fevil.example',
  '\uff0e\uff0e\uff0fx',
  '\u3002\u3002/',
  '\u2025/x',
  '\ufe52\ufe52/',
  '\uff20evil.example',
  '\uff1a\uff0f\uff0fevil.example',
  '\u202eelpmaxe.live//',
  '\u200b..\u200b/',
  '\ufeff//evil.example',
  '\u00ad..',
  '\ud83d\ude00',
  '\u212a',
];
const controls = [
  '\r\nLocation: https://evil.example',
  '\nSet-Cookie: a=b',
  '\r',
  '\t//evil.example',
  '.\t.',
  '.\n./',
  '\0',
  'a\0/../b',
  '\u0085//evil',
  '\u2028//evil',
  '\ud800',
  'a\udc00/..',
  '\u007f',
  ' ..',
  '.. /',
];
const breakers = [
  "'><script>",
  '{id}',
  '{number}',
  '%7Bid%7D',
  '&handoff=mine',
  '?handoff=mine',
  '$&',
  "a'b",
  'a b',
  '+',
];
const values = [...steps, ...hosts, ...encoded, ...unicode, ...controls, ...breakers];

/** In a segment of its own, beside others, in the middle of one, in the query. */
const templates = [
  'https://help.example/tickets/{number}',
  'https://help.example:8443/{number}/of/{id}',
  'https://help.example/t-{number}.html',
  'https://help.example/tickets?id={id}&number={number}',
];
const prefixes = ['/tickets/', '/', '/t-', '/tickets'];

describe('150 and more values that would lead a guest astray', () => {
  const cases = templates.flatMap((template, index) => values.map((value) => ({ template, value, index })));
  afterEach(() => counted('open redirects', 1));

  it('are that many', () => {
    expect(new Set(values).size).toBe(values.length);
    expect(cases.length).toBeGreaterThanOrEqual(150);
  });

  it.each(cases.map((one) => [JSON.stringify(one.value), one.template, one] as const))(
    '%s stays in its place in %s, or is not used',
    (_value, _template, { template, value, index }) => {
      const read = PageAddress.read(template);
      if (!read.ok) throw new Error(read.problem);
      const filled = read.page.addressFor({ id: value, number: value }, { name: 'handoff', value: 'hof_x' });
      if (filled === null) return; // then the guest stays on our own page
      expect(filled).toMatch(/^[\x21-\x7e]+$/);
      const url = new URL(filled);
      const configured = new URL(template.replace(/\{\w+\}/g, 'x'));
      expect(url.href).toBe(filled);
      expect([url.protocol, url.host, url.username, url.password, url.hash]).toEqual([
        configured.protocol,
        configured.host,
        '',
        '',
        '',
      ]);
      expect(url.pathname.startsWith(prefixes[index]!)).toBe(true);
      expect(url.pathname.split('/')).toHaveLength(configured.pathname.split('/').length);
      expect(url.searchParams.getAll('handoff')).toEqual(['hof_x']);
      // Whoever decodes the path once more, as some servers do, is led nowhere else either.
      const decoded = decodeURIComponent(url.pathname).split(/[\\/]/);
      expect(decoded.filter((part) => part === '..' || part === '.')).toEqual([]);
      // And the page gets the value as the source wrote it.
      if (index === 3) expect(url.searchParams.get('id')).toBe(value);
    },
  );

  it('leave plain numbers as they are', () => {
    for (const number of ['12345', 'INC-7', '2026/17', 'A.B', 'ä 1', '100%', '#5', '...', 'a..b']) {
      const read = PageAddress.read(templates[0]!);
      const filled = read.ok && read.page.addressFor({ id: 'x', number });
      expect(filled).toBe(`https://help.example/tickets/${encodeURIComponent(number)}`);
    }
  });
});

describe('a ticket page in the settings', () => {
  it.each([
    'help.example/{id}',
    '//help.example/{id}',
    '/tickets/{id}',
    'javascript:alert({id})',
    'ftp://help.example/{id}',
    'https:help.example/{id}',
    'https:///help.example/{id}',
    'https://{id}.help.example/',
    'https://help.example{id}/',
    'https://help.example:{id}/',
    'https://{id}/',
    '{id}://help.example/',
    'https://user@help.example/{id}',
    'https://user:pass@help.example/{id}',
    'https://{id}@help.example/',
    'https://help.example\\@evil.example/{id}',
    'https://help.example/{id}#top',
    'https://help.example/#/{id}',
    'https://help.example/{subject}',
    'https://help.example/{id',
    'https://help.example/ {id}',
    'https://help.example/\n{id}',
    'https://help.example/{id}?handoff=x',
    'https://%7Bid%7D.example/',
    '',
  ])('is refused as %j', (template) => {
    expect(PageAddress.read(template).ok).toBe(false);
  });

  it.each([
    ['https://help.example', 'https://help.example/?handoff=t'],
    ['HTTPS://Help.Example/a/../{id}', 'https://help.example/i?handoff=t'],
    ['https://bücher.example/{number}', 'https://xn--bcher-kva.example/7?handoff=t'],
    ['https://help.example/t?n={number}&x=1', 'https://help.example/t?n=7&x=1&handoff=t'],
    ['http://localhost:8030/tickets/{id}', 'http://localhost:8030/tickets/i?handoff=t'],
  ])('%s leads to %s', (template, address) => {
    const read = PageAddress.read(template);
    expect(read.ok && read.page.addressFor({ id: 'i', number: '7' }, { name: 'handoff', value: 't' })).toBe(address);
  });
});

describe('the redirect after the right code', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createHandingGateway([{ ticketPage: 'https://help.example/tickets/{number}' }]);
  });
  afterAll(() => test.close());

  it.each([
    '//evil.example',
    '../../admin',
    '\\\\evil.example',
    '@evil.example',
    '%2e%2e%2f',
    '..',
    '\uff0f\uff0fevil',
  ])('stays at the configured page or here with a ticket called %j', async (number) => {
    test.clock.advance({ minutes: 61 });
    const { address, headers } = await handOver(test, { ticket: { id: number, number } });
    expect([test.url, 'https://help.example']).toContain(address.origin);
    expect(address.pathname).toMatch(/^\/tickets\/[^/]+$/);
    expect(headers.get('set-cookie') ?? '').not.toContain('evil');
  });

  it('is not moved by the Host header, the query or a field of the form', async () => {
    test.clock.advance({ minutes: 61 });
    const { address } = await handOver(test);
    expect(address.origin).toBe('https://help.example');
    const answer = await fetch(`${test.url}/t/none/code?next=https://evil.example&handoff=x`, { redirect: 'manual' });
    expect(answer.headers.get('location')).toBeNull();
  });
});
