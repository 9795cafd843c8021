import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import type { Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { rows } from '../support/tables.js';
import { visit, type Visit } from '../support/visit.js';

describe.each(someDatabase)('"Is it solved?" on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeEach(async () => {
    ({ test, source } = await createGatewayAndReceiver({ database }));
  });
  afterEach(() => test.close());

  const state = (status: string, type = 'ticket.updated') =>
    test.source.send(type, { ticket: { id: 'solving', number: '777', status }, requester: { locale: 'en' } });
  const resolved = async (): Promise<Visit> => {
    const one = await visit(test, { ticket: { id: 'solving', number: '777' } });
    await state('resolved', 'ticket.resolved');
    return { ...one, page: await one.guest.get(`/tickets/${one.ticketId}`) };
  };
  const told = async () => {
    await test.drain();
    return source.posts
      .map(({ body }) => JSON.parse(body) as { type: string; data: object })
      .filter(({ type }) => /solved$/.test(type));
  };

  it('is told to the source once, however often the button is pressed, and "no" may follow', async () => {
    const { guest, page, email } = await resolved();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => guest.submit(page, '/solved', { solved: 'yes' }, { follow: false })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([303]));
    const thanked = await guest.get(answers[0]!.headers.get('location')!);
    expect(thanked.text).toContain('glad that it is solved');
    expect(thanked.html).not.toContain('value="yes"');
    expect(await told()).toEqual([
      {
        type: 'ticket.guest_solved',
        timestamp: expect.any(String),
        data: { ticket: { id: 'solving', number: '777' }, email, at: expect.any(String) },
      },
    ]);
    const invited = await guest.submit(thanked, '/solved', { solved: 'no' });
    expect(invited.text).toContain('what is still wrong');
    expect(invited.html).toMatch(/<textarea[^>]* autofocus/);
    expect(invited.html).not.toContain('name="solved"');
    expect((await told()).map(({ type }) => type)).toEqual(['ticket.guest_solved', 'ticket.guest_unsolved']);
    // A form of before, sent again.
    await guest.submit(page, '/solved', { solved: 'yes' });
    expect(await told()).toHaveLength(2);
  });

  it('is asked anew when it was resolved anew, and not because of another event of the resolved ticket', async () => {
    const { guest, page, ticketId } = await resolved();
    await guest.submit(page, '/solved', { solved: 'no' });
    test.clock.advance({ minutes: 1 });
    await state('resolved');
    expect((await guest.get(`/tickets/${ticketId}`)).html).not.toContain('name="solved"');
    await state('open', 'ticket.reopened');
    const late = await guest.submit(page, '/solved', { solved: 'yes' });
    expect(late.text).not.toContain('glad');
    test.clock.advance({ minutes: 1 });
    await state('resolved', 'ticket.resolved');
    await guest.submit(await guest.get(`/tickets/${ticketId}`), '/solved', { solved: 'yes' });
    expect((await told()).map(({ type }) => type)).toEqual(['ticket.guest_unsolved', 'ticket.guest_solved']);
  });

  it('takes no answer of another site, another session, or that is none', async () => {
    const { guest, page, ticketId } = await resolved();
    const path = `/tickets/${ticketId}/solved`;
    const form = page.forms.find(({ action }) => action === path)!;
    const stranger = await visit(test, { email: 'mallory@example.com' });
    expect((await stranger.guest.post(path, { ...form.fields, solved: 'yes' })).status).toBe(404);
    expect((await guest.post(path, { ...form.fields, formToken: 'x', solved: 'yes' })).status).toBe(403);
    const elsewhere = { headers: { 'sec-fetch-site': 'cross-site' } };
    expect((await guest.post(path, { ...form.fields, solved: 'yes' }, elsewhere)).status).toBe(403);
    expect((await guest.post(path, { ...form.fields, solved: 'maybe' })).status).toBe(400);
    expect(await told()).toEqual([]);
    expect(await rows(test, 'solved_answers')).toEqual([]);
  });

  it('is not asked where the source does not listen', async () => {
    const { guest, ticketId } = await resolved();
    await test.restart({ OUTBOUND_URL: '', OUTBOUND_SECRET: '' });
    expect((await guest.get(`/tickets/${ticketId}`)).html).not.toContain('name="solved"');
  });
});
