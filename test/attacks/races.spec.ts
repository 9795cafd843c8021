import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { TestClock } from '../support/clock.js';
import { counted } from '../support/counted.js';
import { databases, type TestDatabase } from '../support/databases.js';
import { Guest, type Form } from '../support/guest.js';
import { freePort, lookInto, Program, programSettings, until } from '../support/program.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { TestSource } from '../support/source.js';
import { linksOf } from '../support/visit.js';

const postgres = databases.filter(({ name }) => name === 'Postgres');
const MOST_TRIES = 5;

/** Two processes of the gateway, as `npm start` runs them, on one database; a balancer would spread over both. */
describe.each(postgres)('codes at two processes on one $name', (database) => {
  let folder: string;
  let store: TestDatabase;
  let relay: Relay;
  let programs: Program[];
  let origins: string[];
  let source: TestSource;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-races-'));
    store = await database.create(folder);
    relay = await startRelay();
    const ports = [await freePort(), await freePort()];
    origins = ports.map((port) => `http://127.0.0.1:${port}`);
    const secret = generateWebhookSecret();
    const given = { folder, port: ports[0]!, databaseUrl: store.url, mailUrl: relay.url, secret };
    const shared = { ...programSettings(given), QUIET_WINDOW_SECONDS: '0', TRUSTED_PROXIES: '127.0.0.1' };
    programs = ports.map((port) => new Program(folder, { ...shared, PORT: String(port) }));
    // One after the other, as a rolling start does: the first makes the tables.
    for (const program of programs) await program.start();
    source = new TestSource(origins[0]!, secret, new TestClock());
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.end('SIGTERM')));
    await relay.close();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  let tickets = 0;
  /** A guest on the code page, with the code that was mailed. */
  const arrive = async () => {
    const number = ++tickets;
    const email = `guest-${number}@example.com`;
    await source.send('ticket.replied', {
      ticket: { id: `race-${number}`, number: String(number) },
      requester: { email, locale: 'en' },
      message: {},
    });
    const mails = () => relay.handedOver.filter(({ to }) => to.includes(email));
    await until('the ticket mail comes', () => mails().length === 1);
    const link = linksOf(mails()[0]!.raw);
    // Each has an address of their own: thirty codes an hour go to one.
    const network = { 'x-forwarded-for': `198.51.100.${number}`, 'sec-fetch-site': 'same-origin' };
    const guest = new Guest(origins[0]!, network);
    const page = await guest.submit(await guest.get(link), '/code');
    await until('the code mail comes', () => mails().length === 2);
    const code = /(?<![\w-])\d{6}(?![\w-])/.exec(textOf(mails()[1]!.raw))![0];
    return { link, guest, network, code, form: formOf(page.forms) };
  };
  type Arrived = Awaited<ReturnType<typeof arrive>>;
  const formOf = (forms: Form[]) => forms.find(({ action }) => action.endsWith('/verify'))!;

  /** So many at once at both processes: all by one browser, or each by one of its own. */
  const post = async (
    { link, guest, network, form }: Arrived,
    many: number,
    who: string,
    code: (n: number) => string,
  ) => {
    const browsers = await Promise.all(
      Array.from({ length: many }, async () => {
        if (who === 'one browser') return { guest, form };
        const other = new Guest(origins[0]!, network);
        return { guest: other, form: formOf((await other.get(`${link}/code`)).forms) };
      }),
    );
    return Promise.all(
      browsers.map(({ guest: one, form: { action, fields } }, n) =>
        one.post(`${origins[n % 2]!}${action}`, { ...fields, code: code(n) }, { follow: false }),
      ),
    );
  };
  /** What the database has of the newest guest. */
  const kept = () =>
    lookInto(store.url, (opened) =>
      opened.read(async (manager) => {
        const all = `FROM participants p JOIN tickets t ON t.id = p.ticket_id WHERE t.number = '${tickets}'`;
        const [challenge] = await manager.query<{ tries: number }[]>(
          `SELECT max(tries) AS tries FROM challenges WHERE participant_id IN (SELECT p.id ${all})`,
        );
        const sessions = await manager.query<unknown[]>(
          `SELECT id FROM sessions WHERE participant_id IN (SELECT p.id ${all})`,
        );
        return { tries: Number(challenge!.tries), sessions: sessions.length };
      }),
    );

  describe.each([2, 10, 50, 100, 200])('%i at once', (many) => {
    it.each(['one browser', 'many browsers'])(
      'guesses of %s: at most five are compared, and nobody is in',
      async (who) => {
        const guest = await arrive();
        const wrong = (n: number) => String((Number(guest.code) + n + 1) % 1_000_000).padStart(6, '0');
        const answers = await post(guest, many, who, wrong);
        expect(answers.filter(({ status }) => ![410, 422, 429].includes(status))).toEqual([]);
        // Who was not told "wrong" was not compared; the last of five is told that the code is dead.
        expect(answers.filter(({ status }) => status === 422).length).toBeLessThan(MOST_TRIES);
        expect(await kept()).toEqual({ tries: Math.min(many, MOST_TRIES), sessions: 0 });
        const [late] = await post(guest, 1, 'one browser', () => guest.code);
        // With more than 25 guesses in the hour it is not even looked at.
        expect(late!.status).toBe(many < MOST_TRIES ? 303 : many > 25 ? 429 : 410);
        counted('guesses at two processes at once', many);
      },
    );

    it.each(['one browser', 'many browsers'])('right answers of %s: one session is opened', async (who) => {
      const guest = await arrive();
      const answers = await post(guest, many, who, () => guest.code);
      expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
      expect(answers.filter(({ status }) => ![303, 410, 422, 429].includes(status))).toEqual([]);
      const { tries, sessions } = await kept();
      expect([tries <= MOST_TRIES, sessions]).toEqual([true, 1]);
      counted('guesses at two processes at once', many - 1);
    });

    it('guesses among right answers: five are compared in all, and at most one opens', async () => {
      const guest = await arrive();
      const wrong = (n: number) => String((Number(guest.code) + n + 1) % 1_000_000).padStart(6, '0');
      const answers = await post(guest, many, 'one browser', (n) => (n % 4 === 3 ? guest.code : wrong(n)));
      const opened = answers.filter(({ status }) => status === 303).length;
      const { tries, sessions } = await kept();
      expect([opened <= 1, sessions, tries <= MOST_TRIES]).toEqual([true, opened, true]);
      counted('guesses at two processes at once', many - opened);
    });
  });

  it('both processes took their part and neither saw what it did not expect', () => {
    for (const program of programs) {
      expect(program.problems).toEqual([]);
      expect(program.logs.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
    }
  });
});

/** The text part of a mail as it was sent. */
function textOf(raw: string): string {
  return raw.split(/^--/m).find((part) => /text\/plain/i.test(part)) ?? raw;
}

if (postgres.length === 0) it.todo('needs Postgres');
