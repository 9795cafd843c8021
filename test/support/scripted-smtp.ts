import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';

/** Where a server may answer, in the order of a conversation; `half` is when some of a mail is there. */
export type Step =
  'greeting' | 'ehlo' | 'helo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'half' | 'dot' | 'rset' | 'quit';
/** A line to say, or anything else that can be done to a client. Not to answer is `() => undefined`. */
export type Answer = string | ((to: Peer) => unknown);
export type Script = Partial<Record<Step, Answer>>;
export type Certificate = 'valid' | 'expired' | 'other-name' | 'self-signed';

const pem = (name: string) => readFileSync(join(import.meta.dirname, '..', 'fixtures', 'tls', `${name}.pem`), 'utf8');
/** Whose word all certificates of the fixtures but one bear. */
export const authority = pem('ca');

const ordinary: Record<Exclude<Step, 'half'>, Answer> = {
  greeting: '220 scripted.example ESMTP',
  ehlo: (peer) => peer.offer('PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 50000000'),
  helo: '250 scripted.example',
  starttls: '454 4.7.0 not now',
  auth: '235 2.7.0 welcome',
  mail: '250 2.1.0 sender ok',
  rcpt: '250 2.1.5 recipient ok',
  data: '354 go on',
  dot: (peer) => peer.take('250 2.0.0 taken'),
  rset: '250 2.0.0 reset',
  quit: (peer) => {
    peer.say('221 2.0.0 bye');
    peer.end();
  },
};

/** An SMTP server that does what its script says, byte by byte, and what is usual where the script is silent. */
export interface ScriptedSmtp {
  port: number;
  script: Script;
  /** Mails it took, without the dots of the transfer, byte for byte. */
  taken: Buffer[];
  /** Every line that a client said outside of mails. */
  heard: string[];
  connections: number;
  /** Ends every connection as a server does that grew tired of waiting. */
  endIdle(): Promise<void>;
  close(): Promise<void>;
}

export async function startScriptedSmtp({ implicitTls }: { implicitTls?: Certificate } = {}): Promise<ScriptedSmtp> {
  const peers = new Set<Peer>();
  const server = createServer({ noDelay: true }, (socket) => {
    scripted.connections++;
    const peer = new Peer(socket, scripted);
    peers.add(peer);
    socket.on('close', () => peers.delete(peer));
    if (implicitTls) peer.encrypt(implicitTls);
    peer.answer('greeting');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const scripted: ScriptedSmtp = {
    port: (server.address() as AddressInfo).port,
    script: {},
    taken: [],
    heard: [],
    connections: 0,
    endIdle: async () => {
      const gone = [...peers].map(({ socket }) => new Promise((resolve) => socket.on('close', resolve)));
      for (const peer of peers) peer.end();
      await Promise.all(gone);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const peer of peers) peer.reset();
      }),
  };
  return scripted;
}

/** One client, as the server sees it. */
export class Peer {
  private input: Buffer = Buffer.alloc(0);
  private isInMail = false;
  private mail: Buffer = Buffer.alloc(0);
  private wire: Socket;
  private slowWords = Promise.resolve();

  constructor(
    readonly socket: Socket,
    private readonly server: ScriptedSmtp,
  ) {
    this.wire = socket;
    this.listen(socket);
  }

  say(line: string): void {
    this.raw(`${line}\r\n`);
  }

  raw(bytes: string): void {
    // What follows is a mail whatever else the script is up to.
    if (/^354[ -]/m.test(bytes)) this.isInMail = true;
    if (!this.wire.destroyed) this.wire.write(bytes);
  }

  /** Each part in a packet of its own, after all that is to be said before. */
  sayInParts(parts: string[], everyMs: number): Promise<void> {
    const say = async () => {
      if (/^354[ -]/.test(parts.join(''))) this.isInMail = true;
      for (const part of parts) {
        this.raw(part);
        await new Promise((resolve) => setTimeout(resolve, everyMs));
        if (this.wire.destroyed) return;
      }
    };
    this.slowWords = this.slowWords.then(say);
    return this.slowWords;
  }

  async sayLater(line: string, afterMs: number): Promise<void> {
    await this.sayInParts(['', `${line}\r\n`], afterMs);
  }

  /** Answers EHLO with these extensions. */
  offer(...extensions: string[]): void {
    const lines = ['scripted.example', ...extensions];
    this.raw(lines.map((line, at) => `250${at === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join(''));
  }

  /** Keeps the mail, and says so or not. */
  take(line?: string): void {
    this.server.taken.push(this.mail);
    if (line !== undefined) this.say(line);
  }

  end(): void {
    this.wire.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  encrypt(certificate: Certificate): void {
    const secureContext = createSecureContext({ key: pem('key'), cert: pem(certificate) });
    this.socket.removeAllListeners('data');
    this.input = Buffer.alloc(0);
    const secure = new TLSSocket(this.socket, { isServer: true, secureContext });
    this.wire = secure;
    this.listen(secure);
  }

  answer(step: Step): void {
    const answer = this.server.script[step] ?? (step === 'half' ? undefined : ordinary[step]);
    if (typeof answer === 'string') this.say(answer);
    else void answer?.(this);
  }

  private listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    socket.on('error', () => undefined); // clients that go away are what these tests are about
  }

  private read(chunk: Buffer): void {
    this.input = Buffer.concat([this.input, chunk]);
    while (this.isInMail ? this.readMail() : this.readLine());
  }

  private readLine(): boolean {
    const end = this.input.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.input.subarray(0, end).toString('utf8');
    this.input = this.input.subarray(end + 2);
    this.server.heard.push(line);
    const verb = /^[a-z]*/i.exec(line)![0].toLowerCase() as Step;
    this.answer(verb);
    return true;
  }

  private readMail(): boolean {
    if (this.server.script.half !== undefined && this.input.length > 0) {
      this.answer('half');
      this.input = Buffer.alloc(0);
      return false;
    }
    // The end of DATA may stand at once, as a mail without a line (RFC 5321 4.1.1.4).
    const framed = Buffer.concat([Buffer.from('\r\n'), this.input]);
    const end = framed.indexOf('\r\n.\r\n');
    if (end < 0) return false;
    this.mail = unstuff(framed.subarray(2, Math.max(2, end + 2)));
    this.input = framed.subarray(end + 5);
    this.isInMail = false;
    this.answer('dot');
    return true;
  }
}

/** RFC 5321 4.5.2, by its words: a dot at the beginning of a line with more on it is taken away. */
function unstuff(bytes: Buffer): Buffer {
  const lines = bytes.toString('latin1').split('\r\n');
  return Buffer.from(lines.map((line) => (line.startsWith('.') ? line.slice(1) : line)).join('\r\n'), 'latin1');
}
