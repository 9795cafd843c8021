import { parseEvent, silentTypes, tellingTypes, type TicketEvent } from '../../src/events.js';

type Json = Record<string, unknown>;

/** The example of the documentation, whole. */
const example = (): {
  type: string;
  timestamp: string;
  data: Json & { ticket: Json; requester: Json; message: Json };
} => ({
  type: 'ticket.replied',
  timestamp: '2026-11-23T02:15:00Z',
  data: {
    ticket: {
      ...{ id: '8f2c', number: '12345', subject: 'Penarikan tertunda', status: 'open', version: 7 },
      ...{
        createdAt: '2026-11-22T10:00:00Z',
        updatedAt: '2026-11-23T02:15:00Z',
        url: 'https://app.example/support/8f2c',
      },
    },
    requester: { kind: 'guest', email: 'siti@example.com', name: 'Siti', locale: 'id-ID', timeZone: 'Asia/Jakarta' },
    participants: [{ kind: 'guest', email: 'budi@example.com', name: 'Budi', locale: 'id' }],
    message: {
      ...{ id: 'm-91', author: { kind: 'agent', name: 'Rina' }, body: 'Mohon kirim ID transaksi.', format: 'text' },
      ...{ createdAt: '2026-11-23T02:15:00Z', visibility: 'public', replyId: null },
      attachments: [
        { name: 'form.pdf', contentType: 'application/pdf', size: 18233, url: 'https://help.example/form.pdf' },
      ],
    },
    history: [],
  },
});

function read(body: unknown): TicketEvent {
  const parsed = parseEvent(body);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.event;
}

