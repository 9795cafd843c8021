import { randomUUID } from 'node:crypto';
import { PosternError } from '../../src/errors.js';
import { Intake } from '../../src/intake/intake.js';
import { signWebhook } from '../../src/platform/webhook-signature.js';
import { databases, type DatabaseKind } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import type { EventBody } from '../support/source.js';
import { change, count, rows } from '../support/tables.js';

interface Post {
  to: TestGateway;
  body: EventBody;
  id?: string;
}

/** Hands all over in one turn, so that those of one process are one group. Each with what became of it. */
function receiveAll(posts: Post[]): Promise<{ outcome: string; eventId?: string }[]> {
  return Promise.all(
    posts.map(async ({ to, body, id = `evt_${randomUUID()}` }) => {
      const text = JSON.stringify(body);
      const timestamp = Math.floor(to.clock.now() / 1000);
      const headers = signWebhook({ secret: to.source.secret, id, timestamp, body: text });
      try {
        const webhook = { headers, rawBody: Buffer.from(text), mediaType: 'application/json' };
        const [receipt] = await to.gateway.app.get(Intake).receive('default', webhook);
        if (!receipt || 'ignored' in receipt) return { outcome: 'ignored' };
        return { outcome: receipt.duplicate ? 'again' : 'new', eventId: receipt.eventId };
      } catch (error) {
        return { outcome: error instanceof PosternError ? error.code : 'broken' };
      }
    }),
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
    const posts = [...others.slice(0, 25), poison, ...others.slice(25)].map((body) => ({ to: test, body }));
    const answers = await receiveAll(posts);
    expect(answers.map(({ outcome }) => outcome)).toEqual(
      posts.map(({ body }) => (body === poison ? 'broken' : 'new')),
    );
    for (const body of others) expect(await count(test, 'tickets', `source_ticket_id = '${ticketOf(body)}'`)).toBe(1);
    expect(await count(test, 'events', `source_ticket_id = '${ticketOf(poison)}'`)).toBe(0);
    expect(await count(test, 'tickets', `source_ticket_id = '${ticketOf(poison)}'`)).toBe(0);
    const ids = answers.flatMap(({ eventId }) => eventId ?? []);
    const mails = await rows(test, 'deliveries');
    expect(mails.map(({ event_id }) => event_id).sort()).toEqual(ids.sort());
    await accept();
    expect(await receiveAll([{ to: test, body: poison }])).toMatchObject([{ outcome: 'new' }]);
  });

  it('are each answered for themselves: new, the same again, or the same id with another body', async () => {
    const [one, other] = [event(), event()];
    const posts = times(30, (i) => ({ to: test, id: 'evt_three', body: i % 3 === 2 ? other : one }));
    // An event that has nothing to do with it must not suffer.
    const answers = await receiveAll([...posts, { to: test, body: event() }]);
    const expected = posts.map(({ body }, i) => (i === 0 ? 'new' : body === one ? 'again' : 'event-conflict'));
    expect(answers.map(({ outcome }) => outcome)).toEqual([...expected, 'new']);
    expect(new Set(answers.slice(0, -1).flatMap(({ eventId }) => eventId ?? [])).size).toBe(1);
    expect(await count(test, 'events', `source_event_id = 'evt_three'`)).toBe(1);
    expect(await count(test, 'tickets', `source_ticket_id = '${ticketOf(other)}'`)).toBe(0);
  });

  it('delete a ticket in the middle of its own story, and nothing said before or after stays', async () => {
    const id = randomUUID();
    const posts = [
      event('planted before', id),
      test.source.event('ticket.deleted', { ticket: { id } }),
      event('planted after', id),
    ].map((body) => ({ to: test, body }));
    expect((await receiveAll(posts)).map(({ outcome }) => outcome)).toEqual(['new', 'new', 'new']);
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
    const posts = times(50, (i) => ({ to: i % 2 ? one : other, id: 'evt_fifty', body }));
    const answers = await receiveAll(posts);
    expect(answers.map(({ outcome }) => outcome).sort()).toEqual([...times(49, () => 'again'), 'new']);
    expect(new Set(answers.map(({ eventId }) => eventId)).size).toBe(1);
    expect(await count(one, 'events', `source_event_id = 'evt_fifty'`)).toBe(1);
    expect(await count(one, 'deliveries', `event_id = '${answers[0]!.eventId}'`)).toBe(1);
  });

  it('events of the same tickets, in opposite orders, are all kept, and none waits for another for ever', async () => {
    const ids = times(10, () => randomUUID());
    const story = [...ids, ...ids, ...ids].map((id) =>
      one.source.event('ticket.replied', { ticket: { id }, message: {} }),
    );
    const answers = await receiveAll([
      ...story.map((body) => ({ to: one, body })),
      ...story.toReversed().map((body) => ({ to: other, body })),
    ]);
    expect(answers.map(({ outcome }) => outcome)).toEqual(times(60, () => 'new'));
    for (const id of ids) {
      const found = await rows(one, 'tickets', `source_ticket_id = '${id}'`);
      expect(found).toHaveLength(1);
      expect(await count(one, 'messages', `ticket_id = '${found[0]!.id as string}'`)).toBe(3);
      expect(await count(one, 'participants', `ticket_id = '${found[0]!.id as string}'`)).toBe(1);
    }
  });
});
