import type { Page } from 'playwright-core';
import { describeInBrowser } from '../support/browser.js';
import { arrive, askForCode, say, setStage, typeCode, type Stage } from './stage.js';

describeInBrowser('the session', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage();
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  const statusOf = async (page: Page, path: string) => (await page.goto(stage.test.url + path))!.status();

  it('is one per ticket: two tabs with two tickets live side by side, and logging out ends one', async () => {
    const one = await arrive(stage);
    const two = await arrive(stage, {}, { ...one, page: await one.context.newPage() });
    expect(two.ticketPath).not.toBe(one.ticketPath);
    expect(await statusOf(one.page, one.ticketPath)).toBe(200);
    expect(await statusOf(two.page, two.ticketPath)).toBe(200);

    const cookies = await one.context.cookies();
    await one.page.getByRole('button', { name: say('en', 'ticket.logout') }).click();
    await one.page.getByText(say('en', 'notice.logged-out.title')).waitFor();
    expect(await statusOf(one.page, one.ticketPath)).toBe(404);
    expect(await statusOf(two.page, two.ticketPath)).toBe(200);

    // The server has forgotten it too: the cookie, put back, opens nothing.
    await one.context.addCookies(cookies);
    expect(await statusOf(one.page, one.ticketPath)).toBe(404);
    expect(await one.page.locator('h1').innerText()).toBe(say('en', 'notice.session-ended.title'));
    expect(await statusOf(two.page, two.ticketPath)).toBe(200);
  });

  it('opens its own ticket and no other', async () => {
    const one = await arrive(stage);
    const two = await arrive(stage);
    expect(await statusOf(one.page, two.ticketPath)).toBe(404);
    expect(await statusOf(two.page, one.ticketPath)).toBe(404);
    expect(await statusOf(one.page, one.ticketPath)).toBe(200);
  });

  it('ends after 30 minutes without use, and every use renews them', async () => {
    const { page, ticketPath, email, link, ...rest } = await arrive(stage);
    for (const _ of [1, 2, 3]) {
      stage.test.clock.advance({ minutes: 29 });
      expect(await statusOf(page, ticketPath)).toBe(200);
    }
    stage.test.clock.advance({ minutes: 30 });
    expect(await statusOf(page, ticketPath)).toBe(404);
    expect(await page.locator('h1').innerText()).toBe(say('en', 'notice.session-ended.title'));

    // The link in the mail is the way back.
    await typeCode(page, await askForCode(stage, { ...rest, page }, { email, link }));
    await page.waitForURL(/\/tickets\//);
  });

  it('ends after 8 hours however busy it is', async () => {
    const { page, ticketPath } = await arrive(stage);
    for (let minutes = 20; minutes < 8 * 60; minutes += 20) {
      stage.test.clock.advance({ minutes: 20 });
      expect(await statusOf(page, ticketPath)).toBe(200);
    }
    stage.test.clock.advance({ minutes: 20 });
    expect(await statusOf(page, ticketPath)).toBe(404);
  });
});
