import { generateKey, KeyRing } from '../../src/platform/crypto.js';
import { openToken, signToken } from '../../src/platform/signed-token.js';

const ring = (...kids: string[]) =>
  new KeyRing(kids.map((kid) => ({ kid, key: Buffer.from(generateKey(), 'base64') })));

describe('a signed token', () => {
  const keys = ring('new', 'old');
  const payload = Buffer.from('0123456789abcdef', 'hex');
  const token = signToken(keys, 'test', payload);

  it('gives its payload back, signed by the first key or by the one that is named', () => {
    expect(openToken(keys, 'test', token)).toEqual(payload);
    expect(token.startsWith('1.new.')).toBe(true);
    const named = signToken(keys, 'test', payload, 'old');
    expect(named.startsWith('1.old.')).toBe(true);
    expect(openToken(keys, 'test', named)).toEqual(payload);
    expect(signToken(keys, 'test', payload, 'gone').startsWith('1.new.')).toBe(true);
  });

  it('is genuine for one purpose and one ring only', () => {
    expect(openToken(keys, 'other', token)).toBeNull();
    expect(openToken(keys, '', token)).toBeNull();
    expect(openToken(ring('new'), 'test', token)).toBeNull();
  });

  it('is refused with any bit flipped, any sign dropped, doubled or put in front', () => {
    const bytes = Buffer.from(token, 'latin1');
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= 1 << bit;
        expect([at, bit, openToken(keys, 'test', flipped.toString('latin1'))]).toEqual([at, bit, null]);
      }
      expect(openToken(keys, 'test', token.slice(0, at) + token.slice(at + 1))).toBeNull();
      expect(openToken(keys, 'test', token.slice(0, at) + token[at]! + token.slice(at))).toBeNull();
    }
    for (const odd of [`${token}=`, `${token}.`, `.${token}`, ` ${token}`, `${token}\n`, `${token}\0`, ''])
      expect(openToken(keys, 'test', odd)).toBeNull();
  });

  it('has one spelling: spare bits of base64url are not free', () => {
    const signs = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = signs.indexOf(token.at(-1)!);
    // 32 bytes take 43 signs: the last one holds four bits of the MAC and two that say nothing.
    const spellings = [1, 2, 3].map((spare) => token.slice(0, -1) + signs[last | spare]!);
    for (const spelling of spellings) {
      expect(Buffer.from(spelling.split('.')[3]!, 'base64url')).toEqual(Buffer.from(token.split('.')[3]!, 'base64url'));
      expect(openToken(keys, 'test', spelling)).toBeNull();
    }
  });

  it('is not even looked at when it is longer than any that is made', () => {
    const long = signToken(keys, 'test', Buffer.alloc(400));
    expect(long.length).toBeGreaterThan(512);
    expect(openToken(keys, 'test', long)).toBeNull();
  });
});
