import type { Page } from 'playwright-core';
import { describeInBrowser, phone, type TestBrowser } from '../support/browser.js';
import { codeOf } from '../support/mail.js';
import { rows } from '../support/tables.js';
import { answerTo, askForCode, invite, nextCodeMail, say, setStage, typeCode, type Stage } from './stage.js';

describeInBrowser('the code', () => {
  let stage: Stage;
  let visitor: TestBrowser;
  let page: Page;
  let guest: { email: string; link: string };
  let code: string;
  beforeAll(async () => {
    stage = await setStage();
  });
  beforeEach(async () => {
    guest = await invite(stage);
    visitor = await stage.open();
    page = visitor.page;
    code = await askForCode(stage, visitor, guest);
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  const other = (step: number) => String((Number(code) + step) % 1_000_000).padStart(6, '0');
  const tryCode = (typed: string) => answerTo(page, () => typeCode(page, typed));
  const error = () => page.locator('#code-error').innerText();
  const sendNew = (on: Page) => answerTo(on, () => on.locator('form[action$="/code"] button').click());
  const mailsTo = (email: string) => stage.test.inbox.messages.filter(({ to }) => to.includes(email)).length;

  it('is dead after five wrong tries, and the page counts them down; a new one works', async () => {
    const second = await visitor.context.newPage();
    await second.goto(page.url());

    for (const left of [4, 3, 2, 1]) {
      expect(await tryCode(other(left))).toBe(422);
      expect(await error()).toContain(say('en', 'code.triesLeft', { tries: left }));
      expect(await page.locator('input[name=code]').evaluate((input) => input === document.activeElement)).toBe(true);
    }
    expect(await tryCode(other(5))).toBe(410);
    expect(await page.locator('h1').innerText()).toBe(say('en', 'notice.code-dead.title'));

    expect(await answerTo(second, () => typeCode(second, code))).toBe(410);
    expect(await second.getByText(say('en', 'notice.code-dead.text')).count()).toBe(1);
    expect((await visitor.context.cookies()).filter(({ name }) => name.includes('tkt_'))).toEqual([]);

    // Before the cool-down no code is sent, and the page does not say that one was.
    const mails = mailsTo(guest.email);
    expect(await sendNew(page)).toBe(429);
    expect(await page.locator('h1').innerText()).toBe(say('en', 'notice.wait.title'));
    await stage.settle();
    expect(mailsTo(guest.email)).toBe(mails);

    stage.test.clock.advance({ seconds: 61 });
    await second.reload();
    expect(await sendNew(second)).toBe(303);
    await second.waitForURL(/\/code$/);
    await typeCode(second, codeOf(await nextCodeMail(stage, guest.email)));
    await second.waitForURL(/\/tickets\//);
  });

  it('costs no try when it is not one: too short, letters, other digits, nothing', async () => {
    for (const typed of ['12345', '1234567', 'abcdef', '１２３４５６', '']) {
      expect(await tryCode(typed)).toBe(422);
      expect(await error()).toBe(say('en', 'code.error.malformed'));
    }
    expect(await tryCode(other(1))).toBe(422);
    expect(await error()).toContain(say('en', 'code.triesLeft', { tries: 4 }));
    expect(await tryCode(`${code.slice(0, 3)}-${code.slice(3)}`)).toBe(303);
  });

  it('is not sent again before the cool-down, and the page says so', async () => {
    const resend = page.locator('form.resend button');
    expect(await resend.isDisabled()).toBe(true);
    expect(await resend.innerText()).toMatch(/\d:\d\d/);

    // The same browser without a script has a button that can be pressed.
    const plain = await stage.open({ ...phone, javaScriptEnabled: false });
    await plain.page.goto(page.url());
    const mails = mailsTo(guest.email);
    await plain.page.locator('form.resend button').click();
    await plain.page.waitForURL(/again/);
    const told = plain.page.getByRole('status');
    const [before] = say('en', 'code.notice.already-sent', { address: '|' }).split('|');
    expect(await told.innerText()).toContain(before);
    await stage.settle();
    expect(mailsTo(guest.email)).toBe(mails);
    await typeCode(plain.page, code);
    await plain.page.waitForURL(/\/tickets\//);
  });

  it('says when another can be sent, also after a press that sent none, with a script and without', async () => {
    const plain = await stage.open({ ...phone, javaScriptEnabled: false });
    await plain.page.goto(page.url());
    const when = plain.page.locator('[data-resend-when]');
    expect(await when.innerText()).toMatch(/in \d+ seconds?\./);
    await plain.page.locator('form.resend button').click();
    await plain.page.waitForURL(/again/);
    expect(await when.innerText()).toMatch(/in \d+ seconds?\./);
    expect(await page.locator('[data-resend-when]').count()).toBe(0); // the button itself counts
    stage.test.clock.advance({ seconds: 61 });
    await plain.page.reload();
    expect(await when.count()).toBe(0);
  });

  it('is taken in a browser that never saw the first page, as it stands in the mail', async () => {
    const other = await stage.open({ ...phone, javaScriptEnabled: false });
    await other.page.goto(`${guest.link}/code`);
    await typeCode(other.page, ` ${code.slice(0, 3)} ${code.slice(3)} `);
    await other.page.waitForURL(/\/tickets\//);
  });

  it('is not taken without cookies, and the page says what to do; no try is lost', async () => {
    const plain = await stage.open({ ...phone, javaScriptEnabled: false });
    await plain.page.goto(page.url());
    for (let times = 0; times < 6; times++) {
      await plain.context.clearCookies();
      expect(await answerTo(plain.page, () => typeCode(plain.page, code))).toBe(403);
      expect(await plain.page.locator('h1').innerText()).toBe(say('en', 'notice.cookies-off.title'));
      await plain.page.goto(page.url());
    }
    expect(await tryCode(code)).toBe(303);
  });

  it('gives way to a newer one, and each mail has the reference of its page', async () => {
    const first = await page.locator('.reference__sign').innerText();
    stage.test.clock.advance({ seconds: 61 });
    await page.reload();
    await page.locator('form.resend button').click();
    const mail = await nextCodeMail(stage, guest.email);
    await page.locator('.reference__sign').filter({ hasNotText: first }).waitFor();
    expect(mail.text).toContain(await page.locator('.reference__sign').innerText());
    if (codeOf(mail) !== code) expect(await tryCode(code)).toBe(422);
    expect(await tryCode(codeOf(mail))).toBe(303);
  });

  it('expires after ten minutes, and its page can send another', async () => {
    stage.test.clock.advance({ minutes: 10 });
    expect(await tryCode(code)).toBe(410);
    await page.locator('form[action$="/code"] button').click();
    await typeCode(page, codeOf(await nextCodeMail(stage, guest.email)));
    await page.waitForURL(/\/tickets\//);
  });

  it('opens one session, and not a second one', async () => {
    const plain = await stage.open({ ...phone, javaScriptEnabled: false });
    await plain.page.goto(page.url());
    expect(await tryCode(code)).toBe(303);
    expect(await answerTo(plain.page, () => typeCode(plain.page, code))).toBe(410);
    const [challenge] = (await rows(stage.test, 'challenges')).slice(-1);
    const sessions = await rows(stage.test, 'sessions', `participant_id = '${String(challenge!.participant_id)}'`);
    expect(sessions).toHaveLength(1);
  });
});
