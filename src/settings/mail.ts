/**
 * MAIL_URL, MAIL_FROM and DKIM: by which ways mails leave, whose they are, and what signs them.
 * What is wrong is added to `problems`, and the reading goes on: the caller ends the start with all of it.
 */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseMailbox, type EmailAddress } from '../platform/address.js';
import { bareHost, isPercentEncoded, parseUrl } from '../platform/url.js';

/** One of the ways out, in the order in which they are tried. */
export type TransportSettings = SmtpTransportSettings | ResendTransportSettings;

export interface SmtpTransportSettings {
  kind: 'smtp';
  /** `smtp`, `smtp-2`, …: unique, and the same after a restart with the same MAIL_URL. */
  name: string;
  host: string;
  port: number;
  secure: boolean;
  user: string | null;
  password: string | null;
}

export interface ResendTransportSettings {
  kind: 'resend';
  /** `resend`, `resend-2`, … */
  name: string;
  apiKey: string;
  /** Origin of the API; plain http only to a host of ALLOW_PRIVATE_HOSTS. */
  endpoint: string;
}

/** What mails are signed with (RFC 6376): an RSA key in PEM, whose public half stands at selector._domainkey.domain. */
export interface DkimSettings {
  domain: string;
  selector: string;
  privateKey: string;
}

/** Who a mail is from. */
export interface Mailbox {
  name: string;
  address: EmailAddress;
}

type DkimValues = Partial<Record<'DKIM_DOMAIN' | 'DKIM_SELECTOR' | 'DKIM_PRIVATE_KEY_FILE', string>>;

const RESEND_API = 'api.resend.com';

export function readMailbox(name: string, value: string, production: boolean, problems: string[]): Mailbox {
  const parsed = parseMailbox(value, { allowLocalhost: !production });
  if (parsed.ok) return { name: parsed.name, address: parsed.address };
  problems.push(
    `${name} must be an address or "Name <address>" with a real domain, for example "Support <no-reply@support.example>" (${parsed.reason})`,
  );
  return { name: '', address: { given: '', key: '', domain: '' } };
}

export function readTransports(value: string, allowPrivateHosts: string[], problems: string[]): TransportSettings[] {
  const urls = value.split(/\s+/).filter(Boolean);
  if (urls.length === 0)
    problems.push('MAIL_URL is required in production: smtp://user:password@host:port or resend://API_KEY');
  const counts = { smtp: 0, resend: 0 };
  return urls.flatMap((one, index) => {
    const url = parseUrl(one);
    const settings = url && (readSmtp(url) ?? readResend(url, allowPrivateHosts));
    if (!settings) {
      problems.push(
        `MAIL_URL must be smtp://user:password@host:port, smtps://…, resend://API_KEY or resend://API_KEY@host:port (entry ${index + 1} is not)`,
      );
      return [];
    }
    const { kind } = settings;
    const count = ++counts[kind];
    return [{ ...settings, name: count === 1 ? kind : `${kind}-${count}` }];
  });
}

function readSmtp(url: URL): SmtpTransportSettings | null {
  if (!/^smtps?:$/.test(url.protocol) || url.hostname === '' || !isPercentEncoded(url.username + url.password))
    return null;
  const secure = url.protocol === 'smtps:';
  return {
    kind: 'smtp',
    name: 'smtp',
    host: bareHost(url.hostname),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    user: decodeURIComponent(url.username) || null,
    password: decodeURIComponent(url.password) || null,
  };
}

/** `resend://API_KEY`: the key stands where a host does, unless there is an `@`. */
function readResend(url: URL, allowPrivateHosts: string[]): ResendTransportSettings | null {
  const elsewhere = url.username !== '';
  const key = elsewhere ? url.username : url.hostname;
  if (url.protocol !== 'resend:' || !isPercentEncoded(key) || !isHeaderWord(decodeURIComponent(key))) return null;
  if (url.password + url.search + url.hash !== '' || !/^\/?$/.test(url.pathname)) return null;
  // A port without a key before it is a host whose key was forgotten.
  if (!elsewhere && url.port !== '') return null;
  const host = elsewhere ? url.host : RESEND_API;
  if (parseUrl(`https://${host}`) === null) return null;
  // The scheme of the web first: the host of another one is neither lower case nor an address to the parser.
  const isPrivate = allowPrivateHosts.includes(bareHost(new URL(`http://${host}`).hostname));
  const endpoint = new URL(`${isPrivate ? 'http' : 'https'}://${host}`).origin;
  return { kind: 'resend', name: 'resend', apiKey: decodeURIComponent(key), endpoint };
}

/** RFC 8301: rsa-sha256, keys of 2048 bits or more; what is longer than 4096 need not be verified by anybody. */
export function readDkim(values: DkimValues, problems: string[]): DkimSettings | null {
  const { DKIM_DOMAIN: domain, DKIM_SELECTOR: selector, DKIM_PRIVATE_KEY_FILE: file } = values;
  if (domain === undefined && selector === undefined && file === undefined) return null;
  if (domain === undefined || selector === undefined || file === undefined) {
    problems.push('DKIM_DOMAIN, DKIM_SELECTOR and DKIM_PRIVATE_KEY_FILE are set together or not at all');
    return null;
  }
  const privateKey = readPrivateKey(file);
  if (privateKey === null)
    problems.push(
      'DKIM_PRIVATE_KEY_FILE must be a readable file with an RSA key of 2048 to 4096 bits in PEM without a password, for example from: openssl genrsa -out dkim.pem 2048',
    );
  return { domain, selector, privateKey: privateKey ?? '' };
}

/** In PKCS #8 whatever form it had, or null where it is none that DKIM can use. */
function readPrivateKey(file: string): string | null {
  try {
    const key = createPrivateKey(readFileSync(file));
    const bits = key.asymmetricKeyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
    return bits >= 2048 && bits <= 4096 ? (key.export({ type: 'pkcs8', format: 'pem' }) as string) : null;
  } catch {
    return null; // not there, not readable, not a key: the caller says what it must be
  }
}

function isHeaderWord(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}
