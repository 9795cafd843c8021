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
  hof: 'handoff',
  usr: 'person of the studio',
  inv: 'invitation to the studio',
  pky: 'passkey',
  bed: 'edition of a brand',
  out: 'outbound message',
  fbk: 'word about a delivery from its receiving side',
  sup: 'suppression',
  slv: 'answer to whether it is solved',
  drf: 'draft of a reply',
  rev: 'revision of words',
  pub: 'publication of a revision',
  wdr: 'draft of words',
  aud: 'entry of the audit log',
} as const;

export type IdPrefix = keyof typeof idPrefixes;
export type Id<P extends IdPrefix> = `${P}_${string}`;

/** Whom a link, code or session stands for: a participant of a ticket, while that generation of their links stands. */
export interface Holder {
  ticketId: Id<'tkt'>;
  participantId: Id<'ptc'>;
  generation: number;
}

// Crockford's base32, lower case: no i, l, o, u, and its order is that of the bits, so ids sort as text.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const VALUES = new Map([...ALPHABET].map((sign, value) => [sign.charCodeAt(0), value]));
/** Ten bits as two signs. */
const PAIRS = Array.from({ length: 1024 }, (_, bits) => ALPHABET[bits >> 5]! + ALPHABET[bits & 31]!);

// Ids are made by the hundred for each group of events, so nothing here is a BigInt, which is forty times slower: the
// random bits are four numbers of 20, and all but the last of them are text already.
let lastAt = 0;
let random = new Uint32Array(4);
let beginning = '';

/**
 * Makes an id: 48 bits of `now` (ms since 1970) and 80 random bits.
 * Within one millisecond the random part counts up, so that ids of one process sort in the order they were made.
 */
export function newId<P extends IdPrefix>(prefix: P, now: number): Id<P> {
  if (now === lastAt) countUp();
  else begin(now);
  return `${prefix}_${beginning}${PAIRS[random[3]! >> 10]!}${PAIRS[random[3]! & 1023]!}`;
}

function begin(now: number): void {
  const bytes = randomBytes(16);
  random = Uint32Array.from([0, 4, 8, 12], (at) => bytes.readUInt32LE(at) & 0xfffff);
  random[0]! &= 0x7ffff; // room to count up
  lastAt = now;
  beginning = writeBeginning();
}

function countUp(): void {
  let place = 3;
  while (random[place] === 0xfffff) random[place--] = 0;
  random[place]!++;
  if (place < 3) beginning = writeBeginning();
}

/** The 10 signs of the time and 12 of the random part's 16. */
function writeBeginning(): string {
  let text = '';
  for (let rest = lastAt, i = 0; i < 5; i++, rest = Math.floor(rest / 1024)) text = PAIRS[rest % 1024]! + text;
  for (let i = 0; i < 3; i++) text += PAIRS[random[i]! >> 10]! + PAIRS[random[i]! & 1023]!;
  return text;
}

/** Sorts before every id of this prefix that is made at `at` (ms since 1970) or later, and after all made before. */
export function idFloor<P extends IdPrefix>(prefix: P, at: number): Id<P> {
  let text = '';
  for (let rest = Math.max(0, at), i = 0; i < 5; i++, rest = Math.floor(rest / 1024)) text = PAIRS[rest % 1024]! + text;
  return `${prefix}_${text}${'0'.repeat(16)}`;
}

/** True if `text` is an id of that prefix, written as `newId` writes it. */
export function isId<P extends IdPrefix>(prefix: P, text: unknown): text is Id<P> {
  return (
    typeof text === 'string' && text.startsWith(`${prefix}_`) && /^[0-7][0-9a-hjkmnp-tv-z]{25}$/.test(text.slice(4))
  );
}

/** The 16 bytes of an id, for tokens that must be short. */
export function idBytes(id: Id<IdPrefix>): Buffer {
  const bytes = Buffer.alloc(16);
  // 26 signs are 130 bits, of which the first two are never set.
  for (let place = 4, held = 0, count = -2, at = 0; place < id.length; place++) {
    held = ((held & 0xff) << 5) | VALUES.get(id.charCodeAt(place))!;
    count += 5;
    if (count < 8) continue;
    count -= 8;
    bytes[at++] = held >> count;
  }
  return bytes;
}

/** The id of 16 bytes made by `idBytes`. */
export function idOfBytes<P extends IdPrefix>(prefix: P, bytes: Uint8Array): Id<P> {
  let text = '';
  let held = 0;
  let count = 2;
  for (const byte of bytes) {
    held = ((held & 0x1f) << 8) | byte;
    for (count += 8; count >= 5;) text += ALPHABET[(held >> (count -= 5)) & 31]!;
  }
  return `${prefix}_${text}`;
}

/** The same id under another prefix: a notification and its delivery share one row and so one random part. */
export function siblingId<P extends IdPrefix>(prefix: P, id: Id<IdPrefix>): Id<P> {
  return `${prefix}_${id.slice(4)}`;
}
