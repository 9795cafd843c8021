import type { Page } from 'playwright-core';
import { assetOf, brandCss, loadAssets } from '../../src/portal/page-files.js';
import { shared, type Sample } from './page-samples.js';
import type { GuestPages } from '../../src/portal/pages.js';

const ORIGIN = 'http://pages.postern.test';

/** Shows a sample page in a browser without a gateway: the page and its files come from memory. */
export async function pageShower(page: Page, pages: GuestPages, templatesDir: string) {
  const named = loadAssets(templatesDir);
  const colours = { accent: '#0e6b5a', accentDark: '#62cdb2' };
  const brandStyle = assetOf('brand-default.css', Buffer.from(brandCss(colours)));
  const files = new Map([...named.values(), brandStyle].map((asset) => [asset.path, asset]));
  let html = '';
  await page.route(`${ORIGIN}/**`, (route) => {
    const file = files.get(new URL(route.request().url()).pathname);
    return route.fulfill(
      file ? { contentType: file.type, body: file.content } : { contentType: 'text/html; charset=utf-8', body: html },
    );
  });
  const path = (name: string) => named.get(name)!.path;
  const view = {
    ...shared({ brand: { name: 'Postern Support', ...colours, logo: null } }),
    assets: {
      style: path('postern.css'),
      script: path('postern.js'),
      icon: path('favicon.svg'),
      brandStyle: brandStyle.path,
    },
  };
  return async ([, name, values]: Sample, locale: string): Promise<void> => {
    html = pages.render(name, locale, values as never, view);
    await page.goto(`${ORIGIN}/shown`);
  };
}
