import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { linkOf } from '../support/mail.js';
import { someDatabase } from '../support/some-database.js';
import { rows } from '../support/tables.js';
import { newestMail, visit } from '../support/visit.js';

const token = 'admin-token-of-at-least-thirty-two-signs';

describe.each(someDatabase)('links that an operator revokes on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database, settings: { ADMIN_TOKEN: token } });
  });
  afterAll(() => test.close());

  const revoke = async (ticketId: string, query: string, body?: object) => {
    const url = `${test.url}/v1/admin/tickets/${ticketId}/revoke-links?${query}`;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  it('are dead at once with their sessions, for one address alone, and the next mail brings a living one', async () => {
    const ticket = { id: 'revoked', number: '4711' };
    const budi = 'budi@example.com';
    const data = { participants: [{ kind: 'guest', email: budi, name: 'Budi', locale: 'en' }] };
    const own = await visit(test, { ticket, data });
    const budis = linkOf(newestMail(test, budi));
    const because = 'reason=forwarded%20to%20a%20list';

    expect((await revoke(own.ticketId, `address=nobody@example.com&${because}`)).status).toBe(404);
    expect((await revoke(own.ticketId, 'address=siti@example.com')).status).toBe(422);
    // What is misspelt narrows nothing down, and so nothing is done.
    const misspelt = { adress: 'siti@example.com' };
    expect((await revoke(own.ticketId, because, misspelt)).status).toBe(422);
    const reason = 'forwarded to a list';
    expect((await revoke(own.ticketId, '', { address: 'nobody@example.com', reason })).status).toBe(404);
    const revoked = await revoke(own.ticketId, '', { address: 'Siti@Example.com', reason });
    expect(revoked).toEqual({ status: 200, body: { id: own.ticketId, revoked: 1 } });

    expect((await new Guest(test.url).get(own.link)).status).toBe(404);
    expect((await own.guest.get(`/tickets/${own.ticketId}`)).status).toBe(404);
    expect((await new Guest(test.url).get(budis)).status).toBe(200);
    await test.source.send('ticket.replied', {
      ticket,
      requester: { email: own.email, locale: 'en' },
      message: {},
      data,
    });
    await test.drain();
    const fresh = linkOf(newestMail(test, own.email));
    expect(fresh).not.toBe(own.link);
    expect((await new Guest(test.url).get(fresh)).status).toBe(200);

    expect((await revoke(own.ticketId, because)).body.revoked).toBe(2);
    expect((await new Guest(test.url).get(budis)).status).toBe(404);
    const entries = await rows(test, 'audit_log', `subject = '${own.ticketId}'`);
    expect(entries.map(({ action, detail }) => [action, detail])).toEqual([
      ['links.revoked', '1 people; forwarded to a list'],
      ['links.revoked', '2 people; forwarded to a list'],
    ]);
    expect(JSON.stringify(entries)).not.toContain('example.com');
  });
});
