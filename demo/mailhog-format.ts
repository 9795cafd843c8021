import type { StoredMail } from './stored-mail.js';

/** One part as MailHog's API gives it: header name → values, and the body as encoded for transfer. */
interface MailHogContent {
  Headers: Record<string, string[]>;
  Body: string;
  Size: number;
  MIME: null;
}

interface MailHogPath {
  Relays: null;
  Mailbox: string;
  Domain: string;
  Params: '';
}

/** A message of MailHog's API (versions 1 and 2 alike). */
export interface MailHogMessage {
  ID: string;
  From: MailHogPath;
  To: MailHogPath[];
  Content: MailHogContent;
  Created: string;
  MIME: { Parts: MailHogContent[] } | null;
  Raw: { From: string; To: string[]; Data: string; Helo: string };
}

// Clients look these up in exactly this writing, and senders may write them otherwise.
const USUAL_NAMES = new Map(
  ['Subject', 'From', 'To', 'Cc', 'Bcc', 'Reply-To', 'Date', 'Content-Type', 'Content-Transfer-Encoding'].map(
    (name) => [name.toLowerCase(), name],
  ),
);

/**
 * A stored mail as MailHog's API shows it. Parts are given flat and re-encoded (MailHog nests them), so that clients
 * that look at the first level only find text and HTML also beside attachments.
 */
export function toMailHog(mail: StoredMail): MailHogMessage {
  const body = mail.raw.slice(mail.raw.search(/\r?\n\r?\n/)).trimStart();
  const multipart = /^multipart\//i.test(mail.headers['content-type'] ?? '');
  return {
    ID: mail.id,
    From: toPath(mail.from),
    To: mail.to.map(toPath),
    Content: { Headers: toHeaders(mail), Body: body, Size: Buffer.byteLength(mail.raw), MIME: null },
    Created: mail.receivedAt.toISOString(),
    MIME: multipart ? { Parts: toParts(mail) } : null,
    Raw: { From: mail.from, To: mail.to, Data: mail.raw, Helo: 'localhost' },
  };
}

function toPath(address: string): MailHogPath {
  const at = address.lastIndexOf('@');
  const [mailbox, domain] = at < 0 ? [address, ''] : [address.slice(0, at), address.slice(at + 1)];
  return { Relays: null, Mailbox: mailbox, Domain: domain, Params: '' };
}

function toHeaders(mail: StoredMail): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const { name, value } of mail.headerLines) {
    (headers[USUAL_NAMES.get(name.toLowerCase()) ?? name] ??= []).push(encodeWord(value));
  }
  return headers;
}

// One encoded word (RFC 2047) per value: clients join several with the space that stood between them.
function encodeWord(value: string): string {
  return /^[\x20-\x7e\t]*$/.test(value) ? value : `=?UTF-8?B?${Buffer.from(value).toString('base64')}?=`;
}

function toParts(mail: StoredMail): MailHogContent[] {
  const parts: MailHogContent[] = [];
  if (mail.text) parts.push(toPart('text/plain; charset=utf-8', Buffer.from(mail.text)));
  if (mail.html) parts.push(toPart('text/html; charset=utf-8', Buffer.from(mail.html)));
  for (const { name, contentType, content } of mail.attachments) {
    parts.push(toPart(contentType, content, `attachment; filename="${name.replaceAll('"', "'")}"`));
  }
  return parts;
}

function toPart(type: string, content: Buffer, disposition?: string): MailHogContent {
  const headers: Record<string, string[]> = { 'Content-Type': [type], 'Content-Transfer-Encoding': ['base64'] };
  if (disposition) headers['Content-Disposition'] = [disposition];
  return { Headers: headers, Body: content.toString('base64'), Size: content.length, MIME: null };
}
