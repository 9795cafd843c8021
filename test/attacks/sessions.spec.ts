import { sha256 } from '../../src/platform/crypto.js';
import { counted } from '../support/counted.js';
import { png } from '../support/files.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, dump, rows } from '../support/tables.js';
import { askForCode, invite, visit, type Visit } from '../support/visit.js';

describe.each(someDatabase)('sessions on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    ({ test } = await createGatewayAndReceiver({ database }));
  });
  afterAll(() => test.close());
  afterEach(() => change(test, 'DELETE FROM limits'));

  const cookieOf = ({ guest, ticketId }: Visit) => guest.cookies.get(`postern-${ticketId}`)!;

  it('are 256 random bits, new at each success, and only a hash of them is stored', async () => {
    const first = await visit(test);
    const { page, code } = await (test.clock.advance({ seconds: 61 }), askForCode(test, first.guest, first.link));
    const before = cookieOf(first);
    await first.guest.submit(page, '/verify', { code });
    const after = cookieOf(first);
    expect(after).not.toBe(before);
    expect(Buffer.from(after, 'base64url')).toHaveLength(32);
    const all = await dump(test);
    for (const token of [before, after]) {
      expect(all).not.toContain(token);
      expect(all).toContain(sha256(token).toString('hex'));
      expect(test.logs.join('')).not.toContain(token);
    }
  });

  it('are not the ones a stranger planted before (fixation)', async () => {
    const link = await invite(test);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const [challenge] = (await rows(test, 'challenges')).slice(-1);
    const planted = 'A'.repeat(43);
    guest.cookies.set(`postern-${String(challenge!.ticket_id)}`, planted);
    await guest.submit(page, '/verify', { code });
    expect(guest.cookies.get(`postern-${String(challenge!.ticket_id)}`)).not.toBe(planted);
    const stranger = new Guest(test.url);
    stranger.cookies.set(`postern-${String(challenge!.ticket_id)}`, planted);
    expect((await stranger.get(`/tickets/${String(challenge!.ticket_id)}`)).status).toBe(404);
  });

  it('end after thirty idle minutes and after eight hours of use', async () => {
    const { guest, ticketId } = await visit(test);
    const look = async () => (await guest.get(`/tickets/${ticketId}`)).status;
    for (let n = 0; n < 16; n++) {
      test.clock.advance({ minutes: 29 });
      expect([n, await look()]).toEqual([n, 200]);
    }
    test.clock.advance({ minutes: 16 });
    expect(await look()).toBe(404);
    const idle = await visit(test);
    test.clock.advance({ minutes: 29, seconds: 59 });
    expect((await idle.guest.get(`/tickets/${idle.ticketId}`)).status).toBe(200);
    test.clock.advance({ minutes: 30 });
    expect((await idle.guest.get(`/tickets/${idle.ticketId}`)).status).toBe(404);
  });

  it('are dead on the server after the logout, for every copy of the cookie, and others live on', async () => {
    const guest = new Guest(test.url);
    const one = await visit(test, { guest });
    const two = await visit(test, { guest });
    const stolen = new Guest(test.url);
    for (const [name, value] of guest.cookies) stolen.cookies.set(name, value);
    expect((await stolen.get(`/tickets/${one.ticketId}`)).status).toBe(200);
    // Two tabs: each ticket has its own.
    expect((await guest.get(`/tickets/${one.ticketId}`)).status).toBe(200);
    expect((await guest.get(`/tickets/${two.ticketId}`)).status).toBe(200);
    const ended = await guest.submit(await guest.get(`/tickets/${one.ticketId}`), '/logout');
    expect(ended.status).toBe(200);
    expect(guest.cookies.has(`postern-${one.ticketId}`)).toBe(false);
    expect((await stolen.get(`/tickets/${one.ticketId}`)).status).toBe(404);
    expect((await stolen.get(`/tickets/${two.ticketId}`)).status).toBe(200);
  });

  it('open one ticket of ten, by every route, whatever cookie is shown under whatever name', async () => {
    const visits: Visit[] = [];
    for (let n = 0; n < 10; n++) visits.push(await visit(test, { email: `guest-${n}@example.com` }));
    const attachments: string[] = [];
    for (const { guest, page } of visits) {
      const files = [{ name: 'a.png', content: png(), type: 'image/png' }];
      const answer = await guest.submit(page, '/replies', { body: `Secret of ${page.url}` }, { files });
      attachments.push(/\/attachments\/(att_\w+)/.exec(answer.html)![1]!);
    }
    const seen: string[] = [];
    const before = await rows(test, 'replies');
    for (const [mine, own] of visits.entries())
      for (const [theirs, other] of visits.entries()) {
        // As the browser sends it, and with one's own token under the other ticket's name.
        const plain = new Guest(test.url);
        for (const [name, value] of own.guest.cookies) plain.cookies.set(name, value);
        const renamed = new Guest(test.url);
        for (const [name, value] of plain.cookies) renamed.cookies.set(name, value);
        renamed.cookies.set(`postern-${other.ticketId}`, cookieOf(own));
        for (const guest of [plain, renamed]) {
          const form = own.page.forms.find(({ action }) => action.endsWith('/replies'))!.fields;
          const at = `/tickets/${other.ticketId}`;
          const answers = [
            await guest.get(at),
            await guest.get(`${at}?sent=${String(before[theirs]!.id)}`),
            await guest.get(`${at}/attachments/${attachments[theirs]}`),
            await guest.get(`/tickets/${own.ticketId}/attachments/${attachments[theirs]}`),
          ];
          const isOwn = mine === theirs;
          expect(answers.map(({ status }) => status)).toEqual(Array(4).fill(isOwn ? 200 : 404));
          if (isOwn) continue;
          const posts = [
            await guest.post(`${at}/replies`, { ...form, body: 'not mine' }),
            await guest.post(`${at}/logout`, form),
          ];
          expect(posts.map(({ status }) => status)).toEqual([404, 404]);
          seen.push(...[...answers, ...posts].map(({ html }) => html));
        }
      }
    expect(seen).toHaveLength(10 * 9 * 2 * 6);
    counted('sessions on other tickets', seen.length);
    for (const html of seen) expect(html).not.toMatch(/Secret of|Mohon kirim|guest-\d/);
    expect(await rows(test, 'replies')).toEqual(before);
    expect(await count(test, 'sessions', 'ended_at IS NULL')).toBeGreaterThanOrEqual(10);
    for (const { guest, ticketId } of visits) expect((await guest.get(`/tickets/${ticketId}`)).status).toBe(200);
  });

  it('answer odd ids and cookies like unknown ones', async () => {
    const { guest, ticketId } = await visit(test);
    const odd = ['%00', 'a%00b', "'", '%27%20OR%201=1--', '..%2f..', '%F0%9F%92%A3', '%ff', '%zz', 'tkt_', 'att_'];
    odd.push('x'.repeat(599), 'x'.repeat(5000), '__proto__', 'constructor', ticketId.toUpperCase(), `${ticketId}0`);
    for (const id of odd) {
      for (const path of [
        `/tickets/${id}`,
        `/tickets/${id}/attachments/${id}`,
        `/tickets/${ticketId}/attachments/${id}`,
      ])
        expect([path, (await guest.get(path)).status]).toEqual([path, 404]);
      expect([id, (await guest.get(`/v1/files/${id}`)).status]).toEqual([id, 404]);
      expect([id, (await guest.get(`/tickets/${ticketId}?sent=${id}`)).status]).toEqual([id, 200]);
    }
    for (const value of ['', 'x', '%00', '%', '"', 'A'.repeat(43), 'A'.repeat(4000), '%F0%9F%92%A3', '__proto__']) {
      const stranger = new Guest(test.url);
      stranger.cookies.set(`postern-${ticketId}`, value);
      stranger.cookies.set('postern-visitor', value);
      stranger.cookies.set('postern-language', value);
      expect([value, (await stranger.get(`/tickets/${ticketId}`)).status]).toEqual([value, 404]);
    }
    expect((await guest.get(`/tickets/${ticketId}`)).status).toBe(200);
  });

  it('end with the person: removed from the ticket, replaced as its requester, ticket deleted', async () => {
    const ticket = { id: 'ended', number: '5001' };
    const email = 'leaving@example.com';
    const own = await visit(test, { email, ticket });
    const look = () => own.guest.get(`/tickets/${own.ticketId}`);
    expect((await look()).status).toBe(200);
    const requester = { email: 'coming@example.com' };
    await test.source.send('requester.changed', { ticket, requester });
    expect((await look()).status).toBe(404);
    const form = own.page.forms.find(({ action }) => action.endsWith('/replies'))!;
    expect((await own.guest.post(form.action, { ...form.fields, body: 'still here' })).status).toBe(404);
    expect((await own.guest.get(own.link)).status).toBe(404);
    // Back again: a new link, and the old session stays dead.
    const again = await invite(test, { email, ticket });
    expect((await look()).status).toBe(404);
    expect((await own.guest.get(again)).status).toBe(200);
    test.clock.advance({ seconds: 61 });
    const { page, code } = await askForCode(test, own.guest, again, email);
    expect((await own.guest.submit(page, '/verify', { code })).status).toBe(200);
    await test.source.send('ticket.deleted', { ticket, requester: { email } });
    expect((await look()).status).toBe(404);
  });

  it('of a browser survive a restart', async () => {
    const { guest, ticketId } = await visit(test);
    await test.restart();
    expect((await guest.get(`/tickets/${ticketId}`)).status).toBe(200);
  });
});
