import { domainOf, parseMailbox } from '../platform/address.js';
import { headerAddress, headerDate, headerField, headerMailbox, headerText } from '../platform/mime.js';
import type { Brand } from '../templates/brand.js';

/** Say that a machine wrote this and that nobody is to answer it (RFC 3834 5). */
export const FIXED_HEADERS = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };

export interface Sender {
  name: string;
  address: string;
}

/** What all mails of a sender have in common. */
export interface Frame {
  from: Sender;
  /** Of the ids. */
  domain: string;
  /** Finished header fields. */
  fixed: string;
}

/** The brand's own sender, else the given one (`MAIL_FROM`). */
export function senderOf({ sender }: Brand, from: Sender): Sender {
  const own = sender === undefined ? null : parseMailbox(sender);
  return own?.ok ? { name: own.name, address: own.address.given } : from;
}

export function frameOf(from: Sender): Frame {
  const fixed = headerField('From', headerMailbox(from)) + headerField('MIME-Version', '1.0');
  return { from, domain: domainOf(from.address), fixed: fixed + headerFields(FIXED_HEADERS) };
}

/** The whole header; `fields` come last, in their order. `at` is in ms since 1970. */
export function mailHead(
  { fixed, domain }: Frame,
  { id, to, subject, at }: { id: string; to: string; subject: string; at: number },
  fields: Readonly<Record<string, string>>,
): string {
  return (
    fixed +
    headerField('To', headerAddress(to)) +
    headerField('Subject', headerText(subject, 'Subject: '.length)) +
    headerField('Date', headerDate(at)) +
    headerField('Message-ID', `<${id}@${domain}>`) +
    headerFields(fields)
  );
}

/** Parts of which the reader shows one (RFC 2046 5.1.4). */
export function alternatives(id: string): { contentType: string; body(parts: readonly string[]): string } {
  // `=_` cannot stand in quoted-printable, nor in base64: whatever a part holds, it is no boundary (RFC 2045 6.7).
  const boundary = `=_${id}`;
  return {
    contentType: `multipart/alternative;\r\n boundary="${boundary}"`,
    body: (parts) => `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`,
  };
}

/** ASCII, with line ends as on the wire. */
export function mailBytes(head: string, body: string): Buffer {
  return Buffer.from(`${head}\r\n${body}`, 'latin1');
}

function headerFields(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => headerField(name, value))
    .join('');
}
