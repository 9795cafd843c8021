import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret, signWebhook } from '../../src/platform/webhook-signature.js';
import { TestClock } from '../support/clock.js';
import { type TestDatabase } from '../support/databases.js';
import { deliveriesOf, freePort, lookInto, Program, programSettings, until } from '../support/program.js';
import { startRelay, type HandedOver, type Relay } from '../support/smtp.js';
import { someDatabase } from '../support/some-database.js';
import { TestSource } from '../support/source.js';

/** The program as an operator runs it, killed as the world kills it. */
describe.each(someDatabase)('the process on $name', (database) => {
  let folder: string;
  let store: TestDatabase;
  let relay: Relay;
  let source: TestSource;
  let program: Program;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-fault-'));
    store = await database.create(folder);
    relay = await startRelay();
    const port = await freePort();
    const secret = generateWebhookSecret();
    source = new TestSource(`http://127.0.0.1:${port}`, secret, new TestClock());
    program = new Program(
      folder,
      programSettings({ folder, port, databaseUrl: store.url, mailUrl: relay.url, secret }),
    );
  });
  afterEach(async () => {
    await program.end('SIGKILL');
    await relay.close();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const deliveries = () => deliveriesOf(store.url);
  /** Lets the leases of the dead run out at once. */
  const endLeases = () =>
    lookInto(store.url, (opened) =>
      opened.write((tx) => tx.query(`UPDATE deliveries SET next_attempt_at = 0 WHERE ended_at IS NULL`)),
    );
  const handedOver = (times: number) => until(`${times} mails`, () => relay.handedOver.length >= times);
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
    await program.start();
    relay.onData = async () => {
      await program.end('SIGKILL');
      return undefined;
    };
    await post();
    await handedOver(1);
    await until('its end', () => !program.isRunning);
    const [left] = await deliveries();
    expect(left!.state).toBe('submitting');
    const lease = Number(left!.next_attempt_at) - Date.now();
    expect(lease).toBeGreaterThan(0);
    expect(lease).toBeLessThanOrEqual(60_000);
    // Started anew while the lease runs, it waits.
    relay.onData = () => undefined;
    await program.start();
    await post();
    await handedOver(2);
    expect(relay.handedOver[1]!.notification).not.toBe(relay.handedOver[0]!.notification);
    await program.end('SIGTERM');
    await endLeases();
    await program.start();
    await handedOver(3);
    expect(relay.handedOver[2]!.raw).toBe(relay.handedOver[0]!.raw);
    expect(relay.handedOver[2]!.raw).toMatch(/^Message-ID: <dlv_\w+@support\.example>\r$/m);
    expect(await program.end('SIGTERM')).toBe(0);
    expect((await deliveries()).map(({ state }) => state)).toEqual(['sent', 'sent']);
  });

  it('told to stop under load ends within 25 seconds, and nothing is lost or doubled', async () => {
    relay.onData = () => new Promise((resolve) => setTimeout(() => resolve(undefined), 20));
    let acknowledged = 0;
    for (let round = 0; round < 2; round++) {
      await program.start();
      const posts = Array.from({ length: 60 }, async () => {
        if (await post()) acknowledged++;
      });
      await handedOver(relay.handedOver.length + 5);
      const from = performance.now();
      const code = await program.end('SIGTERM');
      expect([round, code, program.problems]).toEqual([round, 0, []]);
      expect(performance.now() - from).toBeLessThan(25_000);
      await Promise.all(posts);
      expect((await deliveries()).filter(({ state }) => state === 'submitting')).toEqual([]);
    }
    await endLeases();
    await program.start();
    await handedOver(acknowledged);
    await program.end('SIGTERM');
    const rows = await deliveries();
    expect(acknowledged).toBeGreaterThan(15);
    expect(rows.length).toBeGreaterThanOrEqual(acknowledged);
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['sent']));
    expect(relay.handedOver).toHaveLength(rows.length);
    expect([...ledger().values()].every((mails) => mails.length === 1)).toBe(true);
    expect(ledger().has('')).toBe(false);
    expect(program.logs.filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  it('told to stop in the middle of a request answers it, and waits for no connection that is kept open', async () => {
    await program.start();
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
    const ended = program.end('SIGTERM');
    while (await answers(Number(port), hostname));
    socket.write(body.slice(20));
    expect([await ended, program.problems]).toEqual([0, []]);
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(answer).toMatch(/^HTTP\/1\.1 202 /);
    socket.destroy();
    await program.start();
    await handedOver(1);
  });

  it('killed again and again loses nothing that it acknowledged, and doubles only what was on its way', async () => {
    let acknowledged = 0;
    let onTheirWay = 0;
    for (let round = 0; round < 2; round++) {
      await program.start();
      const posts = Array.from({ length: 40 }, async () => {
        if (await post()) acknowledged++;
      });
      await handedOver(relay.handedOver.length + 3 + round * 5);
      await program.end('SIGKILL');
      await Promise.all(posts);
      onTheirWay += (await deliveries()).filter(({ state }) => state === 'submitting').length;
      await endLeases();
    }
    await program.start();
    const planned = await deliveries();
    // Also those that had arrived already while their row still says submitting.
    await until('every mail sent', async () => (await deliveries()).every(({ state }) => state === 'sent'), {
      everyMs: 100,
    });
    await program.end('SIGTERM');
    expect(planned.length).toBeGreaterThanOrEqual(acknowledged);
    expect(acknowledged).toBeGreaterThan(5);
    expect(ledger().size).toBe(planned.length);
    for (const mails of ledger().values()) expect(new Set(mails.map(({ raw }) => raw)).size).toBe(1);
    expect(relay.handedOver.length - planned.length).toBeLessThanOrEqual(onTheirWay);
  });
});

/** Whether anybody listens there. */
function answers(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
      .once('connect', () => (socket.destroy(), resolve(true)))
      .once('error', () => resolve(false));
  });
}
