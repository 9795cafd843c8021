import fc from 'fast-check';
import { parseStrictJson } from '../../src/platform/strict-json.js';

const parse = (text: string | Buffer, maxDepth = 32): ReturnType<typeof parseStrictJson> =>
  parseStrictJson(Buffer.from(text), { maxDepth });

const fault = (text: string | Buffer, maxDepth = 32): string => {
  const outcome = parse(text, maxDepth);
  if (outcome.ok) return 'accepted';
  const { reason, pointer, detail } = outcome;
  return `${reason}: ${pointer === undefined ? detail : `${pointer} ${detail}`}`;
};

/** A key as JSON with some signs written as `\uXXXX`, in either case. */
const spelled = (key: string, escapes: boolean[]): string =>
  `"${Array.from({ length: key.length }, (_, i) => {
    const hex = key.charCodeAt(i).toString(16).padStart(4, '0');
    return escapes[i % escapes.length] ? `\\u${i % 2 ? hex.toUpperCase() : hex}` : JSON.stringify(key[i]).slice(1, -1);
  }).join('')}"`;

describe('what is accepted', () => {
  it('is what JSON.parse makes of it', () => {
    const values = fc.jsonValue({ stringUnit: 'binary', maxDepth: 8 });
    fc.assert(
      fc.property(values, fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        fc.pre(!/"(__proto__|prototype)"/.test(text));
        expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    '0',
    '-1.5e+3',
    'null',
    'true',
    '""',
    '"\\\\"',
    '"\\""',
    '[]',
    '{}',
    ' [1 , 2 ] ',
    '{"":{"":""}}',
    '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}',
    '{"a":"a","b":"b","c":["a","a","b"]}',
    '{"a":"{\\"a\\":1,\\"a\\":2}","b":"[[["}',
    '{"a\\\\":1,"a\\"":2,"a":3}',
    '{"A":1,"a":2}',
    '{"\u00e9":1,"e\u0301":2}',
    '{"1":1,"1.0":2,"01":3}',
    '{"constructor":1,"prototype":2}',
    '{"constructor":{"name":"ACME Builders"}}',
    '{"constructor":[{"prototype":1}]}',
    '{"toString":1,"hasOwnProperty":2,"valueOf":3}',
    '["__proto__","__proto__"]',
    '{"a":"__proto__"}',
    '{"__proto":1,"proto__":2}',
  ])('is %s', (text) => expect(parse(text)).toEqual({ ok: true, value: JSON.parse(text) }));
});

describe('duplicate keys', () => {
  const key = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !/^(__proto__|prototype)$/.test(text));
  const escapes = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });
  const filler = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value));
  const wraps = fc.array(
    fc.constantFrom<[string, string]>(
      ['[', ']'],
      ['[0,"\\\\",', ',{}]'],
      ['{"w":', '}'],
      ['{"v":[],"w":', ',"x":"}"}'],
    ),
    {
      maxLength: 12,
    },
  );

  it('are found at every depth, in every spelling, whatever stands between them', () => {
    fc.assert(
      fc.property(key, escapes, escapes, filler, filler, wraps, (name, one, two, between, after, around) => {
        fc.pre(!/"(__proto__|prototype)"/.test(between + after));
        const planted = `{"\u{1f511}-":1,${spelled(name, one)}:${between},"-\u{1f511}":2,${spelled(name, two)}:${after}}`;
        const text = around.reduce((inner, [open, close]) => open + inner + close, planted);
        expect(() => void JSON.parse(text)).not.toThrow();
        expect(fault(text)).toMatch(/^duplicate-key/);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['{"a":1,"a":1}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"a":1 , \n "a" : 2}', '/a'],
    ['{"data":{"list":[0,{"a/b~":1},{"x":[],"a/b~":1,"a/b~":2}]}}', '/data/list/2/a~1b~0'],
    ['[[],[[],{"a":{},"a":{}}]]', '/1/1/a'],
    ['{"":1,"":2}', '/'],
    ['{"a":{"b":1},"c":{"b":1},"a":3}', '/a'],
    ['{"\\n":1,"\\u000a":1}', '/\n'],
    ['{"\\/":1,"/":1}', '/~1'],
    ['{"\\ud83d\\ude00":1,"😀":1}', '/😀'],
  ])('are named by their place: %s', (text, pointer) =>
    expect(fault(text)).toBe(`duplicate-key: ${pointer} appears twice`),
  );

  it('have a name of bounded length', () => {
    const long = JSON.stringify('k'.repeat(10_000));
    expect(fault(`{${long}:1,${long}:2}`).length).toBeLessThan(250);
  });
});

describe('keys that reach for a prototype', () => {
  it.each([
    ['{"__proto__":{}}', '/__proto__'],
    ['{"a":[{"__proto__":null}]}', '/a/0/__proto__'],
    ['{"\\u005f_proto__":1}', '/__proto__'],
    ['{"__pr\\u006fto__" : 1}', '/__proto__'],
    ['{"a":1,"constructor":{"prototype":{}}}', '/constructor/prototype'],
    ['{"c\\u006fnstructor":{"x":1,"prot\\u006Ftype":1}}', '/constructor/prototype'],
  ])('are refused: %s', (text, pointer) => expect(fault(text)).toBe(`forbidden-key: ${pointer} is not allowed`));

  it('are found in every spelling', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }), (escapes) => {
        expect(fault(`[{"a":${'{"b":'.repeat(3)}{${spelled('__proto__', escapes)}:1}}}}}]`)).toMatch(/^forbidden-key/);
      }),
    );
  });
});

