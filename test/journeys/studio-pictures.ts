/**
 * Takes a picture of every page of the studio in every state, to be looked at:
 * `node dist/test/journeys/studio-pictures.js [folder] [words of names …]`, after a build.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { launchBrowser, openBrowser } from '../support/browser.js';
import { startStudioDouble } from './studio-double.js';
import { showStudioScene, studioScenes } from './studio-scenes.js';

const [folder = join(packageRoot, 'dist', 'pictures', 'studio'), ...words] = process.argv.slice(2);
const chromium = [process.env.POSTERN_TEST_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!chromium) throw new Error('Chromium was not found: install it, or set POSTERN_TEST_CHROMIUM to its path.');
mkdirSync(folder, { recursive: true });
const double = await startStudioDouble();
const browser = await launchBrowser(chromium);
let taken = 0;
for (const scene of studioScenes.filter(({ name }) => !words.length || words.some((word) => name.includes(word)))) {
  const { context, page, faults } = await openBrowser(browser, double.url, { viewport: { width: 1280, height: 800 } });
  try {
    await showStudioScene(page, double, scene);
    for (const [width, colorScheme] of [
      [1280, 'light'],
      [1280, 'dark'],
      [820, 'light'],
    ] as const) {
      await page.setViewportSize({ width, height: width === 820 ? 1180 : 800 });
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.screenshot({ path: join(folder, `${scene.name}-${width}-${colorScheme}.png`) });
      taken++;
    }
  } catch (error) {
    process.stdout.write(`  ${scene.name}: ${(error as Error).message.split('\n')[0]}\n`);
    await page.screenshot({ path: join(folder, `${scene.name}-failed.png`) });
  }
  for (const fault of new Set(faults)) process.stdout.write(`  ${scene.name}: ${fault}\n`);
  await context.close();
}
await browser.close();
await double.close();
process.stdout.write(`  ${taken} pictures in ${resolve(folder)}\n`);
