import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeShells } from '../support/shells.js';
import { htmlFaults } from '../support/valid-html.js';
import { isMailOfItsOwn, mailsIn, openCatalogue } from './variants.js';
import { someLocales } from '../support/some-locales.js';

const workspace = mkdtempSync(join(tmpdir(), 'postern-mails-'));
const shellsDir = join(workspace, 'shells');

beforeAll(() => writeShells(shellsDir));
afterAll(() => rmSync(workspace, { recursive: true }));

describe('the HTML of every mail', () => {
  it('is valid, in every language and variant', () => {
    const catalogue = openCatalogue({ shellsDir });
    const faults = someLocales(catalogue.availableLocales).flatMap((locale) =>
      mailsIn(catalogue, locale)
        .filter(isMailOfItsOwn)
        .flatMap(({ key, variant, mail }) =>
          htmlFaults(mail.html, 'mail').map((fault) => `${key}/${locale} ${variant.name} ${fault}`),
        ),
    );
    expect(faults).toEqual([]);
  });

  it('is small: a mail that a program cuts has lost its end', () => {
    const catalogue = openCatalogue({ shellsDir });
    for (const locale of catalogue.availableLocales)
      for (const { mail } of mailsIn(catalogue, locale)) expect(Buffer.byteLength(mail.html)).toBeLessThan(24_000);
  });

  it('offers its one link to the list of mails, and a code mail offers nothing there', () => {
    const catalogue = openCatalogue({ shellsDir });
    for (const { key, mail } of mailsIn(catalogue, 'en')) {
      const offered = [...mail.html.matchAll(/<a href="([^"]*)"[^>]*itemprop="target"/g)].map(([, href]) => href);
      if (key === 'access-code') expect(mail.html).not.toMatch(/itemprop|schema\.org/);
      else {
        expect(offered).toEqual([/class="button"[^]*?<a href="([^"]*)"/.exec(mail.html)![1]]);
        expect(mail.html.match(/itemtype="[^"]*"/g)).toEqual([
          'itemtype="http://schema.org/EmailMessage"',
          'itemtype="http://schema.org/ViewAction"',
        ]);
      }
    }
  });

  it('says nothing by its <style> alone: without it the light colours and every word stand', () => {
    const catalogue = openCatalogue({ shellsDir });
    for (const { mail } of mailsIn(catalogue, 'en')) {
      const bare = mail.html.replace(/<style>[^]*?<\/style>/g, '');
      expect(bare).toMatch(/<td class="card surface inner" style="[^"]*background-color:#ffffff/);
      // Each element that dark mode colours has its light colour on itself.
      const coloured = bare.match(/<\w+[^>]*class="(?:[^"]* )?(?:text|quiet|link|onaccent)(?: [^"]*)?"[^>]*>/g) ?? [];
      for (const tag of coloured) expect(tag).toMatch(/style="[^"]*(?<![-\w])color:#[0-9a-f]{6}/);
      expect(coloured.length).toBeGreaterThan(4);
    }
  });
});
