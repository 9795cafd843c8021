/** How adapters read the bodies of other systems: what they need is checked, the rest is taken as it is. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { z } from 'zod';
import { PosternError } from '../../errors.js';
import { parseAddress } from '../../platform/address.js';
import { sha256 } from '../../platform/crypto.js';
import { faultsOf, inWords } from '../../platform/faults.js';
import type { JsonValue } from '../../platform/strict-json.js';

/**
 * The body as `schema` has it.
 * @throws PosternError `invalid-event` with the place of each fault in the sender's own body (RFC 6901)
 */
export function readBody<S extends z.ZodType>(schema: S, body: JsonValue, system: string): z.infer<S> {
  const parsed = schema.safeParse(body, { error: inWords });
  if (parsed.success) return parsed.data;
  throw new PosternError('invalid-event', `This is not a webhook as ${system} sends it; see errors.`, {
    errors: faultsOf(parsed.error),
  });
}

/** True if `given` is the HMAC of `parts` under one of the secrets. Every secret is tried, so that the time tells nothing. */
export function isHmac(
  algorithm: 'sha1' | 'sha256' | 'sha512',
  secrets: readonly string[],
  parts: readonly (string | Buffer)[],
  given: Buffer,
): boolean {
  let fits = false;
  for (const secret of secrets) {
    const hmac = createHmac(algorithm, secret);
    for (const part of parts) hmac.update(part);
    const expected = hmac.digest();
    fits = (expected.length === given.length && timingSafeEqual(expected, given)) || fits;
  }
  return fits;
}

/** True if `given` is one of the secrets. Hashed first: neither its length nor how much of it fits shows in the time. */
export function isSecret(secrets: readonly string[], given: string): boolean {
  const hash = sha256(given);
  let fits = false;
  for (const secret of secrets) fits = timingSafeEqual(sha256(secret), hash) || fits;
  return fits;
}

/** Those who can be mailed, as participants: one CC that cannot be must not cost the others their mail. */
export function guestsOf(people: readonly { email?: string | null; name?: string | null }[]): object[] {
  return people.flatMap(({ email, name }) =>
    email && parseAddress(email).ok ? [{ kind: 'guest', email, name: name ?? undefined }] : [],
  );
}

const ZONED = /(?:[+-]\d\d:?\d\d|Z|UTC|GMT|[ECMP][SD]T)(?: \([^()]*\))?$/i;

/** The moment as ISO 8601 with a zone, or undefined if it is none. Numbers are ms since 1970; without a zone it is UTC. */
export function moment(value: string | number | null | undefined): string | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  // Else it would be in the zone of whichever machine reads it. Dates by number take the one, dates in words the other.
  const forms = typeof value === 'number' || ZONED.test(value) ? [value] : [`${value}Z`, `${value} UTC`];
  const at = forms.map((form) => new Date(form)).find((one) => !Number.isNaN(one.getTime()));
  return at?.toISOString();
}
