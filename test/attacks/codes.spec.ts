import { Codes } from '../../src/access/code.js';
import { newId, type Id } from '../../src/ids.js';
import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest, type Page } from '../support/guest.js';
import { send } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, dump, rows } from '../support/tables.js';
import { linkOf } from '../support/mail.js';
import { askForCode, invite, newestMail, opened, visit } from '../support/visit.js';

describe.each(someDatabase)('codes on $name', (database) => {
  let test: TestGateway;
  /** While it holds, no mail leaves. */
  let holdsMail = false;
  beforeAll(async () => {
    test = await createGateway({ database, onMail: () => (holdsMail ? 451 : undefined) });
  });
  afterAll(() => test.close());
  // What one test asked for must not count against the next one's limits.
  afterEach(() => test.clock.advance({ hours: 25 }));

  const challengeOf = async (link: string) => {
    const { participantId } = opened(test, link);
    return (await rows(test, 'challenges', `participant_id = '${participantId}'`)).at(-1)!;
  };
  /** A code of the right form that is not this one. */
  const wrong = (code: string, n = 1) => String((Number(code) + n) % 1_000_000).padStart(6, '0');
  const isIn = (page: Page) => page.url.includes('/tickets/');

  it('lives for ten minutes by the clock and not a second longer', async () => {
    for (const [seconds, lives] of [
      [599, true],
      [600, false],
    ] as const) {
      const link = await invite(test);
      const guest = new Guest(test.url);
      const { page, code } = await askForCode(test, guest, link);
      test.clock.advance({ seconds });
      const answer = await guest.submit(page, '/verify', { code });
      expect([seconds, answer.status, isIn(answer)]).toEqual([seconds, lives ? 200 : 410, lives]);
    }
  });

  it('dies when a newer one of the same link is made, and the newer one works', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const first = await askForCode(test, guest, link);
    test.clock.advance({ seconds: 61 });
    const second = await askForCode(test, guest, link);
    expect(second.code === first.code).toBe(false);
    const refused = await guest.submit(second.page, '/verify', { code: first.code });
    expect(refused.status).toBe(422);
    expect(isIn(await guest.submit(second.page, '/verify', { code: second.code }))).toBe(true);
  });

  it('is nowhere but in its mail: not in a row, a log line, a subject or a preheader', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const mail = test.inbox.messages.at(-1)!;
    const asWord = new RegExp(`(?<![\\w-])${code}(?![\\w-])`);
    expect(mail.text).toMatch(asWord);
    expect(mail.subject).not.toContain(code);
    for (const { value } of mail.headerLines) expect(value).not.toMatch(asWord);
    // What mail programs show beside the subject: the first words of the body.
    const firstWords = mail.html.replace(/<head[\s\S]*?<\/head>|<style[\s\S]*?<\/style>/g, '').replace(/<[^>]+>/g, ' ');
    expect(firstWords.replace(/\s+/g, ' ').slice(0, 90)).not.toContain(code);
    await guest.submit(page, '/verify', { code: wrong(code) });
    await guest.submit(page, '/verify', { code });
    expect(await dump(test)).not.toMatch(asWord);
    expect(test.logs.join('')).not.toMatch(asWord);
    const { code_mac: mac } = await challengeOf(link);
    expect(Buffer.from(mac as string, 'base64url')).toHaveLength(32);
  });

  it('keeps nothing to read once it is sent, used, replaced or expired', async () => {
    const sent = await invite(test);
    await askForCode(test, new Guest(test.url), sent);
    expect((await challengeOf(sent)).sealed_code).toBeNull();

    const waiting = await invite(test);
    const used = await invite(test);
    const press = async (link: string) => {
      const guest = new Guest(test.url);
      const page = await guest.submit(await guest.get(link), '/code');
      await test.drain();
      return { guest, page };
    };
    holdsMail = true;
    await press(waiting);
    const [first] = await rows(test, 'challenges', `id = '${String((await challengeOf(waiting)).id)}'`);
    expect(first!.sealed_code).not.toBeNull();
    test.clock.advance({ seconds: 61 });
    const second = new Guest(test.url);
    await second.submit(await second.get(waiting), '/code');
    const { participantId } = opened(test, waiting);
    const [replaced, newer] = await rows(test, 'challenges', `participant_id = '${participantId}'`);
    expect([replaced!.sealed_code, newer!.sealed_code === null]).toEqual([null, false]);

    // Used before its mail was taken: the mail has no reason any more.
    const { guest, page } = await press(used);
    const id = (await challengeOf(used)).id as Id<'chl'>;
    const { code } = (await test.gateway.app.get(Codes).forMail(id))!;
    expect(isIn(await guest.submit(page, '/verify', { code }))).toBe(true);
    expect((await challengeOf(used)).sealed_code).toBeNull();

    test.clock.advance({ minutes: 11 });
    holdsMail = false;
    const mails = test.inbox.messages.length;
    await test.drain();
    expect((await challengeOf(waiting)).sealed_code).toBeNull();
    expect(test.inbox.messages.length).toBe(mails);
    const states = await rows(test, 'deliveries', `challenge_id IN ('${id}', '${String(newer!.id)}')`);
    expect(states.map(({ state }) => state)).toEqual(['expired', 'expired']);
  });

  it('allows five wrong tries and then not even the right one', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const statuses: number[] = [];
    for (let n = 1; n <= 5; n++) statuses.push((await guest.submit(page, '/verify', { code: wrong(code, n) })).status);
    statuses.push((await guest.submit(page, '/verify', { code })).status);
    expect(statuses).toEqual([422, 422, 422, 422, 410, 410]);
    expect((await challengeOf(link)).tries).toBe(5);
    expect(await count(test, 'sessions', `participant_id = '${opened(test, link).participantId}'`)).toBe(0);
  });

  it('makes at most five comparisons of a hundred guesses at once', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const guesses = Array.from({ length: 100 }, (_, n) => wrong(code, n + 1));
    const answers = await Promise.all(guesses.map((guess) => guest.submit(page, '/verify', { code: guess })));
    expect(answers.every(({ status }) => [410, 422, 429].includes(status))).toBe(true);
    expect((await challengeOf(link)).tries).toBe(5);
    // The fifth ends it, and whoever was not compared was told nothing of the code.
    expect(answers.filter(({ status }) => status === 422).length).toBeLessThan(5);
  });

  it('makes one session of fifty right answers at once', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => guest.submit(page, '/verify', { code }, { follow: false })),
    );
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500)).toHaveLength(0);
    expect(await count(test, 'sessions', `participant_id = '${opened(test, link).participantId}'`)).toBe(1);
  });

  it('is consumed once, also when all fifty are compared before the first is consumed', async () => {
    const link = await invite(test);
    const { code } = await askForCode(test, new Guest(test.url), link);
    const { ticketId, participantId, generation, expiresAt: linkExpiresAt } = opened(test, link);
    const codes = test.gateway.app.get(Codes);
    const verdicts = await Promise.all(
      Array.from({ length: 50 }, () =>
        codes.verify({ ticketId, participantId, generation, linkExpiresAt }, code, () => Promise.resolve(null)),
      ),
    );
    expect(verdicts.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await count(test, 'sessions', `participant_id = '${participantId}'`)).toBe(1);
    expect((await challengeOf(link)).tries).toBeGreaterThan(1);
  });

  it('opens nothing but what it was made for: other ticket, other person, other generation', async () => {
    const email = 'budi@example.com';
    const ticket = { id: 'shared', number: '777' };
    const participants = [{ kind: 'guest', email, name: 'Budi', locale: 'en' }];
    const mine = await invite(test, { ticket, data: { participants } });
    const others = await invite(test, { email, ticket: { id: 'else', number: '778' } });
    const budis = linkOf(newestMail(test, email, ({ subject }) => subject.includes('777')));
    const me = new Guest(test.url);
    const budi = new Guest(test.url);
    const own = await askForCode(test, me, mine);
    const ofBudi = await askForCode(test, budi, budis, email);
    test.clock.advance({ seconds: 61 });
    const ofElse = await askForCode(test, budi, others, email);
    const cross: [Page, string][] = [
      [own.page, ofBudi.code],
      [own.page, ofElse.code],
      [ofBudi.page, own.code],
      [ofElse.page, ofBudi.code],
    ];
    for (const [page, code] of cross) {
      const guest = page === own.page ? me : budi;
      expect((await guest.submit(page, '/verify', { code })).status).toBe(422);
    }
    // Left the ticket and came back: what was mailed before is dead, link and code.
    await test.source.send('ticket.updated', { ticket, data: { participants: [] } });
    await test.source.send('ticket.updated', { ticket, data: { participants } });
    expect((await budi.submit(ofBudi.page, '/verify', { code: ofBudi.code })).status).toBe(404);
    const renewed = await invite(test, { ticket, email: 'siti@example.com', data: { participants } });
    expect((await me.get(renewed)).status).toBe(200);
    const freshLink = linkOf(newestMail(test, email));
    const landing = await budi.get(freshLink);
    expect(landing.status).toBe(200);
    const token = landing.forms.find(({ action }) => action.endsWith('/code'))!.fields.formToken!;
    const answer = await budi.post(`${freshLink}/verify`, { formToken: token, code: ofBudi.code });
    expect(answer.status).toBe(410);
  });

  it('answers every odd input with a page, and counts a try only for what could have been a code', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const form = page.forms.find(({ action }) => action.endsWith('/verify'))!;
    const digits = (zero: number) => [...code].map((sign) => String.fromCodePoint(zero + Number(sign))).join('');
    const malformed = [
      '', ' ', '-', '0', '12345', '1234567', `${code}0`, `0${code}`, '+12345', '-12345x', '12345.', '1e5', '0x1234',
      '1,2345', 'abcdef', '12345a', `${code}\0`, `\0${code}`, '\0\0\0\0\0\0', `${code};`, `${code}'--`, `${code}%00`,
      '" OR 1=1', '<b>1</b>', '${7*7}', '{{code}}', '[object Object]', 'null', 'undefined', 'NaN', 'Infinity', '٠١٢٣٤٥',
      digits(0xff10), digits(0x0660), digits(0x06f0), digits(0x0966), digits(0x1d7ce), '①②③④⑤⑥', '１２３456',
      '💣'.repeat(6), '\u202e123456\u202c', '\u200b123456', '1'.repeat(65), '1'.repeat(10_000), ' '.repeat(60_000),
      '\ud800', 'é'.repeat(6), '12345\u0301', `${code}_`, `${code}/`, `..${code}`,
    ]; // prettier-ignore
    // Each sign of a right code as another sign that looks or counts like it, and with one more sign at each place.
    const lookalikes = [0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10, 0x1d7ce, 0x1d7d8, 0x1fbf0];
    for (let at = 0; at < code.length; at++) {
      const put = (sign: string, cut: number) => code.slice(0, at) + sign + code.slice(at + cut);
      for (const zero of lookalikes) malformed.push(put(String.fromCodePoint(zero + Number(code[at])), 1));
      for (const sign of ['0', '\0', '.', ',', '+', '_', '/', '\u00b7', '\u2060', 'O', 'e'])
        malformed.push(put(sign, 0));
    }
    expect(malformed.length).toBeGreaterThan(160);
    for (const typed of malformed) {
      const answer = await guest.submit(page, '/verify', { code: typed });
      expect([typed.slice(0, 20), answer.status]).toEqual([typed.slice(0, 20), 422]);
    }
    const token = encodeURIComponent(form.fields.formToken!);
    const urlencoded = 'application/x-www-form-urlencoded';
    const bodies: [string, string][] = [
      [urlencoded, `formToken=${token}`],
      [urlencoded, `formToken=${token}&code[]=${code}`],
      [urlencoded, `formToken=${token}&code[0]=1&code[1]=2`],
      [urlencoded, `formToken=${token}&code=${code}&code=x`],
      [urlencoded, `formToken=${token}&code=${code}&code=`],
      [urlencoded, `formToken=${token}&Code=${code}`],
      [urlencoded, `formToken=${token}&code=%E0%A4%A`],
      [urlencoded, `formToken=${token}&code=%ff%fe`],
      [urlencoded, `formToken=${token}&__proto__=1&__proto__[code]=${code}&constructor=x`],
      [urlencoded, `formToken=${token}&formToken=${token}&code=%00`],
      [urlencoded, `formToken=&code=${code}`],
      [urlencoded, ''],
      [urlencoded, '&&&===&'],
      [urlencoded, `formToken=${token}&code=${'9'.repeat(200_000)}`],
      [urlencoded, `formToken=${token}&code=${'9'.repeat(300_000)}`],
      ['application/json', JSON.stringify({ formToken: form.fields.formToken, code: [code] })],
      ['application/json', JSON.stringify({ formToken: form.fields.formToken, code })],
      ['application/json', '{'],
      ['text/plain', `formToken=${token}&code=${code}`],
      ['multipart/form-data; boundary=x', `--x\r\nContent-Disposition: form-data; name="code"\r\n\r\n${code}\r\n--x--`],
      ['multipart/form-data', 'no boundary'],
      ['', `formToken=${token}&code=${code}`],
      [',', 'x'],
    ];
    const cookie = [...guest.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    for (const [type, body] of bodies) {
      const answer = await send(test.url, {
        method: 'POST',
        path: form.action,
        headers: { cookie, origin: test.url, ...(type ? { 'content-type': type } : {}) },
        body,
      });
      expect([body.slice(0, 80), answer.status >= 400 && answer.status < 500]).toEqual([body.slice(0, 80), true]);
    }
    expect((await challengeOf(link)).tries).toBe(0);
    counted('inputs for a code', malformed.length + bodies.length);
    // People paste with spaces and hyphens: that is the same code.
    const spaced = ` ${code.slice(0, 3)}-${code.slice(3)} `;
    expect(isIn(await guest.submit(page, '/verify', { code: spaced }))).toBe(true);
  });

  describe('limits', () => {
    /** Presses "Send code" until it is refused, waiting so long between; how often it was sent. */
    const pressUntilRefused = async (link: string, step: { seconds?: number; minutes?: number }, most = 12) => {
      const guest = new Guest(test.url);
      for (let sent = 0; sent < most; sent++) {
        const answer = await guest.submit(await guest.get(link), '/code', {}, { follow: false });
        if (answer.status !== 303 || answer.headers.get('location')!.includes('again')) return { sent, answer };
        test.clock.advance(step);
      }
      throw new Error(`never refused in ${most}`);
    };

    it('sends one in sixty seconds, also when pressed twenty times at once', async () => {
      const link = await invite(test);
      const guest = new Guest(test.url);
      const landing = await guest.get(link);
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => guest.submit(landing, '/code', {}, { follow: false })),
      );
      expect(answers.filter((one) => one.headers.get('location')?.endsWith('/code'))).toHaveLength(1);
      expect(await count(test, 'challenges', `participant_id = '${opened(test, link).participantId}'`)).toBe(1);
      test.clock.advance({ seconds: 59 });
      const early = await guest.submit(await guest.get(link), '/code', {}, { follow: false });
      expect(early.headers.get('location')).toMatch(/\?again=1$/);
      test.clock.advance({ seconds: 1 });
      const onTime = await guest.submit(await guest.get(link), '/code', {}, { follow: false });
      expect(onTime.headers.get('location')).toMatch(/\/code$/);
    });

    it('sends five in an hour and ten in a day for one ticket and address, restarts and new browsers or not', async () => {
      const link = await invite(test);
      const first = await pressUntilRefused(link, { seconds: 61 });
      expect([first.sent, first.answer.status]).toEqual([5, 429]);
      expect(Number(first.answer.headers.get('retry-after'))).toBeGreaterThan(0);
      const mails = await count(test, 'deliveries', `template_key = 'access-code'`);
      await test.restart();
      expect((await pressUntilRefused(link, {})).sent).toBe(0);
      expect(await count(test, 'deliveries', `template_key = 'access-code'`)).toBe(mails);
      test.clock.advance({ minutes: 61 });
      expect((await pressUntilRefused(link, { seconds: 61 })).sent).toBe(5);
      test.clock.advance({ minutes: 61 });
      const last = await pressUntilRefused(link, { seconds: 61 });
      expect([last.sent, last.answer.status]).toEqual([0, 429]);
    });

    it('sends twenty in an hour to one address over all its tickets', async () => {
      const email = 'many@example.com';
      let sent = 0;
      for (let n = 0; n < 22; n++) sent += (await pressUntilRefused(await invite(test, { email }), {}, 2)).sent;
      expect(sent).toBe(20);
    });

    it('sends thirty in an hour for one IP, in parallel too, whatever a client says of where it comes from', async () => {
      const links: string[] = [];
      for (let n = 0; n < 34; n++) links.push(await invite(test, { email: `guest-${n}@example.com` }));
      const claims = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'client-ip', 'x-client-ip', 'cf-connecting-ip'];
      const answers = await Promise.all(
        links.map(async (link, n) => {
          const address = `203.0.113.${n}`;
          const headers = Object.fromEntries(
            claims.map((name) => [name, name === 'forwarded' ? `for=${address}` : address]),
          );
          const guest = new Guest(test.url, headers);
          return guest.submit(await guest.get(link), '/code', {}, { follow: false });
        }),
      );
      expect(answers.filter(({ status }) => status === 303)).toHaveLength(30);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(4);
    });

    it('counts 25 guesses in an hour over all codes of a ticket and address', async () => {
      const link = await invite(test);
      const guest = new Guest(test.url);
      const statuses: number[] = [];
      for (let codes = 0; codes < 5; codes++) {
        const { page, code } = await askForCode(test, guest, link);
        for (let n = 1; n <= 5; n++)
          statuses.push((await guest.submit(page, '/verify', { code: wrong(code, n) })).status);
        test.clock.advance({ seconds: 61 });
      }
      expect(statuses.filter((status) => status === 422)).toHaveLength(20);
      const form = (await guest.get(link)).forms.find(({ action }) => action.endsWith('/code'))!;
      const answer = await guest.post(`${link}/verify`, { ...form.fields, code: '123456' });
      expect(answer.status).toBe(429);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    });

    it('never says that it sent when it did not', async () => {
      const link = await invite(test);
      const guest = new Guest(test.url);
      await askForCode(test, guest, link);
      const sent = () => count(test, 'deliveries', `template_key = 'access-code'`);
      const before = await sent();
      const again = await guest.submit(await guest.get(link), '/code');
      expect(again.text).toContain('We already sent a code');
      test.clock.advance({ seconds: 61 });
      const { answer } = await pressUntilRefused(link, { seconds: 61 });
      expect(answer.text).not.toContain('We sent a code');
      expect(await sent()).toBe(before + 4);
    });
  });

  it('keeps neither addresses nor IPs in its counters', async () => {
    await visit(test, { email: 'counted@example.com' });
    const text = JSON.stringify(await rows(test, 'limits'));
    expect(text).not.toMatch(/example|127\.0\.0\.1|@/);
    await change(test, 'DELETE FROM limits');
  });
});