describe('a native event', () => {
  it.each<[string, (event: ReturnType<typeof example>) => void, string, string | RegExp]>([
    ['nothing where something must be', ({ data }) => delete data.ticket.id, '/data/ticket/id', 'is required'],
    ['no status', ({ data }) => delete data.ticket.status, '/data/ticket/status', /^is required: one of "open", /],
    ['a status of its own', ({ data }) => (data.ticket.status = 'new'), '/data/ticket/status', /^must be one of "open", /],
    ['a number for a text', ({ data }) => (data.ticket.number = 7), '/data/ticket/number', 'must be a string, not a number'],
    ['null', ({ data }) => (data.ticket.id = null), '/data/ticket/id', 'must be a string, not null'],
    ['an empty id', ({ data }) => (data.ticket.id = ' '), '/data/ticket/id', 'must not be empty'],
    ['unix time', (event) => Object.assign(event, { timestamp: 17 }), '/timestamp', 'must be a string, not a number'],
    ['a day', (event) => (event.timestamp = '2026-11-23'), '/timestamp', /with a zone, like 2026-/],
    ['a list of one', ({ data }) => (data.history = {}), '/data/history', 'must be an array, not an object'],
    ['half a version', ({ data }) => (data.ticket.version = 1.5), '/data/ticket/version', /whole number/],
    ['a link of another kind', ({ data }) => (data.ticket.url = 'ftp://a'), '/data/ticket/url', /begins with http/],
    ['no address', ({ data }) => (data.requester.email = 'siti'), '/data/requester/email', /before the @ stands nothing/],
    ['a long subject', ({ data }) => (data.ticket.subject = 'x'.repeat(1001)), '/data/ticket/subject', /1000 characters at most/],
  ])('with %s is refused in words for its writer', (_, spoil, pointer, detail) => {
    const event = example();
    spoil(event);
    const parsed = parseEvent(event);
    if (parsed.ok) throw new Error('it was taken');
    expect(parsed.errors).toEqual([
      { pointer, detail: typeof detail === 'string' ? detail : expect.stringMatching(detail) },
    ]);
  }); // prettier-ignore

  it('is read whole: times in milliseconds, addresses parsed', () => {
    const at = Date.parse('2026-11-23T02:15:00Z');
    expect(read(example())).toEqual({
      type: 'ticket.replied',
      timestamp: at,
      data: {
        ticket: { ...example().data.ticket, createdAt: Date.parse('2026-11-22T10:00:00Z'), updatedAt: at },
        requester: {
          ...example().data.requester,
          email: { given: 'siti@example.com', key: 'siti@example.com', domain: 'example.com' },
        },
        participants: [
          { kind: 'guest', email: expect.objectContaining({ key: 'budi@example.com' }), name: 'Budi', locale: 'id' },
        ],
        message: { ...example().data.message, createdAt: at, replyId: undefined },
        history: [],
      },
    });
  });

  it('needs no more than what is required', () => {
    const { ticket, requester } = example().data;
    const { id, number, status, updatedAt } = ticket;
    const { kind, email } = requester;
    const event = {
      type: 'ticket.created',
      timestamp: '2026-11-23T02:15:00Z',
      data: { ticket: { id, number, status, updatedAt }, requester: { kind, email } },
    };
    const { data } = read(event);
    expect([data.message, data.participants, data.history]).toEqual([undefined, undefined, []]);
  });

  it.each([...tellingTypes, ...silentTypes])('may be of type %s', (type) => {
    const event = { ...example(), type };
    event.data.into = 't-2';
    expect(read(event).type).toBe(type);
  });

  it('may say null for whatever it could leave out', () => {
    const event = example();
    const nulls = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, null]));
    Object.assign(event.data.ticket, nulls('subject', 'version', 'createdAt', 'url'));
    Object.assign(event.data.requester, nulls('id', 'name', 'locale', 'timeZone'));
    Object.assign(event.data.message, nulls('body', 'format', 'createdAt', 'visibility', 'attachments'));
    Object.assign(event.data, nulls('participants', 'history', 'into'));
    const { data } = read(event);
    expect(data.ticket.subject).toBeUndefined();
    expect(data.message).toMatchObject({ body: undefined, visibility: undefined, attachments: undefined });
    expect(data.history).toEqual([]);
  });

  it.each<[unknown, string | null]>([
    ['id-ID', 'id-ID'],
    ['ID_id', 'id-ID'],
    ['zh-hant-tw', 'zh-Hant-TW'],
    ['not a locale', null],
    ['', null],
  ])('has the locale %o as %o: a wrong one costs nobody a notification', (locale, expected) => {
    const event = example();
    event.data.requester.locale = locale;
    expect(read(event).data.requester.locale).toBe(expected);
  });

  it.each<[unknown, string | null]>([
    ['Asia/Jakarta', 'Asia/Jakarta'],
    ['Mars/Olympus', null],
    ['', null],
    ['../../etc/passwd', null],
  ])('has the time zone %o as %o', (timeZone, expected) => {
    const event = example();
    event.data.requester.timeZone = timeZone;
    expect(read(event).data.requester.timeZone).toBe(expected);
  });

  it.each([
    ['2026-11-23T02:15:00Z', '2026-11-23T02:15:00.000Z'],
    ['2026-11-23T09:15:00+07:00', '2026-11-23T02:15:00.000Z'],
    ['2026-11-23T02:15:00.123456Z', '2026-11-23T02:15:00.123Z'],
    ['2026-11-22T21:15:00-05:00', '2026-11-23T02:15:00.000Z'],
  ])('has the time %s as %s', (timestamp, expected) =>
    expect(new Date(read({ ...example(), timestamp }).timestamp).toISOString()).toBe(expected),
  );

  it('loses line breaks, control signs and turned directions where a value stands in one line, and keeps them in bodies', () => {
    const event = example();
    const text = ' one\r\ntwo\u0000\u001b[31m\u202ethree\u2028 ';
    event.data.ticket.subject = text;
    event.data.requester.name = text;
    event.data.message.body = 'one\r\n\ttwo\u0000\ud800';
    const { data } = read(event);
    expect(data.ticket.subject).toBe('one two [31m three');
    expect(data.requester.name).toBe('one two [31m three');
    expect(data.message!.body).toBe('one\r\n\ttwo\ufffd');
  });

  it('has URLs as a mail and a database can hold them', () => {
    const event = example();
    event.data.ticket.url = 'HTTPS://App.Example/tiket/é"<ü>?q=a b\u0000c';
    expect(read(event).data.ticket.url).toBe('https://app.example/tiket/%C3%A9%22%3C%C3%BC%3E?q=a%20b%00c');
  });

  it('names every fault by its RFC 6901 pointer', () => {
    const event = example();
    event.data.participants = [{ kind: 'guest', email: 'x' }, 5];
    event.data.ticket.status = 'solved';
    const parsed = parseEvent(event);
    expect(parsed.ok ? [] : parsed.errors.map(({ pointer }) => pointer).sort()).toEqual([
      '/data/participants/0/email',
      '/data/participants/1',
      '/data/ticket/status',
    ]);
  });

  it('quotes no value in a fault', () => {
    const event = example();
    event.data.requester.email = 'planted secret';
    event.data.ticket.status = 'planted secret';
    event.data.ticket.id = { planted: 'secret' };
    expect(JSON.stringify(parseEvent(event))).not.toContain('planted');
  });
});
