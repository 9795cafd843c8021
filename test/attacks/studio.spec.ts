import { RequestMethod } from '@nestjs/common';
import { BrandsController } from '../../src/studio/brands.controller.js';
import { PeopleController } from '../../src/studio/people.controller.js';
import { SignInController } from '../../src/studio/sign-in.controller.js';
import { WordsController } from '../../src/studio/words.controller.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startOpenIdProvider, type OpenIdProvider } from '../support/openid.js';
import { ada, enrol, firstAdmin, firstToken, inviteToStudio, StudioBrowser } from '../support/studio.js';
import { change, count } from '../support/tables.js';

describe('the studio under attack', () => {
  let test: TestGateway;
  let admin: StudioBrowser;
  // Passkeys of browsers are for host names only, and so the studio is asked for by one.
  beforeAll(async () => {
    test = await createGateway();
    admin = await firstAdmin(test);
  });
  afterAll(() => test.close());
  afterEach(() => change(test, 'DELETE FROM limits'));

  describe('who may do what', () => {
    /** Each route that is somebody's, with a body that changes nothing where it is let in; and who is. */
    const everybody = ['editor', 'publisher', 'admin', 'sampleEditor', 'samplePublisher', 'sampleAdmin'];
    const ofWords = ['editor', 'publisher', 'admin'];
    const ofSample = ['publisher', 'admin', 'samplePublisher', 'sampleAdmin'];
    const routes: [string, string, string[]][] = [
      ['GET', '/studio/api/me', everybody],
      ['GET', '/studio/api/sessions', everybody],
      ['DELETE', '/studio/api/sessions/ses_none', everybody],
      ['GET', '/studio/api/passkeys', everybody],
      ['PATCH', '/studio/api/passkeys/pky_none', everybody],
      ['DELETE', '/studio/api/passkeys/pky_none', everybody],
      ['GET', '/studio/api/people', ['admin']],
      ['POST', '/studio/api/people/invitations', ['admin']],
      ['DELETE', '/studio/api/people/invitations/inv_none', ['admin']],
      ['PATCH', '/studio/api/people/usr_none', ['admin']],
      ['DELETE', '/studio/api/people/usr_none', ['admin']],
      ['GET', '/studio/api/audit', ['admin']],
      ['GET', '/studio/api/brands', everybody],
      ['PUT', '/studio/api/brands/sample', ofSample],
      ['PUT', '/studio/api/brands/default', ['publisher', 'admin']],
      ['PUT', '/studio/api/brands/sample/logo', ofSample],
      ['DELETE', '/studio/api/brands/sample/logo', ofSample],
      ['POST', '/studio/api/brands/sample/rollback', ofSample],
      ['POST', '/studio/api/brands/*/rollback', ['publisher', 'admin']],
      ['GET', '/studio/api/board', ofWords],
      ['GET', '/studio/api/search', ofWords],
      ['GET', '/studio/api/words/ticket-replied/en', ofWords],
      ['POST', '/studio/api/check', ofWords],
      ['POST', '/studio/api/preview', everybody],
      ['GET', '/studio/api/samples/ticket-replied', everybody],
      ['PUT', '/studio/api/drafts/ticket-replied/en', ofWords],
      ['DELETE', '/studio/api/drafts/ticket-replied/en', ofWords],
      ['POST', '/studio/api/drafts/ticket-replied/en/submit', ofWords],
      ['POST', '/studio/api/drafts/ticket-replied/en/withdraw', ofWords],
      ['POST', '/studio/api/drafts/ticket-replied/en/publish', ['publisher', 'admin']],
      ['POST', '/studio/api/words/ticket-replied/en/rollback', ['publisher', 'admin']],
      ['GET', '/studio/api/history/ticket-replied/en', ofWords],
      ['GET', '/studio/api/revisions/rev_none', ofWords],
      ['GET', '/studio/api/compare', ofWords],
      ['GET', '/studio/api/three-way/ticket-replied/en', ofWords],
      ['POST', '/studio/api/test-mail', ofWords],
      ['GET', '/studio/api/xliff/id', ofWords],
      ['POST', '/studio/api/xliff/id', ofWords],
      ['GET', '/studio/api/sent', ['admin']],
      ['GET', '/studio/api/sent/dlv_none', ['admin']],
    ];
    const people: Record<string, StudioBrowser> = {};

    beforeAll(async () => {
      const at = (role: string, brand = '*') =>
        enrol(test, admin, { email: `${role}.${brand === '*' ? 'all' : brand}@support.example`, role, brand });
      people.admin = admin;
      for (const role of ['editor', 'publisher']) people[role] = await at(role);
      for (const role of ['Editor', 'Publisher', 'Admin'])
        people[`sample${role}`] = await at(role.toLowerCase(), 'sample');
      people.nobody = new StudioBrowser(test.url);
      const made = (email: string) => enrol(test, admin, { email, role: 'admin' });
      people.blocked = await made('blocked@support.example');
      people.removed = await made('removed@support.example');
      people.signedOut = await made('out@support.example');
      const cookies = new Map(people.signedOut.cookies);
      await people.signedOut.post('/studio/api/sign-out');
      for (const [name, value] of cookies) people.signedOut.cookies.set(name, value);
      await admin.request('PATCH', `/studio/api/people/${people.blocked.id}`, { blocked: true });
      await admin.request('DELETE', `/studio/api/people/${people.removed.id}`);
    });

    it.each(routes)('%s %s is for those of the table, and for nobody else', async (method, path, allowed) => {
      expect(Object.keys(people)).toHaveLength(10);
      for (const [name, browser] of Object.entries(people)) {
        const { status, headers } = await browser.request(method, path, method === 'GET' ? undefined : {});
        const isOut = ['nobody', 'blocked', 'removed', 'signedOut'].includes(name);
        const answer = status === 401 ? 'out' : status === 403 ? 'forbidden' : 'in';
        expect([name, answer]).toEqual([name, isOut ? 'out' : allowed.includes(name) ? 'in' : 'forbidden']);
        expect(headers.get('cache-control')).toBe('no-store');
      }
    });

    it('the table has every route that is not for anybody', () => {
      const missing: string[] = [];
      for (const controller of [SignInController, PeopleController, BrandsController, WordsController])
        for (const handler of Object.values(Object.getOwnPropertyDescriptors(controller.prototype))) {
          const method = Reflect.getMetadata('method', handler.value as object) as RequestMethod | undefined;
          if (method === undefined || Reflect.getMetadata('studio-door', handler.value as object) === 'anybody')
            continue;
          const parts = [controller, handler.value as object].map((one) => String(Reflect.getMetadata('path', one)));
          const path = `/${parts.join('/')}`.replace(/\/+$/, '');
          const pattern = new RegExp(`^${path.replaceAll(/:\w+/g, '[^/]+')}$`);
          const isThere = routes.some(([verb, route]) => verb === RequestMethod[method] && pattern.test(route));
          if (!isThere) missing.push(`${RequestMethod[method]} ${path}`);
        }
      // Each may end the own session, and be let in no more by it.
      expect(missing).toEqual(['POST /studio/api/sign-out']);
    });

    it('who is blocked at the moment of a sign-in has a session that opens nothing', async () => {
      const late = await enrol(test, admin, { email: 'late@support.example', role: 'admin' });
      await admin.request('PATCH', `/studio/api/people/${late.id}`, { blocked: true });
      await change(test, `UPDATE studio_sessions SET ended_at = NULL WHERE person_id = '${late.id}'`);
      expect((await late.get('/studio/api/people')).status).toBe(401);
    });

    it('no role for one brand is a role for all: not by a brand named like it, nor by a path that says so', async () => {
      const { sampleAdmin } = people;
      for (const path of ['default', 'sample%2F..%2Fdefault', 'SAMPLE', '%2A', 'sample%00'])
        expect([403, 404]).toContain((await sampleAdmin!.request('PUT', `/studio/api/brands/${path}`, {})).status);
    });
  });

  it('a session that somebody stole keeps nobody in and nobody out for good', async () => {
    const owner = await enrol(test, admin, { email: 'owner@support.example', role: 'admin' });
    const laptop = new StudioBrowser(test.url);
    await owner.register({}, {}, laptop.device);
    await laptop.signIn();
    const thief = new StudioBrowser(test.url);
    for (const [name, value] of owner.cookies) thief.cookies.set(name, value);
    thief.token = owner.token;
    test.clock.advance({ minutes: 5 });
    const [first] = (await thief.get('/studio/api/passkeys')).body;
    const kept = (): Promise<number> => count(test, 'studio_passkeys', `person_id = '${owner.id}'`);
    const tries: [string, string, object?][] = [
      ['POST', 'passkeys/register/options', {}],
      ['DELETE', `passkeys/${first.id}`],
      ['POST', 'people/invitations', { email: 'thief@evil.example', name: 'T', role: 'admin' }],
      ['PATCH', `people/${admin.id}`, { blocked: true }],
      ['PATCH', `people/${admin.id}`, { role: 'editor' }],
      ['DELETE', `people/${admin.id}`],
    ];
    for (const [method, path, body] of tries) {
      const answer = await thief.ask(method, path, body);
      expect([path, answer.status, answer.body.code]).toEqual([path, 403, 'fresh-sign-in-required']);
    }
    // The owner signs in once more, and may; the copy of the cookie ends with it.
    await owner.signIn();
    expect((await thief.get('/studio/api/me')).status).toBe(401);
    // What the first passkey signed in ends with it, here it does not; the person is told.
    const elsewhere = new StudioBrowser(test.url);
    await elsewhere.signIn({}, owner.device);
    expect((await owner.ask('DELETE', `passkeys/${first.id}`)).status).toBe(204);
    expect(await kept()).toBe(1);
    expect(test.inbox.messages.at(-1)!.subject).toBe('A passkey was removed from your account in the studio');
    const living = [owner, laptop, elsewhere].map(async (one) => (await one.get('/studio/api/me')).status);
    expect(await Promise.all(living)).toEqual([200, 200, 401]);
  });

  describe('requests of other sites', () => {
    const foreign: [string, Record<string, string | undefined>][] = [
      ['from another site', { 'sec-fetch-site': 'cross-site' }],
      ['from another site that claims our origin', { 'sec-fetch-site': 'cross-site', origin: 'SELF' }],
      ['from another host of our site', { 'sec-fetch-site': 'same-site', origin: 'SELF' }],
      ['typed in by nobody', { 'sec-fetch-site': 'none', origin: 'SELF' }],
      ['with a doubled header', { 'sec-fetch-site': 'same-origin, cross-site' }],
      ['with an empty header', { 'sec-fetch-site': '' }],
      ['without any word of where from', { origin: undefined }],
      ['of an old browser, from another origin', { origin: 'https://evil.example' }],
      ['of an old browser, from an origin that begins like ours', { origin: 'SELF.evil.example' }],
      ['from a sandboxed frame', { origin: 'null' }],
    ];
    const doors: [string, string][] = [
      ['POST', '/studio/api/passkeys/sign-in/options'],
      ['POST', '/studio/api/passkeys/register/options'],
      ['POST', '/studio/api/invitation'],
      ['POST', '/studio/api/sign-out'],
      ['POST', '/studio/api/people/invitations'],
      ['PUT', '/studio/api/brands/default'],
      ['DELETE', '/studio/api/brands/default/logo?version=0'],
      ['PUT', '/studio/api/drafts/ticket-replied/en'],
      ['POST', '/studio/api/drafts/ticket-replied/en/publish'],
      ['POST', '/studio/api/words/ticket-replied/en/rollback'],
      ['POST', '/studio/api/test-mail'],
      ['POST', '/studio/api/xliff/id'],
    ];
    it.each(foreign)('are refused %s', async (_, headers) => {
      const own = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, value?.replace('SELF', test.url)]),
      );
      for (const [method, path] of doors)
        expect([path, (await admin.request(method, path, {}, own)).status]).toEqual([path, 403]);
      expect((await admin.get('/studio/api/me')).status).toBe(200);
    });

    it.each([
      ['none', undefined],
      ['an empty one', ''],
      ['one of nonsense', 'a.b'],
      ['that of another session', 'OTHER'],
      ['one with a flipped sign', 'FLIPPED'],
    ])('carry the token of the session: %s is refused', async (_, given) => {
      const other = new StudioBrowser(test.url);
      await other.signIn({}, admin.device);
      const flipped = admin.token.slice(0, -1) + (admin.token.endsWith('A') ? 'B' : 'A');
      const token = given?.replace('OTHER', other.token).replace('FLIPPED', flipped);
      const headers = { 'x-studio-token': token };
      for (const [method, path] of doors.slice(3))
        expect([path, (await admin.request(method, path, {}, headers)).status]).toEqual([path, 403]);
      // A passkey for a session is a way in for good.
      expect((await admin.post('/studio/api/passkeys/register/options', {}, headers)).status).toBe(403);
    });

    it('cannot send JSON as a form does, and no other origin is ever allowed to read', async () => {
      await admin.signIn();
      const plain = await admin.post('/studio/api/people/invitations', {}, { 'content-type': 'text/plain' });
      expect(plain.status).toBe(415);
      for (const method of ['GET', 'OPTIONS']) {
        const { headers } = await admin.request(method, '/studio/api/me', undefined, {
          origin: 'https://evil.example',
        });
        expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
    });

    it('find strict headers on everything, what is not there too', async () => {
      for (const path of ['/studio', '/studio/api/me', '/studio/nothing', '/studio/api/sign-in']) {
        const { headers } = await new StudioBrowser(test.url).get(path);
        const policy = headers.get('content-security-policy')!;
        expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self' 'nonce-[\w-]{22}';/);
        expect(policy).toContain("frame-ancestors 'none'");
        expect(policy.replace("style-src-attr 'unsafe-inline'", '')).not.toContain('unsafe');
        expect(headers.get('cache-control')).toBe('no-store');
        expect(headers.get('x-frame-options')).toBe('DENY');
      }
    });

    it('get a cookie that no other site makes a browser send', async () => {
      const browser = new StudioBrowser(test.url);
      const options = await browser.post('/studio/api/passkeys/sign-in/options');
      const answer = await browser.post('/studio/api/passkeys/sign-in/verify', {
        response: admin.device.get(options.body),
      });
      expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(/HttpOnly; SameSite=Strict$/)]);
    });
  });

  describe('passkeys', () => {
    it.each([
      ['of another origin', { origin: 'https://evil.example' }],
      ['of our host on another port', { origin: 'http://127.0.0.1:1' }],
      ['of another relying party', { rpId: 'evil.example' }],
      ['without looking at who holds the device', { unverified: true }],
      ['with a count that goes back', { counter: 1 }],
      ['with a challenge of the attacker', { challenge: Buffer.alloc(32, 7).toString('base64url') }],
      ['of a registration', { type: 'webauthn.create' }],
      ['signed with another key', { foreignKey: true }],
      ['for another person', { userHandle: Buffer.alloc(16, 7).toString('base64url') }],
    ])('are refused %s, all with the same words', async (_, faults) => {
      await admin.signIn();
      const { status, body } = await new StudioBrowser(test.url).signIn(faults, admin.device);
      expect([status, body.code]).toEqual([401, 'sign-in-refused']);
      expect(body.detail).toBe('That did not work. Try again, or use another passkey.');
      expect((await admin.signIn()).status).toBe(200);
    });

    it('that nobody has are refused like those that somebody has', async () => {
      const stranger = new StudioBrowser(test.url);
      stranger.device.create({ challenge: 'AAAA', rp: { id: '127.0.0.1' }, user: { id: 'AAAA' } });
      const unknown = await stranger.signIn();
      const known = await new StudioBrowser(test.url).signIn({ foreignKey: true }, admin.device);
      expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
    });

    it('answer a challenge once, in the browser that it was given to, for five minutes', async () => {
      const browser = new StudioBrowser(test.url);
      const ask = async () => (await browser.post('/studio/api/passkeys/sign-in/options')).body;
      const verify = (response: object, by = browser) => by.post('/studio/api/passkeys/sign-in/verify', { response });
      const response = admin.device.get(await ask());
      const many = await Promise.all(Array.from({ length: 5 }, () => verify(response)));
      expect(many.filter(({ status }) => status === 200)).toHaveLength(1);
      expect((await verify(response)).status).toBe(401);
      const other = new StudioBrowser(test.url);
      await other.post('/studio/api/passkeys/sign-in/options');
      expect((await verify(admin.device.get(await ask()), other)).status).toBe(401);
      const late = admin.device.get(await ask());
      test.clock.advance({ minutes: 5 });
      expect((await verify(late)).status).toBe(401);
    });

    it('of a device that does not count answer a challenge once too', async () => {
      const token = await inviteToStudio(test, admin, { email: 'countless@support.example' });
      const browser = new StudioBrowser(test.url);
      expect((await browser.register({ token }, { counter: 0 })).status).toBe(200);
      const { body } = await browser.post('/studio/api/passkeys/sign-in/options');
      const response = browser.device.get(body, { counter: 0 });
      const verify = () => browser.post('/studio/api/passkeys/sign-in/verify', { response });
      const many = await Promise.all(Array.from({ length: 5 }, verify));
      expect(many.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
      expect((await verify()).status).toBe(401);
      expect((await browser.signIn({ counter: 0 })).status).toBe(200);
    });

    it('are made with the same care', async () => {
      const token = await inviteToStudio(test, admin, { email: 'careful@support.example' });
      const faults = [
        { origin: 'https://evil.example' },
        { rpId: 'evil.example' },
        { unverified: true },
        { challenge: Buffer.alloc(32, 7).toString('base64url') },
        { type: 'webauthn.get' },
      ];
      for (const fault of faults)
        expect((await new StudioBrowser(test.url).register({ token }, fault)).status).toBe(401);
      // A key that is somebody's already.
      const taken = await new StudioBrowser(test.url).register({ token }, {}, admin.device);
      expect(taken.body.code).toBe('already-there');
      expect(await count(test, 'studio_people', "email_key = 'careful@support.example'")).toBe(0);
      expect((await new StudioBrowser(test.url).register({ token })).status).toBe(200);
    });

    it('are not made for one invitation with the challenge of another', async () => {
      const mine = await inviteToStudio(test, admin, { email: 'mine@support.example' });
      const theirs = await inviteToStudio(test, admin, { email: 'theirs@support.example', role: 'admin' });
      const browser = new StudioBrowser(test.url);
      const { body } = await browser.post('/studio/api/passkeys/register/options', { token: mine });
      const response = browser.device.create(body);
      expect((await browser.post('/studio/api/passkeys/register/verify', { token: theirs, response })).status).toBe(
        401,
      );
    });

    it('and invitations are guessed at sixty times in ten minutes at most, from one network', async () => {
      const browser = new StudioBrowser(test.url);
      const guess = () => browser.post('/studio/api/invitation', { token: 'A'.repeat(43) });
      const answers = await Promise.all(Array.from({ length: 70 }, guess));
      expect(answers.filter(({ status }) => status === 410)).toHaveLength(60);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(10);
      const token = await firstToken(test);
      const full = await browser.post('/studio/api/invitation', { token });
      expect(full.status).toBe(429); // though it is the right one
      expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await browser.post('/studio/api/passkeys/sign-in/options')).status).toBe(429);
    });

    it('refuse what is no answer of a device, without falling over', async () => {
      const browser = new StudioBrowser(test.url);
      for (const body of [{}, { response: {} }, { response: null }, [], { response: { id: '../../etc' } }])
        expect((await browser.post('/studio/api/passkeys/sign-in/verify', body)).status).toBe(422);
      const deep = JSON.parse('{"a":'.repeat(20) + '1' + '}'.repeat(20)) as object;
      expect((await browser.post('/studio/api/passkeys/sign-in/verify', deep)).status).toBe(400);
      expect(test.logs.filter((line) => line.includes('"level":50'))).toEqual([]);
    });
  });
});

