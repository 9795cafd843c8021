import type { Happening } from '../support/systems.js';
import { isKept, makesKnown, type DayEvent } from './traffic.js';

/** Why an accepted event tells nobody. */
export const silences = [
  'an internal note',
  'a type nobody knows',
  'nobody to tell',
  'a change without news',
  'own words, and nobody else takes part',
  'older than what is known',
  'the status it has already',
  'taken back before it came',
  'the ticket was deleted',
] as const;
export type Silence = (typeof silences)[number];

/** What an accepted event must lead to. */
export type Fate =
  | { kind: 'ignored'; answer: string; silence: Silence }
  | { kind: 'silent'; silence: Silence }
  | { kind: 'parked' }
  /** Mails to these addresses, unless what they tell no longer stands when they leave. */
  | { kind: 'tells'; people: string[] };

/** Whether a piece of news stood when its mail was about to leave; `either` if that changed at that very moment. */
export type Stood = 'yes' | 'no' | 'either';

type Status = 'unknown' | 'open' | 'resolved' | 'closed';

/** Systems that say what the status is and not that it changed. */
const INFERRED = new Set(['zammad', 'jira']);

/**
 * The rules of docs/events.md once more, in few words and without the code that is tested: what each event of a ticket
 * must lead to, in the order in which the events come.
 */
export class Ticket {
  status: Status = 'unknown';
  requester = '';
  isDeleted = false;
  private newest = -Infinity;
  private copies: readonly string[] = [];
  private readonly statuses: { slot: number; status: Status }[] = [];
  private readonly gone = new Map<number, number>();
  /** Who belonged to it and no longer does. */
  private readonly left = new Map<string, number>();
  private closedFor = Infinity;

  private get isUnknown(): boolean {
    return this.status === 'unknown' && !this.isDeleted;
  }

  /** The next event that comes. */
  take(event: DayEvent): Fate {
    const { what } = event.happening;
    if (!isKept(event) || (this.isUnknown && !makesKnown(event))) return ignored(what);
    if (this.takeAwayAlone(event)) return { kind: 'silent', silence: 'a change without news' };
    if (event.look === 'refused') return { kind: 'parked' };
    if (what === 'no-address') return { kind: 'silent', silence: 'nobody to tell' };
    if (this.isDeleted) return { kind: 'silent', silence: 'the ticket was deleted' };
    const isNewest = event.happening.at >= this.newest;
    const before = this.status;
    this.change(event, isNewest);
    if (before === 'unknown' && isCreation(event)) return { kind: 'tells', people: [this.requester] };
    return this.fate(event, isNewest, this.status !== before);
  }

  /** Whether what an event told one person still stood in this slot. It came in `event.slot`. */
  stood(event: DayEvent, person: string, slot: number): Stood {
    const after = this.standsAt(event, person, slot);
    const before = slot > event.slot ? this.standsAt(event, person, slot - 1) : after;
    return after === before ? (after ? 'yes' : 'no') : 'either';
  }

  /** What takes something away from a known ticket asks nobody whose it is, and so says nothing else. */
  private takeAwayAlone({ look, slot, happening: { what, messageId = 0 } }: DayEvent): boolean {
    if (look === 'none' || this.isDeleted) return false;
    if (what === 'deleted') Object.assign(this, { isDeleted: true, closedFor: slot });
    const isWord = (what === 'retracted' || what === 'made-internal') && !this.isUnknown;
    if (isWord && !this.gone.has(messageId)) this.gone.set(messageId, slot);
    return what === 'deleted' || isWord;
  }

  private change({ happening, slot, system }: DayEvent, isNewest: boolean): void {
    const isOnlyStatus = system.name === 'zammad';
    const { what, at, email = '', copies = [], messageId = 0 } = happening;
    if (isNewest) {
      this.newest = at;
      if (this.requester !== '' && this.requester !== email) this.left.set(this.requester, slot);
      Object.assign(this, { requester: email, copies, status: statusOf(what) });
      this.statuses.push({ slot, status: this.status });
    }
    if ((what === 'retracted' || what === 'made-internal') && !this.gone.has(messageId)) this.gone.set(messageId, slot);
    if (what === 'deleted' || (what === 'merged' && !isOnlyStatus)) this.closedFor = slot;
    if (what === 'deleted') this.isDeleted = true;
  }

  private fate({ happening, system }: DayEvent, isNewest: boolean, isNewStatus: boolean): Fate {
    const { what, by, messageId = 0 } = happening;
    const everybody = [this.requester, ...this.copies];
    switch (what) {
      case 'created':
        return isNewest ? { kind: 'tells', people: everybody } : older;
      case 'replied': {
        if (this.gone.has(messageId)) return { kind: 'silent', silence: 'taken back before it came' };
        const others = everybody.filter((one) => one !== by);
        if (others.length > 0) return { kind: 'tells', people: others };
        return { kind: 'silent', silence: 'own words, and nobody else takes part' };
      }
      case 'merged':
      case 'resolved':
      case 'reopened': {
        // Zammad does not say into which, so that is one more status.
        if (what === 'merged' && system.name !== 'zammad') return { kind: 'silent', silence: 'a change without news' };
        if (!isNewest) return older;
        const isRepeated = what !== 'reopened' && INFERRED.has(system.name) && !isNewStatus;
        return isRepeated
          ? { kind: 'silent', silence: 'the status it has already' }
          : { kind: 'tells', people: everybody };
      }
      case 'internal':
      case 'unmarked':
        return { kind: 'silent', silence: system.name === 'zammad' ? 'a change without news' : 'an internal note' };
      default:
        return { kind: 'silent', silence: 'a change without news' };
    }
  }

  private standsAt({ happening: { what, messageId = 0 } }: DayEvent, person: string, slot: number): boolean {
    if (slot >= this.closedFor || slot >= (this.left.get(person) ?? Infinity)) return false;
    if (what === 'replied') return slot < (this.gone.get(messageId) ?? Infinity);
    if (what === 'created') return true;
    const status = this.statuses.findLast((one) => one.slot <= slot)?.status;
    return status === statusOf(what);
  }
}

/** A customer's article on a ticket that nobody knows makes it: Zammad's body does not say which one is the first. */
function isCreation({ system, happening: { what, by, email } }: DayEvent): boolean {
  return system.name === 'zammad' && what === 'replied' && by === email;
}

const older: Fate = { kind: 'silent', silence: 'older than what is known' };

function ignored(what: Happening['what']): Fate {
  if (what === 'unknown') return { kind: 'ignored', answer: 'unknown-type', silence: 'a type nobody knows' };
  if (what === 'no-address') return { kind: 'ignored', answer: 'no-address', silence: 'nobody to tell' };
  return { kind: 'ignored', answer: 'internal', silence: 'an internal note' };
}

/** A ticket that waits for its requester is open to them. */
function statusOf(what: Happening['what']): Status {
  return what === 'resolved' ? 'resolved' : what === 'merged' ? 'closed' : 'open';
}
