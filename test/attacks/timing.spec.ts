import { Links } from '../../src/access/link.js';
import { newId } from '../../src/ids.js';
import { generateKey, KeyRing } from '../../src/platform/crypto.js';
import { signToken } from '../../src/platform/signed-token.js';
import { counted } from '../support/counted.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { send } from '../support/raw.js';
import { change } from '../support/tables.js';
import { invite, opened } from '../support/visit.js';

/** The whole thousand with `npm run test:attacks`. */
const ROUNDS = process.env.POSTERN_ATTACKS ? 1000 : 200;
const MOST_APART_MS = 5;

describe.each(databases)('the time of an answer on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database });
  });
  afterAll(() => test.close());

  it('does not tell a forged link from one of another ticket, an unknown one or a revoked one', async () => {
    const link = await invite(test);
    const { ticketId, participantId, generation } = opened(test, link);
    const tokenOf = (given: object) => {
      const expiresAt = test.clock.now() + 86_400_000;
      const links = test.gateway.app.get(Links);
      return links
        .url({ source: 'default', ticketId, participantId, generation, expiresAt, ...given })
        .split('/t/')[1]!;
    };
    const payload = Buffer.from(link.split('.')[2]!, 'base64url');
    const foreign = new KeyRing([{ kid: 'l1', key: Buffer.from(generateKey(), 'base64') }]);
    const revoked = await invite(test, { email: 'budi@example.com' });
    await change(test, `UPDATE participants SET generation = generation + 1 WHERE email = 'budi@example.com'`);
    const tokens: Record<string, string> = {
      forged: signToken(foreign, 'ticket-link', payload),
      'of another ticket': tokenOf({ ticketId: newId('tkt', 1) }),
      'of an unknown person': tokenOf({ participantId: newId('ptc', 1) }),
      revoked: revoked.slice('/t/'.length),
    };
    const times = Object.fromEntries(Object.keys(tokens).map((name) => [name, [] as number[]]));
    for (let n = 0; n < ROUNDS; n++)
      // In turns, so that whatever else the machine does is shared by all.
      for (const [name, token] of Object.entries(tokens)) {
        const from = performance.now();
        const { status } = await send(test.url, { path: `/t/${token}` });
        times[name]!.push(performance.now() - from);
        if (status !== 404) throw new Error(`${name} was answered ${status}`);
      }
    const medians = Object.entries(times).map(([name, all]) => [name, all.sort((a, b) => a - b)[ROUNDS / 2]!] as const);
    const apart = Math.max(...medians.map(([, ms]) => ms)) - Math.min(...medians.map(([, ms]) => ms));
    if (apart > MOST_APART_MS) throw new Error(`medians in ms: ${JSON.stringify(medians)}`);
    counted('time of an answer', ROUNDS * Object.keys(tokens).length);
  }, 600_000);
});
