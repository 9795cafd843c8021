import { chromium, type Browser, type BrowserContextOptions, type BrowserContext, type Page } from 'playwright-core';

const path = process.env.POSTERN_TEST_CHROMIUM;

/** `describe` for what needs a browser. Without one it is left out, and the run has said so by then. */
export function describeInBrowser(name: string, tests: () => void): void {
  (path ? describe : describe.skip)(name, tests);
}

export function launchBrowser(executablePath = path): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A small phone, touched by a finger. */
export const phone: BrowserContextOptions = {
  viewport: { width: 360, height: 640 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
export const desktop: BrowserContextOptions = { viewport: { width: 1280, height: 800 } };

/** One person's browser. */
export interface TestBrowser {
  context: BrowserContext;
  page: Page;
  /**
   * What no page may do, in the order it was done: ask another origin for anything, break the Content-Security-Policy,
   * write an error to the console, throw, or miss something that it loads.
   */
  faults: string[];
}

/** A fresh browser profile that watches all its pages. `origin` is the only one they may speak to. */
export async function openBrowser(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = phone,
): Promise<TestBrowser> {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/London', ...options });
  context.setDefaultTimeout(10_000);
  const faults: string[] = [];
  context.on('request', (request) => {
    const { protocol, origin: asked } = new URL(request.url());
    if (!['data:', 'blob:', 'about:'].includes(protocol) && asked !== origin)
      faults.push(`request to ${request.url()}`);
  });
  // What the page's own policy stopped has reached nobody; the console says so.
  context.on('requestfailed', (request) => {
    const at = request.failure()?.errorText === 'csp' ? faults.indexOf(`request to ${request.url()}`) : -1;
    if (at >= 0) faults.splice(at, 1);
  });
  context.on('response', (response) => {
    // What the page's own script asks may be refused: a session that is over (401, 404), a draft
    // that somebody else changed (409), a file that is not taken (422).
    const isScripted = ['fetch', 'xhr', 'eventsource'].includes(response.request().resourceType());
    const isAnswer = isScripted && [401, 404, 409, 410, 422].includes(response.status());
    if (response.status() >= 400 && !isAnswer && !response.request().isNavigationRequest())
      faults.push(`${response.status()} for ${response.url()}`);
  });
  context.on('console', (message) => {
    // Chromium also writes one for each 4xx page, which is an answer like any other; files are watched above.
    if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
    faults.push(`console: ${message.text()}`);
  });
  context.on('weberror', (error) => faults.push(`thrown: ${error.error().message}`));
  return { context, page: await context.newPage(), faults };
}
