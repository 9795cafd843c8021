import type { Delivery, DeliveryInputs } from '../../src/delivery/delivery.entity.js';
import { whatStands } from '../../src/tickets/standing.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { someDatabase } from '../support/some-database.js';
import type { TestSource } from '../support/source.js';
import { rows } from '../support/tables.js';

describe.each(someDatabase)('what of a mail still stands, on $name', (database) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database });
  });
  afterAll(() => test.close());

  type Given = Parameters<TestSource['event']>[1];
  let tickets = 0;
  function newTicket() {
    const id = `s-${++tickets}`;
    const send = (type: string, given: Given = {}) =>
      test.source.send(type, { ...given, ticket: { id, ...given.ticket } });
    /** For each planned mail: the templates of what stands, or null. */
    const stands = async () => {
      const [ticket] = await rows(test, 'tickets', `source_ticket_id = '${id}'`);
      const mails = await rows(test, 'deliveries', `ticket_id = '${String(ticket!.id)}'`);
      const tellings = mails.map((row) => tellingOf(row));
      const stood = await test.gateway.database.read((manager) => whatStands(manager, tellings));
      return stood.map((updates) => updates?.map(({ templateKey }) => templateKey.replace('ticket-', '')) ?? null);
    };
    return { id, send, stands };
  }
  function tellingOf(row: Record<string, unknown>) {
    const { generation, updates } = JSON.parse(row.inputs as string) as DeliveryInputs;
    const holder = {
      ticketId: row.ticket_id as Delivery['ticketId'],
      participantId: row.participant_id as Delivery['participantId'],
      generation,
    };
    return { holder, news: updates };
  }

  const message = (id: string) => ({ message: { id } });
  const status = (name: string) => ({ ticket: { status: name } });

  it.each<[string, string, Given]>([
    ['is taken back', 'message.retracted', message('m-1')],
    ['becomes internal', 'message.updated', { message: { id: 'm-1', visibility: 'internal' } }],
  ])('a message that %s is no news, and the others are', async (_what, type, given) => {
    const { send, stands } = newTicket();
    await send('ticket.replied', message('m-1'));
    await send('ticket.info_requested', message('m-2'));
    expect(await stands()).toEqual([['replied'], ['info-requested']]);
    await send(type, given);
    expect(await stands()).toEqual([null, ['info-requested']]);
  });

  it('an edited message is news still', async () => {
    const { send, stands } = newTicket();
    await send('ticket.replied', message('m-1'));
    await send('message.updated', { message: { id: 'm-1', body: 'other words' } });
    expect(await stands()).toEqual([['replied']]);
  });

  it.each([
    ['resolved', 'reopened', 'open'],
    ['resolved', 'closed', 'closed'],
    ['reopened', 'resolved', 'resolved'],
    ['closed', 'reopened', 'pending'],
  ])('%s is no news any more once the ticket is %s', async (told, next, now) => {
    const { send, stands } = newTicket();
    await send('ticket.created');
    await send(`ticket.${told}`, status(told === 'reopened' ? 'open' : told));
    expect(await stands()).toEqual([['created'], [told]]);
    await send(`ticket.${next}`, status(now));
    expect(await stands()).toEqual([['created'], null, [next]]);
  });

  it('a reopened ticket is one whether it is open or pending', async () => {
    const { send, stands } = newTicket();
    await send('ticket.reopened', status('open'));
    await send('ticket.updated', status('pending'));
    expect(await stands()).toEqual([['reopened']]);
  });

  it.each<[string, string, Given]>([
    ['is deleted', 'ticket.deleted', {}],
    ['is merged into another', 'ticket.merged', { data: { into: 't-2' } }],
    ['has another requester', 'requester.changed', { requester: { email: 'budi@example.com' } }],
  ])('nothing stands once the ticket %s', async (_what, type, given) => {
    const { send, stands } = newTicket();
    await send('ticket.created');
    await send('ticket.replied', { message: {} });
    await send(type, given);
    expect(await stands()).toEqual([null, null]);
  });

  it('somebody who came back is not told what was planned before they left', async () => {
    const { send, stands } = newTicket();
    const by = (email: string) => ({ requester: { email } });
    await send('ticket.replied', { message: {}, ...by('siti@example.com') });
    await send('requester.changed', by('budi@example.com'));
    await send('requester.changed', by('siti@example.com'));
    await send('ticket.replied', { message: {}, ...by('siti@example.com') });
    expect(await stands()).toEqual([null, ['replied']]);
  });

  it('a code or a fresh link needs its holder alone, of a merged ticket too', async () => {
    const { id, send } = newTicket();
    await send('ticket.created');
    await send('ticket.merged', { data: { into: 't-2' } });
    const [ticket] = await rows(test, 'tickets', `source_ticket_id = '${id}'`);
    const [row] = await rows(test, 'deliveries', `ticket_id = '${String(ticket!.id)}'`);
    const { holder } = tellingOf(row!);
    const tellings = [holder, { ...holder, generation: 2 }, { ...holder, ticketId: 'tkt_other' as const }].map(
      (one) => ({ holder: one, news: [] }),
    );
    expect(await test.gateway.database.read((manager) => whatStands(manager, tellings))).toEqual([[], null, null]);
  });

  it('asks the database three times, however much is to be told', async () => {
    const [one, other] = [newTicket(), newTicket()];
    for (const { send } of [one, other, one, other]) await send('ticket.replied', { message: {} });
    await one.send('ticket.resolved', status('resolved'));
    const tellings = (await rows(test, 'deliveries')).map(tellingOf);
    let asked = 0;
    await test.gateway.database.read(async (manager) => {
      const runner = manager.dataSource.createQueryRunner();
      const query = runner.query.bind(runner);
      runner.query = ((...given: Parameters<typeof query>) => (asked++, query(...given))) as typeof runner.query;
      await whatStands(runner.manager, tellings);
      await runner.release();
    });
    expect(asked).toBe(3);
  });
});