describe('depth', () => {
  it.each([
    ['arrays', '[', ']', '1'],
    ['objects', '{"a":', '}', '1'],
    ['both', '[{"a":', '}]', '1'],
  ])('is counted over %s', (_what, open, close, inner) => {
    const levels = open.length > 5 ? 2 : 1;
    const nested = (n: number): string => open.repeat(n / levels) + inner + close.repeat(n / levels);
    expect(parse(nested(32)).ok).toBe(true);
    expect(fault(nested(32 + levels))).toBe('depth: nested deeper than 32');
  });

  it('is not what stands side by side, or in strings', () => {
    expect(parse(JSON.stringify(Array.from({ length: 1000 }, () => [[{}]]))).ok).toBe(true);
    expect(parse(JSON.stringify('['.repeat(1000))).ok).toBe(true);
  });

  it('overflows nothing, however deep', () => {
    expect(fault('['.repeat(1_000_000) + ']'.repeat(1_000_000))).toMatch(/^depth/);
    expect(fault('{"a":'.repeat(500_000) + '1' + '}'.repeat(500_000))).toMatch(/^depth/);
    expect(fault('['.repeat(1_000_000))).toMatch(/^syntax/);
  });
});

describe('what is not JSON', () => {
  it.each([
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')],
    ['a lone continuation byte', Buffer.from([0x22, 0x80, 0x22])],
    ['an overlong quote', Buffer.from([0x22, 0xc0, 0xa2, 0x22])],
    ['half a sign', Buffer.from([0x22, 0xe2, 0x82, 0x22])],
    ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['a sign beyond U+10FFFF', Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22])],
    ['Latin-1', Buffer.from('"süß"', 'latin1')],
  ])('is not strict UTF-8: %s', (_what, bytes) => expect(fault(bytes)).toMatch(/^utf8/));

  it.each([
    '',
    ' ',
    '{',
    '}',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '{"a" 1}',
    '[1 2]',
    '01',
    '+1',
    '.5',
    '1.',
    'NaN',
    'Infinity',
    'undefined',
    '"\t"',
    '"\n"',
    '"\\x41"',
    '"\\u12"',
    '"',
    '"\\',
    '{} {}',
    '{}//',
    '/**/{}',
    '{}\0',
    '\u00a0{}',
    '\u2028[]',
    '[1]]',
    'True',
  ])('is not by its syntax: %j', (text) => expect(fault(text)).toMatch(/^syntax/));

  it('is told without quoting the body', () => {
    for (const text of ['{"password":"hunter2"', 'hunter2', '{"password":hunter2}', '"hunter2\n"']) {
      expect(fault(text)).toMatch(
        /^syntax: the body (is empty|ends before its JSON does|is not JSON( at character \d+)?)$/,
      );
    }
  });

  it('raises nothing, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void parse(Buffer.from(bytes))));
    const soup = fc
      .array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'a', '1', 'null', '"a"', '"a":1', '\\"', ' '))
      .map((signs) => signs.join(''));
    fc.assert(
      fc.property(soup, (text) => {
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false; // the reference says no
        }
        expect(fault(text).startsWith('syntax')).toBe(!valid);
      }),
      { numRuns: 2000 },
    );
  });
});

it('takes time in proportion to the size, also for what is made to be slow', () => {
  const size = 1_000_000;
  const numbers = Array.from({ length: 60_000 }, (_, i) => `"${i * 65_536}":0`).join(',');
  for (const text of [
    `"${'\\\\'.repeat(size / 2)}"`,
    `"${'\\"'.repeat(size / 2)}"`,
    `[${'"",'.repeat(size / 3)}0]`,
    `{${numbers}}`,
    `[${'{},'.repeat(size / 3)}0]`,
    `{"${'k'.repeat(size)}":1,"${'k'.repeat(size)}x":1}`,
  ]) {
    const started = performance.now();
    expect(parse(text).ok).toBe(true);
    expect(performance.now() - started).toBeLessThan(2_000); // milliseconds if linear, minutes if quadratic
  }
});
