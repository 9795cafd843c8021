import { codeLimits, guessLimit, takeLimits, type LimitRule } from '../../src/access/limits.js';
import { generateKey, KeyRing } from '../../src/platform/crypto.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { count, rows } from '../support/tables.js';
import { linkOf } from '../support/mail.js';
import { askForCode, invite, newestMail, opened } from '../support/visit.js';

const wrong = (code: string, n = 1) => String((Number(code) + n) % 1_000_000).padStart(6, '0');

describe.each(databases)('limits on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database });
  });
  afterAll(() => test.close());
  afterEach(() => test.clock.advance({ hours: 25 }));

  const press = async (link: string, headers: Record<string, string> = {}) => {
    const guest = new Guest(test.url, headers);
    return guest.submit(await guest.get(link), '/code', {}, { follow: false });
  };
  const take = (rules: LimitRule[], now: number) => test.gateway.database.write((tx) => takeLimits(tx, rules, now));
  const asker = (name: string) => ({ participantId: name, addressKey: `${name}@example.com`, ip: name });

  it('are those of any hour: five codes late in one and five early in the next are not ten', async () => {
    const link = await invite(test);
    const statuses: number[] = [];
    // At 0, 50, 52, 54, 56 minutes; then two more within the hour that began at 50.
    for (const minutes of [0, 50, 2, 2, 2, 5, 2]) {
      test.clock.advance({ minutes });
      statuses.push((await press(link)).status);
    }
    expect(statuses).toEqual([303, 303, 303, 303, 303, 303, 429]);
  });

  it.each([2, 10, 50, 100, 200])(
    'let through as many as they allow of %i at once, and say how long the rest waits',
    async (many) => {
      const ring = test.gateway.config.secretKeys;
      const outcomes = await Promise.all(
        Array.from({ length: many }, () => take([guessLimit(ring, `burst-${many}`)], test.clock.now())),
      );
      expect(outcomes.filter(({ ok }) => ok)).toHaveLength(Math.min(many, 25));
      for (const outcome of outcomes) if (!outcome.ok) expect(outcome.retryAfterSeconds).toBe(3600);
    },
  );

  it('count nothing anywhere if one of them is full', async () => {
    const ring = test.gateway.config.secretKeys;
    const now = test.clock.now();
    expect(await take(codeLimits(ring, asker('one')), now)).toEqual({ ok: true });
    for (let n = 0; n < 40; n++) expect((await take(codeLimits(ring, asker('one')), now)).ok).toBe(false);
    // The IP's thirty were not used up by what was refused.
    const sameIp = { ...asker('two'), ip: 'one' };
    expect(await take(codeLimits(ring, sameIp), now)).toEqual({ ok: true });
  });

  it('go on when a new key is put in front, and when the former one is taken away', async () => {
    const [a, b] = ['a', 'b'].map((kid) => ({ kid, key: Buffer.from(generateKey(), 'base64') }));
    const now = test.clock.now();
    const sent = async (ring: KeyRing) =>
      (await take(codeLimits(ring, asker('rotated')), now + sent.calls++ * 61_000)).ok;
    sent.calls = 0;
    const former = new KeyRing([a!]);
    const both = new KeyRing([b!, a!]);
    expect([await sent(former), await sent(former), await sent(both), await sent(former), await sent(both)]).toEqual(
      Array(5).fill(true),
    );
    for (const ring of [former, both, new KeyRing([b!])]) expect(await sent(ring)).toBe(false);
  });

  it('are forgotten once they hold nobody back', async () => {
    await press(await invite(test, { email: 'forgotten@example.com' }));
    expect(await count(test, 'limits')).toBeGreaterThan(0);
    test.clock.advance({ hours: 25 });
    await test.drain();
    expect(await count(test, 'limits')).toBe(0);
  });

  it('have a page that tells the wait, what to do instead, and never that something was sent', async () => {
    const link = await invite(test);
    for (let n = 0; n < 5; n++) {
      expect((await press(link)).status).toBe(303);
      test.clock.advance({ seconds: 61 });
    }
    test.clock.advance({ minutes: 11 });
    const page = await press(link);
    expect(page.status).toBe(429);
    // 5 × 61 s and 11 minutes of the hour are over.
    expect(page.headers.get('retry-after')).toBe(String(3600 - 5 * 61 - 660));
    expect(page.text).toContain('We sent nothing just now');
    expect(page.text).toContain('in about 44 minutes');
    expect(page.text).toContain('write to support in another way');
  });

  it('count fresh links like codes: by hour, address and IP', async () => {
    const email = 'renewing@example.com';
    const link = await invite(test, { email });
    test.clock.advance({ days: 31 });
    const guest = new Guest(test.url);
    const renew = async () => guest.submit(await guest.get(link), '/renew');
    for (let n = 0; n < 4; n++) expect((await renew()).status).toBe(200);
    await test.drain();
    const fresh = linkOf(newestMail(test, email));
    expect((await press(fresh)).status).toBe(303);
    expect((await press(fresh)).headers.get('location')).toMatch(/again=1$/);
    const refused = await renew();
    expect([refused.status, refused.text.includes('We sent nothing just now')]).toEqual([429, true]);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await test.drain();
    expect(test.inbox.messages.filter(({ to, subject }) => to.includes(email) && /link/i.test(subject))).toHaveLength(
      4,
    );
  });

  it('end a link after a hundred wrong codes in a row; the next mail brings one that works', async () => {
    const email = 'guessed@example.com';
    const ticket = { id: 'guessed', number: '5150' };
    const link = await invite(test, { email, ticket });
    const guest = new Guest(test.url);
    for (let codes = 0; codes < 20; codes++) {
      const { page, code } = await askForCode(test, guest, link, email);
      for (let n = 1; n <= 5; n++)
        expect((await guest.submit(page, '/verify', { code: wrong(code, n) })).status).toBe(n < 5 ? 422 : 410);
      test.clock.advance({ hours: 3 });
    }
    for (const path of [link, `${link}/code`]) {
      const page = await guest.get(path);
      expect([path, page.status, page.forms.filter(({ action }) => action.endsWith('/code'))]).toEqual([path, 410, []]);
      expect(page.text).toContain('The next email about your ticket brings a new one');
    }
    const fields = (await guest.get(`${link}/not-mine`)).forms[0]!.fields;
    for (const end of ['/code', '/verify'])
      expect((await guest.post(`${link}${end}`, { ...fields, code: '123456' })).status).toBe(410);
    const { participantId } = opened(test, link);
    expect(await count(test, 'challenges', `participant_id = '${participantId}'`)).toBe(20);

    const next = await invite(test, { email, ticket });
    const { page, code } = await askForCode(test, guest, next, email);
    expect((await guest.submit(page, '/verify', { code: wrong(code) })).status).toBe(422);
    expect((await guest.get(link)).status).toBe(410);
    expect((await guest.submit(page, '/verify', { code })).url).toContain('/tickets/');
    expect((await rows(test, 'failed_tries', `participant_id = '${participantId}'`))[0]!.in_a_row).toBe(0);
  });

  it('let the hundredth try in if it is right, and begin anew after it', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    await guest.submit(page, '/verify', { code: wrong(code) });
    const { participantId } = opened(test, link);
    const where = `participant_id = '${participantId}'`;
    await test.gateway.database.write((tx) => tx.query(`UPDATE failed_tries SET in_a_row = 99 WHERE ${where}`));
    expect((await guest.submit(page, '/verify', { code })).url).toContain('/tickets/');
    expect(await rows(test, 'failed_tries', where)).toEqual([expect.objectContaining({ in_a_row: 0 })]);
    expect((await guest.get(link)).status).toBe(200);
  });
});

