import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { wordsHash } from '../../src/templates/words-texts.js';
import { TestClock } from '../support/clock.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { isLong } from '../support/long.js';
import { freePort, Program, programSettings, until } from '../support/program.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { TestSource } from '../support/source.js';
import { studioPerson, type StudioBrowser } from '../support/studio.js';
import { rows, type TableName } from '../support/tables.js';

const LONGEST_MS = 10_000;

/** Two processes as `npm start` runs them on one Postgres; people sign in at a gateway of this process beside them. */
describe.each(databases.filter(({ name }) => name === 'Postgres'))('words over two processes on $name', (database) => {
  let folder: string;
  let relay: Relay;
  let test: TestGateway;
  let programs: Program[];
  let sources: TestSource[];
  /** Ben's browser talks to the first process, Cai's to the second. */
  let ben: StudioBrowser;
  let cai: StudioBrowser;
  const [first, second] = [0, 1] as const;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-words-'));
    relay = await startRelay();
    const secret = generateWebhookSecret();
    const settings = { MAIL_URL: relay.url, SOURCE_SECRET: secret };
    test = await createGateway({ database, settings, clockRuns: true });
    // Before the others start: in a studio without people each would make a link for the first.
    ben = await studioPerson(test, 'publisher', 'Ben');
    cai = await studioPerson(test, 'publisher', 'Cai');
    const ports = [await freePort(), await freePort()];
    const shared = programSettings({ folder, port: 0, databaseUrl: test.databaseUrl, mailUrl: relay.url, secret });
    const more = { ...test.keys, PUBLIC_URL: test.url, QUIET_WINDOW_SECONDS: '0' };
    programs = ports.map((port) => new Program(folder, { ...shared, ...more, PORT: String(port) }));
    await Promise.all(programs.map((program) => program.start()));
    [ben.at, cai.at] = ports.map((port) => `http://127.0.0.1:${port}`) as [string, string];
    sources = ports.map((port) => new TestSource(`http://127.0.0.1:${port}`, secret, new TestClock(true)));
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.end('SIGTERM')));
    await test.close();
    await relay.close();
    rmSync(folder, { recursive: true, force: true });
  });

  let tickets = 0;
  async function nextSubject(at: number): Promise<string> {
    const email = `two-${++tickets}@example.com`;
    const ticket = { id: `two-${tickets}`, number: '12345' };
    await sources[at]!.send('ticket.replied', { ticket, requester: { email, locale: 'en' }, message: {} });
    const mail = () => relay.handedOver.find(({ to }) => to[0] === email);
    await until('the mail comes in', () => mail() !== undefined);
    return /^Subject: (.*)\r$/m.exec(mail()!.raw)![1]!;
  }
  /** Waits for a mail of that process that says it: from `since` (`performance.now()`) on it has 10 seconds. */
  async function untilSaid(at: number, subject: string, since: number): Promise<void> {
    await until(`a mail says ${subject}`, async () => (await nextSubject(at)) === subject, { everyMs: 200 });
    expect(performance.now() - since).toBeLessThan(LONGEST_MS);
  }

  /** Saves over what is there. */
  async function write(who: StudioBrowser, key: string, subject: string): Promise<void> {
    const { text, base, draft } = (await who.ask('GET', `words/${key}/en`)).body;
    const changed = text.replace(/^subject: .*$/m, `subject: ${subject} {{ticketNumber}}`);
    const saved = await who.ask('PUT', `drafts/${key}/en`, { text: changed, version: draft?.version ?? 0, base });
    expect(saved).toMatchObject({ status: 200 });
  }
  const publish = async (who: StudioBrowser, key: string) => {
    const answer = await who.ask('POST', `drafts/${key}/en/publish`, { why: 'x' });
    expect(answer).toMatchObject({ status: 200 });
    return answer.body.revision as string;
  };

  /** What was decided of a text, oldest first: each has its revision, its entry in the log, and no draft any more. */
  function whole(key: string): Promise<string[]> {
    return test.gateway.database.write(async (tx) => {
      // One moment of all tables: the last commit of who was killed may still be under way.
      await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      return wholeIn((table, where) => tx.query(`SELECT * FROM ${table} WHERE ${where} ORDER BY id`), key);
    });
  }

  it('a draft published through both at once is published once', async () => {
    const people = [ben, cai];
    await write(people[0]!, 'ticket-closed', 'Done');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => people[i % 2]!.ask('POST', 'drafts/ticket-closed/en/publish', { why: 'x' })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await whole('ticket-closed')).toHaveLength(1);
  });

  it('many saves through both at once lose none that was answered', async () => {
    const people = [ben, cai];
    const { text, base } = (await people[0]!.ask('GET', 'words/ticket-reopened/en')).body;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        people[i % 2]!.ask('PUT', 'drafts/ticket-reopened/en', { text: `${text}\n\n${i}\n`, version: 0, base }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });

  it('what one published before it was killed is in the next mail of the other, what it was publishing is not', async () => {
    const shipped = await nextSubject(second);
    await write(ben, 'ticket-replied', 'Before');
    const before = await publish(ben, 'ticket-replied');
    const publishedAt = performance.now();
    await write(ben, 'ticket-replied', 'Half');
    // It is stopped at the last thing that a publication writes, and killed there.
    await test.gateway.database.write(async (tx) => {
      await tx.query('LOCK TABLE audit_log IN SHARE MODE');
      const publishing = publish(ben, 'ticket-replied').catch((error: Error) => error.message);
      await until('it is in the middle', async () => (await waitsForLog(test)) > 0);
      await programs[first]!.end('SIGKILL');
      expect(await publishing).toBe('fetch failed');
    });
    expect(await whole('ticket-replied')).toEqual([before]);
    await untilSaid(second, 'Before 12345', publishedAt);
    // The draft is as it was.
    const half = await publish(cai, 'ticket-replied');
    expect(await nextSubject(second)).toBe('Half 12345');
    const back = { revision: 'shipped', why: 'y' };
    cai.at = test.url;
    const many = Array.from({ length: 5 }, () => cai.ask('POST', 'words/ticket-replied/en/rollback', back));
    expect((await Promise.all(many)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await untilSaid(second, shipped, performance.now());
    expect(await whole('ticket-replied')).toEqual([before, half, 'null']);
  });

  if (isLong)
    it(
      'whenever one is killed while it publishes, each publication is whole or not there',
      async () => {
        const keys = ['ticket-replied', 'ticket-resolved', 'ticket-created'];
        let said = 0;
        await write(cai, 'ticket-replied', `Turn ${said}`);
        await publish(cai, 'ticket-replied');
        for (let turn = 0; turn < 20; turn++) {
          if (!programs[first]!.isRunning) await programs[first]!.start();
          const answered = new Map<string, string[]>();
          const publishing = keys.map(async (key) => {
            const known = await whole(key);
            answered.set(key, known);
            for (;;) {
              await write(ben, key, `Turn ${++said}`);
              known.push(await publish(ben, key));
            }
          });
          const ended = Promise.allSettled(publishing);
          await until('each publishes', () => keys.every((key) => answered.has(key)));
          await new Promise((resolve) => setTimeout(resolve, randomInt(50, 1500)));
          await programs[first]!.end('SIGKILL');
          const killedAt = performance.now();
          for (const end of await ended)
            expect(String((end as PromiseRejectedResult).reason)).toMatch(/fetch failed|terminated/);
          for (const key of keys) {
            const decided = await whole(key);
            // What was answered is there, and one more at most: its answer was lost.
            expect(decided.slice(0, answered.get(key)!.length)).toEqual(answered.get(key));
            expect(decided.length - answered.get(key)!.length).toBeLessThanOrEqual(1);
          }
          const [current] = await rows(test, 'template_current', `id = 'ticket-replied/en'`);
          const [counts] = await rows(test, 'template_revisions', `id = '${String(current!.revision_id)}'`);
          const subject = /^subject: (.*) \{\{/m.exec(String(counts!.text))![1]!;
          await untilSaid(second, `${subject} 12345`, killedAt);
        }
        expect(said).toBeGreaterThan(20);
      },
      10 * 60_000,
    );
});

/** How many wait until they may write into the audit log. */
async function waitsForLog({ gateway }: TestGateway): Promise<number> {
  const text = `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'audit_log'::regclass
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  return gateway.database.read(async (manager) => (await manager.query<unknown[]>(text)).length);
}

type Look = (table: TableName, where: string) => Promise<Record<string, unknown>[]>;

async function wholeIn(look: Look, key: string): Promise<string[]> {
  const where = `key = '${key}' AND locale = 'en'`;
  const decided = await look('template_publications', where);
  const entries = `subject = '${key}/en' AND action IN ('words.published', 'words.rolled-back')`;
  expect((await look('audit_log', entries)).map(({ detail }) => String(detail).split(';')[0])).toEqual(
    decided.map(({ revision_id: id }) => id ?? 'shipped'),
  );
  const [current] = await look('template_current', `id = '${key}/en'`);
  expect([current?.version ?? 0, current?.publication_id]).toEqual([decided.length, decided.at(-1)?.id]);
  const revisions = new Map((await look('template_revisions', where)).map((row) => [row.id, row]));
  for (const { revision_id: id } of decided)
    if (id !== null) expect(wordsHash(String(revisions.get(id)!.text))).toBe(revisions.get(id)!.hash);
  const [draft] = await look('template_drafts', where);
  const published = decided.map(({ revision_id: id }) => revisions.get(id)?.text);
  if (draft) expect(published.includes(draft.text)).toBe(draft.state === 'gone');
  return decided.map(({ revision_id: id }) => String(id));
}
