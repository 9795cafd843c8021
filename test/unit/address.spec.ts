import fc from 'fast-check';
import addressparser from 'nodemailer/lib/addressparser/index.js';
import { isNamed, maskAddress, parseAddress, parseMailbox } from '../../src/platform/address.js';

const given = (text: string, allowLocalhost = false): string => {
  const outcome = parseAddress(text, { allowLocalhost });
  return outcome.ok ? outcome.address.given : `refused: ${outcome.reason}`;
};

const a64 = 'a'.repeat(64);
const labels = (n: number): string => 'd'.repeat(63).concat('.').repeat(n);

describe('addresses that people have', () => {
  it.each([
    ['siti@example.com', 'siti@example.com'],
    ['Siti.Aminah+tickets@Example.COM', 'Siti.Aminah+tickets@example.com'],
    ["o'brien@example.co.uk", "o'brien@example.co.uk"],
    ['a@b.cd', 'a@b.cd'],
    ['_x-y_@sub.sub.example.travel', '_x-y_@sub.sub.example.travel'],
    ['1234567890@qq.com', '1234567890@qq.com'],
    ['bounce+a=b/c*d#e$f&g{h}i|j~k^l`m?n@example.com', 'bounce+a=b/c*d#e$f&g{h}i|j~k^l`m?n@example.com'],
    ['-x@example.com', '-x@example.com'],
    ['user@bücher.example', 'user@xn--bcher-kva.example'],
    ['user@BÜCHER.example', 'user@xn--bcher-kva.example'],
    ['user@bu\u0308cher.example', 'user@xn--bcher-kva.example'],
    ['user@faß.de', 'user@xn--fa-hia.de'],
    ['user@пример.рф', 'user@xn--e1afmkfd.xn--p1ai'],
    ['user@例え.jp', 'user@xn--r8jz45g.jp'],
    ['user@ไทย.th', 'user@xn--o3cw4h.th'],
    ['user@उदाहरण.भारत', 'user@xn--p1b6ci4b4b3a.xn--h2brj9c'],
    ['user@مثال.إختبار', 'user@xn--mgbh0fb.xn--kgbechtv'],
    ['user@ｅｘａｍｐｌｅ.com', 'user@example.com'],
    ['user@xn--bcher-kva.example', 'user@xn--bcher-kva.example'],
    ['user@1and1.com', 'user@1and1.com'],
    ['user@163.com', 'user@163.com'],
    [`${a64}@example.com`, `${a64}@example.com`],
    [`a@${labels(3)}${'d'.repeat(56)}.com`, `a@${labels(3)}${'d'.repeat(56)}.com`],
  ])('take %s', (text, expected) => expect(given(text)).toBe(expected));

  it('have one key however their letters are written, and the local part as given', () => {
    const outcome = parseAddress('Siti.A@BÜCHER.Example');
    expect(outcome).toEqual({
      ok: true,
      address: {
        given: 'Siti.A@xn--bcher-kva.example',
        key: 'siti.a@xn--bcher-kva.example',
        domain: 'xn--bcher-kva.example',
      },
    });
  });

  it('may end in localhost in development only', () => {
    expect(given('no-reply@localhost')).toBe('refused: domain');
    expect(given('no-reply@localhost', true)).toBe('no-reply@localhost');
    for (const domain of ['intranet', 'localhost.', 'localhost:25', '[localhost]'])
      expect(given(`a@${domain}`, true)).toMatch(/refused/);
  });
});

