import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import {
  endStates,
  isEnd,
  isResendable,
  leftStates,
  statesBefore,
  transitions,
  type DeliveryState,
} from '../../src/delivery/states.js';

const states = Object.keys(transitions) as DeliveryState[];

describe('the delivery machine', () => {
  it('is what its drawing says, way by way', () => {
    const source = readFileSync(join(packageRoot, 'src/delivery/states.ts'), 'utf8');
    const drawn = [...source.matchAll(/^ \* {3}(\w+) --> (\w+)/gm)].map(([, from, to]) => `${from} → ${to}`);
    const built = states.flatMap((from) => transitions[from].map((to) => `${from} → ${to}`));
    expect(drawn.sort()).toEqual(built.sort());
  });

  it('has the states of the contract and no other', () => {
    expect([...states].sort()).toEqual(
      ['queued', 'leased', 'submitting', 'deferred', 'uncertain', ...endStates].sort(),
    );
  });

  it('reaches every state from queued, and an end from every state', () => {
    const reachable = (from: DeliveryState, seen = new Set<DeliveryState>()): Set<DeliveryState> => {
      if (seen.has(from)) return seen;
      seen.add(from);
      for (const to of transitions[from]) reachable(to, seen);
      return seen;
    };
    expect([...reachable('queued')].sort()).toEqual([...states].sort());
    for (const state of states) expect([...reachable(state)].some(isEnd)).toBe(true);
  });

  it('lets nothing be submitted that was not leased, and nothing be sent that never was submitted', () => {
    expect(statesBefore('submitting')).toEqual(['leased']);
    for (const untried of ['queued', 'cancelled', 'expired', 'suppressed'] as const)
      expect(statesBefore('sent')).not.toContain(untried);
  });

  it('lets a person take back what went wrong, and nothing that is true for good', () => {
    expect(endStates.filter(isResendable)).toEqual(['failed', 'bounced', 'suppressed', 'parked']);
    for (const state of ['queued', 'leased', 'deferred'] as const) expect(isResendable(state)).toBe(false);
  });

  it('lets a mail come back from every state in which it may have left', () => {
    const returnable = statesBefore('bounced');
    for (const state of leftStates) if (state !== 'bounced') expect(returnable).toContain(state);
  });
});
