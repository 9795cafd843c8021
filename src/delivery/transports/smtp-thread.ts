import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { SmtpPool, type SmtpPoolSettings } from './smtp-pool.js';
import type { SmtpMail } from './smtp-session.js';
import type { TransportOutcome } from './transport.js';

/** What the thread is told at its start. */
export interface ThreadStart {
  settings: SmtpPoolSettings;
  /** By number of the place that a mail has: 1 once the end of its data may have left. It outlives the thread. */
  handedOver: Uint8Array;
}
export type ThreadMail = SmtpMail & { place: number };
export type ThreadOutcome = { place: number; outcome: TransportOutcome };

// The other end of SmtpThread: a pool that gets its mails by message and answers in batches.
if (parentPort !== null) serve(parentPort, workerData as ThreadStart);

function serve(port: MessagePort, { settings, handedOver }: ThreadStart): void {
  const pool = new SmtpPool(settings);
  let outcomes: ThreadOutcome[] = [];
  let underway = 0;
  let isClosing = false;
  const post = () => {
    port.postMessage(outcomes);
    outcomes = [];
    endIfDone();
  };
  const endIfDone = () => {
    if (isClosing && underway === 0 && outcomes.length === 0) port.close();
  };
  const send = async ({ place, ...mail }: ThreadMail) => {
    underway++;
    const outcome = await pool.send({ ...mail, onHandOver: () => Atomics.store(handedOver, place, 1) });
    underway--;
    if (outcomes.length === 0) setImmediate(post);
    outcomes.push({ place, outcome });
  };
  port.on('message', (mails: ThreadMail[] | 'close') => {
    if (mails !== 'close') return mails.forEach((mail) => void send(mail));
    isClosing = true;
    pool.close();
    endIfDone();
  });
}
