import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { packageRoot } from '../../src/config.js';
import { generateKey } from '../../src/platform/crypto.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { TestClock } from '../support/clock.js';
import { databases, type TestDatabase } from '../support/databases.js';
import { Guest } from '../support/guest.js';
import { linksOf } from '../support/visit.js';
import { queues, type TestBroker } from '../support/queues.js';
import { startRelay, type HandedOver, type Relay } from '../support/smtp.js';
import { TestSource } from '../support/source.js';

const postgres = databases.find(({ name }) => name === 'Postgres');
const shared = queues.filter(({ name }) => name !== 'embedded');

/** Two web and two worker processes, as `npm start` runs them, on one Postgres and one queue. */
describe.each(shared)('four processes on Postgres with the $name queue', ({ create }) => {
  let folder: string;
  let store: TestDatabase;
  let broker: TestBroker;
  let relay: Relay;
  let children: ChildProcess[];
  let webs: TestSource[];
  let environment: Record<string, string>;
  let origin: string;
  const secret = generateWebhookSecret();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-scale-'));
    store = await postgres!.create(folder);
    broker = await create();
    relay = await startRelay();
    children = [];
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    origin = `http://127.0.0.1:${ports[0]}`;
    environment = {
      PATH: process.env.PATH ?? '',
      NODE_ENV: 'test',
      PUBLIC_URL: origin,
      DATA_DIR: folder,
      DATABASE_URL: store.url,
      QUEUE_URL: broker.url,
      MAIL_URL: relay.url,
      MAIL_FROM: 'no-reply@support.example',
      LINK_KEYS: `l1:${generateKey()}`,
      SECRET_KEYS: `s1:${generateKey()}`,
      SOURCE_SECRET: secret,
      QUIET_WINDOW_SECONDS: '0',
      LEASE_SECONDS: '2',
    };
    const roles = ['web', 'web', 'worker', 'worker'];
    await Promise.all(roles.map((role, i) => start(role, ports[i]!)));
    webs = ports.slice(0, 2).map((port) => new TestSource(`http://127.0.0.1:${port}`, secret, new TestClock()));
  });
  afterAll(async () => {
    await Promise.all(children.map((child) => end(child, 'SIGTERM')));
    await relay.close();
    await broker.drop();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (role: string, port: number): Promise<void> => {
    const main = join(packageRoot, 'dist', 'src', 'main.js');
    const env = { ...environment, ROLES: role, PORT: `${port}` };
    const child = spawn(process.execPath, [main], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => line.includes('"Postern is ready"') && resolve());
      child.once('exit', () => reject(new Error('it ended before it was ready (npm run build?)')));
    });
  };
  const events = (count: number, prefix: string) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        webs[i % 2]!.send('ticket.replied', {
          ticket: { id: `${prefix}-${i}`, number: `${i}` },
          requester: { email: `${prefix}@${i % 20}.example.com` },
          message: {},
        }),
      ),
    );
  const query = async <T extends pg.QueryResultRow>(sql: string): Promise<T[]> => {
    const client = new pg.Client({ connectionString: store.url });
    await client.connect();
    const { rows } = await client.query<T>(sql);
    await client.end();
    return rows;
  };
  const arrived = (test: (mails: HandedOver[]) => boolean) => until(() => test(relay.handedOver));

  it('take two hundred events on both webs and mail each once, by both workers', async () => {
    await events(200, 'many');
    await arrived((mails) => mails.length >= 200);
    await until(async () => (await query(`SELECT 1 FROM deliveries WHERE state <> 'sent'`)).length === 0);
    expect(new Set(relay.handedOver.map(({ notification }) => notification)).size).toBe(200);
    expect(relay.handedOver).toHaveLength(200);
  });

  it('know a guest on every web, and mail the code while thousands wait', async () => {
    const before = relay.handedOver.length;
    const held: (() => void)[] = [];
    relay.onData = (mail) =>
      mail.raw.includes('queue-') ? new Promise<undefined>((free) => held.push(() => free(undefined))) : undefined;
    await webs[0]!.send('ticket.replied', {
      ticket: { id: 'mine' },
      requester: { email: 'siti@example.org' },
      message: {},
    });
    await arrived((mails) => mails.some(({ to }) => to[0] === 'siti@example.org'));
    await events(300, 'queue-');
    const guest = new Guest(origin);
    await guest.submit(
      await guest.get(linksOf(relay.handedOver.find(({ to }) => to[0] === 'siti@example.org')!.raw)),
      '/code',
    );
    await arrived((mails) => mails.filter(({ to }) => to[0] === 'siti@example.org').length === 2);
    relay.onData = () => undefined;
    for (const free of held) free();
    await arrived((mails) => mails.length >= before + 302);
  });

  it('lose and double nothing when the queue forgets all it had', async () => {
    const before = relay.handedOver.length;
    const sending = events(200, 'forgotten');
    await broker.forget();
    await sending;
    await broker.forget();
    await arrived((mails) => mails.length >= before + 200);
    await until(async () => (await query(`SELECT 1 FROM deliveries WHERE ended_at IS NULL`)).length === 0);
    expect(relay.handedOver).toHaveLength(before + 200);
  });

  it('go on when a worker is killed: what it held is taken over within its lease', async () => {
    const before = relay.handedOver.length;
    let sent = 0;
    relay.onData = () => void (++sent === 20 && children[2]!.kill('SIGKILL'));
    await events(200, 'killed');
    const distinct = () => new Set(relay.handedOver.slice(before).map(({ notification }) => notification)).size;
    await arrived(() => distinct() >= 200);
    await until(async () => (await query(`SELECT 1 FROM deliveries WHERE ended_at IS NULL`)).length === 0);
    expect(distinct()).toBe(200);
  });
});

if (shared.length === 0) it.todo('needs Postgres or Redis');

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('it did not happen within forty seconds');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
