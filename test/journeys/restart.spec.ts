import { describeInBrowser } from '../support/browser.js';
import { addressOf, askForCode, invite, nextTicketMail, say, setStage, typeCode, type Stage } from './stage.js';

describeInBrowser('a restart in the middle loses nothing and doubles nothing', () => {
  let stage: Stage;
  let atMail: () => number | undefined | Promise<undefined>;
  // One for each: the ticket system takes no webhook that is older than its own clock allows, and these move the other.
  beforeEach(async () => {
    atMail = () => undefined;
    stage = await setStage({ onMail: () => atMail() });
  });
  afterEach(async () => {
    const faults = stage.faults();
    await stage.close();
    expect(faults).toEqual([]);
  });

  const mailsTo = (email: string) => stage.test.inbox.messages.filter(({ to }) => to.includes(email)).length;

  it('after the webhook was taken and before its mail could leave', async () => {
    const email = 'waiting@example.com';
    let refused = 0;
    atMail = () => (refused++, 451);
    await stage.test.source.send('ticket.replied', {
      ticket: { id: 'waiting', number: '61000' },
      requester: { email, locale: 'en' },
      message: {},
    });
    await stage.test.drain();
    expect([refused, mailsTo(email)]).toEqual([1, 0]);

    await stage.test.restart();
    atMail = () => undefined;
    stage.test.clock.advance({ minutes: 1 });
    await stage.settle();
    expect(mailsTo(email)).toBe(1);
    const visitor = await stage.open();
    const link = addressOf(stage, await nextTicketMail(stage, email));
    await typeCode(visitor.page, await askForCode(stage, visitor, { email, link }));
    await visitor.page.waitForURL(/\/tickets\//);
  });

  it('while the mail is being handed over', async () => {
    const email = 'in-hand@example.com';
    let accept = () => {};
    const arrived = new Promise<void>((resolve) => {
      atMail = () => {
        resolve();
        return new Promise((answer) => (accept = () => answer(undefined)));
      };
    });
    await stage.test.source.send('ticket.replied', {
      ticket: { id: 'in-hand', number: '62000' },
      requester: { email },
      message: {},
    });
    await arrived;
    const restarted = stage.test.restart();
    accept();
    await restarted;
    atMail = () => undefined;
    stage.test.clock.advance({ hours: 1 });
    await stage.settle();
    expect(mailsTo(email)).toBe(1);
  });

  it('after the code was mailed, and after it was typed', async () => {
    const guest = await invite(stage);
    const visitor = await stage.open();
    const code = await askForCode(stage, visitor, guest);
    await stage.settle();
    await stage.test.restart();
    await typeCode(visitor.page, code);
    await visitor.page.waitForURL(/\/tickets\//);
    await stage.test.restart();
    expect((await visitor.page.reload())!.status()).toBe(200);
    await stage.settle();
    expect(mailsTo(guest.email)).toBe(2);
  });

  it('after the reply was posted while the ticket system was down', async () => {
    const { desk, test } = stage;
    const { ticket } = await desk.createTicket({ language: 'en', requester: { email: 'patient@example.com' } });
    const visitor = await stage.open();
    const link = addressOf(stage, await nextTicketMail(stage, 'patient@example.com'));
    await typeCode(visitor.page, await askForCode(stage, visitor, { email: 'patient@example.com', link }));
    await visitor.page.waitForURL(/\/tickets\//);
    stage.road.answer = (_post, response) => void response.writeHead(503).end();
    await visitor.page.locator('textarea').fill('Is the fix out?');
    await visitor.page.getByRole('button', { name: say('en', 'reply.action') }).click();
    await visitor.page.waitForURL(/\?sent=/);
    await stage.settle();

    await test.restart();
    await visitor.page.reload();
    const state = visitor.page.locator('.message--mine .state');
    expect(await state.innerText()).toBe(say('en', 'message.state.sending'));
    expect(desk.receivedReplies).toEqual([]);

    stage.clearRoad();
    test.clock.advance({ seconds: 10 });
    await stage.settle();
    expect(desk.receivedReplies).toHaveLength(1);
    await test.restart();
    test.clock.advance({ minutes: 2 });
    await stage.settle();
    // Once refused, once taken.
    expect(stage.road.posts.filter(({ body }) => body.includes('Is the fix out?'))).toHaveLength(2);
    expect(desk.receivedReplies).toMatchObject([{ ticketId: ticket.id, body: 'Is the fix out?' }]);
    await visitor.page.reload();
    expect(await state.innerText()).toBe(say('en', 'message.state.delivered'));
    expect(await visitor.page.locator('.message').count()).toBe(2);
  });
});
