import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { conversations } from '../../demo/conversations.js';
import { Suppressions } from '../../src/delivery/suppression.js';
import type { TestBrowser } from '../support/browser.js';
import { answerTo, askForCode, nextTicketMail, typeCode, type Stage } from './stage.js';

export type SceneLanguage = 'en' | 'id';

/** One page in one state, as a guest comes to it. */
export interface Scene {
  name: string;
  show(stage: Stage, visitor: TestBrowser, language: SceneLanguage): Promise<void>;
}

const HOUR = 3_600_000;
const LONG_WORD = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft';
const LONG_NAME = 'Raden Ayu Kusumawardhani Notonegoro van der Bloemenhoek-Pangestu';
const file = (name: string, kilobytes: number) => ({
  name,
  contentType: 'application/octet-stream',
  size: kilobytes * 1024,
  url: 'https://help.example/files/1',
});

let tickets = 0;
const newTicket = (given: object = {}) => {
  const number = ++tickets;
  return { id: `scene-${number}`, number: String(12_345 + number), ...given };
};

/** What both sides said before the newest message, `hours` apart. */
function history(stage: Stage, language: SceneLanguage, count: number, email: string): object[] {
  const { opening, replies, question, requester, agent } = conversations[language];
  const said = [opening, question, ...replies];
  return Array.from({ length: count }, (_, index) => ({
    id: `earlier-${tickets}-${index}`,
    author: index % 2 === 0 ? { kind: 'requester', name: requester.name, email } : { kind: 'agent', name: agent },
    body: said[index % said.length],
    format: 'text',
    createdAt: new Date(stage.test.clock.now() - (count - index) * 5 * HOUR).toISOString(),
    visibility: 'public',
    attachments: index === 0 ? [file('riwayat-transaksi.png', 214)] : [],
  }));
}

interface Given {
  ticket?: object;
  message?: object;
  requester?: object;
  earlier?: number;
  type?: string;
}

/** Mails a link about a ticket with a conversation. */
async function tell(stage: Stage, language: SceneLanguage, given: Given = {}) {
  const { requester, agent, subject, question } = conversations[language];
  const ticket = newTicket({ subject, ...given.ticket });
  const email = `${requester.email.replace('@', `.${tickets}@`)}`;
  const person = { ...requester, email, ...given.requester };
  const message = { author: { kind: 'agent', name: agent }, body: question, ...given.message };
  const data = { history: history(stage, language, given.earlier ?? 1, email) };
  await stage.test.source.send(given.type ?? 'ticket.replied', { ticket, requester: person, message, data });
  const mail = await nextTicketMail(stage, email);
  return { email, ticket, requester: person, mail, link: mail.text.match(/https?:\/\/\S+\/t\/\S+/)![0] };
}