/** What the published mistakes of other parsers looked like, and their relatives. */
const hostile = [
  // No address at all.
  '',
  ' ',
  '@',
  'a',
  'a@',
  '@b.com',
  'a.b.com',
  'a@b',
  'a@@b.com',
  'a@b@c.com',
  'a@b.com@c.com',
  '@a@b.com',
  'a@b.com@',
  // Two readers, two recipients: quoted local parts and what hides in them (CVE-2025-13033 and its like).
  '"evil@attacker.example x"@example.com',
  '"evil@attacker.example"@example.com',
  '"a"@example.com',
  '"a b"@example.com',
  '""@example.com',
  '"a\\"b"@example.com',
  '"a"."b"@example.com',
  'a."b"@example.com',
  '"evil@attacker.example>"@example.com',
  "'a b'@example.com",
  '"a@b.example,c@d.example"@example.com',
  '"a\r\nRCPT TO:<x@y.example>"@example.com',
  '"\\\r\n"@example.com',
  // Lists, groups, routes, names.
  'a@example.com,b@attacker.example',
  'a@example.com, b@attacker.example',
  ',a@example.com',
  'a@example.com,',
  'a@example.com;b@attacker.example',
  'a,b@example.com',
  'a@exam,ple.com',
  'group:a@example.com;',
  'group:a@example.com,b@attacker.example;',
  'undisclosed-recipients:;',
  'a:b@example.com',
  '<a@example.com>',
  'Name <a@example.com>',
  '"Name" <a@example.com>',
  'a@example.com <b@attacker.example>',
  '<a@example.com>b@attacker.example',
  'a@example.com>',
  '<a@example.com',
  'a<b@attacker.example>@example.com',
  'a@example.com><b@attacker.example',
  '<@relay.example:a@example.com>',
  '@relay.example:a@example.com',
  '@relay.example,@r2.example:a@example.com',
  'a@example.com> SIZE=1',
  'a@example.com> NOTIFY=NEVER',
  'mailto:a@example.com',
  // Relays of old: percent hack, bang path.
  'a%attacker.example@example.com',
  'attacker.example!a@example.com',
  'a%@example.com',
  '!@example.com',
  'a%40attacker.example@example.com',
  // Comments and white space that some readers skip.
  'a(comment)@example.com',
  '(comment)a@example.com',
  'a@example.com(comment)',
  'a@(comment)example.com',
  'a@example.(c)com',
  'a(@attacker.example)@example.com',
  'a @example.com',
  'a@ example.com',
  ' a@example.com',
  'a@example.com ',
  'a b@example.com',
  'a@exam ple.com',
  'a\t@example.com',
  'a@example.com\t',
  'a@exam\tple.com',
  'a@example.com\u00a0',
  '\u3000a@example.com',
  'a@exam\u2003ple.com',
  'a@example.com\u2028',
  'a\u2029@example.com',
  'a@example\u1680.com',
  // New lines and NUL: header and command injection.
  'a@example.com\n',
  'a@example.com\r',
  'a@example.com\r\n',
  '\na@example.com',
  'a\n@example.com',
  'a@\nexample.com',
  'a@example.com\nBcc: b@attacker.example',
  'a@example.com\r\nBcc: b@attacker.example',
  'a@example.com\r\nDATA',
  'a\r\nRCPT TO:<b@attacker.example>@example.com',
  'a@example.com\0',
  'a\0@example.com',
  'a@exam\0ple.com',
  'a@example.com\0.attacker.example',
  'a@example.com\x0b',
  'a@example.com\x0c',
  'a@example.com\x1b[31m',
  'a@example.com\x7f',
  'a@example.com\x85',
  'a@example.com%0d%0aBcc:b@attacker.example',
  'a@example.com%00',
  'a@example.com\\r\\nBcc:b',
  'a\\@example.com',
  'a\\@b@example.com',
  'a@example\\.com',
  // Encoded words, which some readers decode before they look for the at sign.
  '=?utf-8?q?a=40attacker.example?=@example.com',
  '=?x?q?a=40attacker.example=3e=00?=foo@example.com',
  '=?utf-7?q?&AG&AEA-?=@example.com',
  '=?iso-8859-1?b?YUBi?=@example.com',
  '=?utf-8?q?=41?=@attacker.example',
  // Signs nobody sees, or that turn the line round.
  'a\u200b@example.com',
  'a@exam\u200bple.com',
  'a@exam\u200dple.com',
  'a@exam\u200cple.com',
  'a@exam\u00adple.com',
  'a@exam\u2060ple.com',
  'a@exam\ufeffple.com',
  '\ufeffa@example.com',
  'a\u202e@example.com',
  'a@\u202emoc.elpmaxe',
  'a@exam\u2066ple.com',
  'a@exam\u034fple.com',
  'a@exam\ufe0fple.com',
  'a@exam\u180eple.com',
  'a@exam\u3164ple.com',
  'a@exam\u115fple.com',
  'a@exam\u{e0061}ple.com',
  'a@exam\u{e0100}ple.com',
  'a@exam\ud800ple.com',
  'a@exam\uffffple.com',
  'a@exam\ue000ple.com',
  // Local parts outside of ASCII: look-alikes, case folding, signs that narrow to ASCII.
  'sitï@example.com',
  'sıti@example.com',
  'ſiti@example.com',
  'аdmin@example.com',
  'Ki\u212a@example.com',
  '用户@example.com',
  'a\uff20b@example.com',
  'a\u0140b@example.com',
  '😀@example.com',
  'a\uff0cb@example.com',
  'e\u0301@example.com',
  // Domains that are none, or addresses of machines.
  'a@[127.0.0.1]',
  'a@[IPv6:::1]',
  'a@127.0.0.1',
  'a@0x7f.1',
  'a@0x7f000001',
  'a@1.2.3',
  'a@2130706433',
  'a@127.1',
  'a@example.123',
  'a@example.0x1',
  'a@１２７.０.０.１',
  'a@example.com:25',
  'a@-example.com',
  'a@example-.com',
  'a@exa_mple.com',
  'a@example..com',
  'a@.example.com',
  'a@example.com.',
  'a@.',
  'a@..',
  'a@example.com..',
  'a@example.-com',
  'a@exam*ple.com',
  'a@xn--a.com',
  'a@xn--.com',
  'a@xn--example-.com',
  'a@ex%41mple.com',
  'a@example.com/x',
  'a@example.com?x',
  'a@example.com#x',
  'a@example.com\\x',
  'a@user:b@example.com',
  'a@//example.com',
  'a@example。com',
  'a@example．com',
  'a@example｡com',
  'a@exa\uff0fmple.com',
  'a@⒈com',
  'a@ex℀mple.com',
  'a@exam&ple.com',
  "a@exam'ple.com",
  'a@exam+ple.com',
  'a@localhost',
  'a@example.c\u0307om/../',
  'a@😀.com',
  // Dots where no dot may be, and too much of everything.
  '.a@example.com',
  'a.@example.com',
  'a..b@example.com',
  '.@example.com',
  `a${a64}@example.com`,
  `a@${'d'.repeat(64)}.com`,
  `${a64}@${labels(3)}com`,
  `a@${labels(4)}com`,
  `a@${'é'.repeat(60)}.com`,
  `a@${'例'.repeat(80)}.jp`,
  'a'.repeat(1_000_000),
  `${'a.'.repeat(500_000)}@example.com`,
  `a@${'b.'.repeat(500_000)}com`,
  'a@b.com,'.repeat(10_000),
];

