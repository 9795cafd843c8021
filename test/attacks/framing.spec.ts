import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { desktop, describeInBrowser, launchBrowser } from '../support/browser.js';
import { counted } from '../support/counted.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { visit, type Visit } from '../support/visit.js';

const ways: [string, (url: string) => string][] = [
  ['a frame', (url) => `<iframe src="${url}"></iframe>`],
  ['a frame without a sandbox of its own', (url) => `<iframe sandbox="allow-same-origin allow-forms allow-scripts" src="${url}"></iframe>`],
  ['a frame in a frame', (url) => `<iframe srcdoc="<iframe src='${url}'></iframe>"></iframe>`],
  ['an object', (url) => `<object data="${url}" type="text/html"></object>`],
  ['an embed', (url) => `<embed src="${url}" type="text/html">`],
]; // prettier-ignore

describeInBrowser('pages of other sites', () => {
  let test: TestGateway;
  let browser: Browser;
  let own: Visit;
  beforeAll(async () => {
    test = await createGateway();
    own = await visit(test);
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await test.close();
  });

  it('cannot show a page of ours in theirs, whoever is let in here', async () => {
    const ofLink = ['', '/code', '/not-mine', '/stop'].map((end) => own.link + end);
    const ofTicket = ['', '?answer=yes', '/attachments/att_none'].map((end) => `/tickets/${own.ticketId}${end}`);
    const pages = [...ofLink, ...ofTicket, '/tickets/none', '/t/none', '/t/none/stop', '/check', '/help', '/'];
    let frames = '';
    const evil = createServer((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end(frames),
    );
    await new Promise<void>((resolve) => evil.listen(0, 'localhost', resolve));
    const context = await browser.newContext(desktop);
    try {
      await context.addCookies([...own.guest.cookies].map(([name, value]) => ({ name, value, url: test.url })));
      const page = await context.newPage();
      for (const path of pages)
        for (const [how, write] of ways) {
          frames = write(`${test.url}${path}`);
          await page.goto(`http://localhost:${(evil.address() as AddressInfo).port}/`, { waitUntil: 'load' });
          for (const frame of page.frames()) {
            const shown = await frame.evaluate(() => document.querySelector('main')?.textContent ?? '').catch(() => '');
            expect([how, path, shown]).toEqual([how, path, '']);
          }
        }
      counted('framing', pages.length * ways.length);
      // The same cookies do show the ticket where nothing frames it.
      await page.goto(`${test.url}/tickets/${own.ticketId}`);
      expect(await page.textContent('main')).toContain('Mohon kirim');
    } finally {
      await context.close();
      evil.closeAllConnections();
      evil.close();
    }
  });
});
