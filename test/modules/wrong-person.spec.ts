import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { startReceiver, type Receiver } from '../support/receiver.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { someDatabase } from '../support/some-database.js';
import { count, dump, rows } from '../support/tables.js';
import { askForCode, invite, newestMail, opened, visit } from '../support/visit.js';

interface Told {
  type: string;
  data: { ticket: { id: string; number: string }; email: string };
}

describe.each(someDatabase)('a person who got a mail by mistake, or too many, on $name', (database) => {
  let test: TestGateway;
  let receiver: Receiver;
  let tickets = 0;
  /** While it holds, no mail leaves. */
  let holdsMail = false;
  beforeAll(async () => {
    receiver = await startReceiver();
    test = await createGateway({
      database,
      settings: { OUTBOUND_URL: receiver.url, OUTBOUND_SECRET: generateWebhookSecret() },
      onMail: () => (holdsMail ? 451 : undefined),
    });
  });
  afterAll(async () => {
    await test.close();
    await receiver.close();
  });
  afterEach(() => test.clock.advance({ hours: 25 }));

  const newTicket = () => ({ id: `wrong-${++tickets}`, number: `7${tickets}` });
  const told = async (type: string, id: string) => {
    await test.drain();
    const all = receiver.posts.map(({ body }) => JSON.parse(body) as Told);
    return all.filter((one) => one.type === type && one.data.ticket.id === id);
  };
  const news = (ticket: object, email = 'siti@example.com') =>
    test.source.send('ticket.replied', { ticket, requester: { email, locale: 'en' }, message: {} });
  const mailsTo = (email = 'siti@example.com') => test.inbox.messages.filter(({ to }) => to.includes(email)).length;
  const oneClick = (link: string, init: RequestInit = {}) =>
    fetch(`${test.url}${link}/stop`, {
      method: 'POST',
      body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
      redirect: 'manual',
      ...init,
    });

  it('says that the ticket is not theirs: no more mails, no way in by the link, and the source is told', async () => {
    const ticket = newTicket();
    const link = await invite(test, { ticket });
    const landing = await new Guest(test.url).get(link);
    expect(landing.forms.map(({ action }) => action)).toContain(`${link}/not-mine`);
    const other = new Guest(test.url);
    const page = await other.submit(await other.get(link), '/not-mine');
    expect([page.status, page.text.includes('Thank you, we have noted it')]).toEqual([200, true]);
    const before = mailsTo();
    await news(ticket);
    await test.drain();
    expect(mailsTo()).toBe(before);
    expect(await told('requester.denied', ticket.id)).toEqual([
      expect.objectContaining({
        type: 'requester.denied',
        data: {
          ticket: { id: ticket.id, number: ticket.number },
          email: 'siti@example.com',
          at: expect.any(String),
        },
      }),
    ]);
    // Other tickets of the address are none of its business.
    await news(newTicket());
    await test.drain();
    expect(mailsTo()).toBe(before + 1);
  });

  it('is let in again by a code, whoever pressed it, and then no link alone can say it again', async () => {
    const ticket = newTicket();
    const link = await invite(test, { ticket });
    const stranger = new Guest(test.url);
    await stranger.submit(await stranger.get(link), '/not-mine');

    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    expect((await guest.submit(page, '/verify', { code })).url).toContain('/tickets/');
    const before = mailsTo();
    await news(ticket);
    await test.drain();
    expect(mailsTo()).toBe(before + 1);

    const { fields } = (await stranger.get(`${link}/stop`)).forms[0]!;
    const again = await stranger.post(`${link}/not-mine`, fields);
    expect([again.status, again.text.includes('This ticket was confirmed before')]).toEqual([409, true]);
    expect((await guest.get(`/tickets/${opened(test, link).ticketId}`)).status).toBe(200);
    expect((await stranger.get(link)).forms.map(({ action }) => action)).not.toContain(`${link}/not-mine`);
    expect(await told('requester.denied', ticket.id)).toHaveLength(1);
  });

  it('cuts off nobody who proved the mailbox: a forwarded link ends no session, and says nothing to the source', async () => {
    const ticket = newTicket();
    const link = await invite(test, { ticket });
    const stranger = new Guest(test.url);
    const [landing, asked] = [await stranger.get(link), await stranger.get(`${link}/not-mine`)];
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    const ticketPage = await guest.submit(page, '/verify', { code });
    // With forms that were there before, and all at once.
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        stranger.submit(n % 2 ? landing : asked, '/not-mine', {}, { follow: false }),
      ),
    );
    expect(new Set(tries.map(({ status }) => status))).toEqual(new Set([409]));
    expect((await guest.get(new URL(ticketPage.url).pathname)).status).toBe(200);
    expect(await told('requester.denied', ticket.id)).toEqual([]);
    expect((await new Guest(test.url).get(link)).forms.map(({ action }) => action)).not.toContain(`${link}/not-mine`);
  });

  it('stops mails by the page, reads on, and turns them on again on the ticket', async () => {
    const ticket = newTicket();
    const { guest, link, ticketId } = await visit(test, { ticket });
    const stopped = await guest.submit(await guest.get(link), '/stop');
    expect([stopped.status, stopped.url.endsWith('/stop')]).toEqual([200, true]);
    expect(stopped.text).toContain('No more emails about this ticket');
    let before = mailsTo();
    await news(ticket);
    await test.drain();
    expect(mailsTo()).toBe(before);
    expect(await told('requester.unsubscribed', ticket.id)).toHaveLength(1);

    const page = await guest.get(`/tickets/${ticketId}`);
    expect(page.text).toContain('You turned off emails about this ticket');
    const on = await guest.submit(page, '/resume');
    expect([on.status, on.text.includes('are on again')]).toEqual([200, true]);
    before = mailsTo();
    await news(ticket);
    await test.drain();
    expect(mailsTo()).toBe(before + 1);
    test.clock.advance({ seconds: 61 });
    // Asked for by hand, so still sent while the rest is stopped.
    await guest.submit(await guest.get(link), '/stop');
    expect((await askForCode(test, new Guest(test.url), link)).code).toMatch(/^\d{6}$/);
  });

  it('cancels what waits to be sent', async () => {
    for (const end of ['/not-mine', '/stop']) {
      const ticket = newTicket();
      const link = await invite(test, { ticket });
      const before = mailsTo();
      holdsMail = true;
      await news(ticket);
      await test.drain();
      holdsMail = false;
      const guest = new Guest(test.url);
      await guest.submit(await guest.get(link), end);
      test.clock.advance({ hours: 5 });
      await test.drain();
      expect(mailsTo()).toBe(before);
      const [delivery] = (await rows(test, 'deliveries', `ticket_id = '${opened(test, link).ticketId}'`)).slice(-1);
      expect([end, delivery!.state]).toEqual([end, 'cancelled']);
    }
  });

  it('stops mails by one click in a mail program: both spellings of the form, no cookie, another origin, an old link', async () => {
    const multipart = new FormData();
    multipart.append('List-Unsubscribe', 'One-Click');
    const old = { headers: { origin: 'https://mail.example', 'sec-fetch-site': 'cross-site' } };
    for (const [init, days] of [
      [{}, 0],
      [{ body: multipart }, 0],
      [old, 31],
    ] as const) {
      const ticket = newTicket();
      const link = await invite(test, { ticket });
      test.clock.advance({ days });
      const answer = await oneClick(link, init);
      expect([answer.status, answer.headers.get('location')]).toEqual([200, null]);
      expect(await told('requester.unsubscribed', ticket.id)).toHaveLength(1);
    }
  });

  it('changes something once, however often and however parallel it is asked', async () => {
    const ticket = newTicket();
    const link = await invite(test, { ticket });
    const guest = new Guest(test.url);
    const landing = await guest.get(link);
    const asks = Array.from({ length: 50 }, (_, n) =>
      n % 2 ? oneClick(link) : guest.submit(landing, n % 4 ? '/not-mine' : '/stop', {}, { follow: false }),
    );
    const answers = await Promise.all(asks);
    expect(answers.every(({ status }) => status === 200 || status === 303)).toBe(true);
    for (const type of ['requester.denied', 'requester.unsubscribed'])
      expect([type, (await told(type, ticket.id)).length]).toEqual([type, 1]);
  });

  it('is not what a scanner does: a GET or HEAD shows what would happen and changes nothing', async () => {
    const link = await invite(test);
    const before = await dump(test);
    for (const end of ['/not-mine', '/stop'])
      for (const method of ['GET', 'HEAD'])
        expect((await fetch(`${test.url}${link}${end}?List-Unsubscribe=One-Click`, { method })).status).toBe(200);
    expect(await dump(test)).toBe(before);
    const guest = new Guest(test.url);
    expect((await guest.get(`${link}/stop`)).forms.map(({ action }) => action)).toEqual([
      `${link}/stop`,
      `${link}/language`,
    ]);
  });

  it('needs the form of this browser for everything but the one click, and a genuine link for all of it', async () => {
    const link = await invite(test);
    const before = await dump(test);
    const post = (path: string, body: Record<string, string>, headers = {}) =>
      fetch(`${test.url}${path}`, { method: 'POST', body: new URLSearchParams(body), headers, redirect: 'manual' });
    expect((await post(`${link}/not-mine`, {})).status).toBe(403);
    expect((await post(`${link}/not-mine`, { 'List-Unsubscribe': 'One-Click' })).status).toBe(403);
    expect((await post(`${link}/stop`, {})).status).toBe(403);
    expect((await post(`${link}/stop`, { 'list-unsubscribe': 'one-click' })).status).toBe(403);
    expect((await post(`${link.slice(0, -2)}AA/stop`, { 'List-Unsubscribe': 'One-Click' })).status).toBe(404);
    const guest = new Guest(test.url);
    const { fields } = (await guest.get(`${link}/not-mine`)).forms[0]!;
    const elsewhere = { headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' } };
    expect((await guest.post(`${link}/not-mine`, fields, elsewhere)).status).toBe(403);
    expect(await dump(test)).toBe(before);
    // Turning mails on again takes a session: the link alone has no such form.
    expect((await guest.post(`/tickets/${opened(test, link).ticketId}/resume`, fields)).status).toBe(404);
  });

  it('finds the one click in the header of news alone, with the link of the mail', async () => {
    const email = 'headers@example.com';
    const link = await invite(test, { email });
    const lines = (raw: string) => raw.replace(/\r\n[ \t]/g, ' ').split('\r\n\r\n')[0]!;
    const ofNews = lines(newestMail(test, email).raw);
    expect(ofNews).toContain(`List-Unsubscribe: <${test.url}${link}/stop>`);
    expect(ofNews).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click');
    await askForCode(test, new Guest(test.url), link, email);
    expect(lines(newestMail(test, email).raw)).not.toMatch(/List-Unsubscribe/i);
    test.clock.advance({ days: 31 });
    const guest = new Guest(test.url);
    await guest.submit(await guest.get(link), '/renew');
    await test.drain();
    expect(lines(newestMail(test, email).raw)).not.toMatch(/List-Unsubscribe/i);
  });

  it('turns mails on again ten times a day, and then reads how long to wait', async () => {
    const { guest, link, ticketId } = await visit(test);
    const statuses: number[] = [];
    for (let n = 0; n < 11; n++) {
      await oneClick(link);
      const page = await guest.submit(await guest.get(`/tickets/${ticketId}`), '/resume');
      statuses.push(page.status);
      if (page.status === 429) expect(Number(page.headers.get('retry-after'))).toBe(86_400);
    }
    expect(statuses).toEqual([...Array(10).fill(200), 429]);
    expect(await count(test, 'participants', `ticket_id = '${ticketId}' AND mail_stopped_at IS NOT NULL`)).toBe(1);
  });
});
