import { connect, isIP, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { SmtpTransportSettings } from '../../settings/mail.js';
import type { TransportOutcome } from './transport.js';

/** How long the other side may take, ms. Each is for a whole answer, so that one given byte by byte has an end too. */
export interface SmtpDurations {
  connect: number;
  greeting: number;
  /** From the greeting to the end of the login; then for each answer to MAIL, RCPT and DATA. */
  command: number;
  /** Until a block of the mail was taken. */
  block: number;
  /** From the final dot to its answer. */
  afterData: number;
  /** How long a connection is kept that has nothing to do. */
  idle: number;
}

/**
 * RFC 5321 4.5.3.2, but for the greeting, which may take 5 minutes there: a relay of one's own that lets its clients
 * wait longer than a minute is in trouble, and the mail waits better here. Servers hang up on idle clients, after 5
 * minutes by that text and often after one: 30 s are well before.
 */
export const smtpDurations: SmtpDurations = {
  connect: 30_000,
  greeting: 60_000,
  command: 300_000,
  block: 180_000,
  afterData: 600_000,
  idle: 30_000,
};

export interface SmtpServer extends Pick<SmtpTransportSettings, 'host' | 'port' | 'secure' | 'user' | 'password'> {
  tls: 'opportunistic' | 'required';
  /** Certificates in PEM to trust instead of Node's own; null: Node's, and those of NODE_EXTRA_CA_CERTS. */
  ca: string | null;
  durations: SmtpDurations;
}

export interface SmtpMail {
  from: string;
  to: string;
  /** Finished MIME, lines ended by CRLF. */
  bytes: Uint8Array;
}

/** What a session knows of one mail. */
export interface Sent {
  outcome: TransportOutcome;
  /** The connection went before the server said anything about this mail: another one may have it at once. */
  unheard: boolean;
}

type Fault = Error & { code?: string; command?: string; responseCode?: number };
/** nodemailer notes in it what was refused, also when the connection is lost before all answers are there. */
type Envelope = { from: string; to: string[]; size: number; mailError?: Fault; rejectedErrors?: Fault[] };

/** A mail up to this size is written at once; of a longer one the end stays here until the rest is on its way. */
const BLOCK_BYTES = 64 * 1024;
const MAX_REPLY_BYTES = 64 * 1024;
const MAX_DETAIL = 500;
const CLOSE_MS = 1000;
/**
 * Refusals of this client and not of the mail: not understood, bad sequence, name in EHLO refused (Postfix says that 504
 * at RCPT), login wanted (RFC 4954 6), encryption wanted (RFC 3207 4).
 */
const ABOUT_US = new Set([500, 502, 503, 504, 530, 534, 535, 538]);

/** One connection to a server, and how far the mail is that is on it. One mail at a time. */
export class SmtpSession {
  /** Mails that were begun on it. */
  mails = 0;
  private state: 'opening' | 'ready' | 'busy' | 'closed' = 'opening';
  /** Of the last mail: in `dot` the end of the data may have left, before it certainly has not. */
  private progress: 'envelope' | 'body' | 'dot' = 'envelope';
  /** Something came since we last began to write what wants an answer. */
  private heard = false;
  private renewals = 0;
  private mustReset = false;
  private takesUtf8 = false;
  private connection: SMTPConnection | null = null;
  private socket: Socket | null = null;
  private pending: ((fault: Fault | null) => void) | null = null;
  private deadline: NodeJS.Timeout | undefined;

  constructor(private readonly server: SmtpServer) {}

  get isOpen(): boolean {
    return this.state === 'ready' && !!this.connection && !this.connection.destroyed && !!this.socket?.writable;
  }

  /** Connects, greets, encrypts, logs in. Says what went wrong, or null. */
  async open(): Promise<string | null> {
    const { host, port, durations } = this.server;
    const fault =
      (await this.wait(durations.connect, 'no connection', (done) => {
        this.socket = connect({ host, port, noDelay: true }, () => done(null));
        this.socket.on('error', done);
      })) ??
      (await this.wait(durations.greeting + durations.command, 'no readiness for mail', (done) => this.greet(done)));
    if (fault) this.close();
    else this.state = 'ready';
    return fault && wordsOf(fault);
  }

  /** Says what became of the mail, and never throws for what the server does. */
  async send({ from, to, bytes }: SmtpMail): Promise<Sent> {
    if (/[^\0-\x7f]/.test(from + to) && !this.takesUtf8)
      return told({ outcome: 'rejected', detail: 'the server takes no address outside of ASCII (RFC 6531)' });
    const envelope: Envelope = { from, to: [to], size: bytes.byteLength };
    this.begin();
    let reply = '';
    const fault = await this.wait(this.server.durations.command, 'no answer to MAIL, RCPT and DATA', (done) =>
      this.connection!.send(envelope, this.body(bytes), (error, info) => {
        reply = info?.response ?? '';
        done(error);
      }),
    );
    return fault ? this.judge(fault, envelope) : this.judgeAcceptance(reply);
  }

  /** Makes it ready for the next mail; false if it is not fit for one. */
  async renew(): Promise<boolean> {
    if (this.isOpen && this.mustReset) {
      const { command } = this.server.durations;
      const fault = await this.wait(command, 'no answer to RSET', (done) => this.connection!.reset(done));
      this.mustReset = false;
      if (fault) this.close();
    }
    return this.isOpen;
  }

  /** Takes leave, without waiting for the answer. */
  quit(): void {
    if (this.isOpen) this.connection!.quit();
    this.close();
  }

  /** At once. The mail on it, if any, gets the outcome that its progress allows. */
  close(): void {
    this.fail(new Error('the connection was closed from here'));
  }

  private greet(done: (fault: Fault | null) => void): void {
    const { host, port, secure, user, password, tls, ca, durations } = this.server;
    const connection = new SMTPConnection({
      host,
      port,
      secure,
      connection: this.socket!,
      requireTLS: tls === 'required',
      // STARTTLS is used wherever it is offered; on the machine itself there is nobody to hide from and no certificate.
      ignoreTLS: tls !== 'required' && isLoopback(host),
      tls: ca === null ? {} : { ca },
      greetingTimeout: durations.greeting,
      connectionTimeout: durations.greeting + durations.command,
      // For silence only; the deadlines here come first.
      socketTimeout: 2 * durations.afterData,
      socketCloseTimeout: CLOSE_MS,
      maxResponseSize: MAX_REPLY_BYTES,
    });
    this.connection = connection;
    connection.on('error', (error: Fault) => this.fail(error));
    connection.on('end', () => this.fail(new Error('the server closed the connection')));
    connection.connect((error) => {
      if (error) return done(error);
      // The last EHLO; under TLS that is the one which counts (RFC 3207 4.2).
      this.takesUtf8 = /^250[ -]SMTPUTF8\b/im.test(String(connection.lastServerResponse));
      // Under TLS another one than we gave it.
      const { _socket: socket } = connection;
      this.socket = socket as Socket;
      this.socket.prependListener('data', (chunk: Buffer) => this.hear(chunk));
      if (user === null) return done(null);
      connection.login({ user, pass: password ?? '' }, done);
    });
  }

  private begin(): void {
    this.mails++;
    this.state = 'busy';
    this.progress = 'envelope';
    this.heard = false;
    this.renewals = 2;
  }

  /** Three commands, three answers, and each has its time: a line renews the deadline, a single byte does not. */
  private hear(chunk: Buffer): void {
    this.heard = true;
    if (this.state !== 'busy' || this.progress !== 'envelope' || this.renewals === 0 || !chunk.includes('\n')) return;
    this.renewals--;
    this.deadline?.refresh();
  }

  /**
   * The mail in blocks, which are asked for as earlier ones leave. nodemailer puts the final dot after the last block, so
   * it may have left as soon as that is given away. Before, it is not written yet.
   */
  private body(bytes: Uint8Array): Readable {
    let at = 0;
    const blocks = new Readable({
      highWaterMark: BLOCK_BYTES,
      read: () => {
        if (at === 0 && !this.mayBegin()) return;
        const block = bytes.subarray(at, at + BLOCK_BYTES);
        at += block.byteLength;
        const isLast = at >= bytes.byteLength;
        this.advance(isLast ? 'dot' : 'body');
        blocks.push(block);
        if (isLast) blocks.push(null);
      },
    });
    return blocks;
  }

  /** nodemailer goes on at 250 too. A server that says so has lost count of the commands, and the next 250 means nothing. */
  private mayBegin(): boolean {
    const reply = String(this.connection?.lastServerResponse);
    if (reply.startsWith('354')) return true;
    this.fail(new Error(`unexpected answer to DATA: ${reply}`));
    return false;
  }

  private advance(progress: 'body' | 'dot'): void {
    const { block, afterData } = this.server.durations;
    this.progress = progress;
    this.heard = false;
    if (progress === 'body') this.within(block, 'the data were not taken');
    else this.within(afterData, 'no answer after the end of the data');
  }

  private judge(fault: Fault, { mailError, rejectedErrors }: Envelope): Sent {
    // Commands are sent together: a refusal may be there already when the connection goes before the other answers.
    const refusal = [fault, mailError, rejectedErrors?.[0]].find((one) => isRefusal(one?.responseCode));
    const isOver = refusal !== undefined && refusal.responseCode !== 421 && refusal === fault;
    if (isRefusedByUs(fault)) this.rest(false);
    else if (isOver && this.progress !== 'body') this.rest(this.progress === 'envelope');
    else this.close();
    if (refusal) return { outcome: judgeRefusal(refusal), unheard: isGoodbye(refusal) };
    const detail = wordsOf(fault);
    if (isRefusedByUs(fault)) return told({ outcome: 'rejected', detail });
    if (this.progress === 'dot') return told({ outcome: 'uncertain', detail });
    return {
      outcome: { outcome: 'deferred', detail, scope: 'transport' },
      unheard: this.progress === 'envelope' && !this.heard && fault.code !== 'ETIMEDOUT',
    };
  }

  private judgeAcceptance(reply: string): Sent {
    const detail = reply.slice(0, MAX_DETAIL);
    if (this.progress === 'dot' && this.heard && /^2\d\d([ -]|$)/.test(reply)) {
      this.rest(false);
      return told({ outcome: 'accepted', detail });
    }
    // No answer at all, or one that was on its way before there was a question: nobody knows what the server means.
    this.close();
    return told(
      this.progress === 'dot'
        ? { outcome: 'uncertain', detail: `not an answer: ${detail}` }
        : { outcome: 'deferred', detail: `an answer before the end of the data: ${detail}`, scope: 'transport' },
    );
  }

  private rest(mustReset: boolean): void {
    if (this.state === 'busy') this.state = 'ready';
    this.mustReset = mustReset;
  }

  /** Runs a step of the other side. Its end, its failure, the end of the connection, the deadline: the first one counts. */
  private wait(ms: number, what: string, start: (done: (fault?: Fault | null) => void) => void): Promise<Fault | null> {
    return new Promise((resolve) => {
      const done = (fault?: Fault | null) => {
        if (this.pending !== done) return;
        this.pending = null;
        clearTimeout(this.deadline);
        resolve(fault ?? null);
      };
      this.pending = done;
      if (this.state === 'closed') return done(new Error('the connection is closed'));
      this.within(ms, what);
      start(done);
    });
  }

  private within(ms: number, what: string): void {
    clearTimeout(this.deadline);
    const late = () => this.fail(Object.assign(new Error(`${what} within ${ms / 1000} s`), { code: 'ETIMEDOUT' }));
    this.deadline = setTimeout(late, ms);
  }

  private fail(fault: Fault): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.pending?.(fault);
    this.connection?.close();
    // Not yet nodemailer's, or ended by it, which waits a while for the other side.
    if (!this.connection) this.socket?.destroy();
  }
}