describe('codes, drawn fifteen hundred times', () => {
  it('are evenly spread, keep leading zeros and are bound to nothing but chance', async () => {
    const test = await createGateway();
    try {
      const codes = test.gateway.app.get(Codes);
      const drawn: string[] = [];
      for (let n = 0; n < 1500; n++) {
        const holder = { ticketId: newId('tkt', n), participantId: newId('ptc', n), generation: 1 };
        const issued = await test.gateway.database.write((tx) =>
          codes.issue(tx, holder, { addressKey: `a${n}`, ip: `ip${n}` }),
        );
        if (!issued.ok) throw new Error('limited');
        drawn.push((await codes.forMail(issued.challengeId))!.code);
      }
      expect(drawn.every((code) => /^\d{6}$/.test(code))).toBe(true);
      expect(new Set(drawn).size).toBeGreaterThan(1480);
      // Chi-square with 9 degrees of freedom: above 50 by chance once in ten million draws.
      for (let place = 0; place < 6; place++) {
        const seen = Array.from({ length: 10 }, (_, d) => drawn.filter((code) => code[place] === String(d)).length);
        expect(seen.reduce((sum, n) => sum + (n - 150) ** 2 / 150, 0)).toBeLessThan(50);
      }
    } finally {
      await test.close();
    }
  });
});

