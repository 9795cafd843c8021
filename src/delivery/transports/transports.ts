import type { Config } from '../../config.js';
import type { TransportSettings } from '../../settings/mail.js';
import { SmtpTransport } from './smtp.js';
import type { Transport } from './transport.js';

/** The transports of one lane, in the order in which they are tried, each with this many connections of its own. */
export function openTransports(mail: Config['mail'], connections: number): Promise<Transport[]> {
  return Promise.all(mail.transports.map((one) => openTransport(one, mail, connections)));
}

async function openTransport(
  settings: TransportSettings,
  { tls, dkim }: Config['mail'],
  connections: number,
): Promise<Transport> {
  if (settings.kind === 'smtp') return new SmtpTransport(settings, connections, { tls, dkim });
  // Loaded only where it is used: its SDK takes 80 ms and 8 MB of the start.
  const { ResendTransport } = await import('./resend.js');
  return new ResendTransport(settings, connections);
}
