import { Links } from '../../src/access/link.js';
import { counted } from '../support/counted.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import { Guest, type Form, type Page } from '../support/guest.js';
import { change, dump } from '../support/tables.js';
import { askForCode, invite, opened, visit, type Visit } from '../support/visit.js';

/** What a browser says when another site makes it send a form. */
const foreign: [string, Record<string, string>][] = [
  ['from another site', { 'sec-fetch-site': 'cross-site' }],
  ['from another site that claims our origin', { 'sec-fetch-site': 'cross-site', origin: 'SELF' }],
  ['from another host of our site', { 'sec-fetch-site': 'same-site', origin: 'SELF' }],
  ['from nowhere', { 'sec-fetch-site': 'none', origin: 'SELF' }],
  ['with a doubled header', { 'sec-fetch-site': 'same-origin, cross-site', origin: 'SELF' }],
  ['with an empty header', { 'sec-fetch-site': '', origin: 'SELF' }],
  ['of an old browser, from another origin', { origin: 'https://evil.example' }],
  ['of an old browser, from an origin of another port', { origin: 'http://127.0.0.1:1' }],
  ['of an old browser, from an origin that begins like ours', { origin: 'SELF.evil.example' }],
  ['of an old browser, with our origin in capitals and more', { origin: 'HTTP://127.0.0.1' }],
  ['from a sandboxed frame', { origin: 'null' }],
];