async function enter(stage: Stage, visitor: TestBrowser, language: SceneLanguage, given: Given = {}) {
  const told = await tell(stage, language, given);
  const code = await askForCode(stage, visitor, told);
  await typeCode(visitor.page, code);
  await visitor.page.waitForURL(/\/tickets\//);
  return told;
}

const wrongCode = (code: string, step = 1) => String((Number(code) + step) % 1_000_000).padStart(6, '0');

async function codePage(stage: Stage, visitor: TestBrowser, language: SceneLanguage) {
  const told = await tell(stage, language);
  return { ...told, code: await askForCode(stage, visitor, told) };
}

const post = (page: Page, form: string) => answerTo(page, () => page.locator(`${form} button`).last().click());

async function reply(page: Page, text: string): Promise<void> {
  await page.locator('textarea[name=body]').fill(text);
  await post(page, '#reply');
}

async function check({ test }: Stage, page: Page, language: SceneLanguage, reference: string): Promise<void> {
  await page.goto(`${test.url}/check?lang=${language}`);
  await page.locator('input[name=reference]').fill(reference);
  await post(page, 'form[action="/check"]');
}

const answers = {
  en: 'It was TRX-8841, at 9:40 this morning. The screenshot is attached.',
  id: 'ID transaksinya TRX-8841, tadi pagi pukul 09.40. Tangkapan layarnya saya lampirkan.',
};
const picture = (name: string, kilobytes: number) => ({
  name,
  mimeType: 'text/plain',
  buffer: Buffer.alloc(kilobytes * 1024, 'a'),
});

/** Every page and state that a guest can come to, in the order of their way. */
export const scenes: Scene[] = [
  {
    name: 'landing',
    show: async (stage, { page }, language) => void (await page.goto((await tell(stage, language)).link)),
  },
  {
    name: 'landing-long-number',
    show: async (stage, { page }, language) =>
      void (await page.goto(
        (await tell(stage, language, { ticket: { number: 'SUPPORT-2026-APAC-000000012345' } })).link,
      )),
  },
  { name: 'code', show: async (stage, visitor, language) => void (await codePage(stage, visitor, language)) },
  {
    name: 'code-wrong',
    show: async (stage, visitor, language) => {
      const { code } = await codePage(stage, visitor, language);
      await answerTo(visitor.page, () => typeCode(visitor.page, wrongCode(code)));
    },
  },
  {
    name: 'code-malformed',
    show: async (stage, visitor, language) => {
      await codePage(stage, visitor, language);
      await answerTo(visitor.page, () => typeCode(visitor.page, '12'));
    },
  },
  {
    name: 'code-sent-already',
    show: async (stage, visitor, language) => {
      const { link } = await codePage(stage, visitor, language);
      await visitor.page.goto(link);
      await post(visitor.page, 'form[action$="/code"]');
    },
  },
  {
    name: 'code-dead',
    show: async (stage, visitor, language) => {
      const { code } = await codePage(stage, visitor, language);
      for (const step of [1, 2, 3, 4, 5])
        await answerTo(visitor.page, () => typeCode(visitor.page, wrongCode(code, step)));
    },
  },
  {
    name: 'code-wait',
    show: async (stage, visitor, language) => {
      const { link } = await codePage(stage, visitor, language);
      for (let times = 0; times < 5; times++) {
        stage.test.clock.advance({ seconds: 61 });
        await visitor.page.goto(link);
        await post(visitor.page, 'form[action$="/code"]');
      }
    },
  },
  { name: 'ticket', show: async (stage, visitor, language) => void (await enter(stage, visitor, language)) },
  {
    name: 'ticket-first-message',
    show: async (stage, visitor, language) => void (await enter(stage, visitor, language, { earlier: 0 })),
  },
  {
    name: 'ticket-pending',
    show: async (stage, visitor, language) =>
      void (await enter(stage, visitor, language, {
        type: 'ticket.info_requested',
        ticket: { status: 'pending' },
        earlier: 5,
      })),
  },
  {
    name: 'ticket-many-messages',
    show: async (stage, visitor, language) => void (await enter(stage, visitor, language, { earlier: 24 })),
  },
  {
    name: 'ticket-long-message',
    show: async (stage, visitor, language) =>
      void (await enter(stage, visitor, language, {
        message: { body: Array.from({ length: 12 }, () => conversations[language].replies.join(' ')).join('\n\n') },
      })),
  },
  {
    name: 'ticket-overfull',
    show: async (stage, visitor, language) =>
      void (await enter(stage, visitor, language, {
        earlier: 2,
        ticket: {
          number: 'SUPPORT-2026-APAC-000000012345',
          subject: `${conversations[language].subject}: ${LONG_WORD} / ${conversations[language].newSubject} — ${LONG_WORD}`,
        },
        requester: { name: LONG_NAME },
        message: {
          author: { kind: 'agent', name: `${LONG_NAME} ${LONG_WORD}` },
          body: `${LONG_WORD}${LONG_WORD}\nhttps://status.example/${'very-long-path/'.repeat(9)}?id=${LONG_WORD}`,
          attachments: [
            file(`${LONG_WORD}-${LONG_WORD}.pdf`, 18),
            ...Array.from({ length: 9 }, (_, index) => file(`foto ${index + 1}.jpg`, 900 * (index + 1))),
          ],
        },
      })),
  },
  {
    name: 'ticket-rich-message',
    show: async (stage, visitor, language) =>
      void (await enter(stage, visitor, language, {
        message: {
          format: 'html',
          body: '<h2>Next steps</h2><p>Please check <strong>these</strong> and <a href="https://status.example/">our status page</a>:</p><ol><li>Open <code>Settings → Billing</code></li><li>Press <em>Download</em></li></ol><blockquote><p>I only get a blank page.</p></blockquote><pre>GET /invoices/INV-2041\n500 Internal Server Error</pre><table><tr><th>Invoice</th><th>State</th></tr><tr><td>INV-2041</td><td>ready</td></tr></table>',
        },
      })),
  },
  {
    name: 'ticket-edited-and-withdrawn',
    show: async (stage, visitor, language) => {
      const told = await enter(stage, visitor, language, { message: { id: 'to-be-edited' } });
      const { agent, correction } = conversations[language];
      const author = { kind: 'agent', name: agent };
      const about = { ticket: told.ticket, requester: told.requester };
      await stage.test.source.send('ticket.replied', { ...about, message: { id: 'to-be-withdrawn', author } });
      await stage.test.source.send('message.updated', {
        ...about,
        message: { id: 'to-be-edited', author, body: correction },
      });
      await stage.test.source.send('message.retracted', { ...about, message: { id: 'to-be-withdrawn', author } });
      await visitor.page.reload();
    },
  },
  {
    name: 'ticket-empty',
    show: async (stage, visitor, language) => {
      const { requester, subject } = conversations[language];
      const ticket = newTicket({ subject });
      const email = requester.email.replace('@', `.${tickets}@`);
      await stage.test.source.send('ticket.created', { ticket, requester: { ...requester, email } });
      const link = (await nextTicketMail(stage, email)).text.match(/https?:\/\/\S+\/t\/\S+/)![0];
      await typeCode(visitor.page, await askForCode(stage, visitor, { email, link }));
      await visitor.page.waitForURL(/\/tickets\//);
    },
  },
  {
    name: 'ticket-resolved',
    show: async (stage, visitor, language) =>
      void (await enter(stage, visitor, language, {
        type: 'ticket.resolved',
        ticket: { status: 'resolved' },
        message: { body: conversations[language].solution },
        earlier: 3,
      })),
  },
  {
    name: 'ticket-said-unsolved',
    show: async (stage, visitor, language) => {
      await enter(stage, visitor, language, { type: 'ticket.resolved', ticket: { status: 'resolved' } });
      await post(visitor.page, 'form.solved');
    },
  },
  {
    name: 'ticket-earlier-messages',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language, { earlier: 45 });
      await page.goto(`${page.url().split('?')[0]}`);
      await page.locator('.earlier > summary').click();
    },
  },
  {
    name: 'ticket-draft',
    show: async (stage, visitor, language) => {
      const told = await enter(stage, visitor, language);
      stage.test.clock.advance({ minutes: 31 });
      await visitor.page.locator('textarea[name=body]').fill(answers[language]);
      await post(visitor.page, '#reply');
      await typeCode(visitor.page, await askForCode(stage, visitor, told));
      await visitor.page.waitForURL(/\/tickets\//);
    },
  },
  {
    name: 'ticket-new-message',
    show: async (stage, { page, ...rest }, language) => {
      const { ticket, requester } = await enter(stage, { page, ...rest }, language, { earlier: 5 });
      await page.locator('textarea[name=body]').scrollIntoViewIfNeeded();
      await page.evaluate(() => scrollTo(0, 0));
      const author = { kind: 'agent', name: conversations[language].agent };
      const message = { author, body: conversations[language].correction };
      await stage.test.source.send('ticket.replied', { ticket, requester, message });
      await page.locator('#newest').getByText(message.body.slice(0, 20)).waitFor({ state: 'attached' });
    },
  },
  {
    name: 'ticket-closed',
    show: async (stage, visitor, language) =>
      void (await enter(stage, visitor, language, {
        type: 'ticket.closed',
        ticket: { status: 'closed' },
        message: { body: conversations[language].solution },
        earlier: 3,
      })),
  },
  {
    name: 'ticket-language-kept',
    show: async (stage, visitor, language) => {
      await enter(stage, visitor, language);
      await post(visitor.page, 'form.languages');
    },
  },
  {
    name: 'landing-language-kept',
    show: async (stage, { page }, language) => {
      await page.goto((await tell(stage, language)).link);
      await post(page, 'form.languages');
    },
  },
  {
    name: 'ticket-print',
    show: async (stage, { page, ...rest }, language) => {
      const message = { attachments: [file('faktur.pdf', 88), file('tangkapan layar.png', 1432)] };
      await enter(stage, { page, ...rest }, language, { earlier: 9, message });
      await page.goto(`${new URL('?print=1', page.url())}`);
    },
  },
  {
    name: 'reply-with-files-under-way',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await page.locator('textarea[name=body]').fill(answers[language]);
      let files = 0;
      // The second does not come through, and the third stays on its way.
      await page.route('**/files', (route) => {
        if (++files === 1) return route.continue();
        return files === 2 ? route.abort('connectionreset') : undefined;
      });
      await page
        .locator('input[name=files]')
        .setInputFiles([
          picture('riwayat.txt', 3),
          picture('log.txt', 1500),
          picture('foto.txt', 412),
          picture('a.txt', 1),
        ]);
      await page.locator('.chip--failed').waitFor();
      await page.locator('.chip--sending').waitFor();
    },
  },
  {
    name: 'reply-with-files',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await page.locator('textarea[name=body]').fill(answers[language]);
      await page
        .locator('input[name=files]')
        .setInputFiles([picture('riwayat.txt', 3), picture(`${LONG_WORD}.txt`, 412), picture('log.txt', 1500)]);
    },
  },
  {
    name: 'reply-with-bad-files',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await page.locator('textarea[name=body]').fill(answers[language]);
      await page.locator('input[name=files]').setInputFiles([picture('riwayat.txt', 3), picture('setup.exe', 300)]);
      await page.locator('#reply button.primary').click();
    },
  },
  {
    name: 'reply-refused',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await page.locator('input[name=files]').setInputFiles({ ...picture('foto.png', 3), mimeType: 'image/png' });
      await page.locator('textarea[name=body]').fill(answers[language]);
      await page.locator('#reply button.primary').click();
      // The script says it in place: no other page comes.
      await page.locator('#reply .error:not(:empty)').first().waitFor();
    },
  },
  {
    name: 'reply-empty',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await reply(page, ' ');
    },
  },
  {
    name: 'reply-sending',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      stage.road.answer = (_post, response) => void response.writeHead(503).end();
      await page.locator('input[name=files]').setInputFiles([picture('riwayat.txt', 3)]);
      await reply(page, answers[language]);
    },
  },
  {
    name: 'reply-delivered',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await reply(page, answers[language]);
      await stage.test.drain();
      await page.goto(page.url().replace(/\?.*/, '#newest'));
    },
  },
  {
    name: 'reply-failed',
    show: async (stage, visitor, language) => {
      await enter(stage, visitor, language);
      stage.road.answer = (_post, response) => void response.writeHead(410).end();
      await reply(visitor.page, answers[language]);
      await stage.test.drain();
      await visitor.page.goto(visitor.page.url().replace(/\?.*/, '#newest'));
    },
  },
  {
    name: 'reply-to-closed',
    show: async (stage, { page, ...rest }, language) => {
      const { ticket, requester } = await enter(stage, { page, ...rest }, language);
      await stage.test.source.send('ticket.closed', { ticket: { ...ticket, status: 'closed' }, requester });
      await reply(page, answers[language]);
    },
  },
  {
    name: 'reply-after-session',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      stage.test.clock.advance({ minutes: 31 });
      await reply(page, answers[language]);
    },
  },
  {
    name: 'session-ended',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      stage.test.clock.advance({ minutes: 31 });
      await page.reload();
    },
  },
  {
    name: 'logged-out',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await post(page, 'form[action$="/logout"]');
    },
  },
  {
    name: 'file-gone',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      await page.goto(`${page.url().replace(/[?#].*/, '')}/attachments/att_00000000000000000000000000`);
    },
  },
  {
    name: 'form-refused',
    show: async (stage, visitor, language) => {
      const { page } = visitor;
      await enter(stage, visitor, language);
      await page.locator('#reply input[name=formToken]').evaluate((input: HTMLInputElement) => (input.value = 'old'));
      await reply(page, answers[language]);
    },
  },
  {
    name: 'cookies-off',
    show: async (stage, visitor, language) => {
      const { code } = await codePage(stage, visitor, language);
      await visitor.context.clearCookies();
      // Who sends it is not known then, so the page is in the language that this browser chose, else in its own.
      await visitor.context.addCookies([{ name: 'postern-language', value: language, url: stage.test.url }]);
      await answerTo(visitor.page, () => typeCode(visitor.page, code));
    },
  },
  {
    name: 'link-expired',
    show: async (stage, { page }, language) => {
      const { link } = await tell(stage, language);
      stage.test.clock.advance({ days: 31 });
      await page.goto(link);
    },
  },
  {
    name: 'link-renewed',
    show: async (stage, { page }, language) => {
      const { link } = await tell(stage, language);
      stage.test.clock.advance({ days: 31 });
      await page.goto(link);
      await post(page, 'form[action$="/renew"]');
    },
  },
  {
    name: 'unreachable',
    show: async (stage, { page }, language) => {
      const { email, link } = await tell(stage, language);
      const { app, database } = stage.test.gateway;
      await database.write((tx) => app.get(Suppressions).suppress(tx, email, 'hard-bounce'));
      await page.goto(link);
      await post(page, 'form[action$="/code"]');
    },
  },
  {
    name: 'landing-ways-out',
    show: async (stage, { page }, language) => {
      await page.goto((await tell(stage, language)).link);
      await page.locator('details.more summary').click();
    },
  },
  {
    name: 'not-mine-asked',
    show: async (stage, { page }, language) => void (await page.goto(`${(await tell(stage, language)).link}/not-mine`)),
  },
  {
    name: 'not-mine',
    show: async (stage, { page }, language) => {
      await page.goto(`${(await tell(stage, language)).link}/not-mine`);
      await post(page, 'form[action$="/not-mine"]');
    },
  },
  {
    name: 'not-mine-confirmed',
    show: async (stage, visitor, language) => {
      const told = await tell(stage, language);
      const { page } = visitor;
      await page.goto(`${told.link}/not-mine`);
      await post(page, 'form[action$="/not-mine"]');
      await typeCode(page, await askForCode(stage, visitor, told));
      await page.waitForURL(/\/tickets\//);
      await page.goto(`${told.link}/not-mine`);
    },
  },
  {
    name: 'stop-asked',
    show: async (stage, { page }, language) => void (await page.goto(`${(await tell(stage, language)).link}/stop`)),
  },
  {
    name: 'stopped',
    show: async (stage, { page }, language) => {
      await page.goto(`${(await tell(stage, language)).link}/stop`);
      await post(page, 'form[action$="/stop"]');
    },
  },
  {
    name: 'ticket-mails-off',
    show: async (stage, visitor, language) => {
      const { page } = visitor;
      const { link } = await enter(stage, visitor, language);
      const ticket = page.url();
      await page.goto(`${link}/stop`);
      await post(page, 'form[action$="/stop"]');
      await page.goto(ticket);
    },
  },
  {
    name: 'ticket-mails-on',
    show: async (stage, visitor, language) => {
      const { page } = visitor;
      const { link } = await enter(stage, visitor, language);
      const ticket = page.url();
      await page.goto(`${link}/stop`);
      await post(page, 'form[action$="/stop"]');
      await page.goto(ticket);
      await post(page, 'form[action$="/resume"]');
    },
  },
  {
    name: 'link-dead',
    show: async (stage, visitor, language) => {
      const { code } = await codePage(stage, visitor, language);
      await answerTo(visitor.page, () => typeCode(visitor.page, wrongCode(code)));
      await stage.test.gateway.database.write((tx) => tx.query('UPDATE failed_tries SET in_a_row = 99'));
      await answerTo(visitor.page, () => typeCode(visitor.page, wrongCode(code, 2)));
      await visitor.page.reload();
    },
  },
  {
    name: 'link-renewed-often',
    show: async (stage, { page }, language) => {
      const { link } = await tell(stage, language);
      stage.test.clock.advance({ days: 31 });
      for (let times = 0; times < 6; times++) {
        await page.goto(link);
        await post(page, 'form[action$="/renew"]');
      }
    },
  },
  {
    name: 'reply-with-picture',
    show: async (stage, { page, ...rest }, language) => {
      await enter(stage, { page, ...rest }, language);
      const screenshot = await sharp({ create: { width: 1170, height: 1600, channels: 3, background: '#5b7fa6' } })
        .png()
        .toBuffer();
      const wide = await sharp({ create: { width: 900, height: 300, channels: 3, background: '#c98a4b' } })
        .jpeg()
        .toBuffer();
      await page.locator('input[name=files]').setInputFiles([
        { name: 'tangkapan-layar.png', mimeType: 'image/png', buffer: screenshot },
        { name: 'bukti.jpg', mimeType: 'image/jpeg', buffer: wide },
      ]);
      await reply(page, answers[language]);
      await page.locator('.picture img').last().scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'check',
    show: async ({ test }, { page }, language) => void (await page.goto(`${test.url}/check?lang=${language}`)),
  },
  {
    name: 'check-ours',
    show: async (stage, { page }, language) => {
      const { mail } = await tell(stage, language);
      await check(stage, page, language, /\w{4}-\w{4}-\w{5}/.exec(mail.text)![0]);
    },
  },
  {
    name: 'check-unknown',
    show: async (stage, { page }, language) => check(stage, page, language, '7QK3-M8WD-2XHVA'),
  },
  { name: 'check-malformed', show: async (stage, { page }, language) => check(stage, page, language, '7QK3-M8') },
  { name: 'not-found', show: async ({ test }, { page }) => void (await page.goto(`${test.url}/t/nothing`)) },
  { name: 'help', show: async ({ test }, { page }) => void (await page.goto(`${test.url}/help`)) },
  { name: 'home', show: async ({ test }, { page }) => void (await page.goto(test.url)) },
];

/** Shows a scene in a fresh browser, with the hour's limits free again. */
export async function showScene(
  stage: Stage,
  scene: Scene,
  language: SceneLanguage,
  visitor: TestBrowser,
): Promise<void> {
  stage.test.clock.advance({ minutes: 61 });
  stage.road.answer = (_post, response) => void response.writeHead(204).end();
  await scene.show(stage, visitor, language);
  await visitor.page.evaluate(() => document.fonts.ready.then(() => undefined));
}

const EVENTS = [
  ['ticket.created', 'open'],
  ['ticket.replied', 'open'],
  ['ticket.info_requested', 'pending'],
  ['ticket.resolved', 'resolved'],
  ['ticket.reopened', 'open'],
  ['ticket.closed', 'closed'],
] as const;

/** One mail of each kind, with a few that are hard to lay out. */
export async function mailsOf(
  stage: Stage,
  language: SceneLanguage,
  keep: (name: string, html: string) => Promise<void>,
) {
  for (const [type, status] of EVENTS) {
    stage.test.clock.advance({ minutes: 61 });
    await keep(type.replace('.', '-'), (await tell(stage, language, { type, ticket: { status } })).mail.html);
  }
  const hard = { ticket: { number: 'SUPPORT-2026-APAC-000000012345' }, requester: { name: LONG_NAME } };
  await keep('ticket-replied-overfull', (await tell(stage, language, hard)).mail.html);
  const visitor = await stage.open();
  const { link, email } = await codePage(stage, visitor, language);
  await keep(
    'access-code',
    stage.test.inbox.messages.findLast(({ to, text }) => to.includes(email) && !text.includes('/t/'))!.html,
  );
  stage.test.clock.advance({ days: 31 });
  await visitor.page.goto(link);
  await post(visitor.page, 'form[action$="/renew"]');
  await keep('link-renewed', (await nextTicketMail(stage, email)).html);
  await visitor.context.close();
}
