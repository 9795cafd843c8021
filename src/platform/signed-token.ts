import { decodeBase64UrlStrict, type KeyRing } from './crypto.js';

const VERSION = '1';
// Longer is nothing that was made here; checked before any work is done.
const MOST_CHARACTERS = 512;

/**
 * `1.kid.payload.mac`: bytes that are genuine for one purpose only. There is no algorithm field (RFC 8725 3.1), the key
 * is looked up by kid in memory, and each part has one spelling, so that every flipped bit is refused.
 */
export function signToken(keys: KeyRing, purpose: string, payload: Buffer, kid?: string): string {
  const name = keys.nameFor(kid);
  const head = `${VERSION}.${name}.${payload.toString('base64url')}`;
  return `${head}.${keys.sign(purpose, Buffer.from(head), name).mac.toString('base64url')}`;
}

/** The payload, or null if the token is not genuine for that purpose. */
export function openToken(keys: KeyRing, purpose: string, token: string): Buffer | null {
  if (token.length > MOST_CHARACTERS) return null;
  const [version, kid, encoded, mac, ...rest] = token.split('.');
  if (version !== VERSION || kid === undefined || encoded === undefined || mac === undefined || rest.length > 0)
    return null;
  const payload = decodeBase64UrlStrict(encoded);
  const given = decodeBase64UrlStrict(mac);
  if (payload === null || given === null) return null;
  return keys.verify(purpose, kid, Buffer.from(`${version}.${kid}.${encoded}`), given) ? payload : null;
}
