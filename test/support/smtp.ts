import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer } from 'smtp-server';

export interface HandedOver {
  from: string;
  to: string[];
  /** The whole mail, byte for byte. */
  raw: string;
  /** `ntf_…` */
  notification: string;
}

/** What the relay says at a step: a reply code of 400 or more refuses, `drop` ends the connection without a word. */
type Answer = number | 'drop' | undefined;

/** A relay that is as difficult as it is told to be. It keeps all that was handed over, refused or not. */
export interface Relay {
  url: string;
  handedOver: HandedOver[];
  onConnect: () => Answer;
  onMailFrom: () => Answer;
  onRecipient: () => Answer;
  onData: (mail: HandedOver) => Answer | Promise<Answer>;
  close(): Promise<void>;
}

export async function startRelay(): Promise<Relay> {
  const refusal = (answer: Answer, said = 'refused'): Error | null =>
    typeof answer === 'number' && answer >= 400 ? Object.assign(new Error(said), { responseCode: answer }) : null;
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    closeTimeout: 1,
    onConnect: (_session, done) => done(refusal(relay.onConnect())),
    onMailFrom: (_address, _session, done) => done(refusal(relay.onMailFrom())),
    // Relays like to quote the address.
    onRcptTo: ({ address }, _session, done) => done(refusal(relay.onRecipient(), `<${address}> refused`)),
    onData(stream, session, done) {
      const take = async (): Promise<Error | null | 'drop'> => {
        const raw = (await buffer(stream)).toString('latin1');
        const { mailFrom, rcptTo } = session.envelope;
        const mail = {
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          raw,
          notification: /^X-Postern-Notification: (\S+)\r$/m.exec(raw)?.[1] ?? '',
        };
        relay.handedOver.push(mail);
        const answer = await relay.onData(mail);
        return answer === 'drop' ? answer : refusal(answer);
      };
      take().then(
        (said) => {
          if (said !== 'drop') done(said);
          else for (const connection of server.connections as Set<Connection>) connection.close();
        },
        () => undefined, // the sender went away in the middle: nothing was handed over
      );
    },
  });
  // A sender that goes away concerns its own connection.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const relay: Relay = {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    handedOver: [],
    onConnect: () => undefined,
    onMailFrom: () => undefined,
    onRecipient: () => undefined,
    onData: () => undefined,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
  return relay;
}

interface Connection {
  close(): void;
}
