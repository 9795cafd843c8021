import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';

/** One key of a ring: a public name and at least 32 secret bytes. */
export interface KeyEntry {
  kid: string;
  key: Buffer;
}

export type KeyList = { ok: true; keys: KeyEntry[] } | { ok: false; problem: string };

const KID = /^[A-Za-z0-9_-]{1,16}$/;
const KEY_BYTES = 32;
const NONCE_BYTES = 12; // NIST SP 800-38D 8.2.2: 96 random bits, good for 2^32 messages under one key and purpose
const TAG_BYTES = 16;

/**
 * Keys by name. The first signs and encrypts, all verify and decrypt, so a key is rotated by putting a new one in front
 * and cut off by leaving it out. Every purpose works with subkeys of its own (HKDF, RFC 5869), so nothing made for one
 * purpose is genuine for another. Purposes are constants of the code, never data: their subkeys are kept for good.
 */
export class KeyRing {
  // Private fields: neither a log line nor an inspected object shows them.
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #current: string;
  readonly #subkeys = new Map<string, Buffer>();

  /** Throws on an empty list, a bad or doubled kid, a short key; `parseKeyList` finds the same without throwing. */
  constructor(entries: readonly KeyEntry[]) {
    const problem = keyListProblem(entries);
    if (problem !== null) throw new Error(`key ring: ${problem}`);
    this.#keys = new Map(entries.map(({ kid, key }) => [kid, Buffer.from(key)]));
    this.#current = entries[0]!.kid;
  }

  /** The names of its keys; the first one signs. */
  get names(): string[] {
    return [...this.#keys.keys()];
  }

  /** `kid` if the ring still has it, else the name of the first key. */
  nameFor(kid?: string): string {
    return kid !== undefined && this.#keys.has(kid) ? kid : this.#current;
  }

  /** HMAC-SHA-256 (32 bytes) of `data` under the key `kid`, the first one if it is not given or gone. */
  sign(purpose: string, data: Buffer, kid?: string): { kid: string; mac: Buffer } {
    const name = this.nameFor(kid);
    return { kid: name, mac: this.#mac(purpose, name, data) };
  }

  /** True if `mac` is that of `data` under the key `kid`, in constant time; an unknown kid costs the same work. */
  verify(purpose: string, kid: string, data: Buffer, mac: Buffer): boolean {
    const known = this.#keys.has(kid);
    const expected = this.#mac(purpose, known ? kid : this.#current, data);
    return mac.length === expected.length && timingSafeEqual(mac, expected) && known;
  }

  /** AES-256-GCM (RFC 5116): `kid.base64url(nonce | ciphertext | tag)`. `aad` says what it belongs to (a row's id). */
  encrypt(purpose: string, plaintext: string | Buffer, aad: string | Buffer): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#subkey('seal', purpose, this.#current), nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(Buffer.from(aad));
    const sealed = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    return `${this.#current}.${sealed.toString('base64url')}`;
  }

  /** What `encrypt` was given, or null if text, purpose, key or `aad` is not the one it was made with. */
  decrypt(purpose: string, text: string, aad: string | Buffer): Buffer | null {
    const dot = text.indexOf('.');
    const kid = text.slice(0, Math.max(dot, 0));
    const sealed = decodeBase64UrlStrict(text.slice(dot + 1));
    if (!this.#keys.has(kid) || sealed === null || sealed.length < NONCE_BYTES + TAG_BYTES) return null;
    const nonce = sealed.subarray(0, NONCE_BYTES);
    // A tag of a fixed length: node would take a shortened one, which is quick to guess, as genuine.
    const decipher = createDecipheriv('aes-256-gcm', this.#subkey('seal', purpose, kid), nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(aad));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
    try {
      return Buffer.concat([plaintext, decipher.final()]);
    } catch {
      return null; // the only thing `final` throws for: the tag does not fit
    }
  }

  #mac(purpose: string, kid: string, data: Buffer): Buffer {
    return createHmac('sha256', this.#subkey('sign', purpose, kid))
      .update(data)
      .digest();
  }

  #subkey(use: 'sign' | 'seal', purpose: string, kid: string): Buffer {
    const name = `${use}:${kid}:${purpose}`;
    const known = this.#subkeys.get(name);
    if (known) return known;
    const subkey = Buffer.from(hkdfSync('sha256', this.#keys.get(kid)!, '', `${use}:${purpose}`, KEY_BYTES));
    this.#subkeys.set(name, subkey);
    return subkey;
  }
}

/** Reads `kid:base64,kid:base64` (base64 or base64url). A problem names the entry by place and kid, never the key. */
export function parseKeyList(text: string): KeyList {
  const keys: KeyEntry[] = [];
  for (const [index, entry] of text.split(',').entries()) {
    const [kid = '', encoded, ...rest] = entry.trim().split(':');
    // Not even the kid is shown if it is not one: with the colon forgotten it is the key.
    if (encoded === undefined || rest.length > 0 || !KID.test(kid)) {
      return { ok: false, problem: `entry ${index + 1} is not kid:base64 (kid: 1 to 16 of A-Z a-z 0-9 _ -)` };
    }
    const key = decodeBase64(encoded);
    if (key === null) return { ok: false, problem: `the key of '${kid}' is not base64` };
    keys.push({ kid, key });
  }
  const problem = keyListProblem(keys);
  return problem === null ? { ok: true, keys } : { ok: false, problem };
}

function keyListProblem(entries: readonly KeyEntry[]): string | null {
  if (entries.length === 0) return 'no key';
  const seen = new Set<string>();
  for (const { kid, key } of entries) {
    if (!KID.test(kid)) return 'a kid is not 1 to 16 of A-Z a-z 0-9 _ -';
    if (seen.has(kid)) return `kid '${kid}' appears twice`;
    if (key.length < KEY_BYTES) return `the key of '${kid}' has ${key.length} bytes, at least ${KEY_BYTES} are needed`;
    seen.add(kid);
  }
  return null;
}

/** A new key for a key list: base64 of 32 random bytes. */
export function generateKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

export function sha256(data: string | Buffer): Buffer {
  return hash('sha256', data, 'buffer');
}

/** What of a token is stored: whoever reads the table has none. Tokens are random, so nothing slower is needed. */
export function hashToken(token: string): string {
  return sha256(token).toString('hex');
}

/** `bytes` random bytes in base64url. */
export function randomToken(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

/** Compares in a time that tells nothing of where they differ; hashed first, so nothing of the length either. */
export function constantTimeEqual(a: string | Buffer, b: string | Buffer): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

/**
 * Decodes unpadded base64url (RFC 4648 5), or null. Only the one canonical spelling of some bytes is taken (3.5: spare
 * bits must be zero), else one token would have several spellings and a flipped bit could go unseen.
 */
export function decodeBase64UrlStrict(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

/** Decodes canonical base64 (RFC 4648 4, padded or not) or base64url, or null. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  const bare = text.replace(/={1,2}$/, '');
  const padded = text.length > bare.length;
  if (padded && text.length % 4 !== 0) return null;
  const canonical = bytes.toString('base64').replace(/={1,2}$/, '');
  return bare === canonical || bare === bytes.toString('base64url') ? bytes : null;
}
