import { describeInBrowser, desktop, phone } from '../support/browser.js';
import { addressOf, askForCode, nextTicketMail, setStage, typeCode, type Stage } from './stage.js';

describeInBrowser('the way to the page of the source', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage({ ownPage: { handoff: 'token' } });
  });
  afterAll(() => stage.close());

  /** A ticket of the desk's, and the code its guest got; the browser shows the code page. */
  async function codePage(visitor: Awaited<ReturnType<Stage['open']>>) {
    const { ticket } = await stage.desk.createTicket({
      ownPage: true,
      requester: { email: `guest-${++guests}@example.com` },
    });
    const { email } = ticket.requester;
    await stage.desk.reply(ticket.id);
    const link = addressOf(stage, await nextTicketMail(stage, email));
    return { ticket, email, link, code: await askForCode(stage, visitor, { email, link }) };
  }
  let guests = 0;

  it.each([
    ['on a phone', phone],
    ['on a phone without JavaScript', { ...phone, javaScriptEnabled: false }],
    ['on a desktop', desktop],
  ])('is open to the form of the code page %s, and the token stays nowhere', async (_how, options) => {
    const visitor = await stage.open(options);
    const { page } = visitor;
    const referers: (string | undefined)[] = [];
    page.on('request', (request) => {
      if (request.url().startsWith(stage.desk.url)) referers.push(request.headers().referer);
    });
    const { ticket, email, code } = await codePage(visitor);
    await typeCode(page, code);
    await page.waitForURL(`${stage.desk.url}/my/${ticket.id}`);
    expect(await page.locator('h1').innerText()).toBe(ticket.subject);
    expect(await page.locator('main').innerText()).toContain(email);
    expect(page.url()).not.toContain('handoff');
    expect(referers.slice(0, 2)).toEqual([undefined, undefined]);
    // Nothing but that page was asked from elsewhere, and no policy was broken.
    expect(visitor.faults.filter((fault) => !fault.includes(stage.desk.url))).toEqual([]);
    // The wrong way round: here nobody was let in.
    expect((await visitor.context.cookies(stage.test.url)).filter(({ name }) => name.includes('tkt_'))).toEqual([]);
  });

  it('is closed to a token that was used, and the page of the source says what to do', async () => {
    const visitor = await stage.open();
    const { page } = visitor;
    const { ticket, code } = await codePage(visitor);
    const sent = page.waitForRequest((request) => request.url().includes('handoff='));
    await typeCode(page, code);
    const used = (await sent).url();
    await page.waitForURL(`${stage.desk.url}/my/${ticket.id}`);
    const thief = await stage.open();
    await thief.page.goto(used);
    expect(await thief.page.locator('h1').innerText()).toBe('Please open your email again');
    expect(await thief.context.cookies(stage.desk.url)).toEqual([]);
  });
});
