import type { DkimSettings, SmtpTransportSettings } from '../../settings/mail.js';
import { SmtpPool } from './smtp-pool.js';
import { smtpDurations, type SmtpDurations } from './smtp-session.js';
import type { Mail, Transport, TransportOutcome } from './transport.js';

export interface SmtpOptions {
  /** `required`: STARTTLS or smtps with a certificate that holds, else the mail waits. */
  tls?: 'opportunistic' | 'required';
  dkim?: DkimSettings | null;
  ca?: string | null;
  durations?: Partial<SmtpDurations>;
}

/** SMTP by nodemailer's connection, over a pool of kept ones. */
export class SmtpTransport implements Transport {
  readonly name: string;
  readonly remembersMs = 0;
  private readonly pool: SmtpPool;

  constructor(
    { name, host, port, secure, user, password }: SmtpTransportSettings,
    connections: number,
    { tls = 'opportunistic', dkim = null, ca = null, durations }: SmtpOptions = {},
  ) {
    this.name = name;
    const server = { host, port, secure, user, password, tls, ca, durations: { ...smtpDurations, ...durations } };
    this.pool = new SmtpPool({ ...server, connections, dkim });
  }

  send({ from, to, mime }: Mail): Promise<TransportOutcome> {
    return this.pool.send({ from, to, bytes: mime() });
  }

  close(): void {
    this.pool.close();
  }
}
