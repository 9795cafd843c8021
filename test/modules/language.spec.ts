import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { someDatabase } from '../support/some-database.js';
import { count, rows } from '../support/tables.js';
import { invite, newestMail, visit } from '../support/visit.js';

const KEPT_ID = 'Mulai sekarang';

describe.each(someDatabase)('the language that a reader chooses on $name', (database) => {
  let test: TestGateway;
  beforeEach(async () => void (test = await createGateway({ database })));
  afterEach(() => test.close());

  const email = 'siti@example.com';
  const mailed = async () => (await rows(test, 'deliveries')).at(-1)!;
  const tell = (id: string, type = 'ticket.replied') =>
    test.source
      .send(type, { ticket: { id, number: id }, requester: { email, locale: 'en' }, message: {} })
      .then(() => test.drain());

  it('by the link alone is that of every later mail to the address, whatever sources say, and of its pages', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const page = await guest.submit(await guest.get(link), '/language', { language: 'id' });
    expect(page.url).toBe(`${test.url}${link}?language=kept`);
    expect(page.html).toContain('<html lang="id"');
    expect(page.text).toContain(KEPT_ID);
    for (const id of ['of-old', 'of-new']) {
      await tell(id);
      expect(await mailed()).toMatchObject({ locale: 'id', locale_reason: 'chosen by the reader' });
    }
    const raw = newestMail(test, email).raw;
    expect(raw).toContain('Content-Language: id');
    // Another browser, which has no cookie.
    expect((await new Guest(test.url).get(link)).html).toContain('<html lang="id"');
    // Nobody else's.
    await invite(test, { email: 'budi@example.com' });
    expect(await mailed()).toMatchObject({ recipient: 'budi@example.com', locale: 'en' });
  });

  it('on a ticket page leads back to that page, and is kept as well', async () => {
    const { guest, page, ticketId } = await visit(test);
    const changed = await guest.submit(page, '/language', { language: 'id' });
    expect(changed.url).toBe(`${test.url}/tickets/${ticketId}?language=kept`);
    expect(changed.text).toContain(KEPT_ID);
    await guest.submit(changed, '/logout');
    const again = await visit(test, { guest: new Guest(test.url) });
    expect(again.page.html).toContain('<html lang="id"');
    expect(again.page.text).not.toContain(KEPT_ID);
  });

  it('on a page about nobody is the browser’s alone', async () => {
    const guest = new Guest(test.url);
    const page = await guest.submit(await guest.get('/help'), '/language', { language: 'id' });
    expect(page.url).toBe(`${test.url}/help`);
    expect(page.html).toContain('<html lang="id"');
    expect((await guest.get('/check')).html).toContain('<html lang="id"');
    const missing = await guest.submit(await guest.get('/t/nothing'), '/language', { language: 'en' });
    expect(missing.html).toContain('<html lang="en"');
    expect(await rows(test, 'language_choices')).toEqual([]);
  });

  it('is never changed by a GET, and no address makes the page say that it was', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    for (const path of [`${link}?lang=id`, `${link}/language?language=id`, `${link}?language=kept`]) {
      const page = await guest.get(path);
      expect(page.text).not.toContain(KEPT_ID);
      await guest.request(path, { method: 'HEAD' });
    }
    expect(await rows(test, 'language_choices')).toEqual([]);
    await tell('of-old');
    expect(await mailed()).toMatchObject({ locale: 'en' });
  });

  it('is taken from no other site, no other session, and in no language that is not there', async () => {
    const link = await invite(test);
    const one = await visit(test);
    const other = await visit(test, { email: 'mallory@example.com' });
    const page = await one.guest.get(link);
    const { fields } = page.forms.find(({ action }) => action === `${link}/language`)!;
    const given = { ...fields, language: 'id' };
    const post = (guest: Guest, path: string, more: Record<string, string> = {}, headers = {}) =>
      guest.post(path, { ...given, ...more }, { follow: false, headers });
    expect((await post(one.guest, `${link}/language`, {}, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await post(one.guest, `${link}/language`, { formToken: 'x' })).status).toBe(403);
    expect((await post(other.guest, `/tickets/${one.ticketId}/language`)).status).toBe(404);
    // The token of the link's page is not that of the session's.
    expect((await post(one.guest, `/tickets/${one.ticketId}/language`)).status).toBe(403);
    for (const language of ['xx', '', '../en', '__proto__'])
      expect((await post(one.guest, `${link}/language`, { language })).status).toBe(400);
    expect(await rows(test, 'language_choices')).toEqual([]);
  });

  it('leads nobody to another place than a page of ours', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const [help, landing] = [await guest.get('/help'), await guest.get(link)];
    const paths = [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example/',
      '/.//evil.example/',
      '/t/../..//evil.example',
      '@evil.example/',
      '.evil.example/',
      '\t//evil.example',
      'javascript:alert(1)',
      '',
    ];
    for (const path of paths) {
      const answer = await guest.submit(help, '/language', { language: 'id', path }, { follow: false });
      expect([path, new URL(answer.headers.get('location')!, test.url).origin]).toEqual([path, test.url]);
      const byLink = await guest.submit(landing, '/language', { language: 'id', path }, { follow: false });
      expect([path, byLink.headers.get('location')]).toEqual([path, `${link}?language=kept`]);
    }
  });

  it('at one gateway holds at another', async () => {
    if (database.name === 'SQLite') return; // a file has one gateway
    const link = await invite(test);
    const other = await test.beside();
    const guest = new Guest(test.url);
    const page = await guest.get(link);
    const { fields } = page.forms.find(({ action }) => action === `${link}/language`)!;
    const choose = async (url: string, language: string) => {
      const body = new URLSearchParams({ ...fields, language });
      const cookie = [...guest.cookies].map((pair) => pair.join('=')).join('; ');
      const headers = { cookie, origin: test.url };
      return (await fetch(`${url}${link}/language`, { method: 'POST', body, headers, redirect: 'manual' })).status;
    };
    const many = Array.from({ length: 20 }, (_, at) => choose(at % 2 ? test.url : other.url, at % 3 ? 'id' : 'en'));
    expect(new Set(await Promise.all(many))).toEqual(new Set([303]));
    await choose(test.url, 'en');
    await choose(other.url, 'id');
    expect(await rows(test, 'language_choices')).toMatchObject([{ locale: 'id' }]);
    await other.close();
    await tell('of-old');
    expect(await mailed()).toMatchObject({ locale: 'id' });
  });

  it('chosen many times at once is kept once, and the last choice holds', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const page = await guest.get(link);
    const choose = (language: string) => guest.submit(page, '/language', { language }, { follow: false });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => choose(at % 2 === 0 ? 'id' : 'en')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
    expect(await count(test, 'language_choices')).toBe(1);
    await choose('en');
    await choose('id');
    await choose('id');
    expect(await rows(test, 'language_choices')).toMatchObject([{ email_key: email, locale: 'id' }]);
  });
});

describe('the language of a page', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway();
  });
  afterAll(() => test.close());

  it.each([
    ['id', 'id'],
    ['id-ID,id;q=0.9,en;q=0.8', 'id'],
    ['nb-NO, nb;q=0.9, in;q=0.5, en;q=0.1', 'id'],
    ['id;q=0.2, en-GB;q=0.9', 'en'],
    ['id;q=0', 'en'],
    ['tlh, *', 'en'],
    ['<script>, ../id', 'en'],
    ['', 'en'],
  ])('is, for a browser that accepts %j, %s', async (accepted, locale) => {
    const answer = await fetch(`${test.url}/help`, { headers: { 'accept-language': accepted } });
    expect(answer.headers.get('content-language')).toBe(locale);
    expect(answer.headers.get('vary')).toContain('accept-language');
    expect(await answer.text()).toContain(`<html lang="${locale}" dir="ltr">`);
  });

  it('is the one that was chosen, before all that the browser accepts', async () => {
    const answer = await fetch(`${test.url}/help?lang=id-ID`, { headers: { 'accept-language': 'en' } });
    expect(answer.headers.get('content-language')).toBe('id');
  });
});
