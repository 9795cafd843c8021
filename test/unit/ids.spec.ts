import fc from 'fast-check';
import { idBytes, idOfBytes, idPrefixes, isId, newId, siblingId, type IdPrefix } from '../../src/ids.js';

const prefixes = Object.keys(idPrefixes) as IdPrefix[];
const NOW = Date.parse('2026-11-23T02:15:00Z');

describe('an id', () => {
  it.each(prefixes)('with prefix %s is known by it and by no other', (prefix) => {
    const id = newId(prefix, NOW);
    expect(prefixes.filter((one) => isId(one, id))).toEqual([prefix]);
  });

  it('sorts by the time it was made', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 47), fc.nat(2 ** 47), (a, b) => {
        fc.pre(a < b);
        expect(newId('tkt', a) < newId('tkt', b)).toBe(true);
      }),
    );
  });

  it('sorts by the order in which it was made within one millisecond', () => {
    const made = Array.from({ length: 10_000 }, () => newId('evt', NOW));
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
  });

  it('sorts by the order in which it was made also where the count goes over a limb of 20 bits', () => {
    let before = newId('evt', NOW);
    let falls = 0;
    for (let i = 0; i < 2 ** 20 + 1; i++) {
      const next = newId('evt', NOW);
      if (next <= before) falls++;
      before = next;
    }
    expect(falls).toBe(0);
  });

  it('is another one each time though the clock stands still or goes back', () => {
    const made = Array.from({ length: 10_000 }, (_, i) => newId('evt', NOW - (i % 3)));
    expect(new Set(made).size).toBe(made.length);
  });

  it('goes through its 16 bytes and back', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 47), fc.constantFrom(...prefixes), (now, prefix) => {
        const id = newId(prefix, now);
        expect(idBytes(id)).toHaveLength(16);
        expect(idOfBytes(prefix, idBytes(id))).toBe(id);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const id = idOfBytes('ptc', bytes);
        expect(isId('ptc', id)).toBe(true);
        expect(Buffer.from(bytes).equals(idBytes(id))).toBe(true);
      }),
    );
  });

  it('has siblings of the same random part', () => {
    const delivery = newId('dlv', NOW);
    const notification = siblingId('ntf', delivery);
    expect(isId('ntf', notification)).toBe(true);
    expect(siblingId('dlv', notification)).toBe(delivery);
  });

  const id = newId('rpl', NOW);
  it.each<[unknown, string]>([
    ['', 'nothing'],
    [id.toUpperCase(), 'upper case'],
    [`${id}0`, 'a sign more'],
    [id.slice(0, -1), 'a sign less'],
    [` ${id}`, 'a space before'],
    [`${id}\n`, 'a line break after'],
    [id.replace(/.$/, 'u'), 'a sign that is not of the alphabet'],
    [`rpl_8${'0'.repeat(25)}`, 'more than 128 bits'],
    [`rpl-${id.slice(4)}`, 'another mark'],
    [id.slice(4), 'no prefix'],
    [null, 'null'],
    [5, 'a number'],
    [[id], 'a list'],
  ])('is not %o: %s', (text) => expect(isId('rpl', text)).toBe(false));
});
