import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest, type Page } from '../support/guest.js';
import { send } from '../support/raw.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, dump, rows } from '../support/tables.js';
import { askForCode, invite, newestMail } from '../support/visit.js';

const WRITTEN = /[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{5}/;

describe.each(someDatabase)('"is this mail really from you?" on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database });
  });
  afterAll(() => test.close());
  beforeEach(() => test.clock.advance({ minutes: 61 }));

  const guest = () => new Guest(test.url, { 'accept-language': 'en' });
  const check = async (reference: string, who = guest()): Promise<Page> =>
    who.submit(await who.get('/check'), '/check', { reference });
  const newReference = async (email = 'siti@example.com') => {
    await invite(test, { email, ticket: { id: `check-${email}-${test.clock.now()}`, number: '5150' } });
    return WRITTEN.exec(newestMail(test, email).text)![0];
  };

  it('says yes to the reference of a mail, with ticket, masked address and time', async () => {
    const page = await check(await newReference());
    expect(page.status).toBe(200);
    expect(page.text).toContain('Yes, this email is from us');
    for (const told of ['5150', 's***i@e***.com', '2026']) expect(page.text).toContain(told);
    expect(page.html).not.toMatch(/siti@|\/t\/|tkt_|dlv_/);
  });

  it('is printed by every mail, code mails too, in both parts and both languages, with the address of the page', async () => {
    const link = await invite(test, { email: 'every@example.com' });
    await askForCode(test, guest(), link, 'every@example.com');
    const ticket = { id: 'check-id', number: '1' };
    await test.source.send('ticket.replied', {
      ticket,
      requester: { email: 'ayu@example.com', locale: 'id' },
      message: {},
    });
    await test.drain();
    const mails = test.inbox.messages.filter(({ to }) => /every|ayu/.test(String(to)));
    expect(mails).toHaveLength(3);
    const seen = new Set<string>();
    for (const { text, html } of mails) {
      const reference = WRITTEN.exec(text)![0];
      expect(html).toContain(reference);
      expect(text).toContain(`${test.url}/check`);
      expect(html).toContain(`${test.url}/check`);
      seen.add(reference);
      expect((await check(reference)).text).toMatch(/Yes, this email is from us|Ya, email ini dari kami/);
    }
    expect(seen.size).toBe(3);
  });

  it('takes what people type: small letters, spaces, other dashes, O for 0, I and L for 1', async () => {
    const written = await newReference();
    const bare = written.replaceAll('-', '');
    const spellings = [
      bare,
      bare.toLowerCase(),
      ` ${bare.split('').join(' ')} `,
      written.replaceAll('-', '–'),
      bare.replaceAll('0', 'o').replaceAll('1', 'l'),
      bare.replaceAll('0', 'O').replaceAll('1', 'I'),
    ];
    for (const spelling of spellings)
      expect([spelling, (await check(spelling)).text]).toEqual([spelling, expect.stringContaining('Yes, this email')]);
  });

  it('says no, the same no, to an unknown one and to that of a mail that never left', async () => {
    const reference = await newReference();
    const bare = reference.replaceAll('-', '');
    const plain = ({ status, text }: Page) => `${status} ${text}`;
    const unknown = plain(await check('0000-0000-00000'));
    expect(unknown).toContain('We do not know this ID number');
    for (const state of ['queued', 'leased', 'deferred', 'failed', 'suppressed', 'cancelled', 'expired', 'parked']) {
      await change(test, `UPDATE deliveries SET state = '${state}' WHERE check_reference = '${bare}'`);
      expect([state, plain(await check(reference))]).toEqual([state, unknown]);
    }
    for (const state of ['sent', 'bounced', 'submitting', 'uncertain']) {
      await change(test, `UPDATE deliveries SET state = '${state}' WHERE check_reference = '${bare}'`);
      expect([state, (await check(reference)).text]).toEqual([state, expect.stringContaining('Yes, this email')]);
    }
  });

  it('gives back what is no whole reference, safely, and counts nothing for it', async () => {
    const limits = await count(test, 'limits');
    for (const typed of [
      '',
      '7QK3',
      '<script>alert(1)</script>',
      "' OR 1=1 --",
      'U'.repeat(13),
      'A'.repeat(5000),
      '0'.repeat(14),
      '\0',
    ]) {
      const page = await check(typed);
      expect([typed.slice(0, 20), page.status]).toEqual([typed.slice(0, 20), 422]);
      expect(page.html).not.toContain('<script>alert');
    }
    expect(await count(test, 'limits')).toBe(limits);
  });

  it('is counted before it is looked up: 60 guesses at once make 30 answers', async () => {
    const reference = await newReference();
    const who = guest();
    const page = await who.get('/check');
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        who.submit(page, '/check', { reference: n < 59 ? `0000-0000-000${10 + n}` : reference }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(30);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(30);
    expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(3000);
    // Also for the right one, and with new cookies.
    expect((await check(reference)).status).toBe(429);
    test.clock.advance({ minutes: 61 });
    expect((await check(reference)).status).toBe(200);
  });

  it('changes nothing by GET, and takes no form of another site', async () => {
    const reference = await newReference();
    const before = await dump(test);
    for (const path of ['/check', `/check?reference=${reference}`]) expect((await guest().get(path)).status).toBe(200);
    expect((await send(test.url, { method: 'HEAD', path: '/check' })).status).toBe(200);
    const who = guest();
    const { fields } = (await who.get('/check')).forms.find(({ action }) => action === '/check')!;
    const foreign = await who.post('/check', { ...fields, reference }, { headers: { origin: 'https://evil.example' } });
    const bare = await guest().post('/check', { reference });
    expect([foreign.status, bare.status]).toEqual([403, 403]);
    expect(await dump(test)).toBe(before);
  });

  it('is the same at each retry of a mail', async () => {
    await newReference('again@example.com');
    const [before] = (await rows(test, 'deliveries', `recipient = 'again@example.com'`)).slice(-1);
    await change(test, `UPDATE deliveries SET state = 'queued', ended_at = NULL WHERE id = '${String(before!.id)}'`);
    const mails = test.inbox.messages.length;
    await test.drain();
    expect(test.inbox.messages).toHaveLength(mails + 1);
    const raws = test.inbox.messages.filter(({ to }) => to.includes('again@example.com')).map(({ text }) => text);
    expect(WRITTEN.exec(raws[0]!)![0]).toBe(WRITTEN.exec(raws[1]!)![0]);
  });

  it('knows the mails of another gateway on the same database after a change of keys', async () => {
    const reference = await newReference();
    await test.restart({ SECRET_KEYS: `s2:${Buffer.alloc(32, 7).toString('base64')}` });
    expect((await check(reference)).text).toContain('Yes, this email');
  });
});
