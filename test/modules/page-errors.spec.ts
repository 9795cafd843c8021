import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { sqlite } from '../support/databases.js';
import { png } from '../support/files.js';
import { count } from '../support/tables.js';
import { invite, visit } from '../support/visit.js';

describe('a form that cannot be taken', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database: sqlite }); // without OUTBOUND_URL: no reply can be taken
  });
  afterAll(() => test.close());

  /** Posted from another site: refused, whatever is in it. */
  async function refused(path: string): Promise<{ status: number; back: string | undefined }> {
    const answer = await fetch(test.url + path, {
      method: 'POST',
      headers: { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=b',
    });
    return { status: answer.status, back: /<a class="primary" href="([^"]*)"/.exec(await answer.text())?.[1] };
  }

  it('leads back to a page that there is', async () => {
    const { guest, ticketId } = await visit(test);
    // Of somebody who has not proven their mailbox: to others "not mine" is no page.
    const link = await invite(test, { email: 'budi@example.com' });
    const forms = [
      ...['/language', '/check', `${link}/code`, `${link}/verify`, `${link}/renew`, `${link}/language`],
      ...[`${link}/not-mine`, `${link}/stop`, `/tickets/${ticketId}/files/remove`, `/tickets/${ticketId}/replies`],
    ];
    for (const path of forms) {
      const { status, back } = await refused(path);
      expect([path, status, typeof back]).toEqual([path, 403, 'string']);
      // 410: the code of this visit is used up.
      expect([path, back, [200, 410].includes((await guest.get(back!)).status)]).toEqual([path, back, true]);
    }
  });

  it('is refused where it is a reply and the source takes none, and nothing of it is kept', async () => {
    const { guest, page, ticketId } = await visit(test);
    expect(page.text).toContain('it cannot take replies');
    const token = page.forms.find(({ action }) => action.endsWith('/logout'))!.fields.formToken!;
    const fields = { formToken: token, formKey: 'an-old-page-1', body: 'Is anybody there?' };
    const refused = await guest.post(`/tickets/${ticketId}/replies`, fields, {
      files: [{ name: 'a.png', content: png() }],
    });
    expect(refused.status).toBe(409);
    expect(refused.text).toContain('it cannot take replies');
    expect(await count(test, 'replies')).toBe(0);
    expect(await count(test, 'attachments')).toBe(0);
  });

  it('is answered calmly where it is broken and there is no session', async () => {
    const answer = await new Guest(test.url).request('/tickets/tkt_01m83bf8bqbnjnkw80y0gj7wyz/replies', {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x\r\nContent-Disposition: form-data; name="body"\r\n\r\nbroken off',
    });
    expect(answer.status).toBe(400);
    expect(test.logs.join('')).not.toContain('a page failed');
  });

  it('says to programs as well when to try again, while the database is away', async () => {
    const guest = new Guest(test.url);
    const { link } = await visit(test);
    const page = await guest.get(link);
    const { database } = test.gateway;
    const write = database.write.bind(database);
    database.write = () => Promise.reject(Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' }));
    const answer = await guest.submit(page, '/code');
    database.write = write;
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '60']);
    expect(answer.html).toContain(`href="${link}"`);
  });
});
