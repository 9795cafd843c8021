import type { Delivery } from '../../src/delivery/delivery.entity.js';
import { DeliveryRows } from '../../src/delivery/delivery-rows.js';
import { transitions, type DeliveryState } from '../../src/delivery/states.js';
import type { Id } from '../../src/ids.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { until } from '../support/program.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { change, rows } from '../support/tables.js';

/** Lets the database itself note every change of a delivery's state, whoever makes it. */
const witnesses: Record<string, string[]> = {
  SQLite: [
    `CREATE TABLE witnessed (delivery TEXT, before TEXT, after TEXT)`,
    `CREATE TRIGGER witness AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state
     BEGIN INSERT INTO witnessed VALUES (OLD.id, OLD.state, NEW.state); END`,
  ],
  Postgres: [
    `CREATE TABLE witnessed (delivery TEXT, before TEXT, after TEXT)`,
    `CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN INSERT INTO witnessed VALUES (OLD.id, OLD.state, NEW.state); RETURN NEW; END $$`,
    `CREATE TRIGGER witness AFTER UPDATE OF state ON deliveries FOR EACH ROW WHEN (OLD.state <> NEW.state)
     EXECUTE FUNCTION witness()`,
  ],
};

describe.each(databases)('the states of deliveries on $name', (database) => {
  let test: TestGateway;
  let relay: Relay;
  beforeEach(async () => {
    relay = await startRelay();
    test = await createGateway({ database, settings: { MAIL_URL: relay.url } });
    for (const sql of witnesses[database.name]!) await change(test, sql);
  });
  afterEach(async () => {
    await test.close();
    await relay.close();
  });

  const witnessed = () =>
    test.gateway.database.read((manager) =>
      manager.query<{ delivery: string; before: DeliveryState; after: DeliveryState }[]>('SELECT * FROM witnessed'),
    );
  const tell = (n: number) =>
    test.source.send('ticket.replied', {
      ticket: { id: `s-${n}`, number: `${n}` },
      // Each at a domain of its own: no breaker opens over the others.
      requester: { email: `guest@${n}.example.com`, locale: 'en' },
      message: {},
    });
  const states = async () => (await rows(test, 'deliveries')).map(({ state }) => String(state));

  it('move only along the drawn ways, whatever the relay answers', async () => {
    const answers = [451, 'drop', undefined, 550, 421, undefined, 'drop', 452, 554] as const;
    let n = 0;
    relay.onData = () => answers[n++ % answers.length];
    for (let i = 0; i < 18; i++) await tell(i);
    for (let round = 0; round < 12; round++) {
      await test.drain();
      test.clock.advance({ hours: 1 });
    }
    const moves = await witnessed();
    for (const { before, after } of moves) expect(transitions[before]).toContain(after);
    // Beside these, breakers postpone now and then what is leased.
    expect(moves.map(({ before, after }) => `${before} → ${after}`)).toEqual(
      expect.arrayContaining([
        'queued → leased',
        'deferred → leased',
        'uncertain → leased',
        'leased → submitting',
        'submitting → sent',
        'submitting → deferred',
        'submitting → uncertain',
        'submitting → failed',
      ]),
    );
    expect(await states()).toHaveLength(18);
    // The log says of each verdict what it is.
    const said = test.logs.map((line) => JSON.parse(line) as { state?: string; msg: string });
    const words = (state: string) => new Set(said.filter((one) => one.state === state).map(({ msg }) => msg));
    expect([...words('uncertain')].filter((one) => !one.includes('held back'))).toEqual([
      'the answer to a mail was lost, and it may have arrived; the same transport is tried again',
    ]);
    expect([...words('deferred')].filter((one) => !one.includes('held back'))).toEqual([
      'a mail was not taken; trying again',
    ]);
    expect(words('sent')).toEqual(new Set(['mail sent']));
  });

  it('say that three workers died over a mail, and keep it for a person while the others go on', async () => {
    relay.onData = () => 451;
    await tell(1);
    await tell(2);
    await test.drain();
    relay.onData = () => undefined;
    // What a killed worker leaves behind, three times over, and what one that was killed beside it leaves.
    const leave = (who: string, deaths: number) =>
      change(
        test,
        `UPDATE deliveries SET state = 'submitting', deaths = ${deaths}, next_attempt_at = 0 WHERE recipient = '${who}'`,
      );
    await leave('guest@1.example.com', 2);
    await leave('guest@2.example.com', 0);
    const before = relay.handedOver.length;
    await test.drain();
    expect(await states()).toEqual(['parked', 'sent']);
    expect(relay.handedOver.length).toBe(before + 1);
    expect((await rows(test, 'attempts')).map(({ outcome }) => outcome)).toContain('quarantined');
    const ready = (await (await fetch(`${test.url}/health/ready`)).json()) as { parked: { deliveries: number } };
    expect(ready.parked.deliveries).toBe(1);
  });

  it('try alone what a worker died over, so that no innocent mail is quarantined with it', async () => {
    relay.onData = () => 451;
    for (let i = 0; i < 6; i++) await tell(i);
    await test.drain();
    relay.onData = () => undefined;
    await change(test, `UPDATE deliveries SET state = 'leased', deaths = 1, next_attempt_at = 0`);
    const ids = (await rows(test, 'deliveries')).map(({ id }) => String(id) as Id<'dlv'>);
    const judged: string[][] = [];
    await test.gateway.app.get(DeliveryRows).claim(ids, async (_tx, claimed: Delivery[]) => {
      judged.push(claimed.map(({ id }) => id));
      return { admitted: [], verdicts: [], shrunk: [] };
    });
    expect(judged).toEqual([[ids[0]]]);
    test.clock.advance({ minutes: 1 });
    await test.drain();
    expect(await states()).toEqual(['parked', 'sent', 'sent', 'sent', 'sent', 'sent']);
  });

  it('take up one after the other what a worker died over, none of them only with the next sweep', async () => {
    relay.onData = () => 451;
    for (let i = 0; i < 6; i++) await tell(i);
    await test.drain();
    relay.onData = () => undefined;
    await change(test, `UPDATE deliveries SET state = 'leased', next_attempt_at = 0`);
    // Nothing sweeps here.
    test.gateway.queue.add(
      'mail',
      (await rows(test, 'deliveries')).map(({ id }) => String(id)),
    );
    await until('six sent', async () => (await states()).every((state) => state === 'sent'));
  });
});
