import PostalMime, { type Email } from 'postal-mime';
import type { FeedbackReport } from '../../delivery/feedback.js';
import { isId, siblingId, type Id } from '../../ids.js';
import { parseAddress } from '../../platform/address.js';

const LIMITS = { maxNestingDepth: 20, maxHeadersSize: 128 * 1024, maxRfc822NestingDepth: 0 };
/**
 * Lines of a whole mail: 256 KiB of 76 signs are 3,500. The parser takes a turn of the event loop and a chunk for each, so
 * a mail of empty lines would hold up everybody for seconds.
 */
const MOST_MAIL_LINES = 10_000;
/** Signs of a part that are read, its lines, the signs of one value: our mails have one recipient, so reports are short. */
const LONGEST_PART = 64 * 1024;
const MOST_LINES = 500;
const LONGEST_VALUE = 2000;

/**
 * Reads a mail that came back to the return path: a delivery status notification (RFC 3464), a complaint in the Abuse
 * Reporting Format (RFC 5965), a bounce of qmail (QSBMF). Anything else gives nothing. It never throws.
 *
 * Only fields count, no word of the readable part, and of the returned mail its header alone: what stands in bodies was
 * written by somebody else. A field that stands twice where the format has it once is no field, because two readers
 * could read it in two ways.
 */
export async function readReturnedMail(raw: Buffer): Promise<FeedbackReport[]> {
  if (hasTooManyLines(raw)) return [];
  let mail: Email;
  try {
    mail = await PostalMime.parse(raw, LIMITS);
  } catch {
    return []; // nested or headed beyond the limits: no mail server writes such a report
  }
  const type = mail.headers.find(({ key }) => key === 'content-type')?.value ?? '';
  if (!/^\s*multipart\/report\b/i.test(type)) return readQmail(mail.text ?? '');
  const returned = fieldsOf(part(mail, 'message/rfc822') ?? part(mail, 'text/rfc822-headers') ?? '');
  const deliveryId = deliveryOf(returned);
  if (deliveryId === null) return [];
  const status = part(mail, 'message/delivery-status');
  if (status !== null) return readStatus(status, deliveryId);
  return readComplaint(fieldsOf(part(mail, 'message/feedback-report') ?? ''), deliveryId, returned);
}

/** RFC 3464 2.3: one group of fields for each recipient. */
function readStatus(text: string, deliveryId: Id<'dlv'>): FeedbackReport[] {
  return groupsOf(text).flatMap((fields): FeedbackReport[] => {
    const final = only(fields, 'final-recipient');
    const diagnostic = only(fields, 'diagnostic-code') ?? '';
    const status = statusOf(only(fields, 'status') ?? '', diagnostic);
    const kind = kindOf((only(fields, 'action') ?? '').toLowerCase(), status);
    if (final === null || kind === null) return [];
    // Whoever has mail forwarded is known to us by the address it went to first (RFC 3461 4.2).
    const given = [final, only(fields, 'original-recipient') ?? ''];
    const recipientKeys = [...new Set(given.flatMap(addressesOf))];
    return [{ deliveryId, recipientKeys, kind, origin: 'dsn', detail: `${status?.join('.') ?? ''} ${diagnostic}` }];
  });
}

/** RFC 5965 3. Where the provider took the recipient out of it, the returned mail's own `To` may still have it. */
function readComplaint(fields: Fields, deliveryId: Id<'dlv'>, returned: Fields): FeedbackReport[] {
  const type = (only(fields, 'feedback-type') ?? '').toLowerCase();
  // `not-spam` says the contrary, `auth-failure` is about our DNS, `virus` about the content.
  if (!['abuse', 'fraud', 'opt-out'].includes(type)) return [];
  const given = fields.get('original-rcpt-to') ?? [only(returned, 'to') ?? ''];
  const detail = `${type} ${only(fields, 'user-agent') ?? ''}`;
  return [{ deliveryId, recipientKeys: given.flatMap(addressesOf), kind: 'complained', origin: 'dsn', detail }];
}

/** https://cr.yp.to/proto/qsbmf.txt: paragraphs `<address>:` and the reason, then a line of hyphens, then the mail. */
function readQmail(given: string): FeedbackReport[] {
  const text = given.slice(0, LONGEST_PART).replaceAll('\r\n', '\n').trimStart();
  const end = text.indexOf('\n\n--');
  if (!text.startsWith('Hi. This is the') || end < 0) return [];
  const copy = text.indexOf('\n\n', end + 2);
  const deliveryId = copy < 0 ? null : deliveryOf(fieldsOf(text.slice(copy + 2)));
  if (deliveryId === null) return [];
  return text
    .slice(0, end)
    .split('\n\n')
    .flatMap((paragraph): FeedbackReport[] => {
      const [, address, reason = ''] = /^<([^<>\s]+)>:\n([\s\S]*)$/.exec(paragraph) ?? [];
      if (address === undefined) return [];
      const detail = reason.slice(0, LONGEST_VALUE);
      const kind = kindOf('failed', statusOf('', detail)) ?? 'soft-bounced';
      return [{ deliveryId, recipientKeys: addressesOf(address), kind, origin: 'dsn', detail }];
    });
}

