import { createHmac, createSecretKey, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto';
import { decodeBase64 } from './crypto.js';

// Standard Webhooks 1.0. The npm package `standardwebhooks` is only the tests' second opinion: it reads the clock
// itself, knows one secret at a time, and turns the body into text before it signs, so that bodies which differ in
// bytes that are not UTF-8 get the same signature.

export type WebhookVerdict =
  { ok: true; id: string; timestamp: number } | { ok: false; reason: 'missing' | 'malformed' | 'stale' | 'mismatch' };

/** As node:http gives them: lower-case names. */
export type WebhookHeaders = Readonly<Record<string, string | string[] | undefined>>;

const PREFIX = 'whsec_';
const TOLERANCE_SECONDS = 300;
// Printable, and no full stop: it parts id, time and body in what is signed ("Signature scheme").
const ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/;
const TIMESTAMP = /^[1-9][0-9]{0,11}$/;

/** True for `whsec_` and base64 of 24 to 64 bytes ("Signature scheme": 192 to 512 bits). */
export function isWebhookSecret(text: string): boolean {
  return keyOf(text) !== null;
}

/** A new secret: `whsec_` and base64 of 32 random bytes. */
export function generateWebhookSecret(): string {
  return PREFIX + randomBytes(32).toString('base64');
}

/**
 * The three headers of a signed message. `timestamp` is that of this attempt in unix seconds, `id` stays the same over
 * all attempts. Throws if the id, the time or the secret is not one.
 */
export function signWebhook(message: {
  secret: string;
  id: string;
  timestamp: number;
  body: string | Uint8Array;
}): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const { secret, id, body } = message;
  const timestamp = String(message.timestamp);
  if (!ID.test(id) || !TIMESTAMP.test(timestamp)) throw new Error('webhook id or timestamp cannot be signed');
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature(secret, id, timestamp, body).toString('base64')}`,
  };
}

/** What a sender calls its three headers. Svix, which Resend signs with, had the scheme before it was a standard. */
export type WebhookScheme = 'webhook' | 'svix';

/**
 * Checks a message over its raw bytes at the time `now` (ms since 1970). It is genuine if any `v1` signature fits any
 * secret; other versions are skipped. `timestamp` is in unix seconds. Throws if a secret is not one.
 */
export function verifyWebhook(message: {
  secrets: readonly string[];
  headers: WebhookHeaders;
  rawBody: Uint8Array;
  now: number;
  scheme?: WebhookScheme;
}): WebhookVerdict {
  const { secrets, headers, rawBody, now, scheme = 'webhook' } = message;
  const id = headers[`${scheme}-id`];
  const timestamp = headers[`${scheme}-timestamp`];
  const signatures = headers[`${scheme}-signature`];
  if (!id || !timestamp || !signatures) return { ok: false, reason: 'missing' };
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') {
    return { ok: false, reason: 'malformed' };
  }
  if (!ID.test(id) || !TIMESTAMP.test(timestamp)) return { ok: false, reason: 'malformed' };
  if (Math.abs(Math.floor(now / 1000) - Number(timestamp)) > TOLERANCE_SECONDS) return { ok: false, reason: 'stale' };
  const given = v1Signatures(signatures);
  const expected = secrets.map((secret) => signature(secret, id, timestamp, rawBody));
  return anyEqual(given, expected) ? { ok: true, id, timestamp: Number(timestamp) } : { ok: false, reason: 'mismatch' };
}

function v1Signatures(header: string): Buffer[] {
  return header
    .split(' ')
    .filter((entry) => entry.startsWith('v1,'))
    .map((entry) => decodeBase64(entry.slice(3)))
    .filter((bytes) => bytes?.length === 32) as Buffer[];
}

/** Compares every pair, so that the time tells neither which secret nor which signature fits. */
function anyEqual(given: Buffer[], expected: Buffer[]): boolean {
  let fits = false;
  for (const a of given) for (const b of expected) fits = timingSafeEqual(a, b) || fits;
  return fits;
}

/** Secrets come from the settings, so they are few. */
const signingKeys = new Map<string, KeyObject>();

function signature(secret: string, id: string, timestamp: string, body: string | Uint8Array): Buffer {
  const key = signingKeys.get(secret) ?? signingKey(secret);
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
}

function signingKey(secret: string): KeyObject {
  const bytes = keyOf(secret);
  if (bytes === null) throw new Error('not a webhook secret: whsec_ and base64 of 24 to 64 bytes');
  const key = createSecretKey(bytes);
  signingKeys.set(secret, key);
  return key;
}

/** A variable that is not set is no secret either, whatever its type said. */
function keyOf(secret: string | undefined): Buffer | null {
  const key = secret?.startsWith(PREFIX) ? decodeBase64(secret.slice(PREFIX.length)) : null;
  return key !== null && key.length >= 24 && key.length <= 64 ? key : null;
}
