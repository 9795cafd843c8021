import { loadConfig, readEnvFile, type Config } from './config.js';
import { isMendable } from './errors.js';
import { startGateway, type Gateway } from './gateway.js';
import { Invitations } from './studio/invitations.js';

/** Work that runs may end within this time; whatever is left comes back when its lease runs out. */
const SHUTDOWN_MS = 25_000;

const { config, gateway } = await start();
// At once: whoever reads that it is ready may stop it.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
tellStart(config, gateway.url);
await tellStudio(config).catch((error: unknown) =>
  gateway.logger.warn('it was not found out whether somebody is in charge of the studio: npm run studio-link helps', {
    error,
  }),
);

async function start(): Promise<{ config: Config; gateway: Gateway }> {
  try {
    readEnvFile();
    const config = loadConfig();
    return { config, gateway: await startGateway(config) };
  } catch (error) {
    const reason = isMendable(error) ? error.message : ((error as Error).stack ?? String(error));
    process.stderr.write(`Postern did not start. ${reason}\n`);
    process.exit(1);
  }
}

async function stop(signal: string): Promise<void> {
  gateway.logger.info('stopping: no new work, finishing what runs', { signal });
  const late = setTimeout(() => {
    gateway.logger.warn('some work did not end in time; it is taken up again after its lease', {
      seconds: SHUTDOWN_MS / 1000,
    });
    process.exit(1);
  }, SHUTDOWN_MS);
  late.unref();
  await gateway.close();
  gateway.logger.info('stopped');
  process.exit(0);
}

function tellStart(config: Config, url: string): void {
  const { logger } = gateway;
  logger.info('Postern is ready', {
    url,
    publicUrl: config.publicUrl,
    database: config.database.kind,
    sources: config.sources.map(({ name }) => name),
  });
  if (config.environment === 'production') return;
  for (const { name, value } of config.generated)
    process.stdout.write(
      `${name}=${value}\n  made for this machine and kept in ${config.dataDir}; sign events with it\n`,
    );
}

/** Nobody is in charge of the studio yet. A log is no place for what lets somebody in, so only a terminal gets the link. */
async function tellStudio({ studio, roles, environment }: Config): Promise<void> {
  if (!studio.on || !roles.web) return;
  const invitations = gateway.app.get(Invitations);
  if (environment === 'production') {
    if (await invitations.isNobodyInCharge())
      gateway.logger.info(
        'nobody is in charge of the studio yet: npm run studio-link makes a link for the first admin',
      );
    return;
  }
  const link = await invitations.offerFirst();
  if (link !== null) process.stdout.write(`Studio: first sign-in, once and within 24 hours:\n  ${link}\n`);
}
