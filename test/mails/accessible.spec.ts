import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { packageRoot } from '../../src/config.js';
import { describeInBrowser, launchBrowser } from '../support/browser.js';
import { writeShells } from '../support/shells.js';
import { isMailOfItsOwn, mailsIn, openCatalogue } from './variants.js';
import { someLocales } from '../support/some-locales.js';

// A mail is shown inside of a program's own page, which has these: a mail with another <main> would have one too many.
const OF_THE_PROGRAM = ['landmark-one-main', 'region'];

const workspace = mkdtempSync(join(tmpdir(), 'postern-mails-'));
const shellsDir = join(workspace, 'shells');
const catalogue = () => openCatalogue({ shellsDir });
const locales = readdirSync(join(packageRoot, 'templates', 'content', '_frame')).map((file) =>
  file.replace('.hbs', ''),
);

describeInBrowser('every mail in Chromium', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    await writeShells(shellsDir);
    browser = await launchBrowser();
    page = await browser.newPage({ viewport: { width: 360, height: 640 } });
  });
  afterAll(async () => {
    await browser.close();
    rmSync(workspace, { recursive: true });
  });

  it.each(someLocales(locales))(
    'has nothing that axe finds wrong, in the light and in the dark: %s',
    async (locale) => {
      const found: string[] = [];
      for (const { key, variant, mail } of mailsIn(catalogue(), locale)) {
        if (variant.name !== 'phone') continue;
        await page.emulateMedia({ colorScheme: 'light' });
        await page.setContent(mail.html);
        found.push(...(await violations(page)).map((what) => `${key} ${what}`));
        await page.emulateMedia({ colorScheme: 'dark' });
        found.push(...(await violations(page, ['color-contrast'])).map((what) => `${key}, dark: ${what}`));
      }
      expect(found).toEqual([]);
    },
  );

  it.each(someLocales(locales))(
    'fits a phone of 320 pixels, and its button is as wide as the text: %s',
    async (locale) => {
      await page.setViewportSize({ width: 320, height: 640 });
      for (const { key, variant, mail } of mailsIn(catalogue(), locale).filter(isMailOfItsOwn)) {
        await page.setContent(mail.html);
        const { scrolls, button, text } = await page.evaluate(() => ({
          scrolls: document.documentElement.scrollWidth,
          button: document.querySelector('.button a')?.getBoundingClientRect(),
          text: document.querySelector('h1')!.getBoundingClientRect(),
        }));
        expect([key, variant.name, scrolls]).toEqual([key, variant.name, 320]);
        if (key === 'access-code') continue;
        expect(button!.height).toBeGreaterThanOrEqual(44);
        expect(button!.width).toBe(text.width);
      }
    },
  );
});

/** What axe finds wrong, by all its rules or some, with the element that has it. */
async function violations(page: Page, only?: string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const rules = Object.fromEntries(OF_THE_PROGRAM.map((id) => [id, { enabled: false }]));
  return page.evaluate(
    async (options) => {
      const { axe: checker } = globalThis as unknown as { axe: typeof axe };
      const found = await checker.run(document, options);
      return found.violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
      );
    },
    only ? { runOnly: only } : { rules },
  );
}
