import { connect } from 'node:net';
import { once } from 'node:events';
import { TicketStreams } from '../../src/portal/ticket-streams.js';
import { databases } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { Guest } from '../support/guest.js';
import { visit, type Visit } from '../support/visit.js';

/** A page's stream as its browser has it open. */
class Listener {
  private text = '';
  private readonly reader: ReadableStreamDefaultReader<string>;

  constructor(answer: Response) {
    this.reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** What came until then, read on until it matches; null if the stream ended first. */
  async until(pattern: RegExp): Promise<string | null> {
    for (;;) {
      const found = pattern.exec(this.text);
      if (found) {
        this.text = this.text.slice(found.index + found[0].length);
        return found[1] ?? found[0];
      }
      const { value, done } = await this.reader.read();
      if (done) return null;
      this.text += value;
    }
  }

  close = () => this.reader.cancel();
}

const NEWS = /id: (\w+)\nevent: update\ndata: \n\n/;

describe.each(databases)('an open ticket page on $name', (database) => {
  let test: TestGateway;
  beforeEach(async () => void (test = await createGateway({ database })));
  afterEach(() => test.close());

  const streams = () => test.gateway.app.get(TicketStreams);
  const href = async ({ guest, ticketId }: Pick<Visit, 'guest' | 'ticketId'>) =>
    /data-stream="([^"]+)"/.exec((await guest.get(`/tickets/${ticketId}`)).html)![1]!.replaceAll('&#x3D;', '=');
  const ask = (guest: Guest, path: string, headers: Record<string, string> = {}) =>
    fetch(test.url + path, {
      headers: { cookie: [...guest.cookies].map((pair) => pair.join('=')).join('; '), ...headers },
    });
  const listen = async (one: Pick<Visit, 'guest' | 'ticketId'>) => {
    const answer = await ask(one.guest, await href(one));
    expect(answer.status).toBe(200);
    const listener = new Listener(answer);
    await listener.until(/retry: \d+\n\n/);
    return { listener, answer };
  };
  const ticket = { id: 'live', number: '4711' };
  const say = (body: string, type = 'ticket.replied', status = 'open') =>
    test.source.send(type, { ticket: { ...ticket, status }, requester: { locale: 'en' }, message: { body } });

  it('hears of messages, states and edits, each once, and of nothing while there is nothing', async () => {
    const one = await visit(test, { ticket });
    const { listener, answer } = await listen(one);
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-accel-buffering')).toBe('no');
    await streams().look();
    await say('Something new');
    await streams().look();
    const first = await listener.until(NEWS);
    await streams().look();
    await say('', 'ticket.resolved', 'resolved');
    await streams().look();
    expect(await listener.until(NEWS)).not.toBe(first);
    test.clock.advance({ seconds: 26 });
    await streams().look();
    // The heartbeat is the next that comes: nothing was said twice.
    expect(await listener.until(/^([^]*?)still here\n\n/)).toBe(': ');
    await listener.close();
  });

  it('misses nothing between page and stream, nor while it was away', async () => {
    const one = await visit(test, { ticket });
    const path = await href(one);
    await say('Between page and stream');
    const late = new Listener(await ask(one.guest, path));
    await streams().look();
    const id = await late.until(NEWS);
    await late.close();
    await say('While away');
    const back = new Listener(await ask(one.guest, path, { 'last-event-id': id! }));
    await streams().look();
    expect(await back.until(NEWS)).not.toBe(id);
    await back.close();
  });

  it('hears it too from another process on the same database', async () => {
    const one = await visit(test, { ticket });
    const { listener } = await listen(one);
    // What another process commits is not told to this one by anything but the database.
    await test.gateway.database.write((tx) => tx.query(`UPDATE tickets SET subject = 'changed elsewhere'`));
    expect(await listener.until(NEWS)).not.toBeNull(); // by its own look, every two seconds
    await listener.close();
  });

  it('hears at one gateway what comes in at another, and shows it', async () => {
    if (database.name === 'SQLite') return; // a file has one gateway
    const one = await visit(test, { ticket });
    const other = await test.beside();
    const there = new Guest(other.url);
    for (const [name, value] of one.guest.cookies) there.cookies.set(name, value);
    const path = await href({ guest: there, ticketId: one.ticketId });
    const cookie = [...there.cookies].map((pair) => pair.join('=')).join('; ');
    const listener = new Listener(await fetch(other.url + path, { headers: { cookie } }));
    await listener.until(/retry: \d+\n\n/);
    expect([streams().count, other.app.get(TicketStreams).count]).toEqual([0, 1]);
    await say('Came in at the other one');
    expect(await listener.until(NEWS)).not.toBeNull();
    expect((await there.get(`/tickets/${one.ticketId}`)).text).toContain('Came in at the other one');
    await other.close();
    expect(await listener.until(NEWS)).toBeNull();
  });

  it('ends with its gateway, at once, whatever else is connected; who has begun to ask is answered', async () => {
    const one = await visit(test, { ticket });
    const { listener } = await listen(one);
    const { hostname, port } = new URL(test.url);
    // As browsers open them ahead: nothing is ever asked on it.
    const silent = connect(Number(port), hostname);
    const begun = connect(Number(port), hostname);
    await Promise.all([once(silent, 'connect'), once(begun, 'connect')]);
    begun.write('GET /help HTTP/1.1\r\nhost: x\r\n');
    await fetch(`${test.url}/help`); // what was written before has come in
    const closing = test.restart();
    const answer = once(begun.setEncoding('utf8'), 'data');
    setImmediate(() => begun.write('\r\n'));
    expect((await answer)[0]).toContain('HTTP/1.1 200');
    await Promise.all([once(silent.resume(), 'close'), closing]);
    expect(await listener.until(NEWS)).toBeNull();
  }, 20_000); // a connection that nobody closes is kept for more than a minute

  it.each([
    ['logged out', async ({ guest, page }: Visit) => void (await guest.submit(page, '/logout'))],
    ['idle for too long', async () => test.clock.advance({ minutes: 31 })],
    [
      'revoked',
      async () => {
        await test.gateway.database.write((tx) => tx.query('UPDATE participants SET generation = generation + 1'));
      },
    ],
  ])('hears nothing any more once its session is %s', async (_how, end) => {
    const one = await visit(test, { ticket });
    const { listener } = await listen(one);
    await end(one);
    await say('Not for this browser');
    await streams().look();
    expect(await listener.until(NEWS)).toBeNull();
    expect(streams().count).toBe(0);
    expect((await ask(one.guest, `/tickets/${one.ticketId}/stream`)).status).toBe(404);
  });

  it('is refused to strangers, and a browser gets only a few streams', async () => {
    const one = await visit(test, { ticket });
    const stranger = await visit(test, { email: 'mallory@example.com' });
    const path = await href(one);
    expect((await ask(stranger.guest, path)).status).toBe(404);
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(one.guest, path)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(answers.filter(({ status }) => status === 503)).toHaveLength(8);
    for (const answer of answers) await answer.body?.cancel();
    const { listener } = await listen(stranger);
    // As SIGTERM does: an open stream holds nobody up.
    await test.restart();
    expect(await listener.until(NEWS)).toBeNull();
  });
});
