import { Links } from '../../src/access/link.js';
import { newId } from '../../src/ids.js';
import { generateKey, KeyRing } from '../../src/platform/crypto.js';
import { signToken } from '../../src/platform/signed-token.js';
import { counted } from '../support/counted.js';
import { databases, sqlite } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { isLong } from '../support/long.js';
import { send } from '../support/raw.js';
import { change } from '../support/tables.js';
import { invite, newestMail, opened } from '../support/visit.js';

const ROUNDS = isLong ? 1000 : 150;
const MOST_APART_MS = 5;
const WRITTEN = /[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{5}/;

// Milliseconds of Postgres on shared cores are those of whoever else is there: the long form asks it a thousand times.
describe.each(isLong ? databases : [sqlite])('the time of an answer on $name', (database) => {
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
    await compare(Object.keys(tokens), async (name) => {
      const { status } = await send(test.url, { path: `/t/${tokens[name]}` });
      if (status !== 404) throw new Error(`${name} was answered ${status}`);
    });
  }, 600_000);

  it('of "is this mail from you?" does not tell an unknown reference from that of a mail that did not leave, or one mail from another', async () => {
    const guest = new Guest(test.url);
    const referenceOf = async (email: string) => {
      await invite(test, { email });
      return WRITTEN.exec(newestMail(test, email).text)![0];
    };
    const waiting = await referenceOf('waiting@example.com');
    await change(test, `UPDATE deliveries SET state = 'queued' WHERE recipient = 'waiting@example.com'`);
    const typed: Record<string, string> = {
      unknown: '0000-0000-00000',
      'of a mail that did not leave': waiting,
      'of a mail of mine': await referenceOf('mine@example.com'),
      'of a mail of another': await referenceOf('other@example.com'),
    };
    const [form] = (await guest.get('/check')).forms;
    const headers = {
      cookie: [...guest.cookies].map((pair) => pair.join('=')).join('; '),
      'content-type': 'application/x-www-form-urlencoded',
    };
    await compare(Object.keys(typed), async (name) => {
      // Thirty in an hour are let through. What can be no reference is not looked up at all, and its page says so.
      test.clock.advance({ minutes: 3 });
      const body = new URLSearchParams({ ...form!.fields, reference: typed[name]! }).toString();
      const { status } = await send(test.url, { method: 'POST', path: '/check', headers, body });
      if (status !== 200) throw new Error(`${name} was answered ${status}`);
    });
  }, 600_000);

  /**
   * Asks for each in turns, so that whatever else the machine does is shared by all, and compares the medians. A machine at
   * work adds to a difference and takes nothing from one: what is apart in each of three goes is apart.
   */
  const compare = async (names: string[], ask: (name: string) => Promise<void>): Promise<void> => {
    const said: string[] = [];
    for (let go = 0; go < 3; go++) {
      const medians = await measure(names, ask);
      counted('time of an answer', ROUNDS * names.length);
      if (Math.max(...Object.values(medians)) - Math.min(...Object.values(medians)) <= MOST_APART_MS) return;
      said.push(JSON.stringify(medians));
    }
    throw new Error(`medians in ms: ${said.join('; ')}`);
  };

  const measure = async (names: string[], ask: (name: string) => Promise<void>): Promise<Record<string, number>> => {
    const times = Object.fromEntries(names.map((name) => [name, [] as number[]]));
    for (let n = 0; n < ROUNDS; n++)
      for (const name of names) {
        const from = performance.now();
        await ask(name);
        times[name]!.push(performance.now() - from);
      }
    return Object.fromEntries(
      Object.entries(times).map(([name, all]) => [name, all.sort((a, b) => a - b)[ROUNDS / 2]!]),
    );
  };
});
