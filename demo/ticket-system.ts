import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { Arrivals, type NextOptions } from './arrivals.js';
import { conversations, type Conversation, type Language, type Requester } from './conversations.js';
import { sendEvent, type Answer } from './event-sender.js';
import { createWeb, freePort, listen } from './local-web.js';
import { verifyOutbound, type OutboundEvent } from './outbound-event.js';
import { addTicketPage } from './ticket-page.js';
import {
  lastOfAgent,
  newId,
  toEvent,
  type EventType,
  type ReceivedAttachment,
  type ReceivedReply,
  type Ticket,
  type TicketMessage,
} from './ticket.js';

const KEPT = 500;
const LARGEST_FILE_BYTES = 10 * 1024 * 1024;

/** One line of the page's log: an event that went to the gateway, or one that came from it. */
interface LogLine {
  webhookId: string;
  at: string;
  direction: 'sent' | 'received';
  /** The gateway's source that it was sent to; empty if it came from there. */
  source: string;
  type: string;
  ticketNumber: string;
  body: string;
  /** Of a sent event, once it has come. */
  answer: Answer | null;
}

export interface NewTicket {
  language?: Language;
  /** What differs from the language's own person. */
  requester?: Partial<Requester>;
  subject?: string;
  body?: string;
  /** Needs `ownPageSource`. */
  ownPage?: boolean;
}

/** What an act changed here, and what the gateway said to its event. */
export interface Sent {
  ticket: Ticket;
  message: TicketMessage | null;
  webhookId: string;
  answer: Answer;
}

export interface TicketSystemOptions {
  /** 8030 by default, or the next free one; 0 for any. */
  port?: number;
  host?: string;
  /** May be set later, on the running ticket system. */
  gatewayUrl?: string;
  /** The gateway's source, `default` unless told. */
  source?: string;
  /** The gateway's source whose `ticketPage` is the page here. */
  ownPageSource?: string;
  /** Signs what goes to the gateway (`whsec_…`). */
  secret: string;
  /** Verifies what comes from it (`whsec_…`). */
  outboundSecret: string;
  /** Pauses between attempts to send an event. */
  retrySeconds?: number[];
}

/** Starts Sample Desk: a ticket system as small as one can be that uses all of the gateway. */
export async function startTicketSystem(options: TicketSystemOptions): Promise<TicketSystem> {
  const { port = 8030, host = '127.0.0.1' } = options;
  const { app, changes } = createWeb('ticket-system');
  const desk = new TicketSystem(options, app, () => changes.announce());
  desk.url = await listen(app, await freePort(port, host), host);
  return desk;
}

/** An agent's acts. Each changes the ticket here and resolves when the gateway has answered its event. */
export class TicketSystem {
  url = '';
  gatewayUrl: string;
  /** Newest last. */
  readonly tickets: Ticket[] = [];
  /** In the order they came; each once, however often the gateway posted it. */
  readonly receivedReplies: ReceivedReply[] = [];
  readonly log: LogLine[] = [];
  private readonly events = new Arrivals<OutboundEvent>(KEPT, (event) => event.type);
  private readonly seenIds = new Set<string>();
  private readonly work = new Set<Promise<unknown>>();
  private readonly stopping = new AbortController();
  private readonly lastSent = new Map<string, Promise<unknown>>();
  private readonly incoming: Webhook;
  private nextNumber = 12345;

  constructor(
    private readonly options: TicketSystemOptions,
    private readonly app: FastifyInstance,
    private readonly announce: () => void,
  ) {
    this.gatewayUrl = options.gatewayUrl ?? '';
    this.incoming = new Webhook(options.outboundSecret);
    this.addWebhookRoute();
    addPageApi(app, this);
    const { ownPageSource, secret } = options;
    if (ownPageSource !== undefined)
      addTicketPage(app, {
        redeemUrl: () => `${this.gatewayUrl}/v1/sources/${ownPageSource}/handoffs/redeem`,
        secret,
        ticket: (id) => this.tickets.find((each) => each.id === id),
      });
  }

  /** For `OUTBOUND_URL`; by number, since `localhost` may mean ::1 first and nothing listens there. */
  get outboundUrl(): string {
    return `${this.url.replace('//localhost:', '//127.0.0.1:')}/hooks/postern`;
  }

  /** For `ticketPage` of the source that guests come here from. */
  get ticketPage(): string {
    return `${this.url}/my/{id}`;
  }

