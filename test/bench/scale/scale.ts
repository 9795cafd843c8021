// npm run simulate:scale: what many mails a day need, from measured costs. npm run simulate:scale -- --help says more.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cleanUpOnExit } from '../processes.js';
import { COSTS_FILE, readCosts } from './costs.js';
import { measureCosts } from './measure.js';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { measure: { type: 'boolean' }, costs: { type: 'string', default: COSTS_FILE } },
  });
  if (values.measure) {
    const measured = await measureCosts((text) => process.stderr.write(`${text}\n`));
    writeFileSync(values.costs, `${JSON.stringify(measured, null, 2)}\n`);
  }
  console.log(JSON.stringify(readCosts(values.costs)));
}

cleanUpOnExit();
process.exitCode = await main().then(
  () => 0,
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  },
);
process.exit();
