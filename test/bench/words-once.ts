// Measures one folder of templates and says what it found as JSON: see words.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createElement } from 'react';
import { render } from 'react-email';
import { GuestPages } from '../../src/portal/pages.js';
import { loadBrand } from '../../src/templates/brand.js';
import { TemplateCatalogue } from '../../src/templates/catalogue.js';
import { readSamples } from '../../src/templates/samples.js';
import { templateKeys } from '../../src/templates/values.js';
import Notification from '../../templates/layouts/notification.js';
import type { WordsFigures } from './words.js';

const [templatesDir = '', shellsDir = ''] = process.argv.slice(2);
/** Any value that a sentence may want. */
const VALUES = Object.fromEntries(
  'brand title clock day number address reference tries time seconds subject count name each kinds total percent size max alive hours minutes errorId'
    .split(' ')
    .map((name) => [name, 2]),
);
const RENDERS = 20_000;
const REACT_RENDERS = 100;

/** Bytes that are kept: the heap after a collection, and what lies outside of it. */
function kept(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const before = kept();
const startedAt = performance.now();
const catalogue = TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale: 'en' });
const pages = GuestPages.load({ templatesDir, defaultLocale: 'en' });
const startMs = performance.now() - startedAt;

const keys = Object.keys(JSON.parse(readFileSync(join(templatesDir, 'pages', 'en.json'), 'utf8')) as object);
const brand = loadBrand(templatesDir, 'default');
for (const locale of catalogue.availableLocales) {
  for (const key of templateKeys)
    for (const { values } of readSamples(templatesDir, key, brand)) catalogue.encode(key, locale, values).parts();
  for (const key of keys) pages.sentence(locale, key, VALUES);
}
const loadedMib = (kept() - before) / 1024 / 1024;

const [sample] = readSamples(templatesDir, 'ticket-replied', brand);
const renderUs = timed(RENDERS, () => catalogue.encode('ticket-replied', 'en', sample!.values).parts());
let reactUs = 0;
for (let round = -REACT_RENDERS / 4; round < REACT_RENDERS; round++) {
  const from = performance.now();
  // Both parts, as ours: the letter is made of the page.
  await render(createElement(Notification));
  await render(createElement(Notification), { plainText: true });
  if (round >= 0) reactUs += ((performance.now() - from) * 1000) / REACT_RENDERS;
}
const figures: WordsFigures = { startMs, loadedMib, renderUs, reactUs };
process.stdout.write(JSON.stringify(figures));

function timed(times: number, work: () => unknown): number {
  for (let i = 0; i < times / 4; i++) work();
  const from = performance.now();
  for (let i = 0; i < times; i++) work();
  return ((performance.now() - from) * 1000) / times;
}
