import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { TestClock } from '../support/clock.js';
import { databases, type TestDatabase } from '../support/databases.js';
import { Guest } from '../support/guest.js';
import { deliveriesOf, freePort, Program, programSettings, until } from '../support/program.js';
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
  let programs: Program[];
  let webs: TestSource[];
  let origin: string;
  const secret = generateWebhookSecret();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-scale-'));
    store = await postgres!.create(folder);
    broker = await create();
    relay = await startRelay();
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    origin = `http://127.0.0.1:${ports[0]}`;
    const shared = {
      ...programSettings({ folder, port: ports[0], databaseUrl: store.url, mailUrl: relay.url, secret }),
      QUEUE_URL: broker.url,
      QUIET_WINDOW_SECONDS: '0',
      LEASE_SECONDS: '2',
    };
    programs = ['web', 'web', 'worker', 'worker'].map(
      (ROLES, i) => new Program(folder, { ...shared, ROLES, PORT: `${ports[i]}` }),
    );
    await Promise.all(programs.map((program) => program.start()));
    webs = ports.slice(0, 2).map((port) => new TestSource(`http://127.0.0.1:${port}`, secret, new TestClock()));
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.end('SIGTERM')));
    await relay.close();
    await broker.drop();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  });

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
  const arrived = (test: (mails: HandedOver[]) => boolean) =>
    until('the mails come in', () => test(relay.handedOver), { seconds: 40 });
  const allSent = () =>
    until(
      'every delivery is sent',
      async () => (await deliveriesOf(store.url)).every(({ state }) => state === 'sent'),
      {
        everyMs: 100,
      },
    );

  it('take two hundred events on both webs and mail each once, by both workers', async () => {
    await events(200, 'many');
    await arrived((mails) => mails.length >= 200);
    await allSent();
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
    await allSent();
    expect(relay.handedOver).toHaveLength(before + 200);
  });

  it('go on when a worker is killed: what it held is taken over within its lease', async () => {
    const before = relay.handedOver.length;
    let sent = 0;
    relay.onData = () => void (++sent === 20 && programs[2]!.end('SIGKILL'));
    await events(200, 'killed');
    const distinct = () => new Set(relay.handedOver.slice(before).map(({ notification }) => notification)).size;
    await arrived(() => distinct() >= 200);
    await allSent();
    expect(distinct()).toBe(200);
  });
});

if (shared.length === 0) it.todo('needs Postgres or Redis');
