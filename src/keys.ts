import { loadConfig, readEnvFile } from './config.js';
import { generateKey, randomToken } from './platform/crypto.js';

/** The lists of keys: how long a former key must stay, and what whoever has one can make. */
const lists = {
  LINK_KEYS: {
    former: 'until LINK_LIFETIME_DAYS are over (30 unless set): links that it signed live that long',
    power: 'make links',
  },
  SECRET_KEYS: {
    former: 'for a day: codes and forms that it signed, and what was counted, live that long',
    power: 'make codes',
  },
  HANDOFF_KEYS: {
    former: 'for ten minutes: a JWT lives one, and sources may have read the published keys five minutes ago',
    power: "hand guests over to a source's ticket page",
  },
};
type ListName = keyof typeof lists;

const USAGE = `npm run keys -- list             which keys there are, and which one signs
npm run keys -- new [${Object.keys(lists).join('|')}]   a new key, and what to put where
`;

/** Makes keys, and says which ones there are without showing any. */
export function keysCommand([command, name = 'LINK_KEYS']: string[]): { ok: boolean; text: string } {
  if (command === 'list') return listKeys();
  if (command === 'new' && Object.hasOwn(lists, name)) return { ok: true, text: newKey(name as ListName) };
  return { ok: false, text: USAGE };
}

function newKey(name: ListName): string {
  const { former, power } = lists[name];
  // Two keys made on one day must have two names.
  const kid = `${new Date().toISOString().slice(2, 10).replaceAll('-', '')}${randomToken(3).replace(/[-_]/g, '0')}`;
  return `${kid}:${generateKey()}

  Put it first in ${name}, before a comma and the keys that are there, and restart.
  Keep the former keys ${former}.
  With several processes put it last everywhere first, then first. Whoever has it can ${power}: keep it secret.
`;
}

function listKeys(): { ok: boolean; text: string } {
  readEnvFile();
  const { linkKeys, secretKeys, handoffKeys } = loadConfig();
  const handoffNames = handoffKeys.published.map(({ kid }) => kid);
  const names = { LINK_KEYS: linkKeys.names, SECRET_KEYS: secretKeys.names, HANDOFF_KEYS: handoffNames };
  const text = (Object.keys(lists) as ListName[]).flatMap((name) => lines(name, names[name])).join('');
  return { ok: true, text };
}

function lines(name: ListName, names: readonly string[]): string[] {
  if (names.length === 0) return [`${name}\n`, '  none\n'];
  const width = Math.max(...names.map((kid) => kid.length));
  return [
    `${name}\n`,
    ...names.map((kid, i) => `  ${kid.padEnd(width)}  ${i === 0 ? 'signs and verifies' : 'verifies'}\n`),
  ];
}