  /** Whether tickets can open here. */
  get hasOwnPage(): boolean {
    return this.options.ownPageSource !== undefined;
  }

  createTicket(input: NewTicket = {}): Promise<Sent> {
    const { language = 'en' } = input;
    const conversation = conversations[language];
    const now = new Date().toISOString();
    const ticket: Ticket = {
      id: newId('t'),
      number: String(this.nextNumber++),
      subject: input.subject ?? conversation.subject,
      status: 'open',
      version: 0,
      createdAt: now,
      updatedAt: now,
      requester: { ...conversation.requester, ...input.requester },
      language,
      ownPage: this.hasOwnPage && input.ownPage === true,
      messages: [],
      mergedInto: null,
      deleted: false,
    };
    this.tickets.push(ticket);
    const message = this.write(ticket, 'requester', input.body ?? conversation.opening);
    return this.send('ticket.created', ticket, message);
  }

  /** Without `body`, here and below: what the agent of that conversation would say next. */
  reply(ticketId: string, body?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    const { replies } = conversations[ticket.language];
    const said = ticket.messages.filter((message) => replies.includes(message.body)).length;
    const message = this.write(ticket, 'agent', body ?? replies[said % replies.length] ?? '');
    return this.send('ticket.replied', ticket, message);
  }

  requestInfo(ticketId: string, body?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    ticket.status = 'pending';
    return this.send('ticket.info_requested', ticket, this.write(ticket, 'agent', body ?? this.words(ticket).question));
  }

  resolve(ticketId: string, body?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    ticket.status = 'resolved';
    return this.send('ticket.resolved', ticket, this.write(ticket, 'agent', body ?? this.words(ticket).solution));
  }

  reopen(ticketId: string, body?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    ticket.status = 'open';
    return this.send('ticket.reopened', ticket, body ? this.write(ticket, 'agent', body) : null);
  }

  closeTicket(ticketId: string, body?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    ticket.status = 'closed';
    return this.send('ticket.closed', ticket, body ? this.write(ticket, 'agent', body) : null);
  }

  updateSubject(ticketId: string, subject?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    ticket.subject = subject ?? this.words(ticket).newSubject;
    return this.send('ticket.updated', ticket, null);
  }

  /** @throws if no agent has written in the ticket yet, here and below */
  editLastMessage(ticketId: string, body?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    const message = lastOfAgent(ticket);
    Object.assign(message, { body: body ?? this.words(ticket).correction, edited: true });
    return this.send('message.updated', ticket, message);
  }

  retractLastMessage(ticketId: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    const message = lastOfAgent(ticket);
    message.retracted = true;
    return this.send('message.retracted', ticket, message);
  }

  /** Hands the ticket to somebody else: the former requester's links end. Without `email`, to a colleague of theirs. */
  changeRequester(ticketId: string, email?: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    const { requester } = ticket;
    const next = email?.trim() || `colleague.${requester.email}`;
    ticket.requester = { ...requester, email: next, name: next.split('@')[0] ?? next };
    return this.send('requester.changed', ticket, null);
  }

  /** Merges it into the newest other ticket that still stands. @throws if there is none */
  mergeTicket(ticketId: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    const other = this.tickets.findLast((each) => each !== ticket && !each.deleted && each.mergedInto === null);
    if (!other) throw new Error('There is no other ticket to merge it into: create one first.');
    ticket.mergedInto = other.id;
    ticket.status = 'closed';
    return this.send('ticket.merged', ticket, null);
  }

  deleteTicket(ticketId: string): Promise<Sent> {
    const ticket = this.ticket(ticketId);
    ticket.deleted = true;
    ticket.status = 'closed';
    return this.send('ticket.deleted', ticket, null);
  }

  /** Sends an event once more, under its own id: the gateway must say that it knows it. */
  async sendAgain(webhookId: string): Promise<Answer> {
    const line = this.log.find((each) => each.webhookId === webhookId && each.direction === 'sent');
    if (!line) throw new Error('No such event was sent.');
    line.answer = null;
    this.announce();
    return this.deliver(line);
  }

  /** The next event of that type from the gateway that no earlier call got. A reply's files have been checked by then. */
  nextEvent(type: string, options: NextOptions<OutboundEvent> = {}): Promise<OutboundEvent> {
    const { matching = () => true, ...rest } = options;
    return this.events.next(`${type} from the gateway`, {
      ...rest,
      matching: (event) => event.type === type && matching(event),
    });
  }

