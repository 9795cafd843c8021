import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../../src/config.js';
import { entities } from '../../src/entities.js';
import { generateKey } from '../../src/platform/crypto.js';
import { Database } from '../../src/platform/database/database.js';
import { generateWebhookSecret, signWebhook } from '../../src/platform/webhook-signature.js';
import { TestClock } from '../support/clock.js';
import { databases, type TestDatabase } from '../support/databases.js';
import { startRelay, type HandedOver, type Relay } from '../support/smtp.js';
import { TestSource } from '../support/source.js';

/** The program as an operator runs it (`npm start`), killed as the world kills it. */
describe.each(databases)('the process on $name', (database) => {
  let folder: string;
  let store: TestDatabase;
  let relay: Relay;
  let source: TestSource;
  let environment: Record<string, string>;
  let running: ChildProcess | null = null;
  let logs: string[];
  /** What it wrote to stderr since its start: nothing, if all is well. */
  let problems: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-fault-'));
    store = await database.create(folder);
    relay = await startRelay();
    const port = await freePort();
    const secret = generateWebhookSecret();
    logs = [];
    source = new TestSource(`http://127.0.0.1:${port}`, secret, new TestClock());
    environment = {
      PATH: process.env.PATH ?? '',
      NODE_ENV: 'test',
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      PORT: String(port),
      DATA_DIR: folder,
      DATABASE_URL: store.url,
      MAIL_URL: relay.url,
      MAIL_FROM: 'no-reply@support.example',
      LINK_KEYS: `l1:${generateKey()}`,
      SECRET_KEYS: `s1:${generateKey()}`,
      SOURCE_SECRET: secret,
    };
  });
  afterEach(async () => {
    if (running) await end('SIGKILL');
    await relay.close();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts it and returns when it says that it is ready. */
  const start = async (): Promise<void> => {
    const main = join(packageRoot, 'dist', 'src', 'main.js');
    const child = spawn(process.execPath, [main], { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    running = child;
    problems = [];
    child.stderr.on('data', (part: Buffer) => problems.push(part.toString()));
    await new Promise<void>((resolve, reject) => {
      createInterface(child.stdout).on('line', (line) => {
        logs.push(line);
        if (line.includes('"Postern is ready"')) resolve();
      });
      child.once('exit', () =>
        reject(new Error(`it ended before it was ready (npm run build?): ${problems.join('')}`)),
      );
    });
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const child = running!;
    running = null;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    return ((await exited) as [number | null])[0];
  };
  /** Looks into the database beside the process, or while there is none. */
  const look = async <T>(work: (database: Database) => Promise<T>): Promise<T> => {
    const kind: Parameters<typeof Database.open>[0] = store.url.startsWith('sqlite:')
      ? { kind: 'sqlite', path: store.url.slice('sqlite:'.length) }
      : { kind: 'postgres', url: store.url };
    const opened = await Database.open(kind, entities);
    try {
      return await work(opened);
    } finally {
      await opened.close();
    }
  };
  const deliveries = () =>
    look((opened) =>
      opened.read((manager) =>
        manager.query<{ id: string; state: string; next_attempt_at: string | number }[]>(
          'SELECT id, state, next_attempt_at FROM deliveries ORDER BY id',
        ),
      ),
    );
  /** Lets the leases of the dead run out at once. */
  const endLeases = () =>
    look((opened) =>
      opened.write((tx) => tx.query(`UPDATE deliveries SET next_attempt_at = 0 WHERE ended_at IS NULL`)),
    );
  const handedOver = (times: number) => until(() => relay.handedOver.length >= times);
  let events = 0;
  /** Posts an event; true once it was acknowledged. */
  const post = async (): Promise<boolean> => {
    const n = ++events;
    const event = source.event('ticket.replied', {
      ticket: { id: `f-${n}`, number: `${n}` },
      requester: { email: `guest-${n}@example.com` },
      message: {},
    });
    try {
      return (await source.post(event)).status === 202;
    } catch {
      return false; // it was killed meanwhile: not acknowledged, so the source would send it again
    }
  };
  /** How often each notification was handed over. */
  const ledger = () => {
    const times = new Map<string, HandedOver[]>();
    for (const mail of relay.handedOver) times.set(mail.notification, [...(times.get(mail.notification) ?? []), mail]);
    return times;
  };

  it('killed between the relay’s answer and its own row sends the mail again after the lease, the very same', async () => {
    await start();
    relay.onData = async () => {
      if (running) await end('SIGKILL');
      return undefined;
    };
    await post();
    await handedOver(1);
    await until(() => running === null);
    const [left] = await deliveries();
    expect(left!.state).toBe('submitting');
    const lease = Number(left!.next_attempt_at) - Date.now();
    expect(lease).toBeGreaterThan(0);
    expect(lease).toBeLessThanOrEqual(60_000);
    // Started anew while the lease runs, it waits.
    relay.onData = () => undefined;
    await start();
    await post();
    await handedOver(2);
    expect(relay.handedOver[1]!.notification).not.toBe(relay.handedOver[0]!.notification);
    await end('SIGTERM');
    await endLeases();
    await start();
    await handedOver(3);
    expect(relay.handedOver[2]!.raw).toBe(relay.handedOver[0]!.raw);
    expect(relay.handedOver[2]!.raw).toMatch(/^Message-ID: <dlv_\w+@support\.example>\r$/m);
    expect(await end('SIGTERM')).toBe(0);
    expect((await deliveries()).map(({ state }) => state)).toEqual(['sent', 'sent']);
  });

  it('told to stop under load ends within 25 seconds, and nothing is lost or doubled', async () => {
    relay.onData = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 20));
    let acknowledged = 0;
    for (let round = 0; round < 2; round++) {
      await start();
      const posts = Array.from({ length: 60 }, async () => {
        if (await post()) acknowledged++;
      });
      await handedOver(relay.handedOver.length + 5);
      const from = performance.now();
      const code = await end('SIGTERM');
      expect([round, code, problems]).toEqual([round, 0, []]);
      expect(performance.now() - from).toBeLessThan(25_000);
      await Promise.all(posts);
      expect((await deliveries()).filter(({ state }) => state === 'submitting')).toEqual([]);
    }
    await endLeases();
    await start();
    await handedOver(acknowledged);
    await end('SIGTERM');
    const rows = await deliveries();
    expect(acknowledged).toBeGreaterThan(15);
    expect(rows.length).toBeGreaterThanOrEqual(acknowledged);
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['sent']));
    expect(relay.handedOver).toHaveLength(rows.length);
    expect([...ledger().values()].every((mails) => mails.length === 1)).toBe(true);
    expect(ledger().has('')).toBe(false);
    expect(logs.filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  it('told to stop in the middle of a request answers it, and waits for no connection that is kept open', async () => {
    await start();
    const body = JSON.stringify(source.event('ticket.replied', { message: {} }));
    const timestamp = Math.floor(Date.now() / 1000);
    const signed = signWebhook({ secret: source.secret, id: 'evt_slow', timestamp, body });
    const head = Object.entries({ ...signed, 'content-type': 'application/json', 'content-length': `${body.length}` });
    const { hostname, port } = new URL(source.gatewayUrl);
    const socket = connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (part: Buffer) => (answer += part.toString()));
    socket.on('error', () => undefined); // its end is the point
    await once(socket, 'connect');
    const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`POST /v1/sources/default/events HTTP/1.1\r\nhost: x\r\n${lines}\r\n${body.slice(0, 20)}`);
    // Once this one is answered, the other has been taken up too.
    await fetch(`${source.gatewayUrl}/health/live`);
    const from = performance.now();
    const ended = end('SIGTERM');
    while (await answers(Number(port), hostname));
    socket.write(body.slice(20));
    expect([await ended, problems]).toEqual([0, []]);
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(answer).toMatch(/^HTTP\/1\.1 202 /);
    socket.destroy();
    await start();
    await handedOver(1);
  });

  it('killed again and again loses nothing that it acknowledged, and doubles only what was on its way', async () => {
    let acknowledged = 0;
    let onTheirWay = 0;
    for (let round = 0; round < 2; round++) {
      await start();
      const posts = Array.from({ length: 40 }, async () => {
        if (await post()) acknowledged++;
      });
      await handedOver(relay.handedOver.length + 3 + round * 5);
      await end('SIGKILL');
      await Promise.all(posts);
      onTheirWay += (await deliveries()).filter(({ state }) => state === 'submitting').length;
      await endLeases();
    }
    await start();
    const planned = await deliveries();
    await until(() => ledger().size >= planned.length);
    await end('SIGTERM');
    expect(planned.length).toBeGreaterThanOrEqual(acknowledged);
    expect(acknowledged).toBeGreaterThan(5);
    expect(new Set((await deliveries()).map(({ state }) => state))).toEqual(new Set(['sent']));
    for (const mails of ledger().values()) expect(new Set(mails.map(({ raw }) => raw)).size).toBe(1);
    expect(relay.handedOver.length - planned.length).toBeLessThanOrEqual(onTheirWay);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Whether anybody listens there. */
function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
      .once('connect', () => (socket.destroy(), resolve(true)))
      .once('error', () => resolve(false));
  });
}

/** Waits for what another process does, thirty seconds at most. */
async function until(holds: () => boolean): Promise<void> {
  for (const from = performance.now(); !holds(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (performance.now() - from > 30_000) throw new Error('it did not happen within thirty seconds');
}