describe('behind a trusted proxy', () => {
  it('counts the address that the proxy saw, by its network, and no earlier claim', async () => {
    const test = await createGateway({ settings: { TRUSTED_PROXIES: '127.0.0.1' } });
    try {
      const press = async (n: number, forwarded: string) => {
        const guest = new Guest(test.url, { 'x-forwarded-for': forwarded });
        const link = await invite(test, { email: `guest-${n}@example.com` });
        return (await guest.submit(await guest.get(link), '/code', {}, { follow: false })).status;
      };
      const statuses: number[] = [];
      // One household of IPv6; each claims to come from elsewhere before.
      for (let n = 0; n < 31; n++) statuses.push(await press(n, `198.51.100.${n}, 2001:db8:1:2:${n}::9`));
      expect(statuses.filter((status) => status === 303)).toHaveLength(30);
      expect(statuses.at(-1)).toBe(429);
      expect(await press(40, '2001:db8:1:3::9')).toBe(303);
      // Words that are no address are one network, not one each; `Forwarded` (RFC 7239) is not read at all.
      const odd: number[] = [];
      for (let n = 0; n < 31; n++) odd.push(await press(100 + n, `garbage-${n}`));
      expect(odd.filter((status) => status === 303)).toHaveLength(30);
      for (const spelling of ['2001:0db8:0001:0002::1', '2001:DB8:1:2::ff', '2001:db8:1:2:0:0:0:7'])
        expect(await press(41, spelling)).toBe(429);
    } finally {
      await test.close();
    }
  });
});
