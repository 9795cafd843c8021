import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { codeOf, linkOf } from '../support/mail.js';
import { someDatabase } from '../support/some-database.js';

describe.each(someDatabase)('the way of one ticket on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database });
  });
  afterAll(() => test.close());

  it('leads from a webhook by mail, code and session to a reply', async () => {
    await test.source.send('ticket.replied', { message: {} });
    await test.drain();
    const mail = await test.inbox.nextMailTo('siti@example.com');
    const guest = new Guest(test.url);
    const landing = await guest.get(linkOf(mail));
    expect(landing.status).toBe(200);
    const codePage = await guest.submit(landing, '/code');
    expect(codePage.status).toBe(200);
    await test.drain();
    const code = codeOf(await test.inbox.nextMailTo('siti@example.com'));
    const ticket = await guest.submit(codePage, '/verify', { code });
    expect(ticket.status).toBe(200);
    expect(ticket.text).toContain('Mohon kirim ID transaksi.');
  });
});
