/**
 * Takes a picture of every guest page and mail as the running gateway makes them, to be looked at:
 * `node dist/test/journeys/pictures.js [folder] [words of names …]`, after a build. The folder is `dist/pictures` unless
 * told; words leave out what does not contain one of them.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { packageRoot } from '../../src/config.js';
import { desktop, openBrowser, phone } from '../support/browser.js';
import { mailsOf, scenes, showScene, type SceneLanguage } from './scenes.js';
import { addressOf, answerTo, askForCode, nextTicketMail, setStage, typeCode } from './stage.js';

const [folder = join(packageRoot, 'dist', 'pictures'), ...words] = process.argv.slice(2);
const widths = { 360: phone.viewport!, 1280: desktop.viewport! };
const languages: SceneLanguage[] = ['en', 'id'];
const schemes = ['light', 'dark'] as const;
const startedAt = Date.now();
let taken = 0;

const chromium = [process.env.POSTERN_TEST_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!chromium) throw new Error('Chromium was not found: install it, or set POSTERN_TEST_CHROMIUM to its path.');
mkdirSync(folder, { recursive: true });
const stage = await setStage({}, chromium);
const wanted = (name: string) => words.length === 0 || words.some((word) => name.includes(word));
const pages = scenes.filter(({ name }) => wanted(name));
let done = 0;
if (wanted('demo')) await takeDemo();
for (const language of languages) {
  for (const scene of pages) {
    const visitor = await stage.open({ ...phone, locale: language });
    await showScene(stage, scene, language, visitor);
    await take(visitor.page, `page-${scene.name}-${language}`, ['ltr', 'rtl']);
    await visitor.context.close();
    tell(`${scene.name} (${language})`, ++done, pages.length * languages.length);
  }
  if (!wanted('mail')) continue;
  const context = await stage.browser.newContext({ deviceScaleFactor: 2 });
  const page = await context.newPage();
  await mailsOf(stage, language, async (name, html) => {
    await page.setContent(html);
    await take(page, `mail-${name}-${language}`, ['ltr']);
    tell(`mail ${name} (${language})`, done, pages.length * languages.length);
  });
  await context.close();
}
for (const fault of stage.faults()) process.stdout.write(`  fault: ${fault}\n`);
await stage.close();
process.stdout.write(`  ${taken} pictures in ${resolve(folder)}\n`);

/** The demo's own pages, while the clock is still the ticket system's: later it takes nothing from us. */
async function takeDemo(): Promise<void> {
  const { desk, test } = stage;
  const { ticket } = await desk.createTicket({ language: 'id' });
  await desk.requestInfo(ticket.id);
  const english = await desk.createTicket({ language: 'en' });
  const visitor = await stage.open();
  const mail = await nextTicketMail(stage, english.ticket.requester.email);
  const { email } = english.ticket.requester;
  await typeCode(visitor.page, await askForCode(stage, visitor, { email, link: addressOf(stage, mail) }));
  await visitor.page.waitForURL(/\/tickets\//);
  await visitor.page.locator('textarea').fill('It was at 9:40 this morning.');
  await visitor.page.locator('input[name=files]').setInputFiles({
    name: 'screen.txt',
    mimeType: 'text/plain',
    buffer: Buffer.from('INV-2041'),
  });
  await answerTo(visitor.page, () => visitor.page.locator('#reply button.primary').click());
  await stage.settle();
  const { page, context } = await openBrowser(stage.browser, desk.url, { deviceScaleFactor: 1 });
  for (const [name, url] of [
    ['inbox', test.inbox.url],
    ['desk', desk.url],
  ] as const) {
    await page.goto(url);
    await page.getByText(english.ticket.number).first().waitFor(); // both pages fetch what they show
    await take(page, `demo-${name}`, ['ltr']);
  }
  await context.close();
  await visitor.context.close();
}

/** What a phone shows first, and then whole pages: taking those scrolls away from where the guest was. */
async function take(page: Page, name: string, directions: ('ltr' | 'rtl')[]): Promise<void> {
  await page.setViewportSize(phone.viewport!);
  for (const colorScheme of schemes) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await keep(`${name}-360-${colorScheme}-first`, await page.screenshot());
  }
  for (const [width, viewport] of Object.entries(widths))
    for (const colorScheme of schemes)
      for (const direction of directions) {
        if (direction === 'rtl' && colorScheme === 'dark') continue;
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.evaluate((dir) => (document.documentElement.dir = dir), direction);
        const label = `${name}-${width}-${colorScheme}${direction === 'rtl' ? '-rtl' : ''}`;
        await keep(label, await page.screenshot({ fullPage: true }));
      }
}

async function keep(label: string, png: Buffer): Promise<void> {
  writeFileSync(join(folder, `${label}.png`), png);
  taken++;
}

function tell(name: string, count: number, of: number): void {
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  process.stdout.write(`  ${String(count).padStart(3)}/${of}  ${seconds} s  ${name}\n`);
}
