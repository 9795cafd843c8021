import { parseArgs } from 'node:util';
import { loadConfig, readEnvFile } from './config.js';
import { openApplication } from './gateway.js';
import { Erasure, hasAny, type Erased } from './operations/erasure.js';
import { parseAddress } from './platform/address.js';
import { Logger } from './platform/logger.js';

const USAGE = 'npm run postern -- erase ADDRESS --reason WHY    or    npm run postern -- erase ADDRESS --dry\n';

/** Forgets a person, or says with `--dry` what would go. The gateway may run meanwhile: its worker ends what waits. */
export async function eraseCommand(args: string[]): Promise<{ ok: boolean; text: string }> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { reason: { type: 'string' }, dry: { type: 'boolean', default: false } },
  });
  const [given, ...more] = positionals;
  const reason = values.reason?.trim() ?? '';
  if (given === undefined || more.length > 0 || (!values.dry && reason === '')) return { ok: false, text: USAGE };
  const parsed = parseAddress(given, { allowLocalhost: true });
  if (!parsed.ok) return { ok: false, text: `${given} is no e-mail address.\n` };
  readEnvFile();
  const config = { ...loadConfig(), roles: { web: true, worker: false } };
  const gateway = await openApplication(config, { logger: new Logger('error'), sweepEveryMs: 0 });
  try {
    const erasure = gateway.app.get(Erasure);
    const { key } = parsed.address;
    const counts = values.dry ? await erasure.count(key) : await erasure.erase(key, { actor: 'command line', reason });
    return { ok: true, text: told(counts, values.dry) };
  } finally {
    await gateway.close();
  }
}

function told(counts: Erased, dry: boolean): string {
  if (!hasAny(counts)) return 'Nothing is kept of this address.\n';
  const lines = Object.entries(counts).map(([name, count]) => `  ${name.padEnd(12)} ${String(count)}\n`);
  return `${dry ? 'Would be erased' : 'Erased'}:\n${lines.join('')}`;
}
