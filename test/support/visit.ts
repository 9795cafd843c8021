import { Links, type OpenedLink } from '../../src/access/link.js';
import type { TestGateway } from './gateway.js';
import { Guest, type Page } from './guest.js';
import type { StoredMail } from '../../demo/inbox.js';
import { codeOf, linkOf } from './mail.js';

/** A guest of a ticket, and how far they came. */
export interface Visit {
  guest: Guest;
  email: string;
  /** Path of the link that was mailed. */
  link: string;
  /** Ours (`tkt_…`). */
  ticketId: string;
  /** The ticket page. */
  page: Page;
}

let tickets = 0;

/** The newest mail that has come in for somebody. */
export function newestMail(test: TestGateway, email: string, matching: (mail: StoredMail) => boolean = () => true) {
  const mail = test.inbox.messages.findLast((one) => one.to.includes(email) && matching(one));
  if (!mail) throw new Error(`no such mail to ${email}`);
  return mail;
}

/** Tells somebody of a ticket of their own, unless another is given, and returns the link of the mail. */
export async function invite(
  test: TestGateway,
  {
    email = 'siti@example.com',
    ticket = { id: `ticket-${++tickets}`, number: `9${tickets}` },
    ...rest
  }: { email?: string; ticket?: object; message?: object; data?: object } = {},
): Promise<string> {
  await test.source.send('ticket.replied', { ticket, requester: { email, locale: 'en' }, message: {}, ...rest });
  await test.drain();
  return linkOf(newestMail(test, email, ({ text }) => text.includes('/t/')));
}

/** Presses "Send code" and reads the mail. */
export async function askForCode(
  test: TestGateway,
  guest: Guest,
  link: string,
  email = 'siti@example.com',
): Promise<{ page: Page; code: string }> {
  const page = await guest.submit(await guest.get(link), '/code');
  if (page.status !== 200) throw new Error(`no code was sent: ${page.status} ${page.text}`);
  await test.drain();
  const mail = newestMail(test, email, ({ text }) => !text.includes('/t/'));
  return { page, code: codeOf(mail) };
}

/** The whole way in. */
export async function visit(
  test: TestGateway,
  options: { email?: string; guest?: Guest; message?: object; ticket?: object; data?: object } = {},
): Promise<Visit> {
  const { email = 'siti@example.com', guest = new Guest(test.url), ...rest } = options;
  const link = await invite(test, { email, ...rest });
  const { page: codePage, code } = await askForCode(test, guest, link, email);
  const page = await guest.submit(codePage, '/verify', { code });
  const ticketId = /\/tickets\/(tkt_\w+)/.exec(page.url)?.[1];
  if (page.status !== 200 || ticketId === undefined) throw new Error(`not let in: ${page.status} ${page.text}`);
  return { guest, email, link, ticketId, page };
}

/** What a link stands for. */
export function opened({ gateway, clock }: TestGateway, link: string): Extract<OpenedLink, { ok: true }> {
  const found = gateway.app.get(Links).open(link.slice('/t/'.length), clock.now());
  if (!found.ok) throw new Error(`not a link: ${link}`);
  return found;
}

/** The path of the ticket link in a whole mail, encoded as it was sent. */
export function linksOf(raw: string): string {
  const plain = raw.replace(/=\r\n/g, '').replace(/=3D/g, '=');
  const path = /https?:\/\/[^\s"/]+(\/t\/[\w.-]+)/.exec(plain)?.[1];
  if (path === undefined) throw new Error('no link in this mail');
  return path;
}
