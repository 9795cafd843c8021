import { loadConfig, readEnvFile } from './config.js';
import { entities } from './entities.js';
import { SystemClock } from './platform/clock.js';
import { Database } from './platform/database/database.js';
import { Invitations } from './studio/invitations.js';

/** Makes a link that lets whoever opens it be an admin of the studio: for the first one, and for one who lost their passkeys. */
export async function studioLinkCommand(): Promise<{ ok: boolean; text: string }> {
  readEnvFile();
  const config = loadConfig();
  if (!config.studio.on) return { ok: false, text: 'The studio is off: set STUDIO=on.\n' };
  const clock = new SystemClock();
  const database = await Database.open(config.database, entities);
  try {
    const now = await database.now();
    if (now !== null) clock.follow(now);
    const link = await new Invitations(config, database, clock).renewFirst();
    return {
      ok: true,
      text: `First sign-in, once and within 24 hours; a former link opens nothing any more:\n  ${link}\n`,
    };
  } finally {
    await database.close();
  }
}
