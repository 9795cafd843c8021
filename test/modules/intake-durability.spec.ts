import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/config.js';
import { loadSqliteDriver } from '../../src/platform/database/sqlite-driver.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { TestClock } from '../support/clock.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { TestSource } from '../support/source.js';
import { count, dump } from '../support/tables.js';

interface Receipt {
  eventId: string;
  duplicate: boolean;
}

describe('an event that was answered 202', () => {
  const program = join(packageRoot, 'dist/src/main.js');
  const secret = generateWebhookSecret();
  const folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** The built program as an operator starts it, in an empty folder, with a mail server that is not there. */
  async function start(): Promise<{ process: ChildProcess; url: string }> {
    if (!existsSync(program)) throw new Error(`${program} is not there: run "npm run build" first`);
    const child = spawn(process.execPath, [program], {
      cwd: folder,
      env: { NODE_ENV: 'test', PORT: '0', DATA_DIR: folder, SOURCE_SECRET: secret, MAIL_URL: 'smtp://127.0.0.1:9' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      const { msg, url } = JSON.parse(line) as { msg: string; url: string };
      if (msg === 'Postern is ready') return { process: child, url };
    }
    throw new Error('it ended before it was ready');
  }

  async function kill(child: ChildProcess): Promise<void> {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  it('is there, whole, after kill -9 in the middle of many, and is known when it comes again', async () => {
    const source = new TestSource('', secret, new TestClock());
    const events = Array.from({ length: 100 }, (_, i) => ({
      id: `evt_${i}`,
      body: JSON.stringify(source.event('ticket.replied', { ticket: { id: randomUUID() }, message: {} })),
    }));
    const post = async (url: string, { id, body }: { id: string; body: string }) => {
      const answer = await new TestSource(url, secret, new TestClock()).post(body, { id });
      return { id, status: answer.status, receipt: (await answer.json()) as Receipt };
    };

    const first = await start();
    const acknowledged: { id: string; receipt: Receipt }[] = [];
    await new Promise<void>((resolve) => {
      for (const event of events)
        post(first.url, event).then(
          ({ id, status, receipt }) => {
            if (status === 202) acknowledged.push({ id, receipt });
            if (acknowledged.length === 50) resolve();
          },
          () => {}, // cut off by the kill
        );
    });
    await kill(first.process);

    const database = new (
      loadSqliteDriver() as new (path: string) => {
        prepare(sql: string): { all(): Record<string, unknown>[] };
        pragma(text: string): unknown;
        close(): void;
      }
    )(join(folder, 'postern.sqlite'));
    const kept = database.prepare('SELECT id, source_event_id FROM events').all();
    const mails = database.prepare('SELECT event_id FROM deliveries').all();
    const messages = database.prepare('SELECT id FROM messages').all();
    expect(database.pragma('integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    database.close();
    const keptIds = new Map(kept.map((row) => [row.source_event_id, row.id]));
    expect(acknowledged.length).toBeGreaterThanOrEqual(50);
    expect(acknowledged.filter(({ id, receipt }) => keptIds.get(id) !== receipt.eventId)).toEqual([]);
    // Whatever is there is there with everything that belongs to it.
    expect(mails.map((row) => row.event_id).sort()).toEqual(kept.map((row) => row.id).sort());
    expect(messages).toHaveLength(kept.length);

    const second = await start();
    const again = await Promise.all(events.map((event) => post(second.url, event)));
    await kill(second.process);
    for (const { id, receipt } of acknowledged)
      expect(again.find((one) => one.id === id)).toMatchObject({
        status: 200,
        receipt: { ...receipt, duplicate: true },
      });
    expect(again.filter(({ status }) => status === 200)).toHaveLength(kept.length);
    expect(again.filter(({ status }) => status === 202)).toHaveLength(events.length - kept.length);
  });
});

describe('while the database cannot be written', () => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway();
  });
  afterAll(() => test.close());

  /** Straight to the connection that writes: a transaction of ours could not be begun any more. */
  const pragma = (sql: string) =>
    (test.gateway.database as unknown as { writer: { query(sql: string): Promise<unknown> } }).writer.query(sql);
  const pageCount = async () =>
    Number(
      (await test.gateway.database.read((manager) => manager.query<{ page_count: number }[]>('PRAGMA page_count')))[0]!
        .page_count,
    );
  const ready = async () => {
    test.clock.advance({ seconds: 3 }); // an answer is kept for two
    const answer = await fetch(`${test.url}/health/ready`);
    return [answer.status, ((await answer.json()) as { status: string }).status];
  };

  it.each([
    [
      'because the disk is full',
      async () => `PRAGMA max_page_count = ${await pageCount()}`,
      'PRAGMA max_page_count = 1000000',
      false,
    ],
    ['because it can only be read', async () => 'PRAGMA query_only = 1', 'PRAGMA query_only = 0', true],
  ])(
    '%s, nothing is acknowledged or kept, and everything when it can be again',
    async (_why, close, open, isSeenByHealth) => {
      await test.drain();
      const event = test.source.event('ticket.replied', {
        ticket: { id: randomUUID() },
        message: { body: 'long '.repeat(10_000) },
      });
      const id = `evt_${randomUUID()}`;
      expect(await ready()).toEqual([200, 'ok']);
      await pragma(await close());
      const before = await dump(test);
      for (let i = 0; i < 3; i++) {
        const answer = await test.source.post(event, { id });
        expect(answer.status).toBe(503);
        expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(await answer.json()).toMatchObject({ code: 'unavailable', status: 503 });
      }
      expect(await dump(test)).toBe(before);
      if (isSeenByHealth) expect(await ready()).toEqual([503, 'unavailable']);
      await pragma(open);
      expect(await ready()).toEqual([200, 'ok']);
      const answer = await test.source.post(event, { id });
      expect(answer.status).toBe(202);
      const { eventId } = (await answer.json()) as Receipt;
      expect(await count(test, 'deliveries', `event_id = '${eventId}'`)).toBe(1);
      expect(test.logs.join('')).toContain('answered 503 unavailable');
    },
  );
});
