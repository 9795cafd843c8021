import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { describeInBrowser, phone } from '../support/browser.js';
import { aThird } from '../support/long.js';
import { scenes, showScene } from './scenes.js';
import { setStage, type Stage } from './stage.js';

const shown = aThird(scenes).map((scene, index) => ({
  name: scene.name,
  scene,
  language: index % 2 ? ('en' as const) : ('id' as const),
}));

describeInBrowser('every page in every state', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await setStage();
  });
  afterEach(() => expect(stage.faults()).toEqual([]));
  afterAll(() => stage.close());

  it.each(shown)('is readable for everybody and fits a small phone: $name', async ({ scene, language }) => {
    // Colours that are still on their way from one scheme to the other are nobody's.
    const visitor = await stage.open({ ...phone, reducedMotion: 'reduce' });
    const { page } = visitor;
    await showScene(stage, scene, language, visitor);
    expect(await page.locator('html').getAttribute('lang')).toBe(
      ['not-found', 'help', 'home'].includes(scene.name) ? 'en' : language,
    );
    await page.evaluate(axe.source);
    expect(await violations(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page, ['color-contrast'])).toEqual([]);
    expect(await tooSmall(page)).toEqual([]);

    // 320 px is 400 % zoom on a common screen (WCAG 2.2, 1.4.10).
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
    await visitor.context.close();
  });
});

/** What axe finds wrong, with the element that has it. */
function violations(page: Page, rules?: string[]): Promise<string[]> {
  return page.evaluate(async (only) => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    const found = await checker.run(document, only ? { runOnly: only } : {});
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  }, rules);
}

/** What a finger may miss: controls of less than 44 px. Links within a sentence are as high as its lines (2.5.8). */
function tooSmall(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [
      ...document.querySelectorAll<HTMLElement>(
        'button, summary, textarea, input.code, .picker__label, a.primary, a.quiet, a.file, a.reach',
      ),
    ]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 44)
      .map(({ outerHTML }) => outerHTML),
  );
}