/** Class, subject and detail of an enhanced status (RFC 3463 2). */
type Status = [number, number, number];

/** The status field; where it says no more than the class (Exim), what the other server's answer says. */
function statusOf(field: string, diagnostic: string): Status | null {
  const own = status(/^\s*([245])\.(\d{1,3})\.(\d{1,3})(?!\d)/.exec(field));
  if (own !== null && (own[1] !== 0 || own[2] !== 0)) return own;
  const told = status(/(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)/.exec(diagnostic));
  return told !== null && (own === null || own[0] === told[0]) ? told : own;
}

function status(found: RegExpExecArray | null): Status | null {
  return found && [Number(found[1]), Number(found[2]), Number(found[3])];
}

/** Null for what concerns nobody: `relayed`, `expanded`, no action at all. */
function kindOf(action: string, given: Status | null): Kind | null {
  if (action === 'delivered' || action === 'delayed') return action;
  if (action !== 'failed') return null;
  if (given?.[0] !== 5) return 'soft-bounced';
  const [, subject, detail] = given;
  // A full mailbox has emptied before.
  if (subject === 2 && detail === 2) return 'soft-bounced';
  // Message too long, system, content, policy, and 5.1.7 and 5.1.8 which are about the sender: the mailbox may be as good
  // as any. A wrong SPF record of ours must not suppress every customer who has theirs at one provider.
  const isAboutMail = [3, 6, 7].includes(subject) || (subject === 2 && detail === 3);
  const isAboutSender = subject === 1 && (detail === 7 || detail === 8);
  return isAboutMail || isAboutSender ? 'refused' : 'bounced';
}

type Kind = FeedbackReport['kind'];

const NAMES = ['message-id', 'x-postern-notification'];

/** Our mail by its Message-ID, or by the header of ours where a provider puts its own Message-ID (Amazon SES does). */
function deliveryOf(header: Fields): Id<'dlv'> | null {
  if (NAMES.some((name) => (header.get(name)?.length ?? 0) > 1)) return null;
  const byMessageId = /^<(\w{1,40})@[^<>\s]+>$/.exec(only(header, 'message-id') ?? '')?.[1];
  const ours = isId('dlv', byMessageId) ? byMessageId : null;
  const notification = only(header, 'x-postern-notification');
  const named = isId('ntf', notification) ? siblingId('dlv', notification) : null;
  if (ours !== null && named !== null && ours !== named) return null;
  return ours ?? named;
}

/** The keys of `rfc822; siti@example.com`, `<siti@example.com>` or `siti@example.com`, plain and as xtext (RFC 3461 4). */
function addressesOf(field: string): string[] {
  const text = /^(?:(?:rfc822|utf-8|smtp)\s*;)?\s*<?([^<>;\s]+)>?$/i.exec(field.trim())?.[1] ?? '';
  const decoded = text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return [...new Set([text, decoded])].flatMap((one) => {
    const parsed = parseAddress(one, { allowLocalhost: true });
    return parsed.ok ? [parsed.address.key] : [];
  });
}

/** Values by lower-case name, each time that the name stands there. */
type Fields = Map<string, string[]>;

/** The value of a field that stands there once; null if it is missing or ambiguous. */
function only(fields: Fields, name: string): string | null {
  const values = fields.get(name) ?? [];
  return values.length === 1 ? values[0]! : null;
}

/** The first block of fields, up to an empty line. */
function fieldsOf(text: string): Fields {
  return groupsOf(text)[0] ?? new Map<string, string[]>();
}

/** Blocks of fields (RFC 5322 2.2, folded as in 2.2.3), parted by empty lines. A bare CR is part of a value. */
function groupsOf(text: string): Fields[] {
  const groups: Fields[] = [];
  let fields: Fields | null = null;
  let values: string[] | null = null;
  for (const line of text.slice(0, LONGEST_PART).split(/\r?\n/, MOST_LINES)) {
    if (line.trim() === '') {
      fields = values = null;
    } else if (/^[ \t]/.test(line)) {
      if (values) values.push(cut(`${values.pop()} ${line.trim()}`));
    } else {
      const [, name, value = ''] = /^([!-9;-~]{1,80})[ \t]*:(.*)$/s.exec(line) ?? [];
      if (!fields) groups.push((fields = new Map<string, string[]>()));
      values = name === undefined ? null : (fields.get(name.toLowerCase()) ?? []);
      if (name === undefined || values === null) continue;
      fields.set(name.toLowerCase(), values);
      values.push(cut(value.trim()));
    }
  }
  return groups;
}

const cut = (value: string) => value.slice(0, LONGEST_VALUE);

function hasTooManyLines(raw: Buffer): boolean {
  let lines = 0;
  for (let at = raw.indexOf(10); at >= 0; at = raw.indexOf(10, at + 1)) if (++lines > MOST_MAIL_LINES) return true;
  return false;
}

/** The text of the first part of a type. */
function part(mail: Email, type: string): string | null {
  const content = mail.attachments.find(({ mimeType }) => mimeType === type)?.content;
  if (content === undefined) return null;
  if (typeof content === 'string') return content.slice(0, LONGEST_PART);
  return Buffer.from(new Uint8Array(content).subarray(0, LONGEST_PART)).toString('utf8');
}