const postgres = databases.find(({ name }) => name === 'Postgres');

(postgres ? describe : describe.skip)('limits of two gateways on one Postgres', () => {
  it('are one: of two hundred presses at both, one sends, and of as many guesses five are compared', async () => {
    const one = await createGateway({ database: postgres });
    const two = await createGateway({
      settings: { DATABASE_URL: one.databaseUrl, SOURCE_SECRET: one.source.secret, PUBLIC_URL: one.url, ...one.keys },
    });
    const second = await two.gateway.app.getUrl();
    try {
      const link = await invite(one);
      const guest = new Guest(one.url);
      const landing = await guest.get(link);
      const { fields } = landing.forms.find(({ action }) => action.endsWith('/code'))!;
      const both = (path: string, more: (n: number) => Record<string, string>) =>
        Promise.all(
          Array.from({ length: 200 }, (_, n) =>
            fetch(`${n % 2 ? one.url : second}${path}`, {
              method: 'POST',
              redirect: 'manual',
              headers: { cookie: [...guest.cookies].map((pair) => pair.join('=')).join('; ') },
              body: new URLSearchParams({ ...fields, ...more(n) }),
            }),
          ),
        );
      const pressed = await both(`${link}/code`, () => ({}));
      expect(pressed.filter(({ headers }) => headers.get('location')?.endsWith('/code'))).toHaveLength(1);
      expect(await count(one, 'challenges')).toBe(1);
      await one.drain();
      const guessed = await both(`${link}/verify`, (n) => ({ code: String(100_000 + n) }));
      expect(guessed.every(({ status }) => [303, 410, 422, 429].includes(status))).toBe(true);
      expect(Number((await rows(one, 'challenges'))[0]!.tries)).toBeLessThanOrEqual(5);
    } finally {
      await two.close();
      await one.close();
    }
  });
});