describe('sign-in at an OpenID provider', () => {
  let test: TestGateway;
  let provider: OpenIdProvider;
  let admin: StudioBrowser;
  beforeAll(async () => {
    // The provider must know our address, and we its own.
    const first = await createGateway();
    provider = await startOpenIdProvider(`${first.url}/studio/oidc/callback`);
    test = first;
    await test.restart(provider.settings);
    admin = await firstAdmin(test);
  });
  afterAll(async () => {
    await test.close();
    await provider.close();
  });
  afterEach(() => change(test, 'DELETE FROM limits'));

  const begin = async (browser: StudioBrowser): Promise<URL> =>
    new URL((await browser.get('/studio/oidc/start')).headers.get('location')!);
  const comeBack = async (browser: StudioBrowser, address: string): Promise<boolean> => {
    const { pathname, search } = new URL(address);
    const { body, status } = await browser.get(pathname + search);
    expect(status).toBe(200);
    const isIn = String(body).includes('content="0;url=/studio"');
    expect(String(body)).toContain(isIn ? 'url=/studio"' : 'url=/studio/sign-in?problem=refused"');
    expect((await browser.get('/studio/api/me')).status).toBe(isIn ? 200 : 401);
    return isIn;
  };
  const signIn = async (browser = new StudioBrowser(test.url)): Promise<boolean> =>
    comeBack(browser, await provider.authorise((await begin(browser)).href));

  it('lets in who was invited, by the address that it has verified, and again by the subject', async () => {
    await inviteToStudio(test, admin, { email: 'olga@support.example', name: 'Olga', role: 'publisher' });
    provider.account = { sub: 'olga', email: 'Olga@support.example' };
    const browser = new StudioBrowser(test.url);
    expect(await signIn(browser)).toBe(true);
    expect((await browser.get('/studio/api/me')).body).toMatchObject({ name: 'Olga', roles: [{ role: 'publisher' }] });
    // A new address of the same subject is the same person.
    provider.account = { sub: 'olga', email: 'olga.new@support.example' };
    const again = new StudioBrowser(test.url);
    expect(await signIn(again)).toBe(true);
    expect((await again.get('/studio/api/me')).body.name).toBe('Olga');
    // The old address in other hands is not.
    provider.account = { sub: 'heir', email: 'olga@support.example' };
    expect(await signIn()).toBe(false);
  });

  it('lets in who has a passkey here, by the same address', async () => {
    provider.account = { sub: 'ada', email: ada.email };
    const browser = new StudioBrowser(test.url);
    expect(await signIn(browser)).toBe(true);
    expect((await browser.get('/studio/api/me')).body.id).toBe(admin.id);
  });

  it('refuses who is not invited, whose address is not verified, and who is blocked, all in the same way', async () => {
    provider.account = { sub: 'stranger', email: 'stranger@support.example' };
    expect(await signIn()).toBe(false);
    await inviteToStudio(test, admin, { email: 'unverified@support.example' });
    provider.account = { sub: 'unverified', email: 'unverified@support.example', emailVerified: false };
    expect(await signIn()).toBe(false);
    const ben = await enrol(test, admin, { email: 'ben@support.example' });
    await admin.request('PATCH', `/studio/api/people/${ben.id}`, { blocked: true });
    provider.account = { sub: 'ben', email: 'ben@support.example' };
    expect(await signIn()).toBe(false);
    // The account there of somebody blocked, under an address that was invited since.
    await inviteToStudio(test, admin, { email: 'carl@support.example' });
    provider.account = { sub: 'carl', email: 'carl@support.example' };
    const carl = new StudioBrowser(test.url);
    expect(await signIn(carl)).toBe(true);
    const { id } = (await carl.get('/studio/api/me')).body;
    await admin.request('PATCH', `/studio/api/people/${id}`, { blocked: true });
    await inviteToStudio(test, admin, { email: 'carl.new@support.example' });
    provider.account = { sub: 'carl', email: 'carl.new@support.example' };
    expect(await signIn()).toBe(false);
  });

  describe('for somebody who may come in', () => {
    beforeEach(() => {
      provider.account = { sub: 'ada', email: ada.email };
    });

    it('takes no answer twice, nor an answer of another browser, nor one that nobody asked for', async () => {
      const browser = new StudioBrowser(test.url);
      const start = (await begin(browser)).href;
      const sealed = new Map(browser.cookies);
      const answer = await provider.authorise(start);
      expect(await comeBack(browser, answer)).toBe(true);
      const again = new StudioBrowser(test.url);
      for (const [name, value] of sealed) again.cookies.set(name, value);
      const asked = provider.asked.length;
      expect(await comeBack(again, answer)).toBe(false);
      expect(provider.asked).toHaveLength(asked); // it is not left to the provider to notice

      const victim = new StudioBrowser(test.url);
      await begin(victim);
      const attackers = await provider.authorise((await begin(new StudioBrowser(test.url))).href);
      expect(await comeBack(victim, attackers)).toBe(false);
      expect(await comeBack(new StudioBrowser(test.url), attackers)).toBe(false);
    });

    const changed: [string, (answer: URL) => void][] = [
      ['another state', (url) => url.searchParams.set('state', 'A'.repeat(43))],
      ['no state', (url) => url.searchParams.delete('state')],
      ['two states', (url) => url.searchParams.append('state', 'A'.repeat(43))],
      ['another code', (url) => url.searchParams.set('code', 'A'.repeat(43))],
      ['no code', (url) => url.searchParams.delete('code')],
      ['another issuer', (url) => url.searchParams.set('iss', 'https://evil.example')],
      ['no issuer', (url) => url.searchParams.delete('iss')],
      ['an error of the provider', (url) => url.searchParams.set('error', 'access_denied')],
    ];
    it.each(changed)('takes no answer with %s', async (_, change) => {
      const browser = new StudioBrowser(test.url);
      const answer = new URL(await provider.authorise((await begin(browser)).href));
      change(answer);
      expect(await comeBack(browser, answer.href)).toBe(false);
    });

    it.each([
      ['the nonce', 'nonce'],
      ['the challenge of PKCE', 'code_challenge'],
    ])('takes no answer for which somebody changed %s', async (_, name) => {
      const browser = new StudioBrowser(test.url);
      const start = await begin(browser);
      start.searchParams.set(name, 'A'.repeat(43));
      expect(await comeBack(browser, await provider.authorise(start.href))).toBe(false);
    });

    it('takes no answer after ten minutes', async () => {
      const browser = new StudioBrowser(test.url);
      const answer = await provider.authorise((await begin(browser)).href);
      test.clock.advance({ minutes: 10 });
      expect(await comeBack(browser, answer)).toBe(false);
    });

    it('asks for the code flow with state, nonce and PKCE, and writes nothing until the browser is back', async () => {
      const before = await count(test, 'studio_challenges');
      const { searchParams } = await begin(new StudioBrowser(test.url));
      expect(searchParams.get('response_type')).toBe('code');
      expect(searchParams.get('code_challenge_method')).toBe('S256');
      expect(searchParams.get('state')).toMatch(/^[\w-]{43}$/);
      expect(searchParams.get('nonce')).toMatch(/^[\w-]{43}$/);
      expect(await count(test, 'studio_challenges')).toBe(before);
    });
  });
});
