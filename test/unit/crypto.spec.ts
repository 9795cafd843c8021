import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  KeyRing,
  constantTimeEqual,
  decodeBase64,
  decodeBase64UrlStrict,
  generateKey,
  parseKeyList,
  randomToken,
  sha256,
  type KeyEntry,
} from '../../src/platform/crypto.js';

const key = (fill: number): Buffer => Buffer.alloc(32, fill);
const entry = (kid: string, fill: number): KeyEntry => ({ kid, key: key(fill) });
const ring = new KeyRing([entry('new', 1), entry('old', 2)]);
const old = new KeyRing([entry('old', 2)]);
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

/** The same bytes with one bit flipped. */
const flipped = (data: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(data);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('signing', () => {
  it('signs with the first key and verifies with all', () => {
    const data = Buffer.from('data');
    expect(ring.sign('link', data).kid).toBe('new');
    const { kid, mac } = old.sign('link', data);
    expect(mac).toHaveLength(32);
    expect(ring.verify('link', kid, data, mac)).toBe(true);
    const later = ring.sign('link', data);
    expect(old.verify('link', later.kid, data, later.mac)).toBe(false);
  });

  it('verifies what it signed, whatever the data', () => {
    fc.assert(
      fc.property(bytes, fc.string(), (data, purpose) => {
        const { kid, mac } = ring.sign(purpose, data);
        expect(ring.verify(purpose, kid, data, mac)).toBe(true);
      }),
    );
  });

  it('finds every flipped bit of the mac and of the data', () => {
    const data = Buffer.from('twenty-one bytes here');
    const { kid, mac } = ring.sign('link', data);
    for (let bit = 0; bit < 256; bit++) expect(ring.verify('link', kid, data, flipped(mac, bit))).toBe(false);
    for (let bit = 0; bit < data.length * 8; bit++)
      expect(ring.verify('link', kid, flipped(data, bit), mac)).toBe(false);
  });

  it('refuses another purpose, another kid, an unknown kid, and a mac of another length', () => {
    const data = Buffer.from('data');
    const { kid, mac } = ring.sign('link', data);
    expect(ring.verify('file', kid, data, mac)).toBe(false);
    expect(ring.verify('link', 'old', data, mac)).toBe(false);
    for (const unknown of ['none', '', '__proto__', 'constructor', 'toString']) {
      expect(ring.verify('link', unknown, data, mac)).toBe(false);
    }
    for (const cut of [mac.subarray(0, 31), Buffer.alloc(0), Buffer.concat([mac, mac])]) {
      expect(ring.verify('link', kid, data, cut)).toBe(false);
    }
  });

  it('signs under a named key as long as the ring has it', () => {
    const data = Buffer.from('data');
    expect(ring.sign('link', data, 'old')).toEqual(old.sign('link', data));
    expect(ring.sign('link', data, 'gone')).toEqual(ring.sign('link', data));
    expect([ring.nameFor(), ring.nameFor('old'), ring.nameFor('gone')]).toEqual(['new', 'old', 'new']);
  });

  it('keeps its macs over releases', () => {
    expect(ring.sign('link', Buffer.from('data')).mac.toString('hex')).toBe(
      '03f7c1d1d2d92efd47ba2540e7de73ab2a5bde6a7db836554097c863a508b445',
    );
  });
});

describe('encrypting', () => {
  it('gives back what it was given, and never writes it twice alike', () => {
    fc.assert(
      fc.property(bytes, bytes, (plaintext, aad) => {
        const sealed = ring.encrypt('code', plaintext, aad);
        expect(sealed).toMatch(/^new\.[\w-]+$/);
        expect(ring.decrypt('code', sealed, aad)).toEqual(plaintext);
        expect(ring.encrypt('code', plaintext, aad)).not.toBe(sealed);
      }),
    );
  });

  it('opens what a former key sealed, until that key is cut off', () => {
    const sealed = old.encrypt('code', '123456', 'chl_1');
    expect(ring.decrypt('code', sealed, 'chl_1')?.toString()).toBe('123456');
    expect(new KeyRing([entry('new', 1)]).decrypt('code', sealed, 'chl_1')).toBeNull();
    expect(new KeyRing([entry('old', 3)]).decrypt('code', sealed, 'chl_1')).toBeNull();
  });

  it('opens nothing under another purpose, for another row, or under another kid', () => {
    const sealed = ring.encrypt('code', '123456', 'chl_1');
    expect(ring.decrypt('file', sealed, 'chl_1')).toBeNull();
    expect(ring.decrypt('code', sealed, 'chl_2')).toBeNull();
    expect(ring.decrypt('code', sealed.replace('new.', 'old.'), 'chl_1')).toBeNull();
  });

  it('finds every changed sign of the sealed text', () => {
    const sealed = ring.encrypt('code', '123456', 'chl_1');
    for (let i = 0; i < sealed.length; i++) {
      for (const sign of 'AQgw_.= ') {
        if (sealed[i] !== sign) {
          expect(ring.decrypt('code', sealed.slice(0, i) + sign + sealed.slice(i + 1), 'chl_1')).toBeNull();
        }
      }
      expect(ring.decrypt('code', sealed.slice(0, i), 'chl_1')).toBeNull();
    }
  });

  it('is not troubled by any text', () => {
    fc.assert(fc.property(fc.string(), (text) => ring.decrypt('code', `new.${text}`, '') === null));
    fc.assert(fc.property(bytes, (b) => ring.decrypt('code', `new.${b.toString('base64url')}`, '') === null));
    for (const text of ['', '.', 'new', 'new.', '.AAAA', '__proto__.AAAA'])
      expect(ring.decrypt('code', text, '')).toBeNull();
  });
});

describe('keys', () => {
  it('are read from kid:base64 lists in their order', () => {
    const one = generateKey();
    const list = parseKeyList(`k2:${one}, k1:${key(9).toString('base64url')}`);
    expect(list).toEqual({
      ok: true,
      keys: [
        { kid: 'k2', key: Buffer.from(one, 'base64') },
        { kid: 'k1', key: key(9) },
      ],
    });
  });

  it.each([
    ['', 'entry 1 is not kid:base64'],
    ['k1', 'entry 1 is not kid:base64'],
    [generateKey(), 'entry 1 is not kid:base64'],
    [`k1:${generateKey()},`, 'entry 2 is not kid:base64'],
    [`:${generateKey()}`, 'entry 1 is not kid:base64'],
    [`k.1:${generateKey()}`, 'entry 1 is not kid:base64'],
    [`${'k'.repeat(17)}:${generateKey()}`, 'entry 1 is not kid:base64'],
    [`k1:${generateKey()}:x`, 'entry 1 is not kid:base64'],
    [`k1:${generateKey()},k1:${generateKey()}`, "kid 'k1' appears twice"],
    ['k1:not base64!', "the key of 'k1' is not base64"],
    [`k1:${Buffer.alloc(31, 200).toString('base64')}`, "the key of 'k1' has 31 bytes"],
    ['k1:', "the key of 'k1' has 0 bytes"],
  ])('are refused by name, not by value: %s', (text, problem) => {
    const list = parseKeyList(text);
    if (list.ok) throw new Error('accepted');
    expect(list.problem).toContain(problem);
    for (const part of text.split(/[:,]/)) if (part.length > 6) expect(list.problem).not.toContain(part);
  });

  it('do not make a ring when they are bad', () => {
    expect(() => new KeyRing([])).toThrow('no key');
    expect(() => new KeyRing([entry('a', 1), entry('a', 2)])).toThrow('twice');
    expect(() => new KeyRing([{ kid: 'a', key: Buffer.alloc(31) }])).toThrow('31 bytes');
    expect(() => new KeyRing([entry('a b', 1)])).toThrow('kid');
  });

  it('are not shown by a ring that is printed, and not changed from outside', () => {
    const mine = key(0x41);
    const made = new KeyRing([{ kid: 'a', key: mine }]);
    const { mac } = made.sign('link', Buffer.from('x'));
    expect(inspect(made, { depth: 9, showHidden: true }) + JSON.stringify(made)).not.toMatch(/41 ?41|65,\s*65|AAAA/);
    mine.fill(0);
    expect(made.sign('link', Buffer.from('x')).mac).toEqual(mac);
    expect(made.sign('other', Buffer.from('x')).mac).toEqual(
      new KeyRing([entry('a', 0x41)]).sign('other', Buffer.from('x')).mac,
    );
  });

  it('are 32 new bytes each time', () => {
    expect(Buffer.from(generateKey(), 'base64')).toHaveLength(32);
    expect(new Set(Array.from({ length: 50 }, generateKey)).size).toBe(50);
  });
});

describe('small things', () => {
  it('decode base64url in its one canonical spelling only', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const text = data.toString('base64url');
        expect(decodeBase64UrlStrict(text)).toEqual(data);
        if (data.length % 3 !== 0) expect(decodeBase64UrlStrict(`${text}=`)).toBeNull();
      }),
    );
    for (const text of ['A', 'AB', 'AAB', '+A', '/w', 'AA==', 'AA ', ' AA', 'A\nA', 'AAAAA', 'AA.A', 'ÄA']) {
      expect(decodeBase64UrlStrict(text)).toBeNull();
    }
  });

  it('give another value, or none, for every flipped bit of a base64url text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), (array, place) => {
        const text = Buffer.from(Buffer.from(array).toString('base64url'));
        const changed = decodeBase64UrlStrict(flipped(text, place % (text.length * 8)).toString('latin1'));
        expect(changed === null || !changed.equals(array)).toBe(true);
      }),
    );
  });

  it('decode canonical base64 with or without padding, in either alphabet', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const text = data.toString('base64');
        for (const form of [text, text.replace(/=+$/, ''), data.toString('base64url')])
          expect(decodeBase64(form)).toEqual(data);
      }),
    );
    for (const text of [
      'A',
      'AB==',
      'AA=',
      'AAA==',
      'AA===',
      '=',
      '==',
      'AA=A',
      '+_AA',
      'AAAA====',
      ' AA==',
      'AA==\n',
    ]) {
      expect(decodeBase64(text)).toBeNull();
    }
  });

  it('compare secrets of any lengths', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => constantTimeEqual(a, b) === (a === b)));
    expect(constantTimeEqual(Buffer.from('a'), 'a')).toBe(true);
    expect(constantTimeEqual('a', 'a\0')).toBe(false);
  });

  it('hash and make tokens', () => {
    expect(sha256('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(decodeBase64UrlStrict(randomToken(32))).toHaveLength(32);
    expect(randomToken(32)).not.toBe(randomToken(32));
  });
});
