import { loadConfig, readEnvFile } from './config.js';
import { entities } from './entities.js';
import { SystemClock } from './platform/clock.js';
import { Database } from './platform/database/database.js';
import { Invitations } from './studio/invitations.js';

/** Prints a link that makes whoever opens it an admin of the studio: for the first one, and for one who lost their passkeys. */
try {
  readEnvFile();
  const config = loadConfig();
  if (!config.studio.on) throw new Error('The studio is off: set STUDIO=on.');
  const clock = new SystemClock();
  const database = await Database.open(config.database, entities);
  const now = await database.now();
  if (now !== null) clock.follow(now);
  const link = await new Invitations(config, database, clock).renewFirst();
  await database.close();
  process.stdout.write(`First sign-in, once and within 24 hours; a former link opens nothing any more:\n  ${link}\n`);
} catch (error) {
  process.stderr.write(`No link was made. ${(error as Error).message}\n`);
  process.exitCode = 1;
}
