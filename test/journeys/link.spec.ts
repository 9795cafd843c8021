import { describeInBrowser, phone } from '../support/browser.js';
import { linkOf } from '../support/mail.js';
import { count, dump } from '../support/tables.js';
import { answerTo, arrive, askForCode, invite, nextTicketMail, say, setStage, typeCode, type Stage } from './stage.js';

describeInBrowser('the link', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage();
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  const title = (page: { locator(css: string): { innerText(): Promise<string> } }) => page.locator('h1').innerText();

  it('may be opened by any scanner any number of times: nothing is sent, counted or changed', async () => {
    const guest = await invite(stage);
    await stage.settle();
    const before = await dump(stage.test);
    const mails = stage.test.inbox.messages.length;
    const posts = stage.road.posts.length;

    for (let time = 0; time < 20; time++) {
      for (const method of ['GET', 'HEAD'])
        for (const url of [guest.link, `${guest.link}/code`]) await (await fetch(url, { method })).text();
    }
    // Safe Links and the like open it in a browser that runs what the page brings.
    const scanner = await stage.open({ ...phone, userAgent: 'Mozilla/5.0 HeadlessChrome link scanner' });
    for (let time = 0; time < 20; time++) await scanner.page.goto(guest.link);
    await scanner.page.waitForLoadState('networkidle');
    await stage.settle();

    expect(await dump(stage.test)).toBe(before);
    expect(stage.test.inbox.messages).toHaveLength(mails);
    expect(stage.road.posts).toHaveLength(posts);

    const visitor = await stage.open();
    await typeCode(visitor.page, await askForCode(stage, visitor, guest));
    await visitor.page.waitForURL(/\/tickets\//);
  });

  it('is mailed once however often the webhook comes, one after the other or all at once', async () => {
    const email = 'once@example.com';
    const event = stage.test.source.event('ticket.replied', {
      ticket: { id: 'once', number: '81000' },
      requester: { email },
      message: {},
    });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => stage.test.source.post(event, { id: 'evt_once' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(9).fill(200), 202]);
    expect((await stage.test.source.post(event, { id: 'evt_once' })).status).toBe(200);
    await stage.settle();
    expect(stage.test.inbox.messages.filter(({ to }) => to.includes(email))).toHaveLength(1);
  });

  it('expires after 30 days, and its page mails a fresh one that works', async () => {
    const guest = await invite(stage);
    const { page } = await stage.open();
    stage.test.clock.advance({ days: 31 });
    const answer = await page.goto(guest.link);
    expect(answer!.status()).toBe(410);
    expect(await title(page)).toBe(say('en', 'notice.expired.title'));
    expect(await page.content()).not.toContain(guest.email);

    expect(await answerTo(page, () => page.locator('form[action$="/renew"] button').click())).toBe(200);
    expect(await title(page)).toBe(say('en', 'notice.renewed.title'));
    const fresh = await nextTicketMail(stage, guest.email);
    const visitor = await stage.open();
    const link = stage.test.url + linkOf(fresh);
    expect(link).not.toBe(guest.link);
    await typeCode(visitor.page, await askForCode(stage, visitor, { ...guest, link }));
    await visitor.page.waitForURL(/\/tickets\//);
    expect((await page.goto(guest.link))!.status()).toBe(410);
  });

  it('that is forged, revoked or of nobody leads to one and the same page', async () => {
    const visitor = await arrive(stage, { ticket: { id: 'handed-on', number: '82000' } });
    const { page, link } = visitor;
    await stage.test.source.send('requester.changed', {
      ticket: { id: 'handed-on', number: '82000' },
      requester: { email: 'successor@example.com', locale: 'en' },
    });
    const at = link.length - 5;
    const forged = link.slice(0, at) + (link[at] === 'A' ? 'B' : 'A') + link.slice(at + 1);
    const texts = new Set<string>();
    for (const url of [link, `${link}/code`, forged, `${stage.test.url}/t/nothing`]) {
      const answer = await page.goto(url);
      expect(answer!.status()).toBe(404);
      texts.add(await page.locator('body').innerText());
    }
    expect(texts.size).toBe(1);
    expect([...texts][0]).toContain(say('en', 'notice.not-found.title'));

    // Nor does the session that it had opened show the ticket any more.
    const answer = await page.goto(stage.test.url + visitor.ticketPath);
    expect(answer!.status()).toBe(404);
    expect(await title(page)).toBe(say('en', 'notice.session-ended.title'));
    expect(await count(stage.test, 'sessions')).toBeGreaterThan(0);
  });
});
