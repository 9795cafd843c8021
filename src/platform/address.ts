import { domainToASCII, domainToUnicode } from 'node:url';

/** An address that may be written into RCPT and To alike. */
export interface EmailAddress {
  /** Local part as given, `@`, domain in ASCII lower case. */
  given: string;
  /** The same in lower case: what limits, bindings and suppressions compare. */
  key: string;
  domain: string;
}

export type AddressFault = 'too-long' | 'characters' | 'local-part' | 'domain';
export type AddressOutcome = { ok: true; address: EmailAddress } | { ok: false; reason: AddressFault };
export type MailboxOutcome =
  { ok: true; name: string; address: EmailAddress } | { ok: false; reason: AddressFault | 'name' };

/** `localhost` as a domain is for development only; every other domain needs two labels. */
export interface AddressOptions {
  allowLocalhost?: boolean;
}

// Lengths: RFC 5321 4.5.3.1.1 and .3 (a path of 256 has two angle brackets), RFC 1035 2.3.4.
const MAX_LENGTH = 254;
const MAX_LOCAL = 64;
const MAX_NAME = 100;
/** atext of RFC 5322 3.2.3 without `%` and `!`: relays of old read `a%b@c` and `b!a@c` as mail for b. */
const DOT_ATOM = /^[A-Za-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9#$&'*+/=?^_`{|}~-]+)*$/;
/** Before IDNA: only what names are written with. It also maps, drops and cuts at much else (`a/b` is `a` to it). */
const DOMAIN_SIGNS = /^[\p{L}\p{M}\p{N}.-]+$/u;
/** After IDNA: RFC 1123 2.1, and a last label that no reader takes for part of an IP address. */
const HOSTNAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Control, format (bidi), unassigned, private-use, surrogate; line and paragraph separators; whatever shows nothing. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{DI}]/u;

/**
 * The one parser of e-mail addresses: a dot-atom and a domain, nothing that two mail programs could read in two ways.
 * No quoted local part, comment, group, list, display name, IP literal, route, encoded word or sign outside of ASCII in
 * the local part; surrounding spaces are not taken away. What it returns parses to itself.
 */
export function parseAddress(text: string, options: AddressOptions = {}): AddressOutcome {
  if (text.length > MAX_LENGTH) return { ok: false, reason: 'too-long' };
  if (UNSEEN.test(text)) return { ok: false, reason: 'characters' };
  const at = text.indexOf('@');
  const local = text.slice(0, Math.max(at, 0));
  // `=?…?=` is made of atext, but a reader that decodes RFC 2047 there sees another address.
  if (local.length > MAX_LOCAL || !DOT_ATOM.test(local) || local.includes('=?'))
    return { ok: false, reason: 'local-part' };
  const domain = parseDomain(text.slice(at + 1), options);
  if (domain === null) return { ok: false, reason: 'domain' };
  const given = `${local}@${domain}`;
  if (given.length > MAX_LENGTH) return { ok: false, reason: 'too-long' };
  return { ok: true, address: { given, key: addressKey(given), domain } };
}

/** The key of an address that was parsed before. */
export function addressKey(given: string): string {
  return given.toLowerCase();
}

/** Whether a text names the address of this key as a whole, its domain in whichever spelling: not `joann@` for `ann@`. */
export function isNamed(key: string, text: string): boolean {
  const [local = '', domain = ''] = key.split('@');
  const spellings = [domain, domainToUnicode(domain)].map((one) =>
    `${local}@${one}`.replaceAll(/[$*+./?^{|}]/g, '\\$&'),
  );
  const whole = `(?<![\\p{L}\\p{N}.#$&'*+/=?^_\`{|}~-])(?:${spellings.join('|')})(?![\\p{L}\\p{N}-]|\\.[\\p{L}\\p{N}])`;
  return new RegExp(whole, 'iu').test(
    text.replaceAll(/\\u([\da-f]{4})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  );
}

/** The domain of an address, in lower case. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

function parseDomain(text: string, { allowLocalhost = false }: AddressOptions): string | null {
  if (!DOMAIN_SIGNS.test(text)) return null;
  const domain = domainToASCII(text);
  if (allowLocalhost && domain === 'localhost') return domain;
  return HOSTNAME.test(domain) ? domain : null;
}

/** A display name in quotes or plain words, and an address in angle brackets; or the address alone (name ''). */
const MAILBOX = /^(?:"(?<quoted>(?:[^"\\]|\\["\\])*)"|(?<plain>[^"<>()[\]:;@\\,]*)) *<(?<address>[^<>]*)>$/;

/** Parses `Support <no-reply@example.com>` (RFC 5322 3.4, one mailbox) as a setting writes it. */
export function parseMailbox(text: string, options: AddressOptions = {}): MailboxOutcome {
  if (text.length > MAX_NAME + MAX_LENGTH + 10) return { ok: false, reason: 'too-long' };
  if (UNSEEN.test(text)) return { ok: false, reason: 'characters' };
  const parts = MAILBOX.exec(text)?.groups;
  if (!parts) {
    const bare = parseAddress(text, options);
    return bare.ok ? { ok: true, name: '', address: bare.address } : bare;
  }
  const name = (parts.quoted?.replace(/\\(.)/g, '$1') ?? parts.plain ?? '').trim();
  if (name.length > MAX_NAME) return { ok: false, reason: 'name' };
  const outcome = parseAddress(parts.address ?? '', options);
  return outcome.ok ? { ok: true, name, address: outcome.address } : outcome;
}

/**
 * `siti@example.com` as `s***i@e***.com`: enough for its owner to know it, too little for anyone else. Short local
 * parts show one sign only, of the domain the first sign and the last label; three stars whatever the length.
 */
export function maskAddress(given: string): string {
  const [local = '', domain = ''] = given.split('@');
  if (local === '' || domain === '') return '***';
  const lastDot = domain.lastIndexOf('.');
  const end = local.length > 3 ? local.slice(-1) : '';
  return `${local[0]}***${end}@${domain[0]}***${lastDot > 0 ? domain.slice(lastDot) : ''}`;
}
