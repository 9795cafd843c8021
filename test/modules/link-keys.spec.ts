import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { generateKey, parseKeyList } from '../../src/platform/crypto.js';
import { databases } from '../support/databases.js';
import { createGateway } from '../support/gateway.js';
import { Guest, type Page } from '../support/guest.js';
import { until } from '../support/program.js';
import { someDatabase } from '../support/some-database.js';
import { TestSource } from '../support/source.js';
import { askForCode, invite, newestMail } from '../support/visit.js';
import { codeOf, linkOf } from '../support/mail.js';
import type { StoredMail } from '../../demo/inbox.js';

describe.each(someDatabase)('keys of links on $name', (database) => {
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

const postgres = databases.filter(({ name }) => name === 'Postgres');

describe.each(postgres)('all keys of two gateways on one $name', (database) => {
  it('change one gateway after the other, and no link, form, code or session of either is refused', async () => {
    const [a, b] = [generateKey(), generateKey()];
    const ring = (...names: ('a' | 'b')[]) => names.map((name) => `${name}:${name === 'a' ? a : b}`).join(',');
    const keys = (...names: ('a' | 'b')[]) => ({ LINK_KEYS: ring(...names), SECRET_KEYS: ring(...names) });
    const one = await createGateway({
      database,
      sweeps: true,
      clockRuns: true,
      settings: { ...keys('a'), TRUSTED_PROXIES: '127.0.0.1' },
    });
    const two = await createGateway({
      sweeps: true,
      clockRuns: true,
      settings: {
        ...keys('a'),
        TRUSTED_PROXIES: '127.0.0.1',
        DATABASE_URL: one.databaseUrl,
        MAIL_URL: one.inbox.smtpUrl,
        SOURCE_SECRET: one.source.secret,
        PUBLIC_URL: one.url,
      },
    });
    const webs = [one, two];
    let comes = true;
    let turn = 0;
    const signedBy = new Set<string>();
    const done: string[] = [];
    /** At the next gateway, as a balancer does; where that one is just being started, at the other. */
    const ask = async <T>(work: (url: string) => Promise<T>): Promise<T> => {
      for (;;) {
        const { url } = webs[turn++ % 2]!;
        try {
          return await work(url);
        } catch (error) {
          // Nobody listens there just now: `fetch` says no more than that.
          if (!comes || !/^(fetch failed|terminated)$/.test((error as Error).message)) throw error;
        }
      }
    };
    const mailTo = async (email: string, isCode: boolean): Promise<StoredMail> => {
      let mail: StoredMail | undefined;
      await until(`a mail to ${email}`, () => {
        mail = one.inbox.messages.find(({ to, text }) => to.includes(email) && text.includes('/t/') !== isCode);
        return mail !== undefined;
      });
      return mail!;
    };
    /** One guest after the other: each step at another gateway than the one before. */
    const guests = async (line: number) => {
      for (let n = 0; comes; n++) {
        const email = `guest-${line}-${n}@example.com`;
        await ask(async (url) => {
          const source = new TestSource(url, one.source.secret, one.clock);
          await source.send('ticket.replied', {
            ticket: { id: `${line}-${n}`, number: `${line}${n}` },
            requester: { email, locale: 'en' },
            message: {},
          });
          return null;
        });
        const link = linkOf(await mailTo(email, false));
        // An hour's thirty codes go to one address.
        const network = { 'x-forwarded-for': `10.${line}.${n >> 8}.${n & 255}`, 'sec-fetch-site': 'same-origin' };
        const guest = new Guest(one.url, network);
        const seen: number[] = [];
        const step = async (work: (url: string) => Promise<Page>): Promise<Page> => {
          const page = await ask(work);
          seen.push(page.status);
          return page;
        };
        const landing = await step((url) => guest.get(url + link));
        const send = landing.forms.find(({ action }) => action.endsWith('/code'))!;
        await step((url) => guest.post(url + send.action, send.fields, { follow: false }));
        const code = codeOf(await mailTo(email, true));
        const codePage = await step((url) => guest.get(`${url}${link}/code`));
        const verify = codePage.forms.find(({ action }) => action.endsWith('/verify'))!;
        const inside = await step((url) =>
          guest.post(url + verify.action, { ...verify.fields, code }, { follow: false }),
        );
        const ticket = inside.headers.get('location')?.split('#')[0] ?? '/';
        const page = await step((url) => guest.get(url + ticket));
        const logout = page.forms.find(({ action }) => action.endsWith('/logout'));
        await step((url) => guest.post(url + logout!.action, logout!.fields));
        signedBy.add(`${link.split('.')[1]} ${send.fields.formToken!.split('.')[0]}`);
        done.push(seen.join(' '));
      }
    };
    try {
      const lines = Promise.all([1, 2, 3].map((line) => guests(line)));
      const more = () => {
        const before = done.length;
        return Promise.race([until('guests come in', () => done.length >= before + 4), lines]);
      };
      await more();
      // The new key is known everywhere before anybody signs with it, and the old one is dropped by nobody meanwhile.
      for (const step of [keys('a', 'b'), keys('b', 'a')])
        for (const web of webs) {
          await web.restart(step);
          await more();
        }
      comes = false;
      await lines;
      expect(new Set(done)).toEqual(new Set(['200 303 200 303 200 200']));
      expect(signedBy).toContain('a a');
      expect(signedBy).toContain('b b');
    } finally {
      comes = false;
      await two.close();
      await one.close();
    }
  }, 120_000);
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
      'LINK_KEYS', 'new signs and verifies', 'old verifies', 'SECRET_KEYS', 's signs and verifies',
      'HANDOFF_KEYS', 'dev signs and verifies', '',
    ]); // prettier-ignore
    for (const key of [a, b]) expect(told).not.toContain(key.slice(0, 8));
  });

  it('new makes one that can be put into the settings, another each time', () => {
    const [one, two] = [keys('new'), keys('new', 'SECRET_KEYS')].map((told) => told.split('\n')[0]!);
    expect(parseKeyList(`${one},${two}`).ok).toBe(true);
  });
});
