import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import { createTransport, type Transporter } from 'nodemailer';
import type { SmtpTransportSettings } from '../../config.js';
import type { Mail, Transport, TransportOutcome } from './transport.js';

/** A server may think this long about the end of the data (RFC 5321 4.5.3.2.6). */
const AFTER_DATA_MS = 600_000;
const CONNECT_MS = 30_000;
/** A connection is renewed after this many mails: relays count them. */
const MAILS_PER_CONNECTION = 1000;

/** SMTP by nodemailer, over a pool of kept connections. */
export class SmtpTransport implements Transport {
  readonly name = 'smtp';
  readonly remembersMs = 0;
  private readonly transporter: Transporter;

  constructor({ host, port, secure, user, password }: SmtpTransportSettings, connections: number) {
    this.transporter = createTransport({
      host,
      port,
      secure,
      auth: user === null ? undefined : { user, pass: password ?? '' },
      // STARTTLS is used wherever it is offered; on the machine itself there is nobody to hide from and no certificate.
      ignoreTLS: isLoopback(host),
      pool: true,
      maxConnections: connections,
      maxMessages: MAILS_PER_CONNECTION,
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: AFTER_DATA_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  async send({ from, to, mime }: Mail): Promise<TransportOutcome> {
    let handedOver = false;
    const raw = Readable.from(
      (function* () {
        yield mime();
        handedOver = true; // asked for more than all of it: the last byte was taken
      })(),
    );
    try {
      const info = (await this.transporter.sendMail({ envelope: { from, to: [to] }, raw })) as { response?: string };
      return { outcome: 'accepted', detail: info.response ?? '' };
    } catch (error) {
      return judge(error as SmtpError, handedOver);
    }
  }

  close(): void {
    this.transporter.close();
  }
}

interface SmtpError extends Error {
  code?: string;
  command?: string;
  responseCode?: number;
}

/** A reply decides by its first digit (RFC 5321 4.2.1); without one it matters whether the mail was on its way. */
function judge({ code, command, responseCode, message }: SmtpError, handedOver: boolean): TransportOutcome {
  const detail = message.slice(0, 500);
  // A refusal of ourselves (login, greeting) says nothing about this mail: the operator can mend it.
  const isAboutMail = command === 'MAIL FROM' || command === 'RCPT TO' || command === 'DATA';
  const scope = isAboutMail && responseCode !== 421 ? 'mail' : 'transport';
  if (responseCode !== undefined)
    return responseCode >= 500 && isAboutMail
      ? { outcome: 'rejected', detail }
      : { outcome: 'deferred', detail, scope };
  if (code === 'EENVELOPE' && command === 'API') return { outcome: 'rejected', detail };
  return handedOver ? { outcome: 'uncertain', detail } : { outcome: 'deferred', detail, scope };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
