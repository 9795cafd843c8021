import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { KeyEntry } from './crypto.js';

/** What stands before the seed in PKCS #8 (RFC 8410 7). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
export const SEED_BYTES = 32;

/** A public key as others read it (RFC 8037). */
export interface PublicKey {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  alg: 'EdDSA';
  use: 'sig';
}

/** Ed25519 keys by name: the first signs, all are published, so that what an older one signed is still believed. */
export class SigningKeys {
  readonly published: readonly PublicKey[];
  // Private, as in KeyRing: neither a log line nor an inspected object shows it.
  readonly #current: { kid: string; key: KeyObject } | null;

  /** Each key is the seed of 32 bytes. Without entries nothing can be signed. */
  constructor(entries: readonly KeyEntry[]) {
    const keys = entries.map(({ kid, key }) => ({ kid, key: privateKey(key) }));
    this.#current = keys[0] ?? null;
    this.published = keys.map(({ kid, key }) => {
      const { x } = createPublicKey(key).export({ format: 'jwk' });
      return { kty: 'OKP', crv: 'Ed25519', x: x!, kid, alg: 'EdDSA', use: 'sig' };
    });
  }

  /** The key that signs. Throws if there is none: the settings did not ask for one. */
  current(): { kid: string; key: KeyObject } {
    if (this.#current === null) throw new Error('no key to sign with');
    return this.#current;
  }
}

function privateKey(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ED25519_PKCS8, seed]), format: 'der', type: 'pkcs8' });
}
