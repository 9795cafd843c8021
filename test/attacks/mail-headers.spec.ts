import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startRelay, type Relay } from '../support/smtp.js';

/** What an attacker who writes a ticket would put into a name, a subject or a number to make a header of it. */
const lines = [
  'Bcc: evil@example.org',
  'Subject: other',
  'Content-Type: text/html',
  'X-Evil: 1',
  '',
  '.',
  'RCPT TO:<evil@example.org>',
];
const breaks = [
  '\r\n',
  '\n',
  '\r',
  '\n\r',
  '\r\n\r\n',
  '\r\n ',
  '\n\t',
  '\u0085',
  '\u2028',
  '\u2029',
  '\v',
  '\f',
  '\0',
  '%0d%0a',
  '=0D=0A',
  '\\r\\n',
];
const strings = [
  ...breaks.flatMap((one) => lines.map((line) => `Siti${one}${line}`)),
  '=?utf-8?Q?=0D=0ABcc:_evil@example.org?=',
  '=?utf-8?B?DQpCY2M6IGV2aWxAZXhhbXBsZS5vcmc=?=',
  '=?utf-8?Q?Siti?= <evil@example.org>',
  '"Siti" <evil@example.org>, "',
  'Siti>, <evil@example.org',
  'evil@example.org',
  '<evil@example.org>',
  'a,b;c:d',
  'undisclosed-recipients:;',
  '(comment) Siti',
  'Siti\\',
  'Siti\\"',
  '"'.repeat(50),
  'é'.repeat(64),
  '💣'.repeat(30),
  '\u202eitiS',
  '\u200b\u200d\ufeff',
  '\ud800',
  '中'.repeat(60),
  'a'.repeat(64),
  ' '.repeat(20) + 'x',
  '{{code}}',
  '{{{constructor.constructor("return process")()}}}',
  '${process.env.HOME}',
  '<script>alert(1)</script>',
  '--boundary--',
  'From nobody Mon Nov 23',
]; // prettier-ignore

describe('headers of a mail', () => {
  let test: TestGateway;
  let relay: Relay;
  beforeAll(async () => {
    relay = await startRelay();
    test = await createGateway({ settings: { MAIL_URL: relay.url } });
  });
  afterAll(async () => {
    await test.close();
    await relay.close();
  });

  const mailOf = async (given: { name?: string; subject?: string; number?: string }, email = 'siti@example.com') => {
    relay.handedOver.length = 0;
    const { name, subject = 'A question', number = '12345' } = given;
    const body = test.source.event('ticket.replied', {
      ticket: { id: `h-${++tickets}`, subject, number },
      requester: { email, name, locale: 'en' },
      message: {},
    });
    const answer = await test.source.post(body);
    await test.drain();
    return { status: answer.status, mail: relay.handedOver[0] };
  };
  let tickets = 0;
  /** Names of the headers in their order, and what is in those that no value may change. */
  const frame = (raw: string) => {
    const head = raw.slice(0, raw.indexOf('\r\n\r\n'));
    expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(head).not.toMatch(/[^\x20-\x7e\r\n\t]/); // 7-bit: everything else is encoded
    for (const line of head.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
    const fields = head.replace(/\r\n[ \t]+/g, ' ').split('\r\n');
    const fixed = ['From', 'To', 'MIME-Version', 'Auto-Submitted', 'X-Auto-Response-Suppress', 'Content-Language'];
    const boundary = /boundary="([^"]+)"/.exec(head)![1]!;
    return {
      names: fields.map((field) => field.slice(0, field.indexOf(':'))),
      fixed: fields.filter((field) => fixed.includes(field.slice(0, field.indexOf(':')))),
      // The parts that a reader finds: what stands in the text may look like anything.
      parts: raw.split(`--${boundary}`).map((part) => /^\r\nContent-Type: [\w/]+/.exec(part)?.[0]),
    };
  };

  it('are the same set, one recipient, one From, whatever name, subject and number hold', async () => {
    const { mail: usual } = await mailOf({ name: 'Siti' });
    const expected = frame(usual!.raw);
    expect(expected.names).toEqual(
      expect.arrayContaining(['From', 'To', 'Subject', 'Message-ID', 'Date', 'References', 'Auto-Submitted']),
    );
    expect(new Set(expected.names).size).toBe(expected.names.length);
    expect(strings.length).toBeGreaterThan(130);
    for (const string of strings)
      for (const given of [{ name: string, subject: string }, { number: string }]) {
        const { status, mail } = await mailOf(given);
        // A number of nothing but invisible signs, or of more than it may have, is no number: the source is told.
        if (status === 422 && 'number' in given) continue;
        expect([given, status]).toEqual([given, 202]);
        expect([given, frame(mail!.raw)]).toEqual([given, expected]);
        expect([given, mail!.to, mail!.from]).toEqual([given, ['siti@example.com'], 'no-reply@support.example']);
      }
    counted('headers of mails', strings.length * 2);
  });

  it('never carry an address that could be two', async () => {
    const bad = [
      'siti@example.com, evil@example.org', 'siti@example.com;evil@example.org', 'siti@example.com evil@example.org',
      'siti@example.com\r\nBcc: evil@example.org', 'siti@example.com\nevil@example.org', 'siti@example.com\0', '\0@example.com',
      '"siti@example.com"@evil.example', '"siti evil@example.org"@example.com', 'siti(evil@example.org)@example.com', '<siti@example.com>',
      'Siti <siti@example.com>', 'group:siti@example.com;', 'siti@example.com>', 'siti@[127.0.0.1]', 'siti@example.com@evil.example',
      'siti%evil.example@example.com', 'evil.example!siti@example.com', 'siti@', '@example.com', 'siti', '', ' siti@example.com',
      'siti@example.com ', 's\u200biti@example.com', 'siti@exam\u00adple.com', '\u202esiti@example.com', 'ｓiti@example.com',
      '=?utf-8?q?siti?=@example.com', 'siti@example..com', 'siti@-example.com', 'siti@example.com.', '.siti@example.com', 'si..ti@example.com',
      `${'a'.repeat(65)}@example.com`, `siti@${'a'.repeat(250)}.com`, 'xn--@example.com\n', '@evil.example:siti@example.com',
    ]; // prettier-ignore
    for (const email of bad) {
      const { status, mail } = await mailOf({}, email);
      expect([email, status, mail]).toEqual([email, 422, undefined]);
    }
    counted('headers of mails', bad.length);
  });

  it('say that this is a machine and nobody answers it, and one link stands in both parts', async () => {
    const { mail } = await mailOf({ name: 'Siti' });
    expect(mail!.raw).toMatch(/^Auto-Submitted: auto-generated\r$/m);
    expect(mail!.raw).toMatch(/^X-Auto-Response-Suppress: All\r$/m);
    const plain = mail!.raw.replace(/=\r\n/g, '').replace(/=3D/g, '=');
    const links = plain.match(/http:\/\/127\.0\.0\.1:\d+\/t\/[\w.-]+/g)!;
    expect(links.length).toBeGreaterThanOrEqual(3);
    expect(new Set(links).size).toBe(1);
  });
});
