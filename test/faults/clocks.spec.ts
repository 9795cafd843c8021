import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config.js';
import { startGateway, type Gateway } from '../../src/gateway.js';
import { SystemClock } from '../../src/platform/clock.js';
import { Logger } from '../../src/platform/logger.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { databases, type TestDatabase } from '../support/databases.js';
import { deliveriesOf, freePort, programSettings, until } from '../support/program.js';
import { startRelay, type HandedOver, type Relay } from '../support/smtp.js';
import { TestClock } from '../support/clock.js';
import { TestSource } from '../support/source.js';

const TEN_MINUTES = 600_000;

describe.each(databases)('clocks that are wrong, on $name', (database) => {
  let folder: string;
  let store: TestDatabase;
  let relay: Relay;
  let settings: Record<string, string>;
  let gateways: Gateway[];
  let release: () => void;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postern-clock-'));
    store = await database.create(folder);
    relay = await startRelay();
    const secret = generateWebhookSecret();
    settings = {
      ...programSettings({ folder, port: 0, databaseUrl: store.url, mailUrl: relay.url, secret }),
      QUIET_WINDOW_SECONDS: '0',
    };
    gateways = [];
    release = () => {};
  });
  afterEach(async () => {
    release();
    await Promise.all(gateways.map((gateway) => gateway.close()));
    await relay.close();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Another process on the same database, whose machine is so much ahead: asked for each time it looks at its clock. */
  const start = async (aheadMs: () => number) => {
    const port = await freePort();
    const config = loadConfig({ ...settings, PORT: `${port}`, PUBLIC_URL: `http://127.0.0.1:${port}` });
    const clock = new SystemClock(() => Date.now() + aheadMs());
    const gateway = await startGateway(config, { clock, logger: new Logger('silent') });
    gateways.push(gateway);
    return gateway;
  };
  let events = 0;
  /** `seconds` that the source's clock is ahead: it goes by the true time, or by the gateway's. */
  const post = async ({ url }: Gateway, to: string, aheadSeconds = 0) => {
    const source = new TestSource(url, settings.SOURCE_SECRET!, new TestClock(true));
    const n = ++events;
    const given = { ticket: { id: `c-${n}`, number: `${n}` }, requester: { email: to }, message: {} };
    await source.send('ticket.replied', given, { ageSeconds: -aheadSeconds });
  };
  const mailsTo = (to: string): HandedOver[] => relay.handedOver.filter((mail) => mail.to[0] === to);
  /** The relay keeps all mails that come now waiting for its answer, until `release`. */
  const hold = () => {
    const released = new Promise<undefined>((resolve) => (release = () => resolve(undefined)));
    relay.onData = () => released;
  };
  const timesOf = (to: string) =>
    mailsTo(to).map(({ raw }) => Math.abs(Date.parse(/^Date: (.+)\r$/m.exec(raw)![1]!) - Date.now()));

  if (database.name === 'Postgres')
    it.each([
      ['ahead', TEN_MINUTES],
      ['behind', -TEN_MINUTES],
    ])('a process ten minutes %s goes by the time of all, and takes nothing of the others', async (_where, offset) => {
      const right = await start(() => 0);
      hold();
      for (let i = 0; i < 5; i++) await post(right, `held-${i}@example.com`);
      await until('five held', () => relay.handedOver.length === 5);
      relay.onData = () => undefined;
      const wrong = await start(() => offset);
      // It takes webhooks of the true time, tries again when the true time has come, and writes it into its mails.
      relay.onRecipient = () => 451;
      await post(wrong, 'again@elsewhere.example');
      const again = async () => (await deliveriesOf(store.url)).find(({ recipient }) => recipient.startsWith('again'));
      await until('put off', async () => (await again())?.state === 'deferred');
      const wait = Number((await again())!.next_attempt_at) - Date.now();
      expect(wait).toBeGreaterThan(20_000);
      expect(wait).toBeLessThan(40_000);
      relay.onRecipient = () => undefined;
      for (let i = 0; i < 5; i++) await post(wrong, `own-${i}@example.com`);
      await wrong.queue.drain();
      expect(relay.handedOver).toHaveLength(10);
      for (let i = 0; i < 5; i++) for (const off of timesOf(`own-${i}@example.com`)) expect(off).toBeLessThan(20_000);
      release();
      await until('all sent', async () =>
        (await deliveriesOf(store.url)).every(
          ({ state, recipient }) => state === 'sent' || recipient.startsWith('again'),
        ),
      );
      expect(relay.handedOver).toHaveLength(10);
    });
  else
    it('a machine that jumps ten minutes ahead and back loses nothing and doubles nothing', async () => {
      let ahead = 0;
      const gateway = await start(() => ahead);
      relay.onRecipient = () => 451;
      await post(gateway, 'again@elsewhere.example');
      await until('put off', async () => (await deliveriesOf(store.url))[0]?.state === 'deferred');
      relay.onRecipient = () => undefined;
      hold();
      for (let i = 0; i < 5; i++) await post(gateway, `held-${i}@example.com`);
      await until('five held', () => relay.handedOver.length === 5);
      relay.onData = () => undefined;
      ahead = TEN_MINUTES;
      // By this clock its time has come, and each lease has ended.
      await until('the one that was put off', () => mailsTo('again@elsewhere.example').length === 1);
      await post(gateway, 'ahead@example.com', TEN_MINUTES / 1000);
      await until('one sent ahead', () => mailsTo('ahead@example.com').length === 1);
      expect(relay.handedOver).toHaveLength(7);
      ahead = 0;
      release();
      await post(gateway, 'back@example.com');
      await until('all sent', async () => (await deliveriesOf(store.url)).every(({ state }) => state === 'sent'));
      expect(relay.handedOver).toHaveLength(8);
    });
});
