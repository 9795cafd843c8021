import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { generateKey, parseKeyList } from '../../src/platform/crypto.js';
import { databases } from '../support/databases.js';
import { createGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { askForCode, invite, newestMail } from '../support/visit.js';
import { linkOf } from '../support/mail.js';

describe.each(databases)('keys of links on $name', (database) => {
  it('change under load without one valid link refused, the gateway restarted with each', async () => {
    const [a, b] = [`a:${generateKey()}`, `b:${generateKey()}`];
    const test = await createGateway({ database, settings: { LINK_KEYS: a } });
    try {
      const links: string[] = [];
      for (let n = 0; n < 10; n++) links.push(await invite(test, { email: `guest-${n}@example.com` }));
      const refused: string[] = [];
      const opened: number[] = [];
      let comes = true;
      const guests = links.map(async (link) => {
        while (comes) {
          // Between two starts nobody listens; whoever is answered is answered well.
          const page = await new Guest(test.url).get(link).catch(() => null);
          if (page !== null) (page.status === 200 ? opened : refused).push(page.status as never);
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
      for (const keys of [`${a},${b}`, `${b},${a}`, `${a},${b}`, `${b},${a}`]) {
        const seen = opened.length;
        await test.restart({ LINK_KEYS: keys });
        while (opened.length < seen + 20) await new Promise((resolve) => setImmediate(resolve));
      }
      comes = false;
      await Promise.all(guests);
      expect(refused).toEqual([]);
      expect(await invite(test)).toMatch(/^\/t\/1\.b\./);
    } finally {
      await test.close();
    }
  });

  it('that leaked are cut off at once: their links are dead, and mails that wait are signed by a living one', async () => {
    const [a, b] = [`a:${generateKey()}`, `b:${generateKey()}`];
    let holdsMail = false;
    const test = await createGateway({
      database,
      settings: { LINK_KEYS: a },
      onMail: () => (holdsMail ? 451 : undefined),
    });
    try {
      const email = 'waits@example.com';
      const dead = await invite(test);
      holdsMail = true;
      await test.source.send('ticket.replied', {
        ticket: { id: 'waits', number: '8' },
        requester: { email, locale: 'en' },
        message: {},
      });
      await test.drain();
      holdsMail = false;
      await test.restart({ LINK_KEYS: b });
      expect((await new Guest(test.url).get(dead)).status).toBe(404);
      test.clock.advance({ hours: 5 });
      await test.drain();
      const link = linkOf(newestMail(test, email));
      expect(link).toMatch(/^\/t\/1\.b\./);
      const guest = new Guest(test.url);
      const { page, code } = await askForCode(test, guest, link, email);
      expect((await guest.submit(page, '/verify', { code })).url).toContain('/tickets/');
    } finally {
      await test.close();
    }
  });
});

describe('npm run keys', () => {
  const [a, b] = [generateKey(), generateKey()];
  const keys = (...args: string[]) => {
    const env = { PATH: process.env.PATH, NODE_ENV: 'test', LINK_KEYS: `new:${a},old:${b}`, SECRET_KEYS: `s:${b}` };
    return execFileSync(process.execPath, [join(packageRoot, 'dist', 'src', 'cli.js'), 'keys', ...args], {
      env,
    }).toString();
  };

  it('list says which keys there are and which one signs, and shows none', () => {
    const told = keys('list');
    expect(told.split('\n').map((line) => line.trim().replace(/\s+/g, ' '))).toEqual([
      'LINK_KEYS', 'new signs and verifies', 'old verifies', 'SECRET_KEYS', 's signs and verifies', '',
    ]); // prettier-ignore
    for (const key of [a, b]) expect(told).not.toContain(key.slice(0, 8));
  });

  it('new makes one that can be put into the settings, another each time', () => {
    const [one, two] = [keys('new'), keys('new', 'SECRET_KEYS')].map((told) => told.split('\n')[0]!);
    expect(parseKeyList(`${one},${two}`).ok).toBe(true);
  });
});
