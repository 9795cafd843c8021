import { randomUUID } from 'node:crypto';
import { databases, type DatabaseKind } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { TestSource, type EventBody } from '../support/source.js';
import { change, count, rows } from '../support/tables.js';

interface Receipt {
  eventId: string;
  duplicate: boolean;
}

/** Posts all at the same moment; each with its answer. */
async function postAll(posts: { source: TestSource; body: EventBody; id?: string }[]) {
  const answers = await Promise.all(posts.map(({ source, body, id }) => source.post(body, id ? { id } : {})));
  return Promise.all(
    answers.map(async (answer) => ({
      status: answer.status,
      body: (await answer.json()) as Receipt & { code?: string },
    })),
  );
}

const times = <T>(number: number, make: (i: number) => T): T[] => Array.from({ length: number }, (_, i) => make(i));

describe.each(databases)('webhooks that come together, on $name', (kind) => {
  let test: TestGateway;
  beforeAll(async () => {
    test = await createGateway({ database: kind });
  });
  afterAll(() => test.close());

  const event = (body = 'words', ticketId: string = randomUUID()): EventBody =>
    test.source.event('ticket.replied', { ticket: { id: ticketId }, message: { body } });
  const ticketOf = ({ data }: EventBody) => (data.ticket as { id: string }).id;

  /** The database refuses a message with these words, as it would any row that we had not foreseen. */
  async function refuse(words: string): Promise<() => Promise<void>> {
    const sqlite = [
      `CREATE TRIGGER poison BEFORE INSERT ON messages WHEN NEW.body = '${words}' BEGIN SELECT RAISE(ABORT, 'no'); END`,
      'DROP TRIGGER poison',
    ];
    const postgres = [
      `ALTER TABLE messages ADD CONSTRAINT poison CHECK (body <> '${words}')`,
      'ALTER TABLE messages DROP CONSTRAINT poison',
    ];
    const [begin, end] = kind.name === 'SQLite' ? sqlite : postgres;
    await change(test, begin!);
    return async () => void (await change(test, end!));
  }

  it('are all taken but the one that breaks, which leaves nothing behind and is taken when it can be', async () => {
    const accept = await refuse('poison');
    const poison = event('poison');
    const others = times(49, () => event());
    const posts = [...others.slice(0, 25), poison, ...others.slice(25)].map((body) => ({ source: test.source, body }));
    const answers = await postAll(posts);
    expect(answers.map(({ status }) => status)).toEqual(posts.map(({ body }) => (body === poison ? 500 : 202)));
    for (const body of others) expect(await count(test, 'tickets', `source_ticket_id = '${ticketOf(body)}'`)).toBe(1);
    expect(await count(test, 'events', `source_ticket_id = '${ticketOf(poison)}'`)).toBe(0);
    expect(await count(test, 'tickets', `source_ticket_id = '${ticketOf(poison)}'`)).toBe(0);
    const ids = answers.flatMap(({ status, body }) => (status === 202 ? [body.eventId] : []));
    const mails = await rows(test, 'deliveries');
    expect(mails.map(({ event_id }) => event_id).sort()).toEqual(ids.sort());
    await accept();
    expect((await postAll([{ source: test.source, body: poison }]))[0]!.status).toBe(202);
  });

  it('are each answered for themselves: new, the same again, or the same id with another body', async () => {
    const [one, other] = [event(), event()];
    const posts = times(30, (i) => ({ source: test.source, id: 'evt_three', body: i % 3 === 2 ? other : one }));
    // An event that has nothing to do with it must not suffer.
    const answers = await postAll([...posts, { source: test.source, body: event() }]);
    expect(answers.at(-1)!.status).toBe(202);
    const statuses = answers.slice(0, -1).map(({ status }) => status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(1);
    const first = posts[statuses.indexOf(202)]!.body;
    expect(statuses).toEqual(
      posts.map(({ body }, i) => (i === statuses.indexOf(202) ? 202 : body === first ? 200 : 409)),
    );
    expect(await count(test, 'events', `source_event_id = 'evt_three'`)).toBe(1);
    expect(await count(test, 'tickets', `source_ticket_id = '${ticketOf(first === one ? other : one)}'`)).toBe(0);
  });

  it('delete a ticket in the middle of its own story, and nothing said before or after stays', async () => {
    const id = randomUUID();
    const posts = [
      event('planted before', id),
      test.source.event('ticket.deleted', { ticket: { id } }),
      event('planted after', id),
    ].map((body) => ({ source: test.source, body }));
    expect((await postAll(posts)).map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(JSON.stringify(await rows(test, 'messages'))).not.toContain('planted');
    expect(await rows(test, 'tickets', `source_ticket_id = '${id}'`)).toMatchObject([{ subject: '' }]);
  });
});

const postgres = databases.filter(({ name }) => name === 'Postgres');

(postgres.length > 0 ? describe : describe.skip)('webhooks that come to two processes at the same time', () => {
  let one: TestGateway;
  let other: TestGateway;
  beforeAll(async () => {
    one = await createGateway({ database: postgres[0] });
    const shared: DatabaseKind = {
      name: 'Postgres',
      create: async () => ({ url: one.databaseUrl, drop: async () => {} }),
    };
    other = await createGateway({ database: shared, settings: { ...one.keys, SOURCE_SECRET: one.source.secret } });
  });
  afterAll(async () => {
    await other.close();
    await one.close();
  });

  it('fifty copies make one event', async () => {
    const body = one.source.event('ticket.replied', { ticket: { id: randomUUID() }, message: {} });
    const posts = times(50, (i) => ({ source: i % 2 ? one.source : other.source, id: 'evt_fifty', body }));
    const answers = await postAll(posts);
    expect(answers.map(({ status }) => status).sort()).toEqual([...times(49, () => 200), 202]);
    expect(new Set(answers.map(({ body: { eventId } }) => eventId)).size).toBe(1);
    expect(await count(one, 'events', `source_event_id = 'evt_fifty'`)).toBe(1);
    expect(await count(one, 'deliveries', `event_id = '${answers[0]!.body.eventId}'`)).toBe(1);
  });

  it('events of the same tickets, in opposite orders, are all kept, and none waits for another for ever', async () => {
    const ids = times(10, () => randomUUID());
    const story = [...ids, ...ids, ...ids].map((id) =>
      one.source.event('ticket.replied', { ticket: { id }, message: {} }),
    );
    const answers = await postAll([
      ...story.map((body) => ({ source: one.source, body })),
      ...story.toReversed().map((body) => ({ source: other.source, body })),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(times(60, () => 202));
    for (const id of ids) {
      const found = await rows(one, 'tickets', `source_ticket_id = '${id}'`);
      expect(found).toHaveLength(1);
      expect(await count(one, 'messages', `ticket_id = '${found[0]!.id as string}'`)).toBe(3);
      expect(await count(one, 'participants', `ticket_id = '${found[0]!.id as string}'`)).toBe(1);
    }
  });
});
