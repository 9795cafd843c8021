import { generateKey } from '../../src/platform/crypto.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { someDatabase } from '../support/some-database.js';
import { rows } from '../support/tables.js';

describe.each(someDatabase)('keys that change by the settings on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database });
  });
  afterAll(() => test.close());

  const entries = async () =>
    (await rows(test, 'audit_log')).map(({ actor, action, subject, detail }) => [actor, action, subject, detail]);

  it('stand in the audit log by their names, once each, and never with anything of a key', async () => {
    expect(await entries()).toEqual([]);
    const fresh = generateKey();
    const before = test.keys.LINK_KEYS!;
    await test.restart({ LINK_KEYS: `l2:${fresh},${before}` });
    const others = await Promise.all([test.beside(), test.beside(), test.beside()]);
    await Promise.all(others.map((one) => one.close()));
    await test.restart();
    expect(await entries()).toEqual([['settings', 'keys.changed', 'LINK_KEYS', 'added l2; signs l2']]);
    await test.restart({ LINK_KEYS: `l2:${fresh}`, SECRET_KEYS: `s1:${generateKey()},s0:${generateKey()}` });
    expect((await entries()).slice(1)).toEqual([
      ['settings', 'keys.changed', 'LINK_KEYS', 'removed l1'],
      ['settings', 'keys.changed', 'SECRET_KEYS', 'added s0'],
    ]);
    const kept = JSON.stringify([await rows(test, 'audit_log'), await rows(test, 'key_names')]);
    expect(kept).not.toContain(fresh.slice(0, 10));
    expect(kept).not.toContain(before.slice(3, 13));
  });
});