  /** Resolves when all that was begun is done: files checked, echoes sent. */
  async settled(): Promise<void> {
    while (this.work.size > 0) await Promise.allSettled(this.work);
  }

  /** Ends the server, and attempts that are still to come. */
  async close(): Promise<void> {
    this.stopping.abort();
    this.events.close('The ticket system was closed.');
    await this.app.close();
    await this.settled();
  }

  /** @throws if there is no such ticket */
  ticket(id: string): Ticket {
    const ticket = this.tickets.find((each) => each.id === id);
    if (!ticket) throw new Error('There is no such ticket.');
    return ticket;
  }

  private words(ticket: Ticket): Conversation {
    return conversations[ticket.language];
  }

  private write(
    ticket: Ticket,
    kind: 'agent' | 'requester' | 'participant',
    body: string,
    name?: string,
  ): TicketMessage {
    const writer = kind === 'agent' ? this.words(ticket).agent : ticket.requester.name;
    const message: TicketMessage = {
      id: newId('m'),
      author: { kind, name: name ?? writer },
      body,
      createdAt: new Date().toISOString(),
      replyId: null,
      edited: false,
      retracted: false,
      attachments: [],
    };
    ticket.messages.push(message);
    return message;
  }

  private async send(type: EventType, ticket: Ticket, message: TicketMessage | null): Promise<Sent> {
    ticket.version++;
    ticket.updatedAt = new Date().toISOString();
    const line: LogLine = {
      webhookId: newId('msg'),
      at: ticket.updatedAt,
      direction: 'sent',
      source: this.sourceOf(ticket),
      type,
      ticketNumber: ticket.number,
      body: JSON.stringify(toEvent(type, ticket, message)),
      answer: null,
    };
    this.note(line);
    // One after the other per ticket, as a ticket system's own queue would; tickets don't wait for one another.
    const before = this.lastSent.get(ticket.id) ?? Promise.resolve();
    const answered = this.doing(before.then(() => this.deliver(line)));
    this.lastSent.set(ticket.id, answered);
    return { ticket, message, webhookId: line.webhookId, answer: await answered };
  }

  private sourceOf({ ownPage }: Ticket): string {
    const { source = 'default', ownPageSource = source } = this.options;
    return ownPage ? ownPageSource : source;
  }

  private async deliver(line: LogLine): Promise<Answer> {
    const { secret, retrySeconds } = this.options;
    const url = `${this.gatewayUrl}/v1/sources/${line.source}/events`;
    line.answer = await sendEvent(url, line.webhookId, line.body, {
      secret,
      retrySeconds,
      signal: this.stopping.signal,
    });
    this.announce();
    return line.answer;
  }

  private addWebhookRoute(): void {
    this.app.register(async (scope) => {
      // The signature is over the bytes, so nothing may parse them before it is verified.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
      scope.post('/hooks/postern', (request, reply) => {
        const event = verifyOutbound(this.incoming, String(request.body ?? ''), request.headers);
        if (event === 'forged') return reply.code(401).send({ detail: 'The signature does not fit.' });
        if (event === 'malformed') return reply.code(422).send({ detail: 'This is not an event of the gateway.' });
        return { duplicate: !this.accept(event, String(request.body)) };
      });
    });
  }

  /** False if the event was here before: the gateway repeats until it reads our answer. */
  private accept(event: OutboundEvent, body: string): boolean {
    if (this.seenIds.has(event.webhookId)) return false;
    this.seenIds.add(event.webhookId);
    const { webhookId, type } = event;
    const ticketNumber = event.data.ticket?.number ?? '';
    this.note({
      webhookId,
      type,
      ticketNumber,
      at: new Date().toISOString(),
      direction: 'received',
      source: '',
      body,
      answer: null,
    });
    void this.doing(this.handle(event));
    return true;
  }

  private async handle(event: OutboundEvent): Promise<void> {
    const { ticket, reply } = event.data;
    if (event.type !== 'ticket.guest_replied' || !reply || !ticket) return this.events.add(event);
    const attachments = reply.attachments.map((file) => ({ ...file, check: 'checking' as const }));
    const received = { ...reply, ticketId: ticket.id, ticketNumber: ticket.number, attachments };
    this.receivedReplies.push(received);
    // Unknown are tickets of a former run: their replies are received, but there is no conversation to add them to.
    const known = this.tickets.find((each) => each.id === ticket.id);
    const message = known && this.addReply(known, received);
    await Promise.all(attachments.map((file) => this.check(file)));
    this.events.add(event);
    if (known && message) await this.send('ticket.replied', known, message);
  }

