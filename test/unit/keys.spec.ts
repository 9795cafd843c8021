import { pointerOf } from '../../src/errors.js';
import { keysCommand } from '../../src/keys.js';
import { parseKeyList } from '../../src/platform/crypto.js';
import { SEED_BYTES } from '../../src/platform/signing-keys.js';

describe('a new key', () => {
  it.each(['LINK_KEYS', 'SECRET_KEYS', 'HANDOFF_KEYS'])('for %s is one that the settings take', (name) => {
    const { ok, text } = keysCommand(['new', name]);
    const parsed = parseKeyList(text.split('\n')[0]!);
    expect([ok, parsed.ok && parsed.keys.map(({ key }) => key.length)]).toEqual([true, [SEED_BYTES]]);
    expect(text).toContain(`Put it first in ${name}`);
  });

  it.each(['OTHER_KEYS', 'toString', '__proto__'])('for %s is none: the usage is told', (name) => {
    expect(keysCommand(['new', name])).toEqual({ ok: false, text: expect.stringContaining('HANDOFF_KEYS') as string });
  });
});

describe('a pointer', () => {
  it('names each step so that no key can be taken for two (RFC 6901)', () => {
    expect(pointerOf(['colours', 'a/b', '~c', 0, ''])).toBe('/colours/a~1b/~0c/0/');
    expect(pointerOf([])).toBe('');
  });
});
