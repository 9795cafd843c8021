import { loadConfig, readEnvFile } from './config.js';
import { generateKey, randomToken, type KeyRing } from './platform/crypto.js';

const USAGE = `npm run keys -- list             which keys there are, and which one signs
npm run keys -- new [LINK_KEYS|SECRET_KEYS]   a new key, and what to put where
`;

/** Makes keys, and says which ones there are without showing any. */
export function keysCommand([command, name = 'LINK_KEYS']: string[]): { ok: boolean; text: string } {
  if (command === 'list') return listKeys();
  if (command === 'new' && (name === 'LINK_KEYS' || name === 'SECRET_KEYS')) return { ok: true, text: newKey(name) };
  return { ok: false, text: USAGE };
}

function newKey(name: 'LINK_KEYS' | 'SECRET_KEYS'): string {
  const until =
    name === 'LINK_KEYS'
      ? 'until LINK_LIFETIME_DAYS are over (30 unless set): links that it signed live that long'
      : 'for a day: codes and forms that it signed, and what was counted, live that long';
  // Two keys made on one day must have two names.
  const kid = `${new Date().toISOString().slice(2, 10).replaceAll('-', '')}${randomToken(3).replace(/[-_]/g, '0')}`;
  return `${kid}:${generateKey()}

  Put it first in ${name}, before a comma and the keys that are there, and restart.
  Keep the former keys ${until}.
  With several processes put it last everywhere first, then first. Whoever has it can make ${name === 'LINK_KEYS' ? 'links' : 'codes'}: keep it secret.
`;
}

function listKeys(): { ok: boolean; text: string } {
  readEnvFile();
  const { linkKeys, secretKeys } = loadConfig();
  return { ok: true, text: [...lines('LINK_KEYS', linkKeys), ...lines('SECRET_KEYS', secretKeys)].join('') };
}

function lines(name: string, { names }: KeyRing): string[] {
  const width = Math.max(...names.map((kid) => kid.length));
  return [
    `${name}\n`,
    ...names.map((kid, i) => `  ${kid.padEnd(width)}  ${i === 0 ? 'signs and verifies' : 'verifies'}\n`),
  ];
}