function told(outcome: TransportOutcome): Sent {
  return { outcome, unheard: false };
}

function isRefusal(code: number | undefined): boolean {
  return code !== undefined && code >= 400 && code <= 599;
}

/** By nodemailer, before anything was sent: an address that would break the command, more bytes than SIZE allows. */
function isRefusedByUs({ code, command, responseCode }: Fault): boolean {
  if (responseCode) return false;
  return (code === 'EENVELOPE' && command === 'API') || (code === 'EMESSAGE' && command === 'MAIL FROM');
}

/** 421 instead of an answer to MAIL: the server leaves, as it may at any time (RFC 5321 3.8). */
function isGoodbye({ responseCode, command }: Fault): boolean {
  return responseCode === 421 && command === 'MAIL FROM';
}

/** A reply decides by its first digit (RFC 5321 4.2.1); 421 and what is about us says nothing of this mail. */
function judgeRefusal(refusal: Fault): TransportOutcome {
  const detail = wordsOf(refusal);
  const code = refusal.responseCode!;
  if (code === 421 || ABOUT_US.has(code)) return { outcome: 'deferred', detail, scope: 'transport' };
  return code >= 500 ? { outcome: 'rejected', detail } : { outcome: 'deferred', detail, scope: 'mail' };
}

/** An error of several addresses tried has a code only. */
function wordsOf({ message, code }: Fault): string {
  return (message || code || 'no reason given').slice(0, MAX_DETAIL);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
