/**
 * Takes each guest page in every language side by side, to be looked at: `node dist/test/journeys/sheets.js [folder]
 * [words of names …]`, after a build. One picture for each page, 360 px wide each.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { GuestPages } from '../../src/portal/pages.js';
import { templatesDir } from '../../src/templates/templates.module.js';
import { launchBrowser, phone } from '../support/browser.js';
import { pageShower } from '../support/page-browser.js';
import { samples } from '../support/page-samples.js';

const [folder = join(packageRoot, 'dist', 'sheets'), ...words] = process.argv.slice(2);
const chromium = [process.env.POSTERN_TEST_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!chromium) throw new Error('Chromium was not found: install it, or set POSTERN_TEST_CHROMIUM to its path.');
mkdirSync(folder, { recursive: true });
const pages = GuestPages.load({ templatesDir, defaultLocale: 'en' });
const browser = await launchBrowser(chromium);
const context = await browser.newContext({ ...phone, deviceScaleFactor: 1, reducedMotion: 'reduce' });
const page = await context.newPage();
const show = await pageShower(page, pages, templatesDir);
const sheet = await (await browser.newContext({ viewport: { width: 2240, height: 800 } })).newPage();
const wanted = samples.filter(([name]) => words.length === 0 || words.some((word) => name.includes(word)));
for (const [done, sample] of wanted.entries()) {
  const shots: string[] = [];
  for (const { tag } of pages.locales()) {
    await show(sample, tag);
    const png = await page.screenshot({ fullPage: true });
    shots.push(`<img alt="${tag}" width="360" src="data:image/png;base64,${png.toString('base64')}">`);
  }
  await sheet.setContent(
    `<body style="margin:8px;background:#888;display:flex;flex-wrap:wrap;gap:8px;align-items:start">${shots.join('')}`,
  );
  const file = join(folder, `${sample[0].replace(/\W+/g, '-')}.png`);
  writeFileSync(file, await sheet.screenshot({ fullPage: true }));
  process.stdout.write(`  ${done + 1} of ${wanted.length}: ${sample[0]}\n`);
}
await browser.close();
process.stdout.write(`  ${wanted.length} pictures in ${resolve(folder)}\n`);
