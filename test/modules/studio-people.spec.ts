import { Invitations } from '../../src/studio/invitations.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { someDatabase } from '../support/some-database.js';
import {
  ada,
  enrol,
  firstAdmin,
  firstToken,
  inviteToStudio,
  secondGateway,
  StudioBrowser,
  tokenMailedTo,
} from '../support/studio.js';
import { change, count, dump, rows } from '../support/tables.js';

describe.each(someDatabase)('people of the studio on $name', (database) => {
  let test: TestGateway;
  let admin: StudioBrowser;
  beforeEach(async () => {
    test = await createGateway({ database });
    admin = await firstAdmin(test);
  });
  afterEach(() => test.close());

  const other = () => new StudioBrowser(test.url);

  describe('the first admin', () => {
    it('is whoever opens the operator’s link first, and is in charge of everything', async () => {
      const { status, body } = await admin.get('/studio/api/me');
      expect(status).toBe(200);
      expect(body).toMatchObject({ ...ada, roles: [{ brand: '*', role: 'admin' }] });
      expect(body.settings).toEqual({
        secondPerson: false,
        oidc: false,
        sources: ['default'],
        brands: ['default', 'sample'],
        brandNames: { default: 'Postern Support', sample: 'Sample Help' },
        senderNames: { default: 'Support', sample: expect.any(String) },
      });
    });

    it('gets a link at a start only while nobody is in charge, and one for all processes', async () => {
      expect(await test.gateway.app.get(Invitations).offerFirst()).toBeNull();
      await change(test, 'DELETE FROM studio_people');
      const second = await secondGateway(test);
      const made = await Promise.all(
        [test.gateway, second].flatMap(({ app }) => Array.from({ length: 5 }, () => app.get(Invitations).offerFirst())),
      );
      await second.close();
      expect(made.filter(Boolean)).toHaveLength(1);
    });

    it('has a day for it; a new link ends the former', async () => {
      const former = await firstToken(test);
      const newer = await firstToken(test);
      expect((await other().register({ token: former, email: 'b@support.example', name: 'B' })).status).toBe(410);
      test.clock.advance({ hours: 24 });
      expect((await other().register({ token: newer, email: 'b@support.example', name: 'B' })).status).toBe(410);
    });

    it('comes back in by another link from the operator when the passkey is lost', async () => {
      const back = other();
      expect((await back.register({ token: await firstToken(test), ...ada })).status).toBe(200);
      expect(back.id).toBe(admin.id);
      expect(await count(test, 'studio_people')).toBe(1);
      expect(await count(test, 'studio_passkeys')).toBe(2);
      // Whoever did not ask the operator for it wants to know.
      const told = test.inbox.messages.at(-1)!;
      expect([told.to, told.subject]).toEqual([[ada.email], 'A passkey was added to your account in the studio']);
    });
  });

  describe('an invitation', () => {
    it('is mailed, greets by name, lets one person in with the role, and is in the audit log', async () => {
      const token = await inviteToStudio(test, admin, { email: 'Ben@Support.example', name: 'Ben', role: 'publisher' });
      const ben = other();
      const greeting = await ben.post('/studio/api/invitation', { token });
      expect(greeting.body).toMatchObject({
        kind: 'invitation',
        name: 'Ben',
        roles: [{ brand: '*', role: 'publisher' }],
      });
      expect((await ben.register({ token })).status).toBe(200);
      expect((await ben.get('/studio/api/me')).body.roles).toEqual([{ brand: '*', role: 'publisher' }]);
      expect((await other().register({ token })).status).toBe(410);
      const { body } = await admin.get('/studio/api/audit');
      expect(body.items.map(({ action }: { action: string }) => action)).toEqual(
        expect.arrayContaining(['person.invited', 'invitation.used', 'passkey.added', 'person.signed-in']),
      );
      expect(body.items[0].who).toEqual({ id: ben.id, name: 'Ben' });
    });

    it('makes one person of fifty who open it at once, over two processes', async () => {
      const token = await inviteToStudio(test, admin, { email: 'ben@support.example' });
      const second = await secondGateway(test);
      const url = (await second.app.getUrl()).replace('[::1]', '127.0.0.1');
      const tries = Array.from({ length: 50 }, (_, i) => new StudioBrowser(test.url, i % 2 ? url : test.url));
      const ready = [];
      for (const browser of tries) {
        const { body } = await browser.post('/studio/api/passkeys/register/options', { token });
        ready.push({ browser, response: browser.device.create(body) });
        await change(test, 'DELETE FROM limits');
      }
      await change(test, 'DELETE FROM limits');
      const answers = await Promise.all(
        ready.map(({ browser, response }) => browser.post('/studio/api/passkeys/register/verify', { token, response })),
      );
      await second.close();
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 410]));
      expect(await count(test, 'studio_people')).toBe(2);
      expect(await count(test, 'studio_passkeys')).toBe(2);
      expect(await count(test, 'studio_sessions')).toBe(2);
    });

    it('is ended by a newer one to the same address, by an admin, and by a week', async () => {
      const email = 'ben@support.example';
      const first = await inviteToStudio(test, admin, { email });
      const second = await inviteToStudio(test, admin, { email });
      expect((await other().register({ token: first })).status).toBe(410);
      const { body } = await admin.get('/studio/api/people');
      expect(body.invitations).toHaveLength(1);
      const path = `/studio/api/people/invitations/${body.invitations[0].id}`;
      expect((await admin.request('DELETE', path)).status).toBe(204);
      expect((await admin.request('DELETE', path)).status).toBe(404);
      expect((await other().register({ token: second })).status).toBe(410);
      const third = await inviteToStudio(test, admin, { email });
      test.clock.advance({ days: 7 });
      expect((await other().register({ token: third })).status).toBe(410);
    });

    it('opens nothing once its inviter is blocked, or no admin any more', async () => {
      const ben = await enrol(test, admin, { email: 'ben@support.example', role: 'admin' });
      const path = `/studio/api/people/${ben.id}`;
      for (const [lost, back] of [
        [{ blocked: true }, { blocked: false }],
        [{ role: 'editor' }, { role: 'admin' }],
      ]) {
        const token = await inviteToStudio(test, ben, { email: 'own@evil.example', role: 'admin' });
        expect((await admin.request('PATCH', path, lost)).status).toBe(204);
        expect((await admin.get('/studio/api/people')).body.invitations).toEqual([]);
        expect((await admin.request('PATCH', path, back)).status).toBe(204);
        expect((await other().register({ token })).status).toBe(410);
        await ben.signIn();
      }
      const token = await inviteToStudio(test, ben, { email: 'own@evil.example', role: 'admin' });
      // Written at the very moment at which the role went.
      await change(test, `UPDATE studio_people SET roles = '[]' WHERE id = '${ben.id}'`);
      expect((await other().post('/studio/api/invitation', { token })).status).toBe(410);
      expect((await other().register({ token })).status).toBe(410);
      const { body } = await admin.get('/studio/api/audit');
      const withdrawn = body.items.filter(({ action }: { action: string }) => action === 'invitation.withdrawn');
      expect(withdrawn).toHaveLength(2);
    });

    it('is no way into what has become somebody’s, nor a new one for who is blocked', async () => {
      const email = 'ben@support.example';
      const leftover = await inviteToStudio(test, admin, { email });
      const ben = other();
      await ben.register({ token: await firstToken(test), email, name: 'Ben' });
      expect((await other().register({ token: leftover })).status).toBe(410);
      // Though it were open still.
      await change(test, `UPDATE studio_invitations SET open_key = '${email}' WHERE used_at IS NULL`);
      expect((await other().register({ token: leftover })).status).toBe(401);
      expect(await count(test, 'studio_passkeys', `person_id = '${ben.id}'`)).toBe(1);
      await admin.request('PATCH', `/studio/api/people/${ben.id}`, { blocked: true });
      const again = await admin.post('/studio/api/people/invitations', { email, name: 'Ben', role: 'editor' });
      expect(again.body.code).toBe('already-there');
    });

    it('goes to nobody who is there already, and to no brand that is not', async () => {
      const to = (more: object) =>
        admin.post('/studio/api/people/invitations', {
          email: 'ben@support.example',
          name: 'Ben',
          role: 'editor',
          ...more,
        });
      expect((await to({ email: 'ADA@support.example' })).body.code).toBe('already-there');
      expect((await to({ brand: 'nobody' })).status).toBe(422);
      expect((await to({ role: 'owner' })).status).toBe(422);
      expect((await to({ email: 'no address' })).status).toBe(422);
      expect((await to({ email: 'a@b.example\r\nBcc: c@d.example' })).status).toBe(422);
      expect(test.inbox.messages).toHaveLength(0);
    });
  });

  describe('passkeys', () => {
    it('sign in, again and again, each time into a new session', async () => {
      const before = [...admin.cookies.values()];
      expect((await admin.signIn()).status).toBe(200);
      expect((await admin.signIn()).status).toBe(200);
      expect([...admin.cookies.values()]).not.toEqual(before);
      expect((await admin.get('/studio/api/sessions')).body).toHaveLength(1);
    });

    it('are added by whoever is signed in, who is told of it by mail', async () => {
      const laptop = other().device;
      expect((await admin.register({}, {}, laptop)).status).toBe(200);
      expect(test.inbox.messages.at(-1)!.subject).toBe('A passkey was added to your account in the studio');
      const there = other();
      expect((await there.signIn({}, laptop)).status).toBe(200);
      expect(there.id).toBe(admin.id);
    });

    it('are named and removed, but never the last one', async () => {
      const { body } = await admin.get('/studio/api/passkeys');
      const path = `/studio/api/passkeys/${body[0].id}`;
      expect((await admin.request('PATCH', path, { name: 'Phone' })).status).toBe(204);
      expect((await admin.get('/studio/api/passkeys')).body[0].name).toBe('Phone');
      expect((await admin.request('DELETE', path)).body.code).toBe('last-passkey');
      await admin.register({}, {}, other().device);
      const all = (await admin.get('/studio/api/passkeys')).body as { id: string }[];
      const removed = await Promise.all(all.map(({ id }) => admin.request('DELETE', `/studio/api/passkeys/${id}`)));
      expect(removed.map(({ status }) => status).sort()).toEqual([204, 409]);
      expect(await count(test, 'studio_passkeys')).toBe(1);
    });
  });

  describe('a session', () => {
    it('ends after an hour unused and after twelve hours used', async () => {
      test.clock.advance({ minutes: 60 });
      expect((await admin.get('/studio/api/me')).status).toBe(401);
      await admin.signIn();
      for (let i = 0; i < 14; i++) {
        expect((await admin.get('/studio/api/me')).status).toBe(200);
        test.clock.advance({ minutes: 50 });
      }
      test.clock.advance({ minutes: 20 });
      expect((await admin.get('/studio/api/me')).status).toBe(401);
    });

    it('is listed, and ended here and elsewhere', async () => {
      const elsewhere = other();
      expect((await elsewhere.signIn({}, admin.device)).status).toBe(200);
      const { body } = await admin.get('/studio/api/sessions');
      expect(body.map(({ current }: { current: boolean }) => current)).toEqual([false, true]);
      expect((await admin.request('DELETE', `/studio/api/sessions/${body[0].id}`)).status).toBe(204);
      expect((await elsewhere.get('/studio/api/me')).status).toBe(401);
      const cookies = new Map(admin.cookies);
      expect((await admin.post('/studio/api/sign-out')).status).toBe(204);
      for (const [name, value] of cookies) admin.cookies.set(name, value);
      expect((await admin.get('/studio/api/me')).status).toBe(401);
    });

    it('is kept as a hash, and nothing that lets anybody in is in the database or the log', async () => {
      const token = await inviteToStudio(test, admin, { email: 'ben@support.example' });
      const all = `${await dump(test)}${test.logs.join('\n')}`;
      const secrets = [...admin.cookies.values(), admin.token, token, await firstToken(test)];
      for (const secret of secrets) expect(all).not.toContain(secret);
      expect(test.logs.join('\n')).not.toContain(ada.email);
    });
  });

  describe('roles', () => {
    it('are given and taken at once, and blocking ends every session', async () => {
      const ben = await enrol(test, admin, { email: 'ben@support.example' });
      expect((await ben.get('/studio/api/people')).status).toBe(403);
      const path = `/studio/api/people/${ben.id}`;
      expect((await admin.request('PATCH', path, { role: 'admin' })).status).toBe(204);
      expect((await ben.get('/studio/api/people')).status).toBe(200);
      expect((await admin.request('PATCH', path, { blocked: true })).status).toBe(204);
      expect((await ben.get('/studio/api/me')).status).toBe(401);
      expect((await ben.signIn()).body.code).toBe('sign-in-refused');
      expect((await admin.request('PATCH', path, { blocked: false })).status).toBe(204);
      expect((await ben.get('/studio/api/me')).status).toBe(401);
      expect((await ben.signIn()).status).toBe(200);
    });

    it('of a removed person are gone with address and passkeys; the name stays, the address is free', async () => {
      const ben = await enrol(test, admin, { email: 'ben@support.example' });
      expect((await admin.request('DELETE', `/studio/api/people/${ben.id}`)).status).toBe(204);
      expect((await ben.signIn()).status).toBe(401);
      expect((await admin.request('DELETE', `/studio/api/people/${ben.id}`)).status).toBe(404);
      const [row] = await rows(test, 'studio_people', `id = '${ben.id}'`);
      expect(row).toMatchObject({ email: '', name: 'Ben', roles: '[]' });
      expect(await dump(test)).not.toContain('ben@');
      const again = await enrol(test, admin, { email: 'ben@support.example' });
      expect(again.id).not.toBe(ben.id);
    });

    it('leave somebody in charge, though two admins step down at the same moment', async () => {
      const me = `/studio/api/people/${admin.id}`;
      expect((await admin.request('PATCH', me, { role: 'editor' })).body.code).toBe('last-admin');
      expect((await admin.request('PATCH', me, { blocked: true })).body.code).toBe('last-admin');
      expect((await admin.request('DELETE', me)).body.code).toBe('last-admin');
      const ben = await enrol(test, admin, { email: 'ben@support.example', role: 'admin' });
      const down = (by: StudioBrowser) => by.request('PATCH', `/studio/api/people/${by.id}`, { role: 'editor' });
      for (let round = 0; round < 10; round++) {
        const answers = await Promise.all([down(admin), down(ben)]);
        expect(answers.map(({ status }) => status).sort()).toEqual([204, 409]);
        await change(test, `UPDATE studio_people SET roles = '[{"brand":"*","role":"admin"}]'`);
      }
    });
  });

  it('mails each invitation once, with a link that no server sees the secret of', async () => {
    await inviteToStudio(test, admin, { email: 'ben@support.example' });
    const mail = test.inbox.messages.at(-1)!;
    expect(test.inbox.messages).toHaveLength(1);
    expect(mail.text).toContain(`${test.url}/studio/invitation#${tokenMailedTo(test, 'ben@support.example')}`);
    expect(mail.headers['auto-submitted']).toBe('auto-generated');
  });
});

it('is not there at all with STUDIO=off', async () => {
  const test = await createGateway({ settings: { STUDIO: 'off' } });
  const browser = new StudioBrowser(test.url);
  for (const path of ['/studio', '/studio/api/me', '/studio/api/sign-in', '/studio/oidc/start', '/studio/api/brands'])
    expect((await browser.get(path)).status).toBe(404);
  expect((await browser.post('/studio/api/passkeys/sign-in/options')).status).toBe(404);
  await test.close();
});
