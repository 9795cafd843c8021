/**
 * The states of a delivery, and the only ways between them.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> queued
 *   queued --> leased: a worker takes it for the length of a lease
 *   deferred --> leased
 *   uncertain --> leased
 *   leased --> leased: the worker died, its lease ran out
 *   submitting --> leased: the same, in the middle of the call
 *   leased --> queued: its domain or transport has to wait, nothing was tried yet
 *   leased --> deferred: the same, after a try
 *   leased --> uncertain: the same, after a lost answer
 *   leased --> submitting: rendered; written before the call
 *   submitting --> sent: taken
 *   submitting --> deferred: not taken now
 *   submitting --> uncertain: the answer was lost
 *   submitting --> failed: refused for good, or tried for four days
 *   submitting --> expired: the code grew too old while it waited for a connection
 *   leased --> cancelled: its reason is gone
 *   leased --> expired: the code is too old
 *   leased --> suppressed: the address bounced or complained
 *   leased --> parked: cannot be rendered, three workers died of it, or the answer was lost for too long
 *   sent --> bounced: the provider or a bounce says so
 *   submitting --> bounced: the same, before we wrote down that it was sent
 *   uncertain --> sent: feedback says that it had arrived after all
 *   uncertain --> bounced: or that it came back
 *   leased --> sent: the same two words, while it waits for its next try, is tried, or after it was given up
 *   leased --> bounced
 *   deferred --> sent
 *   deferred --> bounced
 *   parked --> sent
 *   parked --> bounced
 *   failed --> sent
 *   failed --> bounced
 *   parked --> queued: somebody sends it again
 *   failed --> queued
 *   bounced --> queued
 *   suppressed --> queued
 * ```
 */
export const transitions = {
  queued: ['leased'],
  deferred: ['leased', 'sent', 'bounced'],
  uncertain: ['leased', 'sent', 'bounced'],
  leased: [
    ...['leased', 'queued', 'deferred', 'uncertain', 'submitting', 'cancelled', 'expired', 'suppressed', 'parked'],
    ...['sent', 'bounced'],
  ],
  submitting: ['leased', 'sent', 'deferred', 'uncertain', 'failed', 'expired', 'bounced'],
  sent: ['bounced'],
  failed: ['queued', 'sent', 'bounced'],
  bounced: ['queued'],
  suppressed: ['queued'],
  parked: ['queued', 'sent', 'bounced'],
  cancelled: [],
  expired: [],
} as const satisfies Record<string, readonly string[]>;

export type DeliveryState = keyof typeof transitions;
export const deliveryStates = Object.keys(transitions) as DeliveryState[];

/** States that a delivery does not leave by itself. */
export const endStates = ['sent', 'failed', 'bounced', 'suppressed', 'cancelled', 'expired', 'parked'] as const;
export type EndState = (typeof endStates)[number];

export function isEnd(state: DeliveryState): state is EndState {
  return (endStates as readonly string[]).includes(state);
}

/** States of a mail that has left, or may have: it was just being handed over, or its answer was lost. */
export const leftStates = ['sent', 'bounced', 'submitting', 'uncertain'] as const satisfies DeliveryState[];

/** Whether its reader may hold it. One whose answer was lost may have arrived, whatever became of it since. */
export function hasLeft({ state, uncertainAt }: { state: DeliveryState; uncertainAt: number | null }): boolean {
  return (leftStates as readonly string[]).includes(state) || uncertainAt !== null;
}

/** Whether a person may take this end back. The others are true for good, or their reason is gone. */
export function isResendable(state: DeliveryState): boolean {
  return isEnd(state) && statesBefore('queued').includes(state);
}

/** The states from which one may come into `state`: what every statement that changes a state asks for. */
export function statesBefore(state: DeliveryState): DeliveryState[] {
  const all = Object.entries(transitions) as [DeliveryState, readonly DeliveryState[]][];
  return all.filter(([, next]) => next.includes(state)).map(([from]) => from);
}
