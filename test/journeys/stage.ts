import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { join } from 'node:path';
import type { StoredMail } from '../../demo/inbox.js';
import { startTicketSystem, type TicketSystem } from '../../demo/ticket-system.js';
import { packageRoot } from '../../src/config.js';
import { GuestPages } from '../../src/portal/pages.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { launchBrowser, openBrowser, type TestBrowser } from '../support/browser.js';
import { createGateway, type TestGateway, type TestGatewayOptions } from '../support/gateway.js';
import { codeOf, linkOf } from '../support/mail.js';
import { startReceiver, type ReceivedPost, type Receiver } from '../support/receiver.js';

/** The whole cast of a journey: the gateway, the ticket system behind it, Chromium before it. */
export interface Stage {
  test: TestGateway;
  desk: TicketSystem;
  /** The way of our webhooks to the ticket system, where a journey may stand in their way by `answer`. */
  road: Receiver;
  browser: Browser;
  /** Lets webhooks through to the ticket system, as at the start. */
  clearRoad(): void;
  /** A fresh browser profile; the default is a phone. */
  open(options?: BrowserContextOptions): Promise<TestBrowser>;
  /** Works until nothing is due here, and the ticket system has done its part, echoes included. */
  settle(): Promise<void>;
  /** What any page did that none may. */
  faults(): string[];
  close(): Promise<void>;
}

/** With `ownPage` the ticket system has its own page for guests, of which the gateway's source `own-page` knows. */
export async function setStage(
  { ownPage, ...options }: TestGatewayOptions & { ownPage?: { handoff: 'token' | 'jwt' } } = {},
  chromiumPath?: string,
): Promise<Stage> {
  const [secret, outboundSecret] = [generateWebhookSecret(), generateWebhookSecret()];
  const ownPageSource = ownPage ? 'own-page' : undefined;
  const desk = await startTicketSystem({ port: 0, secret, outboundSecret, retrySeconds: [], ownPageSource });
  const road = await startReceiver();
  const folder = mkdtempSync(join(tmpdir(), 'postern-stage-'));
  const settings: Record<string, string> = { SOURCE_SECRET: secret };
  if (ownPage) {
    const source = { secrets: [secret], outbound: { url: road.url, secret: outboundSecret } };
    const sources = [
      { name: 'default', ...source },
      { name: 'own-page', ticketPage: desk.ticketPage, ...ownPage, ...source },
    ];
    settings.SOURCES_FILE = join(folder, 'sources.yaml');
    writeFileSync(settings.SOURCES_FILE, JSON.stringify({ sources })); // JSON is YAML
  } else Object.assign(settings, { OUTBOUND_URL: road.url, OUTBOUND_SECRET: outboundSecret });
  const test = await createGateway({ clockRuns: true, ...options, settings: { ...settings, ...options.settings } });
  const browser = await launchBrowser(chromiumPath);
  desk.gatewayUrl = test.url;
  const opened: TestBrowser[] = [];
  const stage: Stage = {
    test,
    desk,
    road,
    browser,
    clearRoad: () => {
      road.answer = (post, response) => {
        void passOn(post, desk.outboundUrl).then((status) => response.writeHead(status).end());
      };
    },
    open: async (contextOptions) => {
      const one = await openBrowser(browser, test.url, contextOptions);
      opened.push(one);
      return one;
    },
    settle: async () => {
      await test.drain();
      await desk.settled();
      await test.drain();
    },
    faults: () => opened.flatMap(({ faults }) => faults),
    close: async () => {
      await browser.close();
      await test.close();
      await desk.close();
      await road.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  stage.clearRoad();
  return stage;
}

async function passOn({ headers, body }: ReceivedPost, url: string): Promise<number> {
  const kept = Object.entries(headers).filter(([name]) => name === 'content-type' || name.startsWith('webhook-'));
  return (await fetch(url, { method: 'POST', headers: kept as [string, string][], body })).status;
}

const pages = GuestPages.load({ templatesDir: join(packageRoot, 'templates'), defaultLocale: 'en' });

/** The pages' own sentence, so that a journey holds whatever the words are. */
export const say = (locale: string, key: string, values?: Record<string, string | number>): string =>
  pages.sentence(locale, key, values);

/** The next mail with a ticket link to somebody that no earlier call got. */
export function nextTicketMail({ test }: Stage, email: string): Promise<StoredMail> {
  return test.inbox.nextMailTo(email, { matching: ({ text }) => text.includes('/t/') });
}

export function nextCodeMail({ test }: Stage, email: string): Promise<StoredMail> {
  return test.inbox.nextMailTo(email, { matching: ({ text }) => !text.includes('/t/') });
}

/** The mailed link as a whole address. */
export function addressOf({ test }: Stage, mail: StoredMail): string {
  return test.url + linkOf(mail);
}

/** A guest of a ticket of their own, whose browser shows it. */
export interface Arrived extends TestBrowser {
  email: string;
  link: string;
  /** Path of the ticket page. */
  ticketPath: string;
}

let people = 0;

/** Tells somebody of a ticket, by our own source's event or the ticket system's, and gives the mailed link. */
export async function invite(
  stage: Stage,
  given: { email?: string; locale?: string; ticket?: object; message?: object; data?: object } = {},
): Promise<{ email: string; link: string }> {
  const number = ++people;
  const { email = `guest-${number}@example.com`, locale = 'en', message = {}, data } = given;
  const ticket = { id: `journey-${number}`, number: String(70_000 + number), ...given.ticket };
  await stage.test.source.send('ticket.replied', { ticket, requester: { email, locale, name: 'Siti' }, message, data });
  const mail = await nextTicketMail(stage, email);
  return { email, link: addressOf(stage, mail) };
}

/** Opens the link, asks for a code and reads it from the mail; the browser shows the code page. */
export async function askForCode(
  stage: Stage,
  { page }: Pick<TestBrowser, 'page'>,
  { email, link }: { email: string; link: string },
): Promise<string> {
  await page.goto(link);
  await page.locator('form[action$="/code"] button').click();
  await page.locator('input[name=code]').waitFor();
  return codeOf(await nextCodeMail(stage, email));
}

export async function typeCode(page: Page, code: string): Promise<void> {
  await page.locator('input[name=code]').fill(code);
  await page.locator('form[action$="/verify"] button').click();
}

/** The whole way in. */
export async function arrive(
  stage: Stage,
  given: Parameters<typeof invite>[1] = {},
  on?: TestBrowser,
): Promise<Arrived> {
  const { email, link } = await invite(stage, given);
  const visitor = on ?? (await stage.open());
  const code = await askForCode(stage, visitor, { email, link });
  await typeCode(visitor.page, code);
  await visitor.page.waitForURL(/\/tickets\//);
  return { ...visitor, email, link, ticketPath: new URL(visitor.page.url()).pathname };
}

/** Status of the answer to the form that `act` sends, once the page it led to is there. */
export async function answerTo(page: Page, act: () => Promise<void>): Promise<number> {
  const posted = page.waitForResponse(
    // How far the guest has read, and each file, go beside it; a form with files goes by the page's script.
    (response) => response.request().method() === 'POST' && !/\/(seen|files|remove)$/.test(response.url()),
  );
  const loaded = page.waitForEvent('load');
  await act();
  await loaded;
  return (await posted).status();
}
