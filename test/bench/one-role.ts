// The gateway doing one thing only, also on SQLite, where an operator's settings do not allow it: BENCH_ROLE=web takes
// webhooks and sends nothing, BENCH_ROLE=worker sends what is there. Everything else is what `npm start` does.
import { loadConfig } from '../../src/config.js';
import { startGateway } from '../../src/gateway.js';

const config = loadConfig();
const role = process.env.BENCH_ROLE;
const gateway = await startGateway({ ...config, roles: { web: role !== 'worker', worker: role !== 'web' } });
process.once('SIGTERM', () => void gateway.close().then(() => process.exit(0)));
