import { randomBytes } from 'node:crypto';

/** What each id prefix names. Ids look like `tkt_06f8…`: prefix, then 128 bits in base32 that sort by time. */
export const idPrefixes = {
  evt: 'event',
  tkt: 'ticket',
  ptc: 'participant (the requester too)',
  msg: 'message',
  att: 'attachment',
  rpl: 'reply',
  ntf: 'notification',
  dlv: 'delivery',
  atm: 'attempt',
  chl: 'challenge',
  ses: 'session',
  out: 'outbound message',
  fbk: 'word about a delivery from its receiving side',
  sup: 'suppression',
  aud: 'entry of the audit log',
} as const;

export type IdPrefix = keyof typeof idPrefixes;
export type Id<P extends IdPrefix> = `${P}_${string}`;

// Crockford's base32, lower case: no i, l, o, u, and its order is that of the bits, so ids sort as text.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 26;

let last = { at: 0, random: 0n };

/**
 * Makes an id: 48 bits of `now` (ms since 1970) and 80 random bits.
 * Within one millisecond the random part counts up, so that ids of one process sort in the order they were made.
 */
export function newId<P extends IdPrefix>(prefix: P, now: number): Id<P> {
  const random = now === last.at ? last.random + 1n : BigInt(`0x${randomBytes(10).toString('hex')}`) >> 1n;
  last = { at: now, random };
  return `${prefix}_${encode((BigInt(now) << 80n) | random)}`;
}

/** True if `text` is an id of that prefix, written as `newId` writes it. */
export function isId<P extends IdPrefix>(prefix: P, text: unknown): text is Id<P> {
  return (
    typeof text === 'string' && text.startsWith(`${prefix}_`) && /^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text.slice(4))
  );
}

/** The 16 bytes of an id, for tokens that must be short. */
export function idBytes(id: Id<IdPrefix>): Buffer {
  let value = 0n;
  for (const sign of id.slice(4)) value = (value << 5n) | BigInt(ALPHABET.indexOf(sign));
  return Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
}

/** The id of 16 bytes made by `idBytes`. */
export function idOfBytes<P extends IdPrefix>(prefix: P, bytes: Uint8Array): Id<P> {
  return `${prefix}_${encode(BigInt(`0x${Buffer.from(bytes).toString('hex')}`))}`;
}

/** The same id under another prefix: a notification and its delivery share one row and so one random part. */
export function siblingId<P extends IdPrefix>(prefix: P, id: Id<IdPrefix>): Id<P> {
  return `${prefix}_${id.slice(4)}`;
}

function encode(value: bigint): string {
  let text = '';
  for (let i = 0; i < LENGTH; i++, value >>= 5n) text = ALPHABET[Number(value & 31n)] + text;
  return text;
}