describe('forms', () => {
  let test: TestGateway;
  let mine: Visit;
  let other: Visit;
  beforeAll(async () => {
    ({ test } = await createGatewayAndReceiver());
    const ticket = { id: 'mine', number: '5001' };
    mine = await visit(test, { ticket });
    // So that it has each form: resolved, and its mails stopped.
    await test.source.send('ticket.resolved', {
      ticket: { ...ticket, status: 'resolved' },
      requester: { locale: 'en' },
    });
    await mine.guest.submit(await mine.guest.get(`${mine.link}/stop`), '/stop');
    await test.drain();
    other = await visit(test, { email: 'budi@example.com' });
    await change(test, 'DELETE FROM limits');
  });
  afterAll(() => test.close());

  const formOf = ({ forms }: Page, end: string): Form => forms.find(({ action }) => action.endsWith(end))!;
  /** Each form of a guest, as a page of ours gives it, filled in as the guest would; and whether a session stands behind it. */
  const everyForm = async (): Promise<[string, Guest, string, Record<string, string>, boolean][]> => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const landing = formOf(await guest.get(link), '/code');
    const { page, code } = await askForCode(test, guest, link);
    const expired = await oldLink();
    await change(test, 'DELETE FROM limits');
    const verify = formOf(page, '/verify');
    const notMine = formOf(await guest.get(`${link}/not-mine`), '/not-mine');
    const stop = formOf(await guest.get(`${link}/stop`), '/stop');
    const check = formOf(await guest.get('/check'), '/check');
    const renew = formOf(await guest.get(expired), '/renew');
    const ticket = await mine.guest.get(`/tickets/${mine.ticketId}`);
    const reply = formOf(ticket, '/replies');
    const logout = formOf(ticket, '/logout');
    const resume = formOf(ticket, '/resume');
    const solved = formOf(ticket, '/solved');
    // The page's script sends it, with the token of the form beside it.
    const seen = { formToken: reply.fields.formToken!, until: String(test.clock.now()) };
    return [
      ['send code', guest, landing.action, landing.fields, false],
      ['verify', guest, verify.action, { ...verify.fields, code }, false],
      ['renew', guest, renew.action, renew.fields, false],
      ['not mine', guest, notMine.action, notMine.fields, false],
      ['stop', guest, stop.action, stop.fields, false],
      ['check', guest, check.action, { ...check.fields, reference: '0000-0000-00000' }, false],
      ['language, by the link', guest, `${link}/language`, { ...landing.fields, language: 'id' }, false],
      ['reply', mine.guest, reply.action, { ...reply.fields, body: 'from a form' }, true],
      ['solved', mine.guest, solved.action, { ...solved.fields, solved: 'yes' }, true],
      ['not solved', mine.guest, solved.action, { ...solved.fields, solved: 'no' }, true],
      ['seen', mine.guest, `/tickets/${mine.ticketId}/seen`, seen, true],
      ['mails again', mine.guest, resume.action, resume.fields, true],
      ['a file for it', mine.guest, reply.action.replace('/replies', '/files'), reply.fields, true],
      [
        'take a file away',
        mine.guest,
        reply.action.replace('/replies', '/files/remove'),
        { ...reply.fields, sha256: 'x' },
        true,
      ],
      [
        'language, by the session',
        mine.guest,
        logout.action.replace('/logout', '/language'),
        { ...logout.fields, language: 'de' },
        true,
      ],
      ['log out', mine.guest, logout.action, logout.fields, true],
    ];
  };
  /** A genuine link whose time is over, by the clock as it stands. */
  const oldLink = async () => {
    const link = await invite(test, { email: 'old@example.com' });
    const { source, ticketId, participantId, generation } = { source: 'default', ...opened(test, link) };
    const expiresAt = test.clock.now() - 60_000;
    const url = test.gateway.app.get(Links).url({ source, ticketId, participantId, generation, expiresAt });
    return new URL(url).pathname;
  };
  const withSelf = (headers: Record<string, string>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('SELF', test.url)]));

  it('of another site are refused and change nothing', async () => {
    const forms = await everyForm();
    const before = await dump(test);
    for (const [how, headers] of foreign)
      for (const [what, guest, action, fields] of forms) {
        // `origin` is always given by the helper; an empty one is as good as none.
        const answer = await guest.post(action, fields, { headers: withSelf({ origin: 'SELF', ...headers }) });
        expect([how, what, answer.status]).toEqual([how, what, 403]);
      }
    expect(await dump(test)).toBe(before);
    expect(foreign.length * forms.length).toBeGreaterThan(120);
    counted('forms of other sites', foreign.length * forms.length);
  });

  it('without their token, or with that of somebody or something else, are refused and change nothing', async () => {
    const forms = await everyForm();
    const stranger = new Guest(test.url);
    const strangers = formOf(await stranger.get(await invite(test)), '/code').fields.formToken!;
    const fresh = formOf(await mine.guest.get(await invite(test)), '/code').fields.formToken!;
    const ofOther = formOf(other.page, '/replies').fields.formToken!;
    // One browser, two tickets: the token of one form is not that of the other.
    const sibling = await visit(test, { guest: mine.guest });
    const ofSibling = formOf(sibling.page, '/replies').fields.formToken!;
    await change(test, 'DELETE FROM limits');
    const before = await dump(test);
    const bad: [string, string | null][] = [
      ['no token', null],
      ['an empty token', ''],
      ['nonsense', 'x'],
      ['a dot', '.'],
      ['dots', '...'],
      ['an unknown key', `zz.${'A'.repeat(43)}`],
      ['zeros', `s1.${'A'.repeat(43)}`],
      ['the kid of a prototype', `__proto__.${'A'.repeat(43)}`],
      ['a very long one', `s1.${'A'.repeat(100_000)}`],
      ["a stranger's token", strangers],
      ["another guest's ticket token", ofOther],
      ['the token of another ticket in this browser', ofSibling],
    ];
    for (const [how, token] of bad)
      for (const [what, guest, action, { formToken: _, ...fields }] of forms) {
        const answer = await guest.post(action, { ...fields, ...(token === null ? {} : { formToken: token }) });
        expect([how, what, answer.status]).toEqual([how, what, 403]);
      }
    // The token of a page before the login is worth nothing on the ticket page, though it is the same browser's.
    const ofTicket = forms.filter(([, , , , needsSession]) => needsSession);
    for (const [what, guest, action, fields] of ofTicket) {
      const answer = await guest.post(action, { ...fields, formToken: fresh });
      expect([what, answer.status]).toEqual([what, 403]);
    }
    expect(await dump(test)).toBe(before);
    counted('forms of other sites', bad.length * forms.length + ofTicket.length);
  });

  it('do nothing by another method', async () => {
    const forms = await everyForm();
    const before = await dump(test);
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'])
      for (const [what, guest, action, fields] of forms) {
        const headers = { origin: test.url, 'x-http-method-override': 'POST' };
        const query = new URLSearchParams({ ...fields, _method: 'POST' }).toString();
        const answer = await guest.request(`${action}?${query}`, { method, headers });
        expect([method, what, answer.status < 500]).toEqual([method, what, true]);
        expect([method, what, answer.status === 303]).toEqual([method, what, false]);
      }
    expect(await dump(test)).toBe(before);
    counted('forms by another method', 6 * forms.length);
  });

  it('lead nobody into a session that is not theirs (login CSRF)', async () => {
    // The attacker has a link and a code of their own and makes the victim's browser post them.
    const link = await invite(test, { email: 'attacker@example.com' });
    const attacker = new Guest(test.url);
    const { page, code } = await askForCode(test, attacker, link, 'attacker@example.com');
    const { action, fields } = formOf(page, '/verify');
    for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }] as Record<string, string>[]) {
      const victim = new Guest(test.url);
      await victim.get(await invite(test));
      const cookies = new Map(victim.cookies);
      const answer = await victim.post(action, { ...fields, code }, { headers, follow: false });
      expect(answer.status).toBe(403);
      expect(victim.cookies).toEqual(cookies);
      await change(test, 'DELETE FROM limits');
    }
    const fresh = new Guest(test.url);
    expect((await fresh.post(action, { ...fields, code }, { follow: false })).status).toBe(403);
    expect([...fresh.cookies.keys()].filter((name) => name.includes('tkt_'))).toEqual([]);
    // The attacker's own way stays open: the refusals cost no try.
    expect((await attacker.post(action, { ...fields, code }, { follow: false })).status).toBe(303);
  });

  it('of our own pages are taken, from new browsers and from old ones, so it is these that are refused elsewhere', async () => {
    const site = { 'sec-fetch-site': 'same-origin' };
    const page = await mine.guest.get(`/tickets/${mine.ticketId}`);
    const answer = await mine.guest.submit(page, '/replies', { body: 'mine' }, { headers: site, files: [] });
    expect(answer.status).toBe(200);
    const forms = await everyForm();
    const taken = ['send code', 'not mine', 'verify'];
    // Files are taken in test/modules/uploads.spec.ts.
    const elsewhere = ['a file for it', 'take a file away'];
    // "Not mine" comes before the code: nobody can say it after.
    const others = forms.map(([what]) => what).filter((what) => !taken.includes(what) && !elsewhere.includes(what));
    const inOrder = [...taken, ...others];
    test.clock.advance({ seconds: 61 });
    for (const what of inOrder) {
      const [, guest, action, fields] = forms.find(([one]) => one === what)!;
      const before = await dump(test);
      const { status } = await guest.post(action, fields, { follow: false });
      // A newer code was asked for meanwhile: the older one is compared, and is wrong.
      const expected = { 'log out': 200, renew: 200, check: 200, seen: 204, verify: 422 }[what] ?? 303;
      expect([what, status]).toEqual([what, expected]);
      if (what !== 'seen') expect([what, (await dump(test)) === before]).toEqual([what, false]);
    }
  });
});
