import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { sign } from '../../demo/event-sender.js';
import { startTicketSystem, type TicketSystem } from '../../demo/ticket-system.js';
import type { Ticket } from '../../demo/ticket.js';

const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const outboundSecret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

interface Posted {
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A gateway that notes what it is sent and answers as told, one answer per request; 202 when none is left. */
let posted: Posted[];
let answers: { status: number; body: object }[];
let files: Record<string, string>;
let gateway: Server;
let desk: TicketSystem;

beforeEach(async () => {
  [posted, answers, files] = [[], [], {}];
  gateway = createServer(async (request, response) => {
    const url = request.url ?? '';
    if (request.method === 'GET') return response.writeHead(files[url] ? 200 : 404).end(files[url]);
    posted.push({ url, headers: request.headers, body: await text(request) });
    const { status, body } = answers.shift() ?? { status: 202, body: { eventId: 'evt_1', duplicate: false } };
    return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve));
  desk = await startTicketSystem({ port: 0, gatewayUrl: gatewayUrl(), secret, outboundSecret, retrySeconds: [0, 0] });
});

afterEach(async () => {
  await desk.close();
  gateway.closeAllConnections();
  await new Promise((resolve) => gateway.close(resolve));
});

const gatewayUrl = () => `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
const sentEvents = () => posted.map(({ body }) => JSON.parse(body));

function guestReplied(ticket: Ticket, attachments: object[] = []) {
  const reply = {
    id: 'rpl_1',
    email: ticket.requester.email,
    body: 'ID: 8841',
    createdAt: '2026-11-23T03:00:00Z',
    attachments,
  };
  const data = { ticket: { id: ticket.id, number: ticket.number }, reply };
  return JSON.stringify({ type: 'ticket.guest_replied', timestamp: '2026-11-23T03:00:01Z', data });
}

function postToDesk(body: string, headers: Record<string, string>) {
  return fetch(desk.outboundUrl, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
}

describe('what the sample ticket system sends', () => {
  it('is signed as Standard Webhooks says, over the very bytes', async () => {
    const { answer, webhookId } = await desk.createTicket({ language: 'id' });
    const [event] = posted;
    expect(event?.url).toBe('/v1/sources/default/events');
    expect(event?.headers['webhook-id']).toBe(webhookId);
    expect(new Webhook(secret).verify(event?.body ?? '', event?.headers as Record<string, string>)).toMatchObject({
      type: 'ticket.created',
      data: {
        ticket: { number: '12345', status: 'open', version: 1 },
        requester: { kind: 'guest', email: 'siti@example.com', locale: 'id-ID', timeZone: 'Asia/Jakarta' },
        message: { author: { kind: 'requester' }, visibility: 'public', format: 'text' },
      },
    });
    expect(answer).toMatchObject({ ok: true, status: 202, eventId: 'evt_1', attempts: 1 });
  });

  it('fits the published vector of Standard Webhooks', () => {
    const headers = sign('msg_p5jXN8AQM9LWM0D4loKWxJek', '{"test": 2432232314}', secret, new Date(1614265330_000));
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('covers every act of an agent, with a version that counts up and the right status', async () => {
    const { ticket } = await desk.createTicket();
    await desk.reply(ticket.id);
    await desk.requestInfo(ticket.id);
    await desk.editLastMessage(ticket.id);
    await desk.retractLastMessage(ticket.id);
    await desk.updateSubject(ticket.id, 'Other');
    await desk.resolve(ticket.id);
    await desk.reopen(ticket.id);
    await desk.closeTicket(ticket.id);
    const seen = sentEvents().map(({ type, data }) => [type, data.ticket.version, data.ticket.status]);
    expect(seen).toEqual([
      ['ticket.created', 1, 'open'],
      ['ticket.replied', 2, 'open'],
      ['ticket.info_requested', 3, 'pending'],
      ['message.updated', 4, 'pending'],
      ['message.retracted', 5, 'pending'],
      ['ticket.updated', 6, 'pending'],
      ['ticket.resolved', 7, 'resolved'],
      ['ticket.reopened', 8, 'open'],
      ['ticket.closed', 9, 'closed'],
    ]);
    const ids = sentEvents().map(({ data }) => data.message?.id);
    expect(ids[3]).toBe(ids[2]);
    expect(ids[4]).toBe(ids[2]);
  });

  it('is repeated under one id when the gateway fails, and given up after the last attempt', async () => {
    answers = [503, 500, 202, 503, 503, 503].map((status) => ({ status, body: {} }));
    const first = await desk.createTicket();
    expect(first.answer).toMatchObject({ ok: true, attempts: 3 });
    const second = await desk.createTicket();
    expect(second.answer).toMatchObject({ ok: false, status: 503, attempts: 3 });
    expect(new Set(posted.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
  });

  it('is not repeated when the gateway refuses it, and the reason can be read', async () => {
    const errors = [{ pointer: '/data/ticket/id', detail: 'is required' }];
    answers = [{ status: 422, body: { title: 'The event is not valid', code: 'event_invalid', errors } }];
    const { answer } = await desk.createTicket();
    expect(answer).toMatchObject({ ok: false, status: 422, attempts: 1 });
    expect(answer.summary).toBe('The event is not valid · /data/ticket/id: is required');
  });

  it('can be sent again with the same id and body', async () => {
    const { webhookId } = await desk.createTicket();
    answers = [{ status: 200, body: { eventId: 'evt_1', duplicate: true } }];
    expect(await desk.sendAgain(webhookId)).toMatchObject({ ok: true, duplicate: true });
    expect(posted[1]?.body).toBe(posted[0]?.body);
    expect(posted[1]?.headers['webhook-id']).toBe(webhookId);
  });
});

describe('what the sample ticket system receives', () => {
  it('is a reply in the conversation, echoed once with the reply’s id', async () => {
    const { ticket } = await desk.createTicket();
    await desk.requestInfo(ticket.id);
    const body = guestReplied(ticket);
    const answer = await postToDesk(body, sign('msg_a', body, outboundSecret));
    expect([answer.status, await answer.json()]).toEqual([200, { duplicate: false }]);
    await desk.nextEvent('ticket.guest_replied');
    await desk.settled();

    expect(desk.receivedReplies).toMatchObject([{ id: 'rpl_1', ticketId: ticket.id, body: 'ID: 8841' }]);
    expect(ticket.messages.at(-1)).toMatchObject({ replyId: 'rpl_1', body: 'ID: 8841', author: { kind: 'requester' } });
    expect(sentEvents().at(-1)).toMatchObject({
      type: 'ticket.replied',
      data: { ticket: { status: 'open' }, message: { replyId: 'rpl_1', author: { kind: 'requester' } } },
    });
  });

  it('counts once however often it comes', async () => {
    const { ticket } = await desk.createTicket();
    const body = guestReplied(ticket);
    const headers = sign('msg_a', body, outboundSecret);
    const results = await Promise.all([1, 2, 3].map(async () => (await postToDesk(body, headers)).json()));
    await desk.settled();
    expect(results.map(({ duplicate }) => duplicate).sort()).toEqual([false, true, true]);
    expect(desk.receivedReplies).toHaveLength(1);
    expect(sentEvents().map(({ type }) => type)).toEqual(['ticket.created', 'ticket.replied']);
  });

  it('is refused when forged: other secret, changed body, old time, no signature', async () => {
    const { ticket } = await desk.createTicket();
    const body = guestReplied(ticket);
    const forgeries: [string, Record<string, string>][] = [
      [body, sign('msg_a', body, secret)],
      [body.replace('8841', '6666'), sign('msg_a', body, outboundSecret)],
      [body, sign('msg_a', body, outboundSecret, new Date(Date.now() - 3_600_000))],
      [body, {}],
    ];
    for (const [forged, headers] of forgeries) expect((await postToDesk(forged, headers)).status).toBe(401);
    await desk.settled();
    expect(desk.receivedReplies).toEqual([]);
    expect(posted).toHaveLength(1);
  });

  it('has its files fetched by their signed URL and compared with size and SHA-256', async () => {
    files = { '/v1/files/good': 'png bytes', '/v1/files/changed': 'other bytes' };
    const sha256 = createHash('sha256').update('png bytes').digest('hex');
    const file = (path: string) => ({
      name: `${path}.png`,
      contentType: 'image/png',
      size: 9,
      sha256,
      url: `${gatewayUrl()}/v1/files/${path}`,
    });
    const { ticket } = await desk.createTicket();
    const body = guestReplied(ticket, ['good', 'changed', 'gone'].map(file));
    await postToDesk(body, sign('msg_a', body, outboundSecret));
    await desk.nextEvent('ticket.guest_replied');
    expect(desk.receivedReplies[0]?.attachments.map(({ check }) => check)).toEqual(['ok', 'different', 'unreachable']);
  });

  it('may be news of any other type, for which one can wait', async () => {
    const body = JSON.stringify({
      type: 'link.opened',
      timestamp: '2026-11-23T03:00:01Z',
      data: { ticket: { id: 'x', number: '1' } },
    });
    const awaited = desk.nextEvent('link.opened');
    await postToDesk(body, sign('msg_b', body, outboundSecret));
    expect(await awaited).toMatchObject({ type: 'link.opened', webhookId: 'msg_b' });
  });
});
