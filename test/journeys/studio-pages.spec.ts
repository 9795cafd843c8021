import axe from 'axe-core';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { packageRoot } from '../../src/config.js';
import { describeInBrowser, launchBrowser, openBrowser, type TestBrowser } from '../support/browser.js';
import { createGateway } from '../support/gateway.js';
import { wordsHash } from '../../src/templates/words-texts.js';
import { aThird, within } from '../support/long.js';
import { change, count } from '../support/tables.js';
import { startOpenIdProvider } from '../support/openid.js';
import { firstToken, inviteToStudio, studioPerson, tokenMailedTo } from '../support/studio.js';
import { startStudioDouble, type StudioDouble } from './studio-double.js';
import { showStudioScene, studioScenes } from './studio-scenes.js';

const wide: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' };
const KB = 1024;
const words = '/studio/words/ticket-replied/de';
const place = 'ticket-replied/de';

/** The pages themselves, in a browser. Behind them is a double of the API: the API has tests of its own. */
describeInBrowser('the studio’s pages, on a double of its API', () => {
  let browser: Browser;
  let double: StudioDouble;
  let visitor: TestBrowser;
  let page: Page;
  beforeAll(async () => {
    double = await startStudioDouble();
    browser = await launchBrowser();
  });
  beforeEach(async () => {
    double.reset();
    visitor = await openBrowser(browser, double.url, wide);
    ({ page } = visitor);
  });
  afterEach(async () => {
    await visitor.context.close();
    expect(visitor.faults).toEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    await double.close();
  });

  it.each(aThird(studioScenes))('is readable for everybody, on a tablet too: $name', async (scene) => {
    await showStudioScene(page, double, scene);
    await page.evaluate(axe.source);
    expect(await violations(page)).toEqual([]);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await violations(page, ['color-contrast'])).toEqual([]);
    await page.setViewportSize({ width: 820, height: 1180 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(820);
  });

  it('is small: 300 KB in all, the board 120 KB', async () => {
    const assets = join(packageRoot, 'dist', 'studio', 'assets');
    const sizes = readdirSync(assets).map((name) => (name.endsWith('.br') ? statSync(join(assets, name)).size : 0));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(300 * KB);
    const sent: Promise<number>[] = [];
    page.on('requestfinished', (request) => {
      if (request.url().includes('/assets/')) sent.push(request.sizes().then((size) => size.responseBodySize));
    });
    await page.goto(`${double.url}/studio`);
    await page.getByRole('grid').waitFor();
    await page.waitForLoadState('networkidle');
    const loaded = (await Promise.all(sent)).reduce((sum, size) => sum + size, 0);
    expect(loaded).toBeGreaterThan(10 * KB);
    expect(loaded).toBeLessThan(120 * KB);
  });

  it('can be used within a second', async () => {
    const times: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const from = Date.now();
      await page.goto(`${double.url}/studio`);
      await page.getByRole('grid').waitFor();
      times.push(Date.now() - from);
    }
    expect(Math.min(...times)).toBeLessThan(within(1000));
  });

  it('shows in the preview what was typed, within 150 ms', async () => {
    await openEditor();
    await page.keyboard.press('Control+End');
    const times: number[] = [];
    for (let turn = 0; turn < 9; turn++) {
      // It listens before the key is pressed.
      const watching = await page.evaluateHandle(() => {
        const frames = document.querySelector('.frames')!;
        const shown = new Promise<number>((resolve) => {
          let from = 0;
          addEventListener('keydown', (event) => (from = event.timeStamp), { capture: true, once: true });
          new MutationObserver((_changes, observer) => {
            observer.disconnect();
            resolve(performance.now() - from);
          }).observe(frames, { attributeFilter: ['data-shows'] });
        });
        return { shown };
      });
      await page.keyboard.type('x');
      times.push(await watching.evaluate(({ shown }) => shown));
    }
    const [median] = times.sort((a, b) => a - b).slice(4);
    expect(median).toBeLessThan(within(150));
    const inside = page.frameLocator('.frame:not(.frame--behind)').locator('body');
    await inside.getByText('xxxxxxxxx').waitFor();
  });

  it('goes the whole way by the keyboard: passkey, board, words, publishing, back again', async () => {
    double.isOpen = false;
    await withAuthenticator(page);
    await page.goto(`${double.url}/studio/invitation#${double.token}`);
    await page.getByRole('button', { name: 'Make a passkey' }).waitFor();
    expect(page.url()).not.toContain(double.token);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('grid').waitFor();
    await visitor.context.clearCookies();
    await page.goto(`${double.url}${words}`);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${words}`);

    await page.goto(`${double.url}/studio`);
    await page.getByRole('link', { name: /^Ticket received, Arabic/ }).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${words}`);
    await page.locator('.frames[data-shows]').waitFor();
    await tabTo('Support replied in German');
    await page.keyboard.press('Control+End');
    await page.keyboard.type('Viele Grüße');
    await page.keyboard.press('Control+s');
    await page.getByText(/^Saved \d/).waitFor();
    await page.keyboard.press('Control+Enter');
    await page.getByLabel('Why').waitFor();
    await page.keyboard.type('Friendlier');
    await page.getByRole('button', { name: 'Publish now', disabled: false }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('Published: the next mail says it').waitFor();
    const [published] = double.publications.get(place)!;
    expect(published).toMatchObject({ why: 'Friendlier', kind: 'publish' });
    expect(published!.text).toMatch(/Viele Grüße$/);

    await tabTo('History');
    await page.keyboard.press('Enter');
    await page.getByText('counts now', { exact: true }).waitFor();
    await tabTo('Roll back to this');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByLabel('Why').waitFor();
    await page.keyboard.type('Too friendly');
    await page.keyboard.press('Enter');
    await page.getByText('Rolled back: the next mail says it').waitFor();
    expect(double.publications.get(place)![0]).toMatchObject({ kind: 'rollback', why: 'Too friendly' });
  });

  it('loses nothing when two write the same words', async () => {
    await openEditor();
    await type('Mine');
    await page.getByText(/^Saved \d/).waitFor();
    const draft = double.drafts.get(place)!;
    double.drafts.set(place, { ...draft, version: 2, by: 'Jonas Weber', text: draft.text.replace('Mine', 'Theirs') });
    await type(' too');
    await page.getByRole('heading', { name: 'Jonas Weber changed this too' }).waitFor();
    expect(double.drafts.get(place)!.text).toContain('Theirs');
    // Whoever was writing goes on in their own words.
    await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Your words');
    await page.keyboard.press('Control+End');
    await page.keyboard.type(' and Theirs');
    await page.getByRole('button', { name: 'Save what is on the right' }).click();
    await page.getByText(/^Saved \d/).waitFor();
    expect(double.drafts.get(place)).toMatchObject({ version: 3, by: 'Ayu Pratiwi' });
    expect(double.drafts.get(place)!.text).toContain('Mine too and Theirs');
  });

  it('keeps what is typed while nothing can be reached, over a reload too', async () => {
    await openEditor();
    double.isCut = true;
    await type('Written on a train');
    await page.getByText('Kept in this browser').waitFor();
    expect(double.drafts.size).toBe(0);
    double.isCut = false;
    await page.reload();
    await page.getByText('words that were never saved').waitFor();
    await page.getByText(/^Saved \d/).waitFor();
    expect(double.drafts.get(place)!.text).toContain('Written on a train');
    // Cut connections are what this journey is about.
    visitor.faults.length = 0;
  });

  it('says why words are refused, and mends a slip with one click', async () => {
    await openEditor();
    await type('Good words');
    await page.getByText(/^Saved \d/).waitFor();
    await type('{{{ticketNumber}}}');
    await page.getByText(/^Kept in this browser until line \d+ is mended$/).waitFor();
    await problems().getByText('1 problem: the draft stays as it was until this is mended').waitFor();
    expect(double.drafts.get(place)!.text).toMatch(/Good words$/);
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+End');
    await type(' {{ticketNumer}}');
    await problems().getByRole('button', { name: 'write ticketNumber' }).click();
    await page.getByText('✓ No problems').waitFor();
    await page.getByText(/^Saved \d/).waitFor();
    expect(double.drafts.get(place)!.text).toContain('{{ticketNumber}}');
  });

  it('is calm while something is half typed, and keeps it', async () => {
    await openEditor();
    await type('{{{ticketNumber}}}');
    await page.getByText('Kept in this browser until line').waitFor();
    await problems().getByText('the draft stays as it was').waitFor();
    await page.evaluate(() => {
      const said: string[] = [];
      const [saving, sum] = [document.querySelector('.saving')!, document.querySelector('.problems__sum')!];
      const listen = () => said.push(`${saving.textContent}; ${sum.textContent}`);
      new MutationObserver(listen).observe(saving, { subtree: true, characterData: true, childList: true });
      new MutationObserver(listen).observe(sum, { subtree: true, characterData: true, childList: true });
      Object.assign(globalThis, { said });
    });
    await page.keyboard.type(' and more {', { delay: 40 });
    await page.waitForResponse((answer) => answer.url().includes('/drafts/') && answer.status() === 422);
    expect(await page.evaluate(() => (globalThis as unknown as { said: string[] }).said)).toEqual([]);
    await page.reload();
    await page.getByText('words that were never saved').waitFor();
    await page.getByRole('textbox', { name: 'Support replied in German' }).getByText('and more {').waitFor();
  });

  it('puts back what was lost of a mail, with one click', async () => {
    await openEditor();
    await page.keyboard.press('Control+a');
    await page.keyboard.press('Delete');
    await page.keyboard.insertText('---\nsubject:\npreheader: a\nheading: b\n---\nWords.\n');
    await problems()
      .getByRole('button', { name: /^put “Neue Antwort .* back$/ })
      .click();
    await problems().getByRole('button', { name: 'put “Antwort lesen” back', disabled: false }).click();
    await page.getByText('✓ No problems').waitFor();
    await page.getByText(/^Saved \d/).waitFor();
    expect(double.drafts.get(place)!.text).toMatch(/^---\nsubject: Neue.*\n.*\n.*\nbutton: Antwort lesen\n---\nWords/);
  });

  it('runs nothing in a preview, and asks nobody else for anything', async () => {
    const evil = `<script>top.hacked = 1</script><img src="https://evil.example/x.png" onerror="top.hacked = 1"><base href="https://evil.example"><iframe src="/studio"></iframe><p style="background: url(https://evil.example/y.png)">Hello</p>`;
    double.drafts.set('pages/en', {
      ...{ text: JSON.stringify({ 'landing.title': evil }), version: 1, base: 'shipped:1', state: 'draft' },
      ...{ by: 'Jonas Weber', at: new Date().toISOString(), note: '', publishAt: null },
    });
    await page.goto(`${double.url}/studio/words/pages/en`);
    await page.locator('.frames[data-shows]').waitFor();
    const frame = page.locator('.frame:not(.frame--behind)');
    await frame.contentFrame().getByText('Hello').waitFor();
    expect(await frame.getAttribute('sandbox')).toBe('');
    expect(await frame.contentFrame().locator('script, iframe, base, [onerror]').count()).toBe(0);
    expect(await page.evaluate(() => 'hacked' in globalThis)).toBe(false);
    // What the policy stops it says; nothing was sent.
    const said = visitor.faults.splice(0);
    expect(said.filter((fault) => fault.startsWith('request'))).toEqual([]);
    expect(said.filter((fault) => !fault.includes('Content Security Policy'))).toEqual([]);
  });

  it('completes what these words may name', async () => {
    await openEditor();
    await type('{{greet');
    await page.getByRole('option', { name: /greetingName/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText(/^Saved \d/).waitFor();
    expect(double.drafts.get(place)!.text).toMatch(/\{\{greetingName\}\}$/);
  });

  it('offers to each what they may do, and asks a second person where that is wanted', async () => {
    double.me.roles = [{ brand: '*', role: 'editor' }];
    await openEditor();
    await type('Mine');
    await page.getByRole('button', { name: 'Ask for review' }).waitFor();
    expect(await page.getByRole('button', { name: 'Publish…' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'People' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Ask for review' }).click();
    await page.getByLabel('Note for the reviewer').fill('Please look');
    await page.getByRole('dialog').getByRole('button', { name: 'Ask for review', disabled: false }).click();
    await page.getByText('Sent to review').waitFor();
    expect(double.drafts.get(place)).toMatchObject({ state: 'submitted', note: 'Please look' });

    double.me.roles = [{ brand: '*', role: 'publisher' }];
    double.settings.secondPerson = true;
    await page.goto(`${double.url}/studio/reviews`);
    await page.getByRole('button', { name: 'Publish…' }).click();
    await page.getByText('Somebody else publishes what you wrote.').waitFor();
    expect(await page.getByRole('button', { name: 'Publish now' }).isDisabled()).toBe(true);
  });

  it('mails the words to oneself, with the sample that is looked at', async () => {
    await openEditor();
    await page.getByLabel('Sample').selectOption({ index: 1 });
    await page.getByRole('button', { name: 'Mail it to me' }).click();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByText('A test mail is on its way to ayu@acme.example').waitFor();
    expect(double.sentTests).toEqual([expect.objectContaining({ key: 'ticket-replied', locale: 'de', sample: 1 })]);
  });

  const problems = () => page.getByRole('region', { name: 'Problems' });

  async function openEditor(): Promise<void> {
    await page.goto(double.url + words);
    await page.locator('.frames[data-shows]').waitFor();
    await page.getByRole('textbox', { name: 'Support replied in German' }).focus();
  }

  async function type(text: string): Promise<void> {
    await page.getByRole('textbox', { name: 'Support replied in German' }).focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type(text);
  }

  /** Tab goes through the whole page, so it comes by everything. */
  async function tabTo(name: string): Promise<void> {
    for (let turn = 0; turn < 80; turn++) {
      const here = await page.evaluate(() => {
        const { activeElement: one } = document;
        return one?.getAttribute('aria-label') ?? one?.textContent ?? '';
      });
      if (here === name) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`Tab never comes to "${name}"`);
  }
});

/** A gateway of its own, with Ada as its first admin in a browser. */
async function openStudio(settings: Record<string, string> = {}) {
  const browser = await launchBrowser();
  const test = await createGateway();
  // A browser keeps passkeys for names, not for addresses.
  const origin = test.url.replace('127.0.0.1', 'localhost');
  await test.restart({ PUBLIC_URL: origin, ...settings });
  const ada = await openBrowser(browser, origin, wide);
  await withAuthenticator(ada.page);
  await ada.page.goto(`${origin}/studio/first#${await firstToken(test)}`);
  await ada.page.getByLabel('Your name').fill('Ada');
  await ada.page.getByLabel('Your e-mail address').fill('ada@support.example');
  await ada.page.getByRole('button', { name: 'Make a passkey' }).click();
  await ada.page.getByRole('navigation', { name: 'Studio' }).waitFor();
  const close = async () => {
    await browser.close();
    await test.close();
  };
  return { browser, test, origin, ada, close };
}

describeInBrowser('the studio’s pages, on the real gateway', () => {
  let studio: Awaited<ReturnType<typeof openStudio>>;
  beforeAll(async () => {
    studio = await openStudio();
  });
  afterAll(() => studio.close());

  it('lets the first one in, who invites another, and both sign in by passkey', async () => {
    const { browser, test, origin, ada } = studio;
    const { page } = ada;
    await page.getByRole('link', { name: 'People' }).click();
    await page.getByLabel('E-mail address').fill('ben@support.example');
    await page.getByLabel('Name', { exact: true }).fill('Ben');
    await page.getByRole('button', { name: 'Send invitation' }).click();
    await page.getByRole('button', { name: 'Withdraw the invitation of Ben' }).waitFor();

    const ben = await openBrowser(browser, origin, wide);
    await withAuthenticator(ben.page);
    await ben.page.goto(`${origin}/studio/invitation#${tokenMailedTo(test, 'ben@support.example')}`);
    await ben.page.getByText('You are invited as editor under ben@support.example').waitFor();
    await ben.page.getByRole('button', { name: 'Make a passkey' }).click();
    await ben.page.getByRole('link', { name: 'Ben' }).click();
    await ben.page.getByRole('heading', { name: 'Your passkeys' }).waitFor();
    expect(await ben.page.getByRole('link', { name: 'People' }).count()).toBe(0);
    await ben.page.getByRole('button', { name: 'Sign out' }).click();
    await ben.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await ben.page.getByRole('link', { name: 'Ben' }).waitFor();
    expect(ben.faults).toEqual([]);
    await ben.context.close();

    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByText('invitation.used').first().waitFor();
    await page.getByText('person.invited').waitFor();
    expect(ada.faults).toEqual([]);
  });

  it('shows the own passkeys and sessions, and names them', async () => {
    const { origin, ada } = studio;
    const { page } = ada;
    await page.goto(`${origin}/studio/account`);
    await page.getByText('here', { exact: true }).waitFor();
    await page.getByRole('button', { name: /^Rename / }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Work laptop');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Work laptop').waitFor();
    expect(ada.faults).toEqual([]);
  });

  it('asks the device once more for what lasts, and goes on; another tab notices nothing', async () => {
    const { test, origin, ada } = studio;
    const { page } = ada;
    const tab = await ada.context.newPage();
    await tab.goto(`${origin}/studio/account`);
    await tab.getByRole('button', { name: /^Rename / }).click();
    await page.goto(`${origin}/studio/people`);
    await page.getByLabel('E-mail address').fill('eve@support.example');
    await page.getByLabel('Name', { exact: true }).fill('Eve');
    test.clock.advance({ minutes: 6 });
    const before = await count(test, 'studio_sessions');
    await page.getByRole('button', { name: 'Send invitation' }).click();
    await page.getByText('We mailed an invitation to eve@support.example').waitFor();
    await page.getByRole('button', { name: 'Withdraw the invitation of Eve' }).click();
    await page.getByText('eve@support.example', { exact: true }).waitFor({ state: 'detached' });
    expect(await count(test, 'studio_sessions')).toBe(before + 1);
    await tab.getByRole('textbox', { name: 'Name' }).fill('Home');
    await tab.getByRole('button', { name: 'Save' }).click();
    await tab.getByText('Home', { exact: true }).waitFor();
    await tab.close();
    // The answer that asked for the device, and the one to the other tab's old token.
    expect(ada.faults.splice(0)).toEqual([
      expect.stringMatching(/^403 .*invitations$/),
      expect.stringMatching(/^403 .*passkeys/),
    ]);
  });

  it('shows somebody of one brand the brands, and no words that they could not change', async () => {
    const { browser, test, origin } = studio;
    const admin = await studioPerson(test, 'admin', 'Root', origin);
    const who = { email: 'dan@support.example', name: 'Dan', brand: 'sample', role: 'publisher' };
    const token = await inviteToStudio(test, admin, who);
    const { context, page, faults } = await openBrowser(browser, origin, wide);
    await withAuthenticator(page);
    await page.goto(`${origin}/studio/invitation#${token}`);
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('heading', { name: 'The same mail in each brand' }).waitFor();
    await page.getByRole('button', { name: 'Sample Help', pressed: true }).waitFor();
    await page.getByRole('button', { name: 'Save' }).waitFor();
    await page.frameLocator('.frame:not(.frame--behind)').first().getByText('12345').first().waitFor();
    expect(await page.getByRole('navigation', { name: 'Studio' }).getByRole('link').allTextContents()).toEqual([
      'Brands',
    ]);
    await page.goto(`${origin}/studio/words/ticket-replied/en`);
    await page.getByText('Words belong to all brands').waitFor();
    expect(faults).toEqual([]);
    await context.close();
  });

  it('changes a brand, and says which colours nobody could read', async () => {
    const { origin, ada } = studio;
    const { page } = ada;
    await page.goto(`${origin}/studio/brands`);
    await page.getByLabel('Quiet text', { exact: true }).fill('#c0c6cc');
    await page.getByText(/needs 4\.5/).waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Not saved: mend what is marked.').waitFor();
    await page.getByRole('button', { name: /^Use #/ }).click();
    await page.getByLabel('Name', { exact: true }).fill('Ada’s Support');
    // A logo is saved at once, and takes nothing of that away.
    const file = { name: 'logo.png', mimeType: 'image/png', buffer: Buffer.from('no picture') };
    await page.getByLabel('New logo').setInputFiles(file);
    await page.getByText('Only a PNG, JPEG or WebP can be a logo.').waitFor();
    await page.getByLabel('New logo').setInputFiles({ ...file, buffer: await logoOf(page) });
    await page.getByRole('img', { name: /^Logo of / }).waitFor();
    await page.getByText('Version 1').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved: mails look like it in a few seconds').waitFor();
    await page.getByText('Version 2').waitFor();
    await page.getByText('Ada’s Support', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'Back to what was shipped' }).click();
    await page.getByText('Version 3').waitFor();
    expect(ada.faults).toEqual([]);
  });

  it('signs in by the organisation’s button whom it invited, to what they wanted, and tells all others why not', async () => {
    const { browser, test, origin } = studio;
    const provider = await startOpenIdProvider(`${origin}/studio/oidc/callback`);
    await test.restart(provider.settings);
    const admin = await studioPerson(test, 'admin', 'Olga', origin);
    await inviteToStudio(test, admin, { email: 'eve@support.example', name: 'Eve' });
    const { context, page, faults } = await openBrowser(browser, origin, wide);
    const button = page.getByRole('link', { name: 'Sign in with your organisation' });
    provider.account = { sub: 'mallory', email: 'mallory@support.example' };
    await page.goto(`${origin}/studio`);
    await button.click();
    await page.getByText('Only people who were invited come in').waitFor();
    await context.clearCookies();
    provider.account = { sub: 'eve', email: 'eve@support.example' };
    await page.goto(`${origin}/studio/words/ticket-closed/id`);
    await button.click();
    await page.getByRole('link', { name: 'Eve', exact: true }).waitFor();
    await page.waitForURL(`${origin}/studio/words/ticket-closed/id`);
    await context.clearCookies();
    await provider.close();
    await test.restart();
    await page.goto(`${origin}/studio`);
    await button.click();
    await page.getByText('Your organisation’s sign-in does not answer').waitFor();
    expect(faults.filter((fault) => !fault.startsWith(`request to ${provider.issuer}/`))).toEqual([]);
    await context.close();
  });
});

describeInBrowser('words, on the real gateway', () => {
  let studio: Awaited<ReturnType<typeof openStudio>>;
  beforeAll(async () => {
    studio = await openStudio();
  });
  afterAll(() => studio.close());

  it('count at once when they are published, and are taken back', async () => {
    const { origin, ada } = studio;
    const { page } = ada;
    await page.goto(`${origin}/studio`);
    await page.getByRole('link', { name: /^Support replied, English/ }).click();
    await page.locator('.frames[data-shows]').waitFor();
    await page.getByRole('textbox', { name: 'Support replied in English' }).focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('Written in the studio.');
    await page.getByText(/^Saved \d/).waitFor();
    await page.getByRole('button', { name: 'Publish…' }).click();
    await page.getByLabel('Why').fill('A sentence more');
    await page.getByRole('button', { name: 'Publish now', disabled: false }).click();
    await page.getByText('Published: the next mail says it').waitFor();
    await page.getByRole('link', { name: 'History' }).click();
    await page.locator('ins', { hasText: 'Written in the studio' }).waitFor();
    await page.getByRole('button', { name: 'Roll back to this' }).last().click();
    await page.getByLabel('Why').fill('Too much');
    await page.getByRole('button', { name: 'Roll back', exact: true }).click();
    await page.getByText('Rolled back: the next mail says it').waitFor();
    expect(ada.faults).toEqual([]);
  });
});

describeInBrowser('words that two people answer for, from the first sign-in to the next mail', () => {
  let studio: Awaited<ReturnType<typeof openStudio>>;
  beforeAll(async () => {
    studio = await openStudio({ STUDIO_SECOND_PERSON: 'on' });
  });
  afterAll(() => studio.close());

  const indonesian = '/studio/words/ticket-replied/id';
  const written = 'Jawaban kami sudah menunggu Anda.';
  let tickets = 0;
  /** What the next guest is mailed. */
  async function nextMail(): Promise<string> {
    const { test } = studio;
    const email = `guest-${++tickets}@example.com`;
    await test.source.send('ticket.replied', {
      ticket: { id: `words-${tickets}`, number: '12345' },
      requester: { email, locale: 'id' },
      message: {},
    });
    await test.drain();
    return test.inbox.messages.findLast(({ to }) => to.includes(email))!.text;
  }
  async function enrolPublisher(): Promise<TestBrowser> {
    const { browser, test, origin, ada } = studio;
    await ada.page.getByRole('link', { name: 'People' }).click();
    await ada.page.getByLabel('E-mail address').fill('ben@support.example');
    await ada.page.getByLabel('Name', { exact: true }).fill('Ben');
    await ada.page.getByLabel('Role', { exact: true }).selectOption('publisher');
    await ada.page.getByRole('button', { name: 'Send invitation' }).click();
    await ada.page.getByRole('button', { name: 'Withdraw the invitation of Ben' }).waitFor();
    const ben = await openBrowser(browser, origin, wide);
    await withAuthenticator(ben.page);
    await ben.page.goto(`${origin}/studio/invitation#${tokenMailedTo(test, 'ben@support.example')}`);
    await ben.page.getByRole('button', { name: 'Make a passkey' }).click();
    await ben.page.getByRole('grid').waitFor();
    return ben;
  }

  it('are written, looked at, published by the other one, in the next mail, and taken back', async () => {
    const { origin, ada } = studio;
    const { page } = ada;
    const before = await nextMail();
    expect(before).not.toContain(written);
    const ben = await enrolPublisher();

    await page.getByRole('link', { name: 'Board' }).click();
    await page.getByRole('link', { name: /^Support replied, Indonesian/ }).click();
    await page.waitForURL(origin + indonesian);
    await page.locator('.frames[data-shows]').waitFor();
    await page.getByRole('textbox', { name: 'Support replied in Indonesian' }).focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type(` ${written}`);
    await page.frameLocator('.frame:not(.frame--behind)').getByText(written).waitFor();
    await page.getByText(/^Saved \d/).waitFor();
    // Whoever wrote it cannot publish it.
    await page.getByRole('button', { name: 'Publish…' }).click();
    await page.getByText('Somebody else publishes what you wrote.').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Ask for review' }).click();
    await page.getByLabel('Note for the reviewer').fill('Friendlier?');
    await page.getByRole('dialog').getByRole('button', { name: 'Ask for review', disabled: false }).click();
    await page.getByText('Sent to review').waitFor();
    expect(await nextMail()).not.toContain(written);

    await ben.page.getByRole('link', { name: 'Reviews' }).click();
    await ben.page.getByText('Friendlier?').waitFor();
    await ben.page.locator('ins', { hasText: 'Jawaban kami sudah menunggu' }).waitFor();
    await ben.page.getByRole('button', { name: 'Publish…' }).click();
    await ben.page.getByLabel('Why').fill('Friendlier');
    await ben.page.getByRole('button', { name: 'Publish now', disabled: false }).click();
    await ben.page.getByText('Published: the next mail says it').waitFor();
    expect(await nextMail()).toContain(written);

    await ben.page.goto(`${origin}/studio/history/ticket-replied/id`);
    await ben.page.locator('ins', { hasText: 'Jawaban kami sudah menunggu' }).waitFor();
    await ben.page.getByRole('button', { name: 'Roll back to this' }).last().click();
    await ben.page.getByLabel('Why').fill('Too friendly');
    await ben.page.getByRole('button', { name: 'Roll back', exact: true }).click();
    await ben.page.getByText('Rolled back: the next mail says it').waitFor();
    expect(await nextMail()).not.toContain(written);

    await page.goto(`${origin}/studio/sent`);
    await page.getByLabel('Ticket number').fill('12345');
    await page.getByRole('button', { name: 'Find' }).click();
    await page
      .getByRole('button', { name: /^Support replied/ })
      .nth(1)
      .click();
    await page.frameLocator('.frame:not(.frame--behind)').getByText(written).waitFor();
    await page.goto(`${origin}/studio/audit`);
    for (const action of ['words.submitted', 'words.published', 'words.rolled-back', 'sent.shown'])
      await page.getByText(action).first().waitFor();
    expect([...ada.faults, ...ben.faults]).toEqual([]);
    await ben.context.close();
  });

  it('bring both together when somebody else saved meanwhile', async () => {
    const { test, origin, ada } = studio;
    const { page } = ada;
    const other = await studioPerson(test, 'editor', 'Cai', origin);
    await page.goto(`${origin}/studio/words/ticket-closed/id`);
    await page.locator('.frames[data-shows]').waitFor();
    const { text, base } = (await other.ask('GET', 'words/ticket-closed/id')).body;
    const given = { text: `${text.trimEnd()}\n\nDari Cai.\n`, version: 0, base };
    expect(await other.ask('PUT', 'drafts/ticket-closed/id', given)).toMatchObject({ status: 200 });
    await page.getByRole('textbox', { name: 'Ticket closed in Indonesian' }).focus();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('Dari Ada.');
    await page.getByRole('heading', { name: 'Cai changed this too' }).waitFor();
    await page.getByRole('button', { name: 'Take theirs' }).click();
    await page.getByText(/^Saved \d/).waitFor();
    expect((await other.ask('GET', 'words/ticket-closed/id')).body.draft.text).toContain('Dari Cai.');
    expect(ada.faults).toEqual([]);
  });
});

describeInBrowser('words that were shipped anew after an edit', () => {
  let studio: Awaited<ReturnType<typeof openStudio>>;
  beforeAll(async () => {
    studio = await openStudio();
  });
  afterAll(() => studio.close());

  it('are told of, compared, and brought together; then nothing is told any more', async () => {
    const { test, origin, ada } = studio;
    const { page } = ada;
    const editor = await studioPerson(test, 'publisher', 'Ben', origin);
    const { text, base } = (await editor.ask('GET', 'words/ticket-closed/id')).body;
    const edited = `${text.trimEnd()}\n\nDari Ben.\n`;
    await editor.ask('PUT', 'drafts/ticket-closed/id', { text: edited, version: 0, base });
    expect(await editor.ask('POST', 'drafts/ticket-closed/id/publish', { why: 'x' })).toMatchObject({ status: 200 });
    // As if the edit had begun from the words of an older version, with another heading.
    const older = text.replace(/^heading: .*$/m, 'heading: Lama');
    const hash = wordsHash(older);
    await change(
      test,
      `UPDATE template_revisions SET text = '${older.replaceAll("'", "''")}', hash = '${hash}' WHERE origin = 'shipped'`,
    );
    await change(test, `UPDATE template_publications SET shipped_hash = '${hash}'`);

    await page.goto(`${origin}/studio/words/ticket-closed/id`);
    await page.getByRole('button', { name: 'Compare and merge' }).click();
    await page.getByRole('region', { name: 'Where you began' }).getByText('heading: Lama').waitFor();
    await page.getByRole('button', { name: 'Put both into my draft' }).click();
    await page.getByText(/^Saved \d/).waitFor();
    expect((await editor.ask('GET', 'words/ticket-closed/id')).body.draft.text).toContain('Dari Ben.');
    const { cells } = (await editor.ask('GET', 'board')).body;
    expect(cells['ticket-closed'].id).toMatchObject({ state: 'draft', shippedChanged: false });
    await page.reload();
    await page.locator('.frames[data-shows]').waitFor();
    expect(await page.getByRole('button', { name: 'Compare and merge' }).count()).toBe(0);
    expect(ada.faults).toEqual([]);
  });
});

/** A security key that is touched at once. */
async function withAuthenticator(page: Page): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable');
  await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true },
    },
  });
}

/** A picture of the browser's own making. */
async function logoOf(page: Page): Promise<Buffer> {
  const base64 = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(200, 50);
    canvas.getContext('2d')!.fillRect(10, 10, 100, 30);
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    return btoa(String.fromCodePoint(...bytes));
  });
  return Buffer.from(base64, 'base64');
}

/** What axe finds wrong, with the element that has it. Previews have no scripts to find it with. */
function violations(page: Page, rules?: string[]): Promise<string[]> {
  return page.evaluate(async (only) => {
    const { axe: checker } = globalThis as unknown as { axe: typeof axe };
    const found = await checker.run(document, { iframes: false, ...(only ? { runOnly: only } : {}) });
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  }, rules);
}
