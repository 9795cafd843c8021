// The gateway as `src/main.ts` starts it, which ends itself by SIGKILL at a point that it is told. The points are put
// around the methods of the product from outside: the product knows nothing of them.
import { loadConfig } from '../../src/config.js';
import { Deliveries } from '../../src/delivery/delivery.js';
import type { Delivery } from '../../src/delivery/delivery.entity.js';
import { DeliveryRows, type Verdict } from '../../src/delivery/delivery-rows.js';
import { MailRenderer } from '../../src/delivery/mail-renderer.js';
import { SmtpTransport } from '../../src/delivery/transports/smtp.js';
import type { Mail } from '../../src/delivery/transports/transport.js';
import { DeliveryWorker } from '../../src/delivery/worker.js';
import { startGateway } from '../../src/gateway.js';
import { Intake } from '../../src/intake/intake.js';
import type { Order, Said } from './points.js';

/** A mail that two workers died of goes to quarantine with the third. That is another promise, and another test. */
const DEATHS_TO_SPARE = 2;

let order: Order = { point: null, after: 0 };
let passed = 0;
let worker: { held: Map<string, Delivery> } | null = null;
/** Ids of deliveries of which a byte may have left and nothing is recorded yet. */
const onTheWire = new Set<string>();

const say = (said: Said) => process.send!(said);
const die = () => process.kill(process.pid, 'SIGKILL');
const mayDie = (othersOnTheWire: number) =>
  onTheWire.size === othersOnTheWire && [...worker!.held.values()].every(({ deaths }) => deaths < DEATHS_TO_SPARE);

/**
 * Ends the process if this is the point, it was passed often enough, and as many mails are on the wire as belong to it:
 * what becomes of a mail must be told of the point that it was at.
 */
function pass(point: Order['point'], mailsOnTheWire = 0): void {
  if (order.point === point && passed++ >= order.after && mayDie(mailsOnTheWire)) die();
}

/** Replaces a method, private ones too. Throws if there is none of this name any more. */
function around<Given extends unknown[], Result>(
  { prototype }: { prototype: object },
  name: string,
  instead: (this: object, original: (...given: Given) => Result, ...given: Given) => Result,
): void {
  const methods = prototype as Record<string, (...given: Given) => Result>;
  const original = methods[name];
  if (typeof original !== 'function') throw new Error(`there is no method ${name} to put a point around`);
  methods[name] = function (this: object, ...given) {
    return instead.call(this, (...passedOn) => original.apply(this, passedOn), ...given);
  };
}

around<unknown[], Promise<unknown>>(Intake, 'record', async (record, ...given) => {
  const recorded = await record(...given);
  pass('before-commit');
  return recorded;
});
around<unknown[], void>(Deliveries, 'wake', (wake, ...given) => {
  pass('after-commit');
  wake(...given);
});
around<[Delivery, unknown], Mail>(MailRenderer, 'render', (render, delivery, code) => {
  const mail = render(delivery, code);
  pass('after-render');
  if (order.poison === delivery.recipient) die();
  return mail;
});
around<unknown[], Promise<unknown>>(DeliveryRows, 'markSubmitting', async (mark, ...given) => {
  const ours = await mark(...given);
  pass('after-submitting');
  return ours;
});
around<[Mail], Promise<unknown>>(SmtpTransport, 'send', (send, mail) => {
  onTheWire.add(mail.deliveryId);
  return send(mail);
});
around<[Verdict[]], Promise<void>>(DeliveryRows, 'record', async (record, verdicts) => {
  if (verdicts.length === 1 && verdicts[0]!.state === 'sent') pass('after-answer', 1);
  await record(verdicts);
  for (const { delivery } of verdicts) onTheWire.delete(delivery.id);
});
around<[], Promise<void>>(DeliveryWorker, 'onApplicationBootstrap', function (begin) {
  worker = this as unknown as typeof worker;
  return begin();
});

process.on('message', (told: Order | 'die') => {
  if (told === 'die') {
    // The mail server has one mail whole and has not answered yet: is it alone?
    if (mayDie(1)) die();
    say('not-now');
  } else {
    order = told;
    void startGateway(loadConfig()).then(
      () => say('ready'),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
        process.exit(1);
      },
    );
  }
});
process.once('disconnect', () => process.exit(1)); // nobody is there any more to kill it
say('loaded');