  private addReply(ticket: Ticket, reply: ReceivedReply): TicketMessage {
    const own = reply.email.toLowerCase() === ticket.requester.email.toLowerCase();
    const message = this.write(ticket, own ? 'requester' : 'participant', reply.body, own ? undefined : reply.email);
    Object.assign(message, { replyId: reply.id, attachments: reply.attachments });
    ticket.status = 'open';
    this.announce();
    return message;
  }

  /** Fetches a file by its signed URL and compares size and SHA-256. */
  private async check(file: ReceivedAttachment): Promise<void> {
    try {
      const signal = AbortSignal.any([this.stopping.signal, AbortSignal.timeout(15_000)]);
      const response = await fetch(file.url, { signal });
      const bytes = Buffer.from(await response.arrayBuffer());
      const same = bytes.length === file.size && createHash('sha256').update(bytes).digest('hex') === file.sha256;
      file.check = !response.ok || bytes.length > LARGEST_FILE_BYTES ? 'unreachable' : same ? 'ok' : 'different';
    } catch {
      file.check = 'unreachable'; // The page shows it at the file.
    }
    this.announce();
  }

  private doing<T>(work: Promise<T>): Promise<T> {
    this.work.add(work);
    const done = () => this.work.delete(work);
    work.then(done, done);
    return work;
  }

  private note(line: LogLine): void {
    this.log.push(line);
    if (this.log.length > KEPT) this.log.shift();
    this.announce();
  }
}

type Act = (desk: TicketSystem, ticketId: string, text?: string) => Promise<Sent>;

const acts: Record<string, Act> = {
  reply: (desk, id, text) => desk.reply(id, text),
  'request-info': (desk, id, text) => desk.requestInfo(id, text),
  resolve: (desk, id, text) => desk.resolve(id, text),
  reopen: (desk, id, text) => desk.reopen(id, text),
  close: (desk, id, text) => desk.closeTicket(id, text),
  'update-subject': (desk, id, text) => desk.updateSubject(id, text),
  'edit-last': (desk, id, text) => desk.editLastMessage(id, text),
  'retract-last': (desk, id) => desk.retractLastMessage(id),
  'change-requester': (desk, id, text) => desk.changeRequester(id, text),
  merge: (desk, id) => desk.mergeTicket(id),
  delete: (desk, id) => desk.deleteTicket(id),
};

const newTicket = z.object({ language: z.enum(['en', 'id', 'ja', 'ar', 'es']), ownPage: z.boolean().optional() });
const actInput = z.object({ text: z.string().max(20_000).optional() });

/** What the page at `/` shows and does. Its posts need a JSON body, which no other site's form can send. */
function addPageApi(app: FastifyInstance, desk: TicketSystem): void {
  app.get('/state', () => ({
    gatewayUrl: desk.gatewayUrl,
    hasOwnPage: desk.hasOwnPage,
    tickets: desk.tickets.toReversed().map((ticket) => ({
      ...ticket,
      agent: conversations[ticket.language].agent,
      languageName: conversations[ticket.language].language,
    })),
    log: desk.log.slice(-100).toReversed(),
    people: Object.entries(conversations).map(([language, { requester, language: name }]) => ({
      language,
      languageName: name,
      name: requester.name,
    })),
  }));
  app.post('/tickets', async (request) => {
    const { ticket, answer } = await desk.createTicket(newTicket.parse(request.body));
    return { ticketId: ticket.id, answer };
  });
  app.post<{ Params: { id: string; act: string } }>('/tickets/:id/:act', async ({ params, body }, reply) => {
    const act = acts[params.act];
    if (!act) return reply.code(404).send({ detail: 'There is no such act.' });
    return { answer: (await act(desk, params.id, actInput.parse(body).text || undefined)).answer };
  });
  app.post<{ Params: { id: string } }>('/log/:id/send-again', async ({ params }) => ({
    answer: await desk.sendAgain(params.id),
  }));
  app.setErrorHandler((error, _request, reply) =>
    reply.code(422).send({ detail: error instanceof Error ? error.message : String(error) }),
  );
}