describe('what is refused', () => {
  it.each(hostile.map((text) => [JSON.stringify(text).slice(0, 80), text]))('is %s', (_name, text) => {
    expect(parseAddress(text).ok).toBe(false);
  });

  it('is told as too long, also when only the domain in ASCII is', () => {
    expect(given('a'.repeat(1_000_000))).toBe('refused: too-long');
    expect(given(`a@${'éàü'.repeat(10)}.${'éàü'.repeat(10)}.${'éàü'.repeat(10)}.com`)).toMatch(/^a@xn--/);
    expect(given(`a@${`${'éàü'.repeat(10)}.`.repeat(7)}com`)).toBe('refused: too-long');
  });

  it('is known in more than a hundred and fifty ways', () => expect(new Set(hostile).size).toBeGreaterThan(150));
});

describe('whatever is accepted', () => {
  const parts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom(...'@.,<>"\'()[]:;\\ \r\n\0%!=?-_+'),
    fc.constantFrom(
      'example.com',
      'bücher',
      'xn--',
      'a',
      'B',
      'ß',
      '例',
      '\u200b',
      '\u00ad',
      'ﬀ',
      '127',
      '0x7f',
      '😀',
      '。',
      '\u0301',
    ),
  );
  const wild = fc.array(parts, { maxLength: 8 }).map((all) => all.join(''));
  const likely = fc.tuple(
    fc.stringMatching(/^[A-Za-z0-9.+=?_'-]{1,12}$/),
    fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 12 }),
    parts,
  );
  const candidates = fc.oneof(
    wild,
    fc.emailAddress(),
    likely.map(([local, label, more]) => `${local}@${label}.${more}`),
    fc
      .constantFrom(...hostile.filter((text) => text.length < 300))
      .chain((text) => fc.nat(text.length).map((cut) => text.slice(0, cut) + text.slice(cut + 1))),
  );

  it('holds no sign that means anything to a mail program, and parses to itself', () => {
    let accepted = 0;
    fc.assert(
      fc.property(candidates, (text) => {
        const outcome = parseAddress(text);
        if (!outcome.ok) return;
        accepted++;
        const { address } = outcome;
        expect(address.given).toMatch(/^[A-Za-z0-9#$&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63}$/);
        expect(address.given.length).toBeLessThanOrEqual(254);
        expect(address.given.split('@')).toEqual([text.slice(0, text.indexOf('@')), address.domain]);
        expect(address.key).toBe(address.given.toLowerCase());
        expect(parseAddress(address.given)).toEqual(outcome);
        const again = parseAddress(address.key);
        expect(again.ok && again.address.key).toBe(address.key);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('is read as that one address by the mail library too', () => {
    fc.assert(
      fc.property(candidates, (text) => {
        const outcome = parseAddress(text);
        if (outcome.ok)
          expect(addressparser(outcome.address.given)).toEqual([{ name: '', address: outcome.address.given }]);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('an address in a text', () => {
  const ann = 'ann.o@example.com';
  it.each(['"Ann.O@example.com"', 'Ann <ann.o@EXAMPLE.com>', 'to ann.o@example.com.', 'mailto:ann.o@example.com'])(
    'is named by %s',
    (text) => expect(isNamed(ann, text)).toBe(true),
  );
  it.each([
    'joann.o@example.com',
    'j.ann.o@example.com',
    'ann.o@example.com.au',
    'ann.o@example.community',
    'annxo@example.com',
  ])('is not named by %s', (text) => expect(isNamed(ann, text)).toBe(false));
  it('is named by its domain in letters, raw or as JSON escapes them', () => {
    for (const text of ['ann@bücher.example', 'ann@B\\u00FCcher.example', 'ann@xn--bcher-kva.example'])
      expect(isNamed('ann@xn--bcher-kva.example', text)).toBe(true);
  });
});

describe('masked addresses', () => {
  it.each([
    ['siti@example.com', 's***i@e***.com'],
    ['Siti@example.com', 'S***i@e***.com'],
    ['sit@example.com', 's***@e***.com'],
    ['s@example.com', 's***@e***.com'],
    ['siti@mail.example.co.uk', 's***i@m***.uk'],
    ['very.long.local.part+tag@a.example', 'v***g@a***.example'],
    ['no-reply@localhost', 'n***y@l***'],
    ['', '***'],
    ['siti', '***'],
    ['@example.com', '***'],
    ['siti@', '***'],
  ])('show of %s only %s', (address, masked) => expect(maskAddress(address)).toBe(masked));

  it('tell nothing of lengths or of what is between', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{2,20}$/), fc.stringMatching(/^[a-z]{2,20}$/), (middle, label) => {
        expect(maskAddress(`x${middle}y@z${label}.org`)).toBe('x***y@z***.org');
      }),
    );
  });
});

describe('mailboxes of settings', () => {
  it.each([
    ['Support <no-reply@example.com>', 'Support', 'no-reply@example.com'],
    ['no-reply@example.com', '', 'no-reply@example.com'],
    ['<no-reply@example.com>', '', 'no-reply@example.com'],
    ['"Support, Team" <no-reply@example.com>', 'Support, Team', 'no-reply@example.com'],
    ['"The \\"Best\\" \\\\ Team"<no-reply@example.com>', 'The "Best" \\ Team', 'no-reply@example.com'],
    ["ACME Inc. d'Italia & Söhne   <a@b.example>", "ACME Inc. d'Italia & Söhne", 'a@b.example'],
    ['サポート <a@bücher.example>', 'サポート', 'a@xn--bcher-kva.example'],
  ])('are name and address: %s', (text, name, address) => {
    expect(parseMailbox(text)).toMatchObject({ ok: true, name, address: { given: address } });
  });

  it('may be on localhost in development', () => {
    expect(parseMailbox('Support <no-reply@localhost>').ok).toBe(false);
    expect(parseMailbox('Support <no-reply@localhost>', { allowLocalhost: true })).toMatchObject({
      ok: true,
      name: 'Support',
    });
  });

  it.each([
    '',
    'Support',
    'Support <>',
    'Support <a@b.example',
    'Support a@b.example>',
    '<a@b.example> Support',
    'A <a@b.example>, B <b@c.example>',
    'A, B <a@b.example>',
    'A <a@b.example> <b@c.example>',
    'x@y.example <a@b.example>',
    'A <<a@b.example>>',
    '"A <a@b.example>',
    'A" <a@b.example>',
    '"A"B" <a@b.example>',
    '"A\\" <a@b.example>',
    'A\r\nBcc: x@y.example <a@b.example>',
    '\nA <a@b.example>',
    'A <a@b.example>\n',
    'A <\na@b.example>',
    'A\0 <a@b.example>',
    'A\u202e <a@b.example>',
    'A\u200b <a@b.example>',
    'group: A <a@b.example>;',
    'A (c) <a@b.example>',
    'A <a@b.example> (c)',
    'A < a@b.example>',
    `${'A'.repeat(101)} <a@b.example>`,
    `A${' '.repeat(1_000_000)}<a@b.example`,
  ])('are not %j', (text) => expect(parseMailbox(text).ok).toBe(false));
});
