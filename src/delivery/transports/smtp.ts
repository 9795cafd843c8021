import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { packageRoot, type DkimSettings, type SmtpTransportSettings } from '../../config.js';
import { SmtpPool, type SmtpPoolSettings } from './smtp-pool.js';
import { smtpDurations, type SmtpDurations, type SmtpMail } from './smtp-session.js';
import type { ThreadMail, ThreadOutcome, ThreadStart } from './smtp-thread.js';
import type { Mail, Transport, TransportOutcome } from './transport.js';

export interface SmtpOptions {
  /** `required`: STARTTLS or smtps with a certificate that holds, else the mail waits. */
  tls?: 'opportunistic' | 'required';
  dkim?: DkimSettings | null;
  ca?: string | null;
  durations?: Partial<SmtpDurations>;
  /** Connections and signatures in a thread of their own, which leaves the main one a fifth of the work for a mail. */
  thread?: boolean;
}

/** SMTP by nodemailer's connection, over a pool of kept ones. */
export class SmtpTransport implements Transport {
  readonly name: string;
  readonly remembersMs = 0;
  private readonly pool: SmtpPool | SmtpThread;

  constructor(
    { name, host, port, secure, user, password }: SmtpTransportSettings,
    connections: number,
    { tls = 'opportunistic', dkim = null, ca = null, durations, thread = false }: SmtpOptions = {},
  ) {
    this.name = name;
    const server = { host, port, secure, user, password, tls, ca, durations: { ...smtpDurations, ...durations } };
    const settings = { ...server, connections, dkim };
    this.pool = thread ? new SmtpThread(settings) : new SmtpPool(settings);
  }

  send({ from, to, mime }: Mail): Promise<TransportOutcome> {
    return this.pool.send({ from, to, bytes: mime() });
  }

  close(): void {
    this.pool.close();
  }
}

/** Mails that are with the thread at once, per connection: the next one is there when a connection is free. */
const PLACES_PER_CONNECTION = 2;
const CLOSE_MS = 3000;
const CLOSED = 'the transport was closed';
const threadFile = join(packageRoot, 'dist', 'src', 'delivery', 'transports', 'smtp-thread.js');

type Told = (outcome: TransportOutcome) => void;

/** A pool in a thread. If that dies, each mail with it has the outcome that its progress allows, and another is made. */
class SmtpThread {
  private readonly handedOver: Uint8Array;
  private readonly freePlaces: number[];
  private readonly waiting: { mail: SmtpMail; told: Told }[] = [];
  private readonly underway = new Map<number, Told>();
  private outgoing: ThreadMail[] = [];
  private worker: Worker | null = null;
  private isClosed = false;

  constructor(private readonly settings: SmtpPoolSettings) {
    const places = settings.connections * PLACES_PER_CONNECTION;
    this.handedOver = new Uint8Array(new SharedArrayBuffer(places));
    this.freePlaces = Array.from({ length: places }, (_, place) => place);
  }

  send(mail: SmtpMail): Promise<TransportOutcome> {
    return new Promise((told) => {
      this.waiting.push({ mail, told });
      this.forward();
    });
  }

  /** Mails under way are told by the thread, or by its end where it does not get to that. */
  close(): void {
    this.isClosed = true;
    this.forward();
    const { worker } = this;
    if (!worker) return;
    worker.postMessage('close', []);
    const late = setTimeout(() => void worker.terminate(), CLOSE_MS);
    worker.once('exit', () => clearTimeout(late));
  }

  /** Gives the thread what it has place for. A closed transport has place for nothing and everything is told at once. */
  private forward(): void {
    if (this.isClosed) for (const { told } of this.waiting.splice(0)) told(notTaken(CLOSED));
    while (this.waiting.length > 0 && this.freePlaces.length > 0) {
      const { mail, told } = this.waiting.shift()!;
      const place = this.freePlaces.pop()!;
      this.underway.set(place, told);
      this.handedOver[place] = 0;
      if (this.outgoing.length === 0) setImmediate(() => this.post());
      // A copy to give away: the bytes may be part of something larger, and another transport may want them too.
      this.outgoing.push({ from: mail.from, to: mail.to, bytes: new Uint8Array(mail.bytes), place });
    }
  }

  private post(): void {
    const mails = this.outgoing;
    this.outgoing = [];
    if (this.isClosed) for (const { place } of mails) this.tell(place, notTaken(CLOSED));
    if (this.isClosed || mails.length === 0) return;
    this.worker ??= this.start();
    this.worker.postMessage(
      mails,
      mails.map(({ bytes }) => bytes.buffer as ArrayBuffer),
    );
  }

  private start(): Worker {
    const workerData: ThreadStart = { settings: this.settings, handedOver: this.handedOver };
    const worker = new Worker(threadFile, { workerData, execArgv: [] });
    let why = 'the SMTP thread ended';
    worker.on('message', (outcomes: ThreadOutcome[]) => {
      for (const { place, outcome } of outcomes) this.tell(place, outcome);
      this.forward();
    });
    worker.on('error', (error) => (why = `the SMTP thread died: ${error.message}`.slice(0, 500)));
    worker.on('exit', () => this.bury(why));
    return worker;
  }

  private bury(why: string): void {
    this.worker = null;
    this.outgoing = [];
    for (const place of this.underway.keys())
      this.tell(place, this.handedOver[place] ? { outcome: 'uncertain', detail: why } : notTaken(why));
    this.forward();
  }

  private tell(place: number, outcome: TransportOutcome): void {
    const told = this.underway.get(place);
    this.underway.delete(place);
    this.freePlaces.push(place);
    told?.(outcome);
  }
}

function notTaken(detail: string): TransportOutcome {
  return { outcome: 'deferred', detail, scope: 'transport' };
}
