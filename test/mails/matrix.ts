/**
 * Takes a picture of every mail in every language, in all its variants, and makes one page of them to look through:
 * `npm run templates:matrix -- [--to folder] [--templates folder] [words …]`. The folders are `matrix` and `templates`
 * unless told; words are keys and locales, of which all are taken where none is named: `id ar ticket-replied`.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright-core';
import { packageRoot } from '../../src/config.js';
import { templateKeys } from '../../src/templates/values.js';
import { launchBrowser } from '../support/browser.js';
import { darkened, mailsIn, type MailVariant, openCatalogue, variants } from './variants.js';

/** One key in one locale: all its variants in one picture. */
interface Sheet {
  locale: string;
  key: string;
  mails: MailVariant[];
}

const AT_ONCE = 2;
const { values: options, positionals: words } = parseArgs({
  allowPositionals: true,
  options: {
    to: { type: 'string', default: 'matrix' },
    templates: { type: 'string', default: join(packageRoot, 'templates') },
  },
});
const folder = resolve(options.to);
const catalogue = openCatalogue({ templatesDir: options.templates });
const known = [...templateKeys, ...catalogue.availableLocales];
const unknown = words.filter((word) => !known.includes(word));
if (unknown.length) throw new Error(`"${unknown.join('", "')}" is neither a mail nor a language: ${known.join(', ')}`);
const named = <T extends string>(all: readonly T[]) => {
  const wanted = all.filter((one) => words.includes(one));
  return wanted.length ? wanted : all;
};
const locales = named(catalogue.availableLocales);
const keys = named(templateKeys);
const sheets = locales.flatMap((locale) => {
  const mails = mailsIn(catalogue, locale, options.templates);
  return keys
    .map((key): Sheet => ({ locale, key, mails: mails.filter((mail) => mail.key === key) }))
    .filter((sheet) => sheet.mails.length > 0);
});

const chromium = [process.env.POSTERN_TEST_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!chromium) throw new Error('Chromium was not found: install it, or set POSTERN_TEST_CHROMIUM to its path.');
for (const locale of locales) mkdirSync(join(folder, locale), { recursive: true });
const startedAt = Date.now();
let done = 0;
const browser = await launchBrowser(chromium);
try {
  const waiting = sheets.values();
  await Promise.all(Array.from({ length: AT_ONCE }, () => takeAll(waiting)));
} finally {
  await browser.close();
}
writeFileSync(join(folder, 'index.html'), contactSheet());
process.stdout.write(`\n  ${done * variants.length} pictures of ${done} mails: ${join(folder, 'index.html')}\n`);

async function takeAll(waiting: Iterable<Sheet>): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1540, height: 1000 } });
  for (const sheet of waiting) {
    await take(page, sheet);
    tell(`${sheet.locale}/${sheet.key}`, ++done);
  }
  await page.close();
}

async function take(page: Page, { locale, key, mails }: Sheet): Promise<void> {
  const html = sheetHtml(locale, key, mails);
  const path = join(folder, locale, key);
  writeFileSync(`${path}.html`, html);
  await page.setContent(html, { waitUntil: 'load' });
  await page.screenshot({ path: `${path}.png`, fullPage: true });
}

function tell(name: string, count: number): void {
  const seconds = (Date.now() - startedAt) / 1000;
  const left = Math.ceil((seconds / count) * (sheets.length - count));
  const line = `  ${String(count).padStart(4)}/${sheets.length}  ${Math.round(seconds)} s, ${left} s left  ${name}`;
  process.stdout.write(process.stdout.isTTY ? `\r${line.padEnd(79)}` : `${line}\n`);
}

/** Each variant in a frame of its own, so that no style of one reaches another and `max-width` means its own width. */
function sheetHtml(locale: string, key: string, mails: readonly MailVariant[]): string {
  const figures = mails.map(({ variant, mail }) => {
    const caption = `<figcaption>${variant.name}</figcaption>`;
    const style = `style="width:${variant.width}px"`;
    if (variant.name === 'text')
      return `<figure>${caption}<pre ${style} dir="auto" lang="${locale}">${escaped(mail.text)}</pre></figure>`;
    const html = variant.name === 'dark' ? darkened(mail.html) : mail.html;
    return `<figure>${caption}<iframe ${style} title="${variant.name}" srcdoc="${escaped(html)}"></iframe></figure>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${key} ${locale}</title><style>
body{margin:16px;background:#c9ced4;font:14px/20px system-ui,sans-serif}h1{font-size:16px;margin:0 0 12px}
main{display:flex;flex-wrap:wrap;gap:16px;align-items:start}figure{margin:0}figcaption{padding-bottom:4px}
iframe,pre{display:block;border:0;background:#fff}pre{box-sizing:border-box;margin:0;padding:24px;white-space:pre-wrap;
overflow-wrap:anywhere;font:14px/21px system-ui,sans-serif}</style>
<h1>${locale} · ${key} · <bdi>${escaped(mails[0]!.mail.subject)}</bdi></h1><main>${figures.join('')}</main><script>
addEventListener('load', () => { for (const frame of document.querySelectorAll('iframe'))
frame.style.height = frame.contentDocument.documentElement.scrollHeight + 'px'; });</script></html>`;
}

/** All sheets, chosen by two lists; a picture opens the living mails behind it. */
function contactSheet(): string {
  const list = (name: string, all: readonly string[]) =>
    `<label>${name} <select name="${name}"><option value="">all</option>${all.map((one) => `<option>${one}</option>`).join('')}</select></label>`;
  const figures = sheets.map(
    ({ locale, key }) =>
      `<figure data-language="${locale}" data-mail="${key}"><figcaption>${locale} · ${key}</figcaption>` +
      `<a href="${locale}/${key}.html"><img loading="lazy" src="${locale}/${key}.png" alt="${key} in ${locale}"></a></figure>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Mails: ${keys.length} in ${locales.length} languages</title><style>
body{margin:0;background:#eceef0;color:#1a1f24;font:14px/20px system-ui,sans-serif}
form{position:sticky;top:0;display:flex;flex-wrap:wrap;gap:16px;align-items:center;padding:12px 16px;background:#fff;border-bottom:1px solid #d5d9de}
select{font:inherit;padding:8px;min-height:44px}main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,480px),1fr));gap:16px;padding:16px}
figure{margin:0}figcaption{padding-bottom:4px}img{display:block;width:100%;min-height:200px}[hidden]{display:none}</style>
<form>${list('language', locales)}${list('mail', keys)}<output></output></form><main>${figures.join('\n')}</main><script>
const form = document.forms[0];
const figures = [...document.querySelectorAll('figure')];
const choose = () => {
  const { language, mail } = Object.fromEntries(new FormData(form));
  for (const figure of figures)
    figure.hidden = (language && figure.dataset.language !== language) || (mail && figure.dataset.mail !== mail);
  document.querySelector('output').value = figures.filter((figure) => !figure.hidden).length + ' mails';
  history.replaceState(null, '', '#' + new URLSearchParams({ language, mail }));
};
for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
  for (const option of form.elements[name]?.options ?? []) if (option.value === value) option.selected = true;
form.addEventListener('input', choose);
choose();</script></html>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
