import { createGatewayAndReceiver } from '../support/gateway-and-receiver.js';
import type { TestGateway } from '../support/gateway.js';
import type { Receiver } from '../support/receiver.js';
import { someDatabase } from '../support/some-database.js';
import { change, count, dump, rows } from '../support/tables.js';
import { visit } from '../support/visit.js';

describe.each(someDatabase)('a ticket that is deleted at its source on $name', (database) => {
  let test: TestGateway;
  let source: Receiver;
  beforeEach(async () => {
    ({ test, source } = await createGatewayAndReceiver({ database }));
  });
  afterEach(() => test.close());

  const ticket = { id: 'gone', number: '4711' };
  const other = { id: 'stays', number: '4712' };
  const replyOf = async (one: { id: string; number: string }, body: string) => {
    const { guest, page } = await visit(test, { ticket: one });
    await guest.submit(page, '/replies', { body });
    await test.drain();
  };
  const ofTicket = (id: string) => `ticket_id = (SELECT id FROM tickets WHERE source_ticket_id = '${id}')`;

  it('is told to nobody any more: what has not arrived ends, and what was kept to be told is empty', async () => {
    source.answer = (post, response) => void response.writeHead(/word/.test(post.body) ? 500 : 204).end();
    await replyOf(ticket, 'goneword');
    await replyOf(other, 'staysword');
    const retried = `type = 'ticket.guest_replied'`;
    expect((await rows(test, 'outbound_messages', retried)).map(({ state }) => state)).toEqual(['queued', 'queued']);
    const waiting = `state = 'deferred', ended_at = NULL, next_attempt_at = 9000000000000`;
    await change(test, `UPDATE deliveries SET ${waiting} WHERE lane = 'mail' AND ${ofTicket('gone')}`);

    await test.source.send('ticket.deleted', { ticket, requester: { locale: 'en' } });
    expect((await rows(test, 'outbound_messages', retried)).map(({ state }) => state)).toEqual(['cancelled', 'queued']);
    await test.drain();
    const mails = await rows(test, 'deliveries', ofTicket('gone'));
    expect(mails.map(({ state, recipient }) => [state, recipient])).toEqual([
      ['cancelled', ''],
      ['sent', ''],
    ]);
    expect(JSON.stringify(mails)).not.toMatch(/Siti|example\.com/);
    expect(await count(test, 'outbound_messages', `source_ticket_id = 'gone' AND data <> '{}'`)).toBe(0);
    expect(await count(test, 'outbound_messages', `source_ticket_id = 'stays' AND data = '{}'`)).toBe(0);
    expect(await dump(test)).not.toContain('goneword');

    const posts = source.posts.length;
    source.answer = (_post, response) => void response.writeHead(204).end();
    test.clock.advance({ days: 1 });
    await test.drain();
    const later = source.posts.slice(posts).map(({ body }) => body);
    expect(later).toHaveLength(1);
    expect(later[0]).toContain('staysword');
  });

  it('ends a message that is on its way, whose answer changes nothing any more', async () => {
    let answer: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      source.answer = (post, response) => {
        if (!post.body.includes('goneword')) return void response.writeHead(204).end();
        answer = () => void response.writeHead(500).end();
        resolve();
      };
    });
    const { guest, page } = await visit(test, { ticket });
    await guest.submit(page, '/replies', { body: 'goneword' });
    await asked;
    await test.source.send('ticket.deleted', { ticket, requester: { locale: 'en' } });
    answer();
    await test.drain();
    const [message] = await rows(test, 'outbound_messages', `type = 'ticket.guest_replied'`);
    expect(message).toMatchObject({ state: 'cancelled', data: '{}' });
    expect(await dump(test)).not.toContain('goneword');
  });
});
