import { describeInBrowser, phone } from '../support/browser.js';
import { arrive, invite, say, setStage, type Stage } from './stage.js';

describeInBrowser('the language', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage();
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  it('is the guest’s own, not the browser’s, and can be changed on every page', async () => {
    const { page, ticketPath } = await arrive(
      stage,
      { locale: 'id-ID' },
      await stage.open({ ...phone, locale: 'en-GB' }),
    );
    const send = (locale: string) => page.getByRole('button', { name: say(locale, 'reply.action'), exact: true });
    expect(await send('id').count()).toBe(1);
    const choose = async (from: string, language: string) => {
      await page.getByLabel(say(from, 'layout.language')).selectOption({ label: language });
      await page.getByRole('button', { name: say(from, 'layout.languageAction') }).click();
    };
    await choose('id', 'English');
    await page.getByText(say('en', 'layout.languageKept')).waitFor();
    await send('en').waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');

    // It stays so, also for the page that the reply leads back to, and on other pages.
    await page.goto(stage.test.url + ticketPath);
    expect(await send('en').count()).toBe(1);
    await page.goto(`${stage.test.url}/help`);
    expect(await page.locator('h1').innerText()).toBe(say('en', 'help.title'));
    await choose('en', 'Bahasa Indonesia');
    await page
      .getByRole('heading', { name: say('id', 'help.title') })
      .first()
      .waitFor();
  });

  it('falls back to one that we have: what the guest reads otherwise is no error', async () => {
    const { link } = await invite(stage, { locale: 'sw-KE' });
    const { page } = await stage.open();
    await page.goto(link);
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await page.goto(`${link}?lang=id`);
    expect(await page.locator('html').getAttribute('lang')).toBe('id');
    await page.goto(`${link}?lang=%3Cscript%3E`);
    expect(await page.locator('html').getAttribute('lang')).toBe('id');
  });

  it.each([
    ['id-ID', 'id'],
    ['en-US', 'en'],
    ['sw-KE', 'en'],
  ])('of a page about nobody is what the browser asks for: %s', async (locale, shown) => {
    const { page } = await stage.open({ ...phone, locale });
    const answer = await page.goto(`${stage.test.url}/t/nothing`);
    expect(answer!.status()).toBe(404);
    expect(await page.locator('html').getAttribute('lang')).toBe(shown);
    expect(await page.locator('h1').innerText()).toBe(say(shown, 'notice.not-found.title'));
  });
});
