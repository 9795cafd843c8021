import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { sqlite } from '../support/databases.js';
import { invite, visit } from '../support/visit.js';

describe('a form that failed', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database: sqlite });
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
