import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { desktop, phone } from '../support/browser.js';

/** How somebody uses a page; fields and buttons are found as they are read out. */
export interface Hands {
  name: string;
  browser: BrowserContextOptions;
  press(page: Page, button: string): Promise<void>;
  /** As a keyboard's suggestion or the clipboard puts it in: all at once. */
  paste(page: Page, field: string, text: string): Promise<void>;
  attach(page: Page, field: string, path: string): Promise<void>;
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const field = (page: Page, name: string) => page.getByLabel(name, { exact: true });

const finger: Omit<Hands, 'name' | 'browser'> = {
  press: (page, name) => button(page, name).tap(),
  paste: async (page, name, text) => {
    await field(page, name).tap();
    await page.keyboard.insertText(text);
  },
  attach: (page, name, path) => field(page, name).setInputFiles(path),
};

const keyboard: Omit<Hands, 'name' | 'browser'> = {
  press: async (page, name) => {
    await tabTo(page, button(page, name));
    await page.keyboard.press('Enter');
  },
  paste: async (page, name, text) => {
    await tabTo(page, field(page, name));
    await page.keyboard.insertText(text);
  },
  attach: async (page, name, path) => {
    // Asked for early: Chromium must know before the key comes that nobody will click through a window of its own.
    const chooser = page.waitForEvent('filechooser');
    await tabTo(page, field(page, name));
    await page.keyboard.press('Enter');
    await (await chooser).setFiles(path);
  },
};

export const allHands: Hands[] = [
  { name: 'on a phone', browser: phone, ...finger },
  { name: 'on a phone without JavaScript', browser: { ...phone, javaScriptEnabled: false }, ...finger },
  { name: 'by keyboard only', browser: desktop, ...keyboard },
];

/** Walks on from where the focus is, as the Tab key does, and wants to see where it has come. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.waitFor({ state: 'attached' });
  for (let steps = 0; steps < 60; steps++) {
    if (await target.evaluate((element) => element === element.ownerDocument.activeElement)) return showsFocus(target);
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never comes to ${String(target)}`);
}

/** The focus ring stands on the element, or, where that one is hidden, on the label that stands for it. */
async function showsFocus(target: Locator): Promise<void> {
  const ringed = await target.evaluate((element) => {
    const labels = [...((element as HTMLInputElement).labels ?? [])];
    return [element, ...labels].some((each) => {
      const { outlineStyle, outlineWidth, opacity } = getComputedStyle(each);
      return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && opacity !== '0';
    });
  });
  if (!ringed) throw new Error(`nothing shows that the focus is on ${String(target)}`);
}
