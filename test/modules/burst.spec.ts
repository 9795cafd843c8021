import type { Delivery, DeliveryInputs } from '../../src/delivery/delivery.entity.js';
import { Planner, type News } from '../../src/notifications/planner.js';
import { Projection } from '../../src/tickets/projection.js';
import { parseEvent } from '../../src/events.js';
import { newId, type Id } from '../../src/ids.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { someDatabase } from '../support/some-database.js';
import type { TestSource } from '../support/source.js';
import { change, rows } from '../support/tables.js';

const HOUR_MS = 3_600_000;
const budi = { kind: 'guest', email: 'budi@example.com', name: 'Budi', locale: 'en' };

describe.each(someDatabase)('a burst of events on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database, settings: { QUIET_WINDOW_SECONDS: '30' } });
  });
  afterAll(() => test.close());

  type Given = Parameters<TestSource['event']>[1];
  let tickets = 0;

  /** A ticket of its own, and what is planned and received about it. */
  function newTicket(email = `siti-${++tickets}@example.com`) {
    const id = `b-${++tickets}`;
    const send = (type: string, given: Given = {}) =>
      test.source.send(type, {
        ...given,
        ticket: { id, ...given.ticket },
        requester: { email, locale: 'en', ...given.requester },
      });
    const reply = (given: Given = {}) => send('ticket.replied', { message: {}, ...given });
    const subjects = (to = email) => test.inbox.messages.filter((mail) => mail.to.includes(to)).map(subjectOf);
    const planned = async () => {
      const [ticket] = await rows(test, 'tickets', `source_ticket_id = '${id}'`);
      return (await rows(test, 'deliveries', `ticket_id = '${String(ticket!.id)}'`)).map((row) => ({
        ...row,
        dueAt: Number(row.due_at),
        inputs: JSON.parse(row.inputs as string) as DeliveryInputs,
      })) as (Record<string, unknown> & { dueAt: number; inputs: DeliveryInputs })[];
    };
    return { id, email, send, reply, subjects, planned };
  }
  const subjectOf = ({ subject }: { subject: string }) => subject;

  it('tells the first at once and what follows in one mail, which says how many there are', async () => {
    const { send, reply, subjects } = newTicket();
    await send('ticket.created');
    await test.drain();
    expect(subjects()).toEqual(['We received your support ticket 12345']);
    for (const seconds of [1, 10, 18]) {
      test.clock.advance({ seconds });
      await reply();
    }
    await test.drain();
    expect(subjects()).toHaveLength(1);
    test.clock.advance({ seconds: 1 });
    await test.drain();
    expect(subjects().slice(1)).toEqual(['Your support ticket 12345 has 3 new updates']);
  });

  it('begins a new window with a mail that told of several', async () => {
    const { reply, subjects } = newTicket();
    for (let n = 0; n < 3; n++) await reply();
    test.clock.advance({ seconds: 30 });
    await test.drain();
    expect(subjects()).toHaveLength(2);
    test.clock.advance({ seconds: 29 });
    for (let n = 0; n < 5; n++) await reply();
    await test.drain();
    expect(subjects()).toHaveLength(2);
    test.clock.advance({ seconds: 1 });
    await test.drain();
    expect(subjects().slice(1)).toEqual([
      'Your support ticket 12345 has 2 new updates',
      'Your support ticket 12345 has 5 new updates',
    ]);
    test.clock.advance({ seconds: 30 });
    await reply();
    await test.drain();
    expect(subjects()).toHaveLength(4);
  });

  it('tells of a single one that waited in its own words', async () => {
    const { send, reply, subjects } = newTicket();
    await reply();
    await send('ticket.resolved', { ticket: { status: 'resolved' } });
    test.clock.advance({ seconds: 30 });
    await test.drain();
    expect(subjects()).toEqual(['New reply to your support ticket 12345', 'Your support ticket 12345 was resolved']);
  });

  it('keeps the updates in their order, and what each of them rests on', async () => {
    const { send, reply, planned } = newTicket();
    await send('ticket.created', { message: { author: { kind: 'requester' } } });
    const { eventId: replied } = await reply({ timestamp: '2026-11-23T02:00:00Z' });
    const { eventId: resolved } = await send('ticket.resolved', {
      ticket: { status: 'resolved' },
      timestamp: '2026-11-23T02:15:00Z',
      message: {},
    });
    const [first, gathered] = await planned();
    expect(first!.inputs.updates).toMatchObject([{ templateKey: 'ticket-created', messageId: null, status: null }]);
    expect(gathered!.inputs.updates).toMatchObject([
      { eventId: replied, templateKey: 'ticket-replied', messageId: expect.stringMatching(/^msg_/), status: null },
      { eventId: resolved, templateKey: 'ticket-resolved', messageId: null, status: 'resolved' },
    ]);
    expect(gathered).toMatchObject({
      event_id: replied,
      template_key: 'ticket-summary',
      state: 'queued',
      dueAt: first!.dueAt + 30_000,
      inputs: { occurredAt: Date.parse('2026-11-23T02:15:00Z') },
    });
    expect(Number(gathered!.next_attempt_at)).toBe(gathered!.dueAt);
    expect(gathered!.template_revision).not.toBe(first!.template_revision);
  });

  it('writes a waiting mail in the language and to the link that the newest event gives', async () => {
    const { reply, planned } = newTicket();
    await reply();
    await reply();
    await reply({ requester: { locale: 'id', name: 'Siti Aminah' } });
    expect((await planned())[1]).toMatchObject({ locale: 'id', inputs: { recipientName: 'Siti Aminah' } });
  });

  it('gathers for each person and each ticket by itself', async () => {
    const [one, other] = [newTicket('same@example.com'), newTicket('same@example.com')];
    await one.reply();
    await one.reply({ data: { participants: [budi] } });
    await other.reply();
    await test.drain();
    expect(one.subjects()).toHaveLength(2);
    expect(one.subjects(budi.email)).toHaveLength(1);
    expect((await one.planned()).map(({ recipient, state }) => [recipient, state])).toEqual([
      ['same@example.com', 'sent'],
      ['same@example.com', 'queued'],
      [budi.email, 'sent'],
    ]);
  });

  it('does not count a code or a fresh link as a mail about the ticket', async () => {
    const { reply, planned } = newTicket();
    await reply();
    await test.drain();
    test.clock.advance({ seconds: 30 });
    const { id } = (await planned())[0]!;
    await change(test, copyOf(String(id), test.clock.now(), 'codes', 'access-code'));
    await change(test, copyOf(String(id), test.clock.now(), 'mail', 'link-renewed'));
    await reply();
    expect((await planned()).map(({ dueAt }) => dueAt).at(-1)).toBe(test.clock.now());
  });

  it('tells the first after a cancelled one at once: nobody heard of that', async () => {
    const { reply, planned } = newTicket();
    await reply();
    await test.drain();
    const { id } = (await planned())[0]!;
    await change(test, `UPDATE deliveries SET state = 'cancelled' WHERE id = '${String(id)}'`);
    await reply();
    expect((await planned())[1]!.dueAt).toBe(test.clock.now());
  });

  it('sends ten mails an hour at most, and sums up the rest when the hour allows it', async () => {
    const { reply, subjects, planned } = newTicket();
    const begun = test.clock.now();
    for (let n = 0; n < 14; n++) {
      await reply();
      await test.drain();
      test.clock.advance({ minutes: 1 });
    }
    expect(subjects()).toHaveLength(10);
    expect((await planned())[10]).toMatchObject({ state: 'queued', dueAt: begun + HOUR_MS });
    test.clock.advance({ minutes: 45 });
    await test.drain();
    expect(subjects()).toHaveLength(10);
    test.clock.advance({ minutes: 1 });
    await test.drain();
    expect(subjects().slice(10)).toEqual(['Your support ticket 12345 has 4 new updates']);
  });

  it.each([
    ['holds', `state = 'leased', attempts = 1`],
    ['has given back', `state = 'queued', attempts = 1`],
  ])('never adds to a mail that a worker %s', async (_what, taken) => {
    const { reply, planned } = newTicket();
    for (let n = 0; n < 2; n++) await reply();
    const waiting = (await planned())[1]!;
    await change(test, `UPDATE deliveries SET ${taken} WHERE id = '${String(waiting.id)}'`);
    for (let n = 0; n < 2; n++) await reply();
    const [, still, ...more] = await planned();
    expect(still!.inputs.updates).toHaveLength(1);
    expect(more.map(({ dueAt, inputs }) => [dueAt, inputs.updates.length])).toEqual([[waiting.dueAt + 30_000, 2]]);
  });

  // SQLite has one writer: no worker can be at it.
  if (database.name === 'Postgres')
    it('loses no update to a worker that takes the mail up at the same moment', async () => {
      const { reply, planned } = newTicket();
      for (let n = 0; n < 2; n++) await reply();
      const waiting = (await planned())[1]!;
      let isHeld = () => {};
      let letGo = () => {};
      const held = new Promise<void>((resolve) => (isHeld = resolve));
      const answered = new Promise<void>((resolve) => (letGo = resolve));
      const worker = test.gateway.database.write(async (tx) => {
        await tx.query(`SELECT id FROM deliveries WHERE id = '${String(waiting.id)}' FOR UPDATE`);
        isHeld();
        await answered;
        await tx.query(`UPDATE deliveries SET state = 'leased', attempts = 1 WHERE id = '${String(waiting.id)}'`);
      });
      await held;
      await reply(); // waits for nobody
      letGo();
      await worker;
      expect((await planned()).map(({ inputs }) => inputs.updates.length)).toEqual([1, 1, 1]);
    });

  it('never tells somebody who left and came back of what was not for them', async () => {
    const { send, reply, planned } = newTicket();
    const by = (participants: object[]) => ({ data: { participants } });
    await reply(by([budi]));
    await reply(by([budi]));
    await send('ticket.updated', by([]));
    await reply(by([]));
    await send('ticket.updated', by([budi]));
    await reply(by([budi]));
    const mails = (await planned()).filter(({ recipient }) => recipient === budi.email);
    expect(mails.map(({ inputs }) => [inputs.generation, inputs.updates.length])).toEqual([
      [1, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  it('plans many events in one transaction as it plans them one by one', async () => {
    const mixed = (id: string) =>
      ['created', 'replied', 'replied', 'resolved', 'reopened', 'replied', 'closed'].map((type, n) => {
        const status = type === 'resolved' || type === 'closed' ? type : 'open';
        const message = type === 'replied' ? { id: `m-${n}` } : null;
        const data = n % 2 ? { participants: [budi] } : {};
        return test.source.event(`ticket.${type}`, { ticket: { id, status }, message, data });
      });
    const plan = async (bodies: unknown[][]) => {
      const planner = test.gateway.app.get(Planner, { strict: false });
      for (const group of bodies)
        await test.gateway.database.write(async (tx) => {
          const news: News[] = [];
          const events = group.map((body, n) => {
            const parsed = parseEvent(body);
            if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
            return { source: 'default', sourceEventId: `e-${n}`, event: parsed.event };
          });
          const projection = await Projection.load(tx, events, test.clock.now());
          for (const one of events) {
            const eventId: Id<'evt'> = newId('evt', test.clock.now());
            const applied = projection.apply(one)!;
            news.push({ source: test.gateway.config.sources[0]!, eventId, event: one.event, applied });
          }
          await projection.save();
          await planner.plan(tx, news);
        });
    };
    const seen = async (id: string) => {
      const [ticket] = await rows(test, 'tickets', `source_ticket_id = '${id}'`);
      return (await rows(test, 'deliveries', `ticket_id = '${String(ticket!.id)}'`)).map((row) => ({
        recipient: row.recipient,
        template: row.template_key,
        dueAt: Number(row.due_at),
        updates: (JSON.parse(row.inputs as string) as Delivery['inputs']).updates.map(({ templateKey }) => templateKey),
      }));
    };
    const [alone, together, parted] = ['alone', 'together', 'parted'];
    await plan(mixed(alone!).map((one) => [one]));
    await plan([mixed(together!)]);
    await plan([mixed(parted!).slice(0, 3), mixed(parted!).slice(3)]);
    expect(await seen(alone!)).toHaveLength(4);
    expect(await seen(together!)).toEqual(await seen(alone!));
    expect(await seen(parted!)).toEqual(await seen(alone!));
  });

  /** A row like that one, as if it had been planned now. */
  function copyOf(id: string, now: number, lane: string, templateKey: string): string {
    const columns = 'channel, event_id, ticket_id, participant_id, template_revision, locale, locale_reason, recipient';
    const more = 'inputs, state, attempts, deaths';
    const challengeId = lane === 'codes' ? `'${newId('chl', now)}'` : 'NULL';
    return `INSERT INTO deliveries (id, lane, challenge_id, template_key, created_at, due_at, next_attempt_at, ended_at, ${columns}, ${more})
      SELECT '${newId('dlv', now)}', '${lane}', ${challengeId}, '${templateKey}', ${now}, ${now}, ${now}, ${now}, ${columns}, ${more}
      FROM deliveries WHERE id = '${id}'`;
  }
});
