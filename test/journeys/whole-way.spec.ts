import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mailhog from 'mailhog';
import { conversations } from '../../demo/conversations.js';
import { describeInBrowser } from '../support/browser.js';
import { codeOf } from '../support/mail.js';
import { allHands } from './hands.js';
import { addressOf, nextCodeMail, nextTicketMail, say, setStage, type Stage } from './stage.js';

const languages = [
  {
    language: 'id' as const,
    name: 'Indonesian',
    sendCode: 'Kirim kode',
    wrote: 'ID transaksinya TRX-8841.\nTerima kasih!',
  },
  { language: 'en' as const, name: 'English', sendCode: 'Send code', wrote: 'It was TRX-8841.\nThank you!' },
];
const ways = languages.flatMap((words) => allHands.map((hands) => ({ ...words, hands, how: hands.name })));

describeInBrowser('the whole way of one ticket', () => {
  let stage: Stage;
  let folder: string;
  beforeAll(async () => {
    stage = await setStage();
    folder = mkdtempSync(join(tmpdir(), 'postern-journey-'));
  });
  beforeEach(() => stage.clearRoad());
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(async () => {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(ways)('in $name, $how', async ({ language, hands, sendCode, wrote }) => {
    const { desk, test } = stage;
    const { requester, agent, question, replies } = conversations[language];
    const email = `${hands.name.replaceAll(' ', '-')}.${requester.email}`.toLowerCase();

    // A ticket, and an agent who asks back: two mails.
    const { ticket } = await desk.createTicket({ language, requester: { email } });
    const receipt = await nextTicketMail(stage, email);
    expect(receipt.subject).toContain(ticket.number);
    await desk.requestInfo(ticket.id);
    const mail = await nextTicketMail(stage, email);
    expect(mail.subject).toContain(ticket.number);
    expect(mail.headers['content-language']).toBe(language);
    expect(mail.text + mail.html).not.toContain(question.slice(0, 20));

    // The link asks for a code, and shows no more of the address than its owner needs to know it by.
    const { page } = await stage.open({ ...hands.browser, locale: language });
    await page.goto(addressOf(stage, mail));
    expect(await page.locator('html').getAttribute('lang')).toBe(language);
    const masked = await page.locator('.lead bdi').innerText();
    expect(masked).toMatch(/^\S\*+\S@\S\*+\.com$/);
    await hands.press(page, sendCode);
    await page.waitForURL(/\/code$/);
    const reference = await page.locator('.reference__sign').innerText();
    const codeMail = await nextCodeMail(stage, email);
    expect(codeMail.subject).toContain(reference);
    const code = codeOf(codeMail);
    await hands.paste(page, say(language, 'code.label'), ` ${code.slice(0, 3)} ${code.slice(3)} `);
    await hands.press(page, say(language, 'code.action'));

    // The conversation, its newest message in view.
    await page.waitForURL(/\/tickets\//);
    const messages = page.locator('.message');
    expect(await messages.count()).toBe(2);
    const newest = page.locator('#newest');
    expect(await newest.innerText()).toContain(question.split('\n')[0]);
    expect(await newest.locator('.message__who').innerText()).toContain(agent);
    expect(await isInView(newest)).toBe(true);
    expect(await page.locator('.status').innerText()).toBe(say(language, 'status.pending'));

    // An answer with a picture of this very page is shown at once, while the way to the ticket system is held up.
    const picture = join(folder, `${email}.png`);
    await page.screenshot({ path: picture });
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const letThrough = stage.road.answer;
    stage.road.answer = (...post) => void held.then(() => letThrough(...post));
    await hands.paste(page, say(language, 'reply.title'), wrote);
    await hands.attach(page, say(language, 'reply.files'), picture);
    await hands.press(page, say(language, 'reply.action'));
    await page.waitForURL(/\?sent=/);
    expect(await messages.count()).toBe(3);
    expect(await newest.locator('.prose').innerText()).toBe(wrote);
    expect(await newest.locator('.file__name').innerText()).toBe(`${email}.png`);
    expect(await newest.locator('.state').innerText()).toBe(say(language, 'message.state.sending'));
    expect(await page.getByRole('status').first().innerText()).toBe(say(language, 'ticket.flash.reply-sent'));
    expect(await page.locator('textarea').inputValue()).toBe('');

    // It arrives once, its file as it was, and comes back as an echo that is not a second message.
    release();
    stage.road.answer = letThrough;
    await stage.settle();
    const received = desk.receivedReplies.filter((reply) => reply.ticketId === ticket.id);
    expect(received).toMatchObject([{ email, body: wrote, attachments: [{ contentType: 'image/png', check: 'ok' }] }]);
    await page.reload();
    expect(await messages.count()).toBe(3);
    expect(await newest.locator('.state').innerText()).toBe(say(language, 'message.state.delivered'));
    expect(ticket.messages).toHaveLength(3);

    // Nobody is told of their own words; the next answer is told again, with a link that finds the session open.
    await desk.reply(ticket.id);
    await test.drain();
    const hog = mailhog({ host: new URL(test.inbox.url).hostname, port: Number(new URL(test.inbox.url).port) });
    const found = await hog.search(email, 'to', 0, 50);
    expect(found!.count).toBe(4);
    const latest = await hog.latestTo(email);
    expect(latest!.subject).toContain(ticket.number);
    expect(latest!.text).toContain('/t/');
    expect(latest!.html).toContain('/t/');
    await page.reload();
    expect(await newest.innerText()).toContain(replies[0]!.slice(0, 30));
    expect(await messages.count()).toBe(4);
  });
});

async function isInView(locator: import('playwright-core').Locator): Promise<boolean> {
  return locator.evaluate((element) => {
    const head = document.querySelector('.head')!.getBoundingClientRect();
    const { top } = element.getBoundingClientRect();
    return top >= head.bottom - 1 && top < innerHeight - 80;
  });
}
