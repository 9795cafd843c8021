import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { createGateway } from '../support/gateway.js';
import { deliveriesOf, freePort, programSettings, until } from '../support/program.js';
import { startRelay } from '../support/smtp.js';
import { someDatabase } from '../support/some-database.js';
import { change, rows } from '../support/tables.js';
import { Load } from './load.js';
import { Victim } from './victims.js';

describe.each(someDatabase)('poison on $name', (database) => {
  it('that ends each process is quarantined after three, and all other mails arrive', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'postern-poison-'));
    const store = await database.create(folder);
    const relay = await startRelay();
    const port = await freePort();
    const secret = generateWebhookSecret();
    const environment = {
      ...programSettings({ folder, port, databaseUrl: store.url, mailUrl: relay.url, secret }),
      LEASE_SECONDS: '1',
      QUIET_WINDOW_SECONDS: '0',
      LOG_LEVEL: 'silent',
    };
    const load = new Load(secret);
    const poison = 'guest-5@d5.example';
    let victim: Victim | null = null;
    let deaths = 0;
    try {
      const isOver = async () => (await deliveriesOf(store.url)).every(({ state }) => /^(sent|parked)$/.test(state));
      for (let over = false; !over;) {
        victim = new Victim(folder, environment);
        const started = victim;
        await started.start({ point: null, after: 0, poison });
        await load.stream(
          () => `http://127.0.0.1:${port}`,
          0,
          1,
          () => !started.isDead && load.events.length < 12,
        );
        await load.repeat(`http://127.0.0.1:${port}`, 0);
        await until('its death, or the end of work', async () => started.isDead || (over = await isOver()), {
          everyMs: 50,
        });
        if (started.isDead) deaths++;
        over &&= load.unacknowledged.length === 0;
        await started.kill();
      }
      const ended = await deliveriesOf(store.url);
      expect(deaths).toBe(3);
      expect(ended.filter(({ state }) => state !== 'sent')).toMatchObject([{ recipient: poison, state: 'parked' }]);
      expect(new Set(relay.handedOver.map(({ to }) => to[0]))).toEqual(
        new Set(load.events.map(({ recipient }) => recipient).filter((recipient) => recipient !== poison)),
      );
    } finally {
      await victim?.kill();
      await relay.close();
      await store.drop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('that cannot be rendered is parked, and all other mails arrive', async () => {
    let isFull = true;
    const test = await createGateway({ database, onMail: () => (isFull ? 452 : undefined) });
    try {
      for (let i = 0; i < 6; i++)
        await test.source.send('ticket.replied', {
          ticket: { id: `p-${i}`, number: `${i}` },
          requester: { email: `guest@p${i}.example` },
          message: {},
        });
      await test.drain();
      isFull = false;
      // A template and a brand that were there when these were planned; of the first no try has kept the words.
      await change(
        test,
        `UPDATE deliveries SET template_key = 'gone', revision_fixed_at = NULL WHERE recipient = 'guest@p1.example'`,
      );
      await change(
        test,
        `UPDATE deliveries SET inputs = replace(inputs, '"brand":"default"', '"brand":"gone"') WHERE recipient = 'guest@p3.example'`,
      );
      test.clock.advance({ minutes: 1 });
      await test.drain();
      const states = (await rows(test, 'deliveries')).map(({ state }) => state);
      expect(states).toEqual(['sent', 'parked', 'sent', 'parked', 'sent', 'sent']);
      expect(test.inbox.messages).toHaveLength(4);
      const attempts = await rows(test, 'attempts', `outcome = 'rejected'`);
      expect(attempts.map(({ detail }) => String(detail))).toEqual([
        expect.stringMatching(/^not rendered: /),
        expect.stringMatching(/^not rendered: /),
      ]);
    } finally {
      await test.close();
    }
  });
});
