/**
 * LINK_KEYS, SECRET_KEYS and HANDOFF_KEYS: what signs and seals.
 * What is wrong is added to `problems`, and the reading goes on: the caller ends the start with all of it.
 */
import { KeyRing, parseKeyList } from '../platform/crypto.js';
import { SEED_BYTES, SigningKeys } from '../platform/signing-keys.js';

export function readKeys(name: string, value: string | undefined, problems: string[]): KeyRing {
  const parsed = value === undefined ? null : parseKeyList(value);
  if (parsed?.ok) return new KeyRing(parsed.keys);
  problems.push(
    parsed === null
      ? `${name} is required in production: kid:base64 of 32 random bytes, for example from: echo "k1:$(openssl rand -base64 32)"`
      : `${name}: ${parsed.problem}`,
  );
  return new KeyRing([{ kid: 'none', key: Buffer.alloc(32) }]); // never used: the problem ends the start
}

export function readHandoffKeys(value: string | undefined, isNeeded: boolean, problems: string[]): SigningKeys {
  const parsed = value === undefined ? null : parseKeyList(value);
  const wrong = parsed?.ok ? parsed.keys.find(({ key }) => key.length !== SEED_BYTES) : undefined;
  if (parsed?.ok && !wrong) return new SigningKeys(parsed.keys);
  if (wrong) problems.push(`HANDOFF_KEYS: the key of '${wrong.kid}' must have ${SEED_BYTES} bytes: an Ed25519 seed`);
  else if (parsed?.ok === false) problems.push(`HANDOFF_KEYS: ${parsed.problem}`);
  else if (isNeeded)
    problems.push(
      'HANDOFF_KEYS is required in production by a source with handoff: jwt: kid:base64 of 32 random bytes, for example from: echo "h1:$(openssl rand -base64 32)"',
    );
  return new SigningKeys([]);
}
