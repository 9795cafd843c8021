import { createGateway, type TestGateway } from '../support/gateway.js';
import type { Page } from '../support/guest.js';
import { within } from '../support/long.js';
import { someDatabase } from '../support/some-database.js';
import { visit, type Visit } from '../support/visit.js';

const MESSAGES = 1000;
/** A usual message of support: four lines on a phone. */
const WORDS = 'We looked into your transaction and it is on its way to your bank. '.repeat(5);

describe.each(someDatabase)('a conversation of a thousand messages on $name', (database) => {
  let test: TestGateway;
  let one: Visit;
  const path = () => `/tickets/${one.ticketId}`;
  const numbers = ({ html }: Page) => [...html.matchAll(/No\. (\d+) /g)].map(([, number]) => Number(number));
  const earlier = ({ html }: Page) =>
    /href="(\/tickets\/\w+\?before=[\w.]+)"/.exec(html.replaceAll('&#x3D;', '='))?.[1];

  beforeAll(async () => {
    test = await createGateway({ database });
    const ticket = { id: 'long', number: '1000' };
    one = await visit(test, { ticket, message: { id: 'm-0', body: `No. ${MESSAGES} ${WORDS}` } });
    const at = test.clock.now();
    for (let from = 1; from < MESSAGES; from += 200) {
      const history = Array.from({ length: Math.min(200, MESSAGES - from) }, (_, i) => ({
        id: `h-${from + i}`,
        author: { kind: 'agent', name: 'Rina' },
        body: `No. ${from + i} ${WORDS}`,
        // Five of each moment: what is at a page's end must neither be lost nor shown twice.
        createdAt: new Date(at - (MESSAGES - Math.floor((from + i) / 5) * 5) * 60_000).toISOString(),
        visibility: 'public',
      }));
      await test.source.send('ticket.updated', { ticket, requester: { locale: 'en' }, data: { history } });
    }
  });
  afterAll(() => test.close());

  it('shows its newest first of all, in 200 KB and 300 ms', async () => {
    const times: number[] = [];
    let page = await one.guest.get(path());
    for (let i = 0; i < 7; i++) {
      const startedAt = performance.now();
      page = await one.guest.get(path());
      times.push(performance.now() - startedAt);
    }
    expect(numbers(page)).toHaveLength(30);
    expect(numbers(page).at(-1)).toBe(MESSAGES);
    expect(Buffer.byteLength(page.html)).toBeLessThan(200_000);
    expect(times.sort((a, b) => a - b)[3]).toBeLessThan(within(300));
  });

  it('leads back to the first message by links alone, each message once', async () => {
    const seen: number[] = [];
    let page = await one.guest.get(path());
    for (let pages = 0; pages < 50; pages++) {
      seen.push(...numbers(page));
      const next = earlier(page);
      if (!next) break;
      page = await one.guest.get(next);
      expect(page.status).toBe(200);
    }
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i + 1));
    expect(page.text).toContain('Back to the newest messages');
  });

  it('is printed whole, oldest first, with no form, no button and no address in it', async () => {
    const page = await one.guest.get(path());
    expect(page.html).toContain(`href="${path()}?print&#x3D;1"`);
    const startedAt = performance.now();
    const print = await one.guest.get(`${path()}?print=1`);
    expect(performance.now() - startedAt).toBeLessThan(within(3000));
    expect(print.status).toBe(200);
    expect(numbers(print)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i + 1));
    expect(print.forms).toEqual([]);
    expect(print.html).not.toMatch(/<(form|button|input|select|textarea|img)|formToken|attachments\//);
    const stranger = await visit(test, { email: 'eve@example.com' });
    expect((await stranger.guest.get(`${path()}?print=1`)).status).toBe(404);
  });

  it('takes a made-up place for none, and shows another ticket to nobody', async () => {
    for (const before of ['x', '1', '99999999999999999.x', "1.0' OR 1=1", '1.zzzzzzzzzzzzzzzzzzzzzzzzzz&before=2'])
      expect((await one.guest.get(`${path()}?before=${before}`)).status).toBe(200);
    const stranger = await visit(test, { email: 'mallory@example.com' });
    expect((await stranger.guest.get(earlier(await one.guest.get(path()))!)).status).toBe(404);
  });

  it('reads by an index what it shows, not the whole ticket', async () => {
    const explain = database.name === 'SQLite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN';
    const plan = await test.gateway.database.read(async (manager) => {
      if (database.name === 'Postgres') await manager.query('ANALYZE messages');
      return manager.query(
        `${explain} SELECT * FROM messages WHERE ticket_id = '${one.ticketId}' AND created_at <= 5 AND reply_id IS NULL ORDER BY created_at DESC, id DESC LIMIT 31`,
      );
    });
    expect(JSON.stringify(plan)).toContain('messages_ticket_id_created_at_idx');
  });
});

describe.each(someDatabase)('what came since the last visit on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => void (test = await createGateway({ database })));
  afterAll(() => test.close());
  const MARK = 'New since your last visit';

  it('is marked once the browser has said how far was read; a GET says nothing', async () => {
    const ticket = { id: 'unread', number: '5' };
    const { guest, page, ticketId } = await visit(test, { ticket, message: { body: 'The first one' } });
    const path = `/tickets/${ticketId}`;
    const say = (type: string, body: string) => {
      test.clock.advance({ minutes: 1 });
      return test.source.send(type, { ticket, requester: { locale: 'en' }, message: { body } });
    };
    await say('ticket.replied', 'The second one');
    for (let i = 0; i < 3; i++) expect((await guest.get(path)).text).not.toContain(MARK);
    const { formToken = '' } =
      page.forms.find(({ action }) => action.endsWith('/replies'))?.fields ?? page.forms[0]!.fields;
    const seen = (until: number) => guest.post(`${path}/seen`, { formToken, until: String(until) });
    expect((await seen(test.clock.now())).status).toBe(204);
    await say('ticket.replied', 'The third one');
    await say('ticket.replied', 'The fourth one');
    const marked = await guest.get(path);
    expect(marked.text.indexOf(MARK)).toBeGreaterThan(marked.text.indexOf('The second one'));
    expect(marked.text.indexOf(MARK)).toBeLessThan(marked.text.indexOf('The third one'));
    expect(marked.html.split('class="unseen"')).toHaveLength(2);
    // Told late by another tab: the mark stays where it is.
    await seen(1);
    expect((await guest.get(path)).text.indexOf(MARK)).toBe(marked.text.indexOf(MARK));
    // A time to come hides nothing that is still to be written.
    await seen(test.clock.now() + 86_400_000);
    await say('ticket.replied', 'The fifth one');
    expect((await guest.get(path)).text).toContain(MARK);
    expect((await guest.post(`${path}/seen`, { formToken: 'x', until: '1' })).status).toBe(403);
    const stranger = await visit(test, { email: 'mallory@example.com' });
    expect((await stranger.guest.post(`${path}/seen`, { formToken, until: '1' })).status).toBe(404);
  });
});
