import axe from 'axe-core';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { GuestPages } from '../../src/portal/pages.js';
import { describeInBrowser, launchBrowser, phone } from '../support/browser.js';
import { isLong } from '../support/long.js';
import { pageShower } from '../support/page-browser.js';
import { samples } from '../support/page-samples.js';
import { someLocales } from '../support/some-locales.js';

const TEMPLATES = join(import.meta.dirname, '../../templates');
const pages = GuestPages.load({ templatesDir: TEMPLATES, defaultLocale: 'en' });

/** What is looked at of every language; of some all is, and in the long form of all (ten minutes). */
const READ_WHOLE = ['landing with ways out', 'code, wrong', 'ticket, errors', 'help', 'check, ours'];

describeInBrowser('every page in every language', () => {
  let browser: Browser;
  let page: Page;
  let show: Awaited<ReturnType<typeof pageShower>>;
  beforeAll(async () => {
    browser = await launchBrowser();
    const context = await browser.newContext({ ...phone, reducedMotion: 'reduce' });
    page = await context.newPage();
    show = await pageShower(page, pages, TEMPLATES);
  });
  afterAll(() => browser.close());

  it.each(pages.locales().map(({ tag }) => tag))(
    'fits a small phone and is readable for everybody: %s',
    async (tag) => {
      const faults: string[] = [];
      const isTried = someLocales([tag]).length > 0;
      for (const sample of samples) {
        const isRead = READ_WHOLE.includes(sample[0]);
        if (!isTried && !isRead) continue;
        await page.setViewportSize({ width: 320, height: 640 });
        await show(sample, tag);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        if (wide > 320) faults.push(`${sample[0]} is ${wide} px wide`);
        if (isLong || (isTried && isRead))
          faults.push(...(await violations(page)).map((fault) => `${sample[0]}: ${fault}`));
      }
      expect(faults).toEqual([]);
    },
  );
});

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    const found = await checker.run(document);
    return found.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}
