import { describeInBrowser, launchBrowser, openBrowser, phone } from '../support/browser.js';
import { counted } from '../support/counted.js';
import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { send } from '../support/raw.js';
import type { Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { dump } from '../support/tables.js';
import { askForCode, invite } from '../support/visit.js';

/** How link scanners, previews and prefetching programs name themselves. */
const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36',
  'Mozilla/5.0 (compatible; Barracuda Sentinel; EE)',
  'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
  'WhatsApp/2.23.20.0',
  'facebookexternalhit/1.1',
  'Mozilla/5.0 (compatible; Microsoft Office Safe Links)',
  'Proofpoint URL Defense',
  'curl/8.5.0',
  '',
];
const purposes: Record<string, string>[] = [
  {},
  { 'sec-purpose': 'prefetch' },
  { purpose: 'preview' },
  { 'x-moz': 'prefetch' },
  { accept: 'image/*' },
  { range: 'bytes=0-100' },
];
const REQUESTS = 1000;

describe.each(someDatabase)('programs that open links on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeAll(async () => {
    ({ test, source } = await createGatewayAndReceiver({ database }));
  });
  afterAll(() => test.close());

  it('send nothing, open nothing and use up nothing, a thousand times, and the link is as good as before', async () => {
    const link = await invite(test);
    const mails = test.inbox.messages.length;
    const before = await dump(test);
    // Each address that a GET could be made to: the way in, and what stands behind its forms.
    const paths = [
      link,
      `${link}/code`,
      `${link}?lang=id`,
      `${link}/verify`,
      `${link}/renew`,
      `${link}/not-mine`,
      `${link}/stop`,
    ];
    for (let n = 0; n < REQUESTS; n += 20)
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const at = n + i;
          const answer = await send(test.url, {
            method: at % 3 === 0 ? 'HEAD' : 'GET',
            path: paths[at % paths.length]!,
            headers: { 'user-agent': agents[at % agents.length]!, ...purposes[at % purposes.length] },
          });
          expect(answer.status).toBeLessThan(500);
        }),
      );
    await test.drain();
    expect(await dump(test)).toBe(before);
    expect(test.inbox.messages).toHaveLength(mails);
    // What the source hears of the mail itself is not of the scanners' doing.
    const told = source.posts.map(({ body }) => (JSON.parse(body) as { type: string }).type);
    expect(told.filter((type) => !type.startsWith('notification.'))).toEqual([]);
    const guest = new Guest(test.url);
    const { page, code } = await askForCode(test, guest, link);
    expect((await guest.submit(page, '/verify', { code })).url).toContain('/tickets/');
    counted('link scanners', REQUESTS);
  });
});

describeInBrowser('a scanner that is a browser', () => {
  it('presses nothing: its scripts may run as long as they like', async () => {
    const test = await createGateway({ clockRuns: true });
    const browser = await launchBrowser();
    try {
      const link = await invite(test);
      const before = await dump(test);
      const mails = test.inbox.messages.length;
      const { page, context } = await openBrowser(browser, test.url, phone);
      await page.clock.install();
      for (const path of [link, `${link}/code`, link]) {
        await page.goto(`${test.url}${path}`, { waitUntil: 'networkidle' });
        // Ten seconds of the page's own timers.
        await page.clock.runFor(10_000);
        await page.mouse.move(100, 200);
        await page.mouse.wheel(0, 500);
      }
      await context.close();
      await test.drain();
      expect(await dump(test)).toBe(before);
      expect(test.inbox.messages).toHaveLength(mails);
      counted('link scanners', 3);
    } finally {
      await browser.close();
      await test.close();
    }
  });
});
