import type { Page } from 'playwright-core';
import { TicketStreams } from '../../src/portal/ticket-streams.js';
import { describeInBrowser, desktop, phone } from '../support/browser.js';
import { arrive, say, setStage, type Stage } from './stage.js';

const KILOBYTES = 1024;

describeInBrowser('the ticket page', () => {
  let stage: Stage;
  beforeAll(async () => void (stage = await setStage()));
  beforeEach(() => {
    stage.road.answer = (_post, response) => void response.writeHead(204).end();
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  const box = (page: Page) => page.locator('textarea[name=body]');
  const tell = (ticket: object, email: string, body: string) =>
    stage.test.source.send('ticket.replied', { ticket, requester: { email, locale: 'en' }, message: { body } });
  const look = () => stage.test.gateway.app.get(TicketStreams).look();

  it('shows a new message while it is open, and takes neither the scroll nor what is typed', async () => {
    const ticket = { id: 'live', number: '50001' };
    const long = 'One line of many.\n'.repeat(60);
    const { page, email } = await arrive(stage, { ticket, message: { body: long } });
    await box(page).fill('Half a sentence');
    await page.evaluate(() => scrollTo(0, 200));
    const card = await page.locator('#newest .message__card').elementHandle();
    const place = () => card!.evaluate((one) => one.getBoundingClientRect().top);
    const before = await place();
    await tell(ticket, email, `A new one. ${long}`);
    await look();
    await page.getByText('A new one.').waitFor({ state: 'attached' });
    expect(Math.abs((await place()) - before)).toBeLessThan(2);
    expect(await box(page).inputValue()).toBe('Half a sentence');
    const jump = page.getByRole('button', { name: say('en', 'ticket.new', { count: 1 }) });
    await jump.tap();
    await jump.waitFor({ state: 'hidden' });
    expect(await page.locator('#newest').innerText()).toContain('A new one.');
    expect(await page.locator('#newest').count()).toBe(1);
  });

  it('takes files by drop and by paste, and shows how far they have come', async () => {
    const { page } = await arrive(stage, {}, await stage.open(desktop));
    const give = (type: string, name: string) =>
      page.locator('#reply').evaluate(
        (form, [event, file]) => {
          const held = new DataTransfer();
          held.items.add(new File(['Pukul 10.15 WIB'], file!, { type: 'text/plain' }));
          const options = { bubbles: true, cancelable: true };
          form.dispatchEvent(
            event === 'paste'
              ? new ClipboardEvent('paste', { ...options, clipboardData: held })
              : new DragEvent(event!, { ...options, dataTransfer: held }),
          );
        },
        [type, name],
      );
    await give('drop', 'dropped.txt');
    await give('paste', 'pasted.txt');
    expect(await page.locator('.chip__name').allInnerTexts()).toEqual(['dropped.txt', 'pasted.txt']);
    await page.evaluate(() => {
      const line = document.querySelector('.sending [role=status]')!;
      new MutationObserver(() => sessionStorage.setItem('progress', line.textContent!)).observe(line, {
        childList: true,
      });
    });
    await page.getByRole('button', { name: say('en', 'reply.action') }).click();
    await page.waitForURL(/sent=/);
    expect(await page.locator('#newest .file__name').allInnerTexts()).toEqual(['dropped.txt', 'pasted.txt']);
    expect(await page.evaluate(() => sessionStorage.getItem('progress'))).toBe(say('en', 'reply.almost'));
  });

  it('keeps text and files when the network is away, and sends them then', async () => {
    const { page } = await arrive(stage);
    await box(page).fill('On a train');
    await page
      .locator('input[name=files]')
      .setInputFiles({ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('10.15') });
    await page.route('**/replies', (route) => route.abort('internetdisconnected'), { times: 1 });
    await page.getByRole('button', { name: say('en', 'reply.action') }).click();
    await page.getByText(say('en', 'reply.notSent')).waitFor();
    expect(await box(page).inputValue()).toBe('On a train');
    await page.getByRole('button', { name: say('en', 'reply.action') }).click();
    await page.waitForURL(/sent=/);
    expect(await page.locator('.message--mine').count()).toBe(1);
  });

  it('loads earlier messages in place, and leads to them without a script', async () => {
    const history = Array.from({ length: 70 }, (_, i) => ({
      id: `h-${i}`,
      author: { kind: 'agent', name: 'Rina' },
      body: `No. ${i}.`,
      createdAt: new Date(stage.test.clock.now() - (100 - i) * 60_000).toISOString(),
      visibility: 'public',
    }));
    const { page, context, ticketPath } = await arrive(stage, { data: { history } });
    await page.locator('.earlier > summary').tap();
    const more = page.getByRole('link', { name: say('en', 'ticket.showEarlier') });
    await more.tap();
    await page.getByText('No. 11.').waitFor();
    await more.tap();
    await page.getByText('No. 0.').waitFor();
    expect(await more.count()).toBe(0);
    expect(await page.locator('.message').count()).toBe(71);

    const plain = await stage.open({ ...phone, javaScriptEnabled: false });
    await plain.context.addCookies(await context.cookies());
    await plain.page.goto(stage.test.url + ticketPath);
    await plain.page.locator('.earlier > summary').tap();
    await plain.page.getByRole('link', { name: say('en', 'ticket.showEarlier') }).tap();
    await plain.page.getByText('No. 11.').waitFor();
    await plain.page.getByRole('link', { name: say('en', 'ticket.showNewest') }).tap();
    await plain.page.locator('#newest').waitFor();
  });

  it('is printed by one press, without what only a screen has, and leads back', async () => {
    const visitor = await stage.open();
    await visitor.context.addInitScript(() => {
      window.print = () => sessionStorage.setItem('printed', location.search);
    });
    const { page } = await arrive(stage, { message: { body: 'On paper' } }, visitor);
    await page.getByRole('link', { name: say('en', 'ticket.print') }).tap();
    await page.waitForURL(/print=1/);
    await page.waitForFunction(() => sessionStorage.getItem('printed') === '?print=1');
    const back = page.getByRole('link', { name: say('en', 'notice.ticket-closed.action') });
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    expect(await back.isVisible()).toBe(false);
    expect(await page.getByText('On paper').isVisible()).toBe(true);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(ground).toBe('rgb(255, 255, 255)');
    await page.emulateMedia({ media: 'screen' });
    await back.tap();
    await page.getByRole('button', { name: say('en', 'reply.action') }).waitFor();
  });

  it('leads on to the brand’s contact once it is closed', async () => {
    const ticket = { id: 'closed', number: '50009' };
    const { page, email, ticketPath } = await arrive(stage, { ticket });
    const contact = page.getByRole('link', { name: say('en', 'closed.action') });
    expect(await contact.count()).toBe(0);
    await stage.test.source.send('ticket.closed', {
      ticket: { ...ticket, status: 'closed' },
      requester: { email, locale: 'en' },
    });
    await page.goto(stage.test.url + ticketPath);
    expect(await contact.getAttribute('href')).toMatch(/^mailto:/);
  });

  it('weighs at most 80 KB with all that it loads, uncompressed', async () => {
    const { page } = await arrive(stage);
    await page.reload({ waitUntil: 'load' });
    const sizes = await page.evaluate(() =>
      performance
        .getEntries()
        .flatMap((entry) => (entry instanceof PerformanceResourceTiming ? [entry.decodedBodySize] : [])),
    );
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(80 * KILOBYTES);
  });
});
