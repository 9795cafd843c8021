/**
 * The states of a delivery.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> queued
 *   queued --> leased
 *   deferred --> leased
 *   uncertain --> leased
 *   leased --> leased: the worker died, its lease ran out
 *   submitting --> leased: the same, in the middle of the call
 *   leased --> submitting: rendered
 *   leased --> cancelled: its reason is gone
 *   leased --> expired: the code is too old
 *   submitting --> sent
 *   submitting --> deferred: not taken now
 *   submitting --> uncertain: the answer was lost
 *   submitting --> failed: refused for good, or tried for four days
 * ```
 */
export type DeliveryState =
  | 'queued'
  | 'leased'
  | 'submitting'
  | 'deferred'
  | 'uncertain'
  | 'sent'
  | 'failed'
  | 'bounced'
  | 'suppressed'
  | 'cancelled'
  | 'expired'
  | 'parked';

/** States that a delivery does not leave by itself. */
export const endStates = ['sent', 'failed', 'bounced', 'suppressed', 'cancelled', 'expired', 'parked'] as const;
export type EndState = (typeof endStates)[number];

export function isEnd(state: DeliveryState): state is EndState {
  return (endStates as readonly string[]).includes(state);
}
