import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describeInBrowser, phone } from '../support/browser.js';
import { answerTo, arrive, askForCode, say, setStage, typeCode, type Stage } from './stage.js';

const plain = { ...phone, javaScriptEnabled: false };
const drawing = { name: 'drawing.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg/>') };
/** pino's number for it. */
const ERROR = 50;
const note = { name: 'catatan é.txt', mimeType: 'text/plain', buffer: Buffer.from('Pukul 10.15 WIB\n') };

describeInBrowser('a reply', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage();
  });
  // The ticket system itself would refuse what is signed by a clock that was moved.
  beforeEach(() => {
    stage.road.answer = (_post, response) => void response.writeHead(204).end();
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  const send = (page: Page) =>
    answerTo(page, () => page.getByRole('button', { name: say('en', 'reply.action') }).click());
  const newest = (page: Page) => page.locator('#newest');
  const box = (page: Page) => page.locator('textarea[name=body]');
  const posted = (ticketId: string) =>
    stage.road.posts
      .map(({ headers, body }) => ({ webhookId: headers['webhook-id'], ...JSON.parse(body) }))
      .filter(({ data }) => data.ticket.id === ticketId && data.reply);

  it('with a file that cannot be taken is not sent, says why at the field, and keeps the text', async () => {
    const { page } = await arrive(stage, {}, await stage.open(plain));
    await box(page).fill('Two lines,\nkept as they are.');
    await page.locator('input[name=files]').setInputFiles([note, drawing]);
    expect(await send(page)).toBe(422);
    expect(await page.locator('#files-error').innerText()).toContain('drawing.svg');
    expect(await page.getByRole('alert').innerText()).toContain('drawing.svg');
    expect(await box(page).inputValue()).toBe('Two lines,\nkept as they are.');
    expect(await page.title()).toContain('Error');

    // What pretends to be a picture passes every check by name, so only the bytes can tell.
    await page.locator('input[name=files]').setInputFiles({ ...drawing, name: 'photo.png', mimeType: 'image/png' });
    expect(await send(page)).toBe(422);
    expect(await page.locator('#files-error').innerText()).toBe(
      say('en', 'reply.error.file-mismatch', { name: 'photo.png' }),
    );
    await page.locator('input[name=files]').setInputFiles([note]);
    expect(await send(page)).toBe(303);
    expect(await newest(page).innerText()).toContain('kept as they are.');
  });

  it('is checked before it is sent where there is a script, and each file can be taken out again', async () => {
    const { page } = await arrive(stage);
    await box(page).fill('See the files.');
    await page.locator('input[name=files]').setInputFiles(drawing);
    await page.locator('input[name=files]').setInputFiles(note);
    expect(await page.locator('.chip__name').allInnerTexts()).toEqual(['drawing.svg', note.name]);
    await page.getByRole('button', { name: say('en', 'reply.action') }).click();
    expect(await page.locator('.picker .error').innerText()).toContain('drawing.svg');
    await page.getByRole('button', { name: say('en', 'reply.remove', { name: 'drawing.svg' }) }).tap();
    expect(await page.locator('.picker .error').innerText()).toBe('');
    expect(await send(page)).toBe(303);
    expect(await newest(page).locator('.file__name').allInnerTexts()).toEqual([note.name]);
  });

  it('has each file uploaded as soon as it is picked, and tells how it stands with each', async () => {
    const { page, ticketPath } = await arrive(stage);
    const chip = (name: string) => page.locator('.chip', { has: page.getByText(name, { exact: true }) });
    const state = (name: string) => chip(name).locator('.chip__state').innerText();
    const files = page.locator('input[name=files]');
    const uploaded = say('en', 'reply.file.sent');
    await files.setInputFiles([note, { ...note, name: 'b.txt', buffer: Buffer.from('b') }]);
    await chip('b.txt').getByText(uploaded).waitFor();
    expect(await state(note.name)).toBe(uploaded);
    expect(await page.locator('.picker [role=status]').innerText()).toBe(`b.txt: ${uploaded}`);

    // What only the bytes tell is told before the reply is sent.
    await files.setInputFiles({ ...drawing, name: 'photo.png', mimeType: 'image/png' });
    await page.getByRole('alert').filter({ hasText: 'photo.png' }).waitFor();
    expect(await state('photo.png')).toBe(say('en', 'reply.file.failed'));
    await page.getByRole('button', { name: say('en', 'reply.remove', { name: 'photo.png' }) }).tap();

    // The network goes and comes back.
    await page.route('**/files', (route) => route.abort('connectionreset'), { times: 1 });
    await files.setInputFiles({ ...note, name: 'c.txt', buffer: Buffer.from('c') });
    await chip('c.txt').getByText(say('en', 'reply.file.failed')).waitFor();
    await chip('c.txt')
      .getByRole('button', { name: `${say('en', 'reply.file.retry')}: c.txt` })
      .tap();
    await chip('c.txt').getByText(uploaded).waitFor();

    const taken = page.waitForResponse((response) => response.url().endsWith('/files/remove'));
    await page.getByRole('button', { name: say('en', 'reply.remove', { name: 'b.txt' }) }).tap();
    expect((await taken).status()).toBe(204);
    await page.reload();
    await chip('c.txt').waitFor();
    expect(await page.locator('.chip__name').allInnerTexts()).toEqual([note.name, 'c.txt']);
    expect(await page.locator('.kept').count()).toBe(0);
    expect(await send(page)).toBe(303);
    expect(await newest(page).locator('.file__name').allInnerTexts()).toEqual([note.name, 'c.txt']);
    await page.goto(stage.test.url + ticketPath);
    expect(await page.locator('.chip').count()).toBe(0);
  });

  it('takes along by itself what could not be uploaded before, and what is still under way', async () => {
    const { page } = await arrive(stage);
    await page.route('**/files', (route) => route.abort('connectionreset'), { times: 1 });
    await page.locator('input[name=files]').setInputFiles([note, { ...note, name: 'b.txt', buffer: Buffer.from('b') }]);
    expect(await send(page)).toBe(303);
    expect((await newest(page).locator('.file__name').allInnerTexts()).toSorted()).toEqual(['b.txt', note.name]);
  });

  it('keeps everything in its place while there is no network, and goes once when there is', async () => {
    const { page, context } = await arrive(stage);
    await page.locator('input[name=files]').setInputFiles(note);
    await page.locator('.chip--sent').waitFor();
    await box(page).fill('From the tunnel');
    await context.setOffline(true);
    const button = page.getByRole('button', { name: say('en', 'reply.action') });
    await button.click();
    await page.getByText(say('en', 'reply.notSent')).waitFor();
    expect(await box(page).inputValue()).toBe('From the tunnel');
    await context.setOffline(false);
    expect(await send(page)).toBe(303);
    expect(await page.locator('.message--mine').count()).toBe(1);
    expect(await newest(page).locator('.file__name').allInnerTexts()).toEqual([note.name]);
  });

  it('whose file another tab took away says so, and takes it along again', async () => {
    const { page, context, ticketPath } = await arrive(stage);
    await page.locator('input[name=files]').setInputFiles(note);
    await page.locator('.chip--sent').waitFor();
    const other = await context.newPage();
    await other.goto(stage.test.url + ticketPath);
    const taken = other.waitForResponse((response) => response.url().endsWith('/files/remove'));
    await other.getByRole('button', { name: say('en', 'reply.remove', { name: note.name }) }).tap();
    await taken;
    await page.getByRole('button', { name: say('en', 'reply.action') }).click();
    await page.getByText(say('en', 'notice.file-gone.title')).waitFor();
    expect(await send(page)).toBe(303);
    expect(await newest(page).locator('.file__name').allInnerTexts()).toEqual([note.name]);
  });

  it('without words and files is asked for them', async () => {
    const { page } = await arrive(stage);
    await box(page).fill('  \n ');
    expect(await send(page)).toBe(422);
    expect(await page.locator('#body-error').innerText()).toBe(say('en', 'reply.error.empty'));
    expect(await box(page).evaluate((field) => field === document.activeElement)).toBe(true);
  });

  it('brings its file back as it was, as a download, to its own session only', async () => {
    const { page, context } = await arrive(stage);
    await page.locator('input[name=files]').setInputFiles(note);
    expect(await send(page)).toBe(303);
    const link = newest(page).locator('a.file');
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toBe(note.name);
    expect(await readFile(await download.path())).toEqual(note.buffer);

    const href = stage.test.url + (await link.getAttribute('href'));
    const other = await arrive(stage);
    expect((await other.context.request.get(href)).status()).toBe(404);
    expect((await context.request.get(href)).status()).toBe(200);
  });

  it('sent twice by the same form is one reply', async () => {
    const ticket = { id: 'twice', number: '91000' };
    const { page } = await arrive(stage, { ticket }, await stage.open(plain));
    // The first answer is lost on its way, so the guest reloads, and the browser sends the form again.
    await page.route(
      '**/replies',
      async (route) => {
        await route.fetch({ maxRedirects: 0 });
        await route.abort('connectionreset');
      },
      { times: 1 },
    );
    await box(page).fill('Only once, please.');
    await page.getByRole('button', { name: say('en', 'reply.action') }).click();
    await page.waitForURL(/^chrome-error:/);
    expect(await answerTo(page, async () => void (await page.reload()))).toBe(303);
    expect(await page.locator('.message--mine').count()).toBe(1);
    await stage.settle();
    expect(posted('twice')).toHaveLength(1);
  });

  it('turns from sending to delivered by itself while the page is open', async () => {
    const visitor = await stage.open();
    await visitor.context.clock.install();
    const { page } = await arrive(stage, {}, visitor);
    let release = () => {};
    stage.road.answer = (_post, response) => (release = () => void response.writeHead(204).end());
    await box(page).fill('Is it there yet?');
    expect(await send(page)).toBe(303);
    const state = newest(page).locator('.state');
    await state.filter({ hasText: say('en', 'message.state.sending') }).waitFor();
    await box(page).fill('The next one, half written');
    release();
    await stage.settle();
    await page.clock.fastForward(2500);
    await state.filter({ hasText: say('en', 'message.state.delivered') }).waitFor();
    expect(await box(page).inputValue()).toBe('The next one, half written');
  });

  it('to a ticket that was closed meanwhile is refused, and its text can be copied', async () => {
    const ticket = { id: 'closed-meanwhile', number: '92000' };
    const { page, email } = await arrive(stage, { ticket });
    await box(page).fill('One more question:\nis it safe now?');
    await stage.test.source.send('ticket.closed', {
      ticket: { ...ticket, status: 'closed' },
      requester: { email, locale: 'en' },
    });
    expect(await send(page)).toBe(409);
    expect(await page.locator('h1').innerText()).toBe(say('en', 'notice.ticket-closed.title'));
    expect(await page.locator('textarea[readonly]').inputValue()).toBe('One more question:\nis it safe now?');
    await page.getByRole('link', { name: say('en', 'notice.ticket-closed.action') }).click();
    await page.getByText(say('en', 'closed.title')).waitFor();
    expect(await box(page).count()).toBe(0);
    expect(posted(ticket.id)).toEqual([]);
  });

  it('written while the session ended can be copied, and waits in its box after the next code', async () => {
    const guest = await arrive(stage);
    await box(guest.page).fill('It took me an hour\nto write this.');
    stage.test.clock.advance({ minutes: 61 });
    expect(await send(guest.page)).toBe(404);
    expect(await guest.page.locator('h1').innerText()).toBe(say('en', 'notice.session-ended.title'));
    expect(await guest.page.locator('textarea[readonly]').inputValue()).toBe('It took me an hour\nto write this.');

    await typeCode(guest.page, await askForCode(stage, guest, guest));
    await guest.page.waitForURL(/\/tickets\//);
    expect(await box(guest.page).inputValue()).toBe('It took me an hour\nto write this.');
    expect(await send(guest.page)).toBe(303);
    await guest.page.reload();
    expect(await box(guest.page).inputValue()).toBe('');
  });

  it('that the ticket system never takes is shown as not delivered, and the operator is told', async () => {
    const ticket = { id: 'never-taken', number: '93000' };
    const guest = await arrive(stage, { ticket });
    const { page } = guest;
    await stage.settle();
    stage.road.answer = (_post, response) => void response.writeHead(500).end();
    await box(page).fill('Is anybody there?');
    expect(await send(page)).toBe(303);
    await stage.test.drain();
    for (let days = 0; days < 10; days++) {
      stage.test.clock.advance({ days: 1, hours: 3 });
      await stage.test.drain();
    }
    expect(posted(ticket.id)).toHaveLength(10);
    expect(new Set(posted(ticket.id).map(({ webhookId }) => webhookId)).size).toBe(1);
    const errors = stage.test.logs.map((line) => JSON.parse(line)).filter(({ level }) => level >= ERROR);
    expect(errors).toMatchObject([{ msg: expect.stringContaining('parked'), type: 'ticket.guest_replied' }]);

    await typeCode(page, await askForCode(stage, guest, guest));
    await page.waitForURL(/\/tickets\//);
    const reply = page.locator('.message--mine');
    expect(await reply.locator('.state').innerText()).toBe(say('en', 'message.state.failed'));
    expect(await reply.innerText()).toContain(say('en', 'message.failed'));

    stage.road.answer = (_post, response) => void response.writeHead(204).end();
    await box(page).fill('Is anybody there? (again)');
    expect(await send(page)).toBe(303);
    await stage.settle();
    expect(posted(ticket.id)).toHaveLength(11);
  });
});
