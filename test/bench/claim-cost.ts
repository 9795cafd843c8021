// What claiming a mail costs in one table and in another one, in ms: BENCH_GATEWAYS holds the settings of two gateways as
// JSON. Both are in this process, without a worker, and take turns, so that what the machine does falls on both. Prints
// the two medians as JSON.
import { loadConfig } from '../../src/config.js';
import { DeliveryRows } from '../../src/delivery/delivery-rows.js';
import { Guard } from '../../src/delivery/guard.js';
import type { Transport } from '../../src/delivery/transports/transport.js';
import { lanes } from '../../src/delivery/worker.js';
import { startGateway, type Gateway } from '../../src/gateway.js';
import { run } from '../../src/platform/database/rows.js';
import { median } from './statistics.js';

/** As many rows as the smaller table has: each pass claims all of these, or the first of the larger one. */
const ROWS = 1000;
const WARM_UP_PASSES = 5;
const PASSES = 40;

/** The guard only asks for its name, and whether it forgets. */
const transports = [{ name: 'smtp', remembersMs: 0 }] as unknown as Transport[];

async function start(settings: NodeJS.ProcessEnv): Promise<Gateway> {
  const config = loadConfig(settings);
  return startGateway({ ...config, port: 0, queue: { kind: 'embedded' }, roles: { web: true, worker: false } });
}

/** Looks for what is due and claims it, batch after batch, as the worker does; ms for each mail. */
async function pass({ app, database, clock }: Gateway): Promise<number> {
  const [rows, guard] = [app.get(DeliveryRows), app.get(Guard)];
  const { batchSize } = lanes.mail;
  let claimed = 0;
  const startedAt = performance.now();
  const ids = await rows.due('mail', ROWS);
  for (let i = 0; i < ids.length; i += batchSize) {
    const batch = ids.slice(i, i + batchSize);
    claimed += (await rows.claim(batch, (tx, found) => guard.judge(tx, transports, found))).admitted.length;
  }
  const ms = (performance.now() - startedAt) / ROWS;
  if (claimed !== ROWS) throw new Error(`${claimed} mails were claimed instead of ${ROWS}`);
  // To the end of the line: in the large table the next pass meets rows that nothing has read before, as a worker does.
  const back = `UPDATE deliveries SET state = 'queued', attempts = 0, next_attempt_at = ? WHERE id IN ?`;
  await database.write((tx) => run(tx, back, [clock.now(), ids]));
  return ms;
}

const gateways: Gateway[] = [];
for (const settings of JSON.parse(process.env.BENCH_GATEWAYS!) as NodeJS.ProcessEnv[])
  gateways.push(await start(settings));
const costs = gateways.map((): number[] => []);
for (let i = 0; i < WARM_UP_PASSES + PASSES; i++)
  for (const [at, gateway] of gateways.entries()) {
    const cost = await pass(gateway);
    if (i >= WARM_UP_PASSES) costs[at]!.push(cost);
  }
for (const gateway of gateways) await gateway.close();
console.log(JSON.stringify(costs.map(median)));
process.exit();
