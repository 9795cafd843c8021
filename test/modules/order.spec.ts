import type { Delivery, DeliveryInputs, Update } from '../../src/delivery/delivery.entity.js';
import { whatStands } from '../../src/tickets/standing.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { startRelay, type Relay } from '../support/smtp.js';
import type { EventBody } from '../support/source.js';
import { rows } from '../support/tables.js';

describe.each(databases)('the order of events on $name', (database) => {
  let test: TestGateway;
  let relay: Relay;
  beforeEach(async () => {
    relay = await startRelay();
    test = await createGateway({ database, settings: { MAIL_URL: relay.url } });
  });
  afterEach(async () => {
    await test.close();
    await relay.close();
  });

  const told = () => relay.handedOver.map(({ raw }) => /^Subject: (.*)\r$/m.exec(raw)?.[1]);
  const tell = (type: string, status: string, to = 'siti@example.com') =>
    test.source.send(type, {
      ticket: { id: `o-${to}`, status },
      requester: { email: to, locale: 'en' },
      message: {},
    });

  it('lets no mail pass an earlier one of the same ticket and person', async () => {
    relay.onData = () => 451;
    await tell('ticket.replied', 'open');
    await test.drain();
    relay.onData = () => undefined;
    await tell('ticket.resolved', 'resolved');
    await tell('ticket.replied', 'open', 'budi@example.com');
    await test.drain();
    // The one that was refused for now, and somebody else's; what follows the former waits for it.
    expect(relay.handedOver.map(({ to }) => to[0])).toEqual(['siti@example.com', 'budi@example.com']);
    test.clock.advance({ minutes: 1 });
    await test.drain();
    await test.drain();
    expect(relay.handedOver.slice(2).map(({ to }) => to[0])).toEqual(['siti@example.com', 'siti@example.com']);
    expect(told().slice(2)).toEqual([
      'New reply to your support ticket 12345',
      'Your support ticket 12345 was resolved',
    ]);
  });

  it('lets the next one go once the earlier one has failed for good', async () => {
    relay.onData = () => 451;
    await tell('ticket.replied', 'open');
    await test.drain();
    await tell('ticket.resolved', 'resolved');
    await test.drain();
    expect(relay.handedOver).toHaveLength(1);
    const answers = [554];
    relay.onData = () => answers.shift();
    test.clock.advance({ minutes: 1 });
    await test.drain();
    await test.drain();
    expect((await rows(test, 'deliveries')).map(({ state }) => state)).toEqual(['failed', 'sent']);
  });

  it('ends the same in each of the 120 orders of five events, and tells the same', async () => {
    const all = orders([0, 1, 2, 3, 4]);
    await Promise.all(
      all.map(async (order, n) => {
        const events = fiveEvents(`all-${n}`);
        for (const place of order) expect((await test.source.post(events[place]!)).status).toBe(202);
      }),
    );
    const ends = await endsOfTickets();
    expect(ends).toHaveLength(120);
    expect([...new Set(ends.map((end) => JSON.stringify(end)))].map((end) => JSON.parse(end) as unknown)).toEqual([
      {
        status: 'pending',
        subject: 'Penarikan selesai',
        version: '5',
        messages: ['m-1 retracted', 'm-2'],
        // The retracted message and the state that passed are told to nobody, in whatever order they came.
        told: ['ticket-reopened pending', 'ticket-replied m-2'],
      },
    ]);
  }, 180_000);

  function fiveEvents(id: string): EventBody[] {
    const make = (version: number, type: string, status: string, message: object | null = null): EventBody =>
      test.source.event(type, {
        ticket: { id, version, status, subject: version === 5 ? 'Penarikan selesai' : 'Penarikan tertunda' },
        message,
      });
    return [
      make(1, 'ticket.replied', 'open', { id: 'm-1' }),
      make(2, 'ticket.replied', 'open', { id: 'm-2' }),
      make(3, 'message.retracted', 'open', { id: 'm-1' }),
      make(4, 'ticket.resolved', 'resolved'),
      make(5, 'ticket.reopened', 'pending'),
    ];
  }

  /** Of each ticket its state, its messages, and what the planned mails tell once all has come: what still stands. */
  async function endsOfTickets() {
    const messages = await rows(test, 'messages');
    const mails = (await rows(test, 'deliveries')) as unknown as (Raw & { inputs: string })[];
    const tellings = mails.map(({ ticket_id: ticketId, participant_id: participantId, inputs }) => {
      const { generation, updates } = JSON.parse(inputs) as DeliveryInputs;
      return { holder: { ticketId, participantId, generation }, news: updates };
    });
    const stood = await test.gateway.database.read((manager) => whatStands(manager, tellings));
    const nameOf = new Map(messages.map((one) => [one.id, one.source_message_id]));
    const nameUpdate = ({ templateKey, messageId, status }: Update) =>
      `${templateKey} ${String(nameOf.get(messageId) ?? status)}`;
    return (await rows(test, 'tickets')).map(({ id, status, subject, version }) => ({
      status,
      subject,
      version: String(version),
      messages: messages
        .filter((one) => one.ticket_id === id)
        .map((one) => `${String(one.source_message_id)}${one.retracted_at === null ? '' : ' retracted'}`)
        .sort(),
      told: mails
        .flatMap(({ ticket_id: ticketId }, i) => (ticketId === id ? (stood[i] ?? []) : []))
        .map(nameUpdate)
        .sort(),
    }));
  }
});

interface Raw {
  ticket_id: Delivery['ticketId'];
  participant_id: Delivery['participantId'];
}

function orders<T>(things: T[]): T[][] {
  if (things.length <= 1) return [things];
  return things.flatMap((first, i) => orders(things.toSpliced(i, 1)).map((rest) => [first, ...rest]));
}
