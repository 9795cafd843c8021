import { native, settingsOf, systems, type Happening, type TestSystem } from '../support/systems.js';

/** The day goes in steps of this length. Of one ticket at most one happening comes in a slot, so their order is known. */
export const SLOT_MS = 5 * 60_000;
const SLOTS_OF_DAY = 288;
/** A short form is as busy as this, in fewer hours. */
const POSTS_OF_SLOT = 8;
/** Of all posts. */
const AGAIN = 0.05;
const LATE = 0.05;
const MALFORMED = 0.01;
/** Jira's webhooks are good for 30 minutes from when they were first made. */
const MOST_SLOTS_LATE = 5;
const MESSAGES_FROM = 1_000_000;

const everySystem: readonly TestSystem[] = [native, ...systems];
/** Those that are asked for what their webhooks leave out. */
export const lookedUp = systems.filter(({ api }) => api !== undefined);

/** One happening of a ticket, as its system tells it. */
export interface DayEvent {
  source: string;
  system: TestSystem;
  happening: Happening;
  /** When it comes in; later than it happened if it is late. */
  slot: number;
  /** What its system answers when asked who the requester is. */
  look: LookUp;
}

/** `none`: the webhook names the address. */
export type LookUp = 'none' | 'known' | 'known-later' | 'unknown' | 'refused';

export type Malformed = 'broken JSON' | 'another signature' | 'fields missing';

/** One request to the gateway. */
export interface Post {
  slot: number;
  event: DayEvent;
  /** It came before, or comes at the same moment. */
  isAgain: boolean;
  malformed: Malformed | null;
}

export interface Customer {
  id: number;
  email: string;
}

/** All that happens in a day, the same for the same seed. */
export interface Traffic {
  /** In the order in which they are made; several of a slot at once. */
  posts: Post[];
  /** Events that come after a later one of their ticket. */
  late: number;
  customers: Map<number, Customer>;
  /** Who is on copy, by ticket. */
  copies: Map<number, string[]>;
  /** Their address is shown later (503 at first), or to nobody with this credential (403). */
  flaky: Set<number>;
  refused: Set<number>;
}

export function makeTraffic({
  posts: all,
  seed,
  startsAt,
}: {
  posts: number;
  seed: number;
  startsAt: number;
}): Traffic {
  const slots = Math.min(SLOTS_OF_DAY, Math.ceil(all / POSTS_OF_SLOT));
  const day = new DayMaker(new Dice(seed), startsAt, slots);
  const again = Math.round(all * AGAIN);
  const malformed = Math.round(all * MALFORMED);
  const stories: DayEvent[][] = [];
  for (let left = all - again - malformed; left > 0; left -= stories.at(-1)!.length)
    stories.push(day.story().slice(0, left));
  const late = day.shuffleSome(stories, Math.round(all * LATE));
  const events = stories.flat();
  const firsts = events.map((event): Post => ({ slot: event.slot, event, isAgain: false, malformed: null }));
  const posts = [...firsts, ...day.repeats(events, again), ...day.malformed(malformed)];
  return {
    posts: day.dice.shuffled(posts).sort((one, other) => one.slot - other.slot),
    late,
    customers: day.customers,
    copies: day.copies,
    flaky: day.flaky,
    refused: day.refused,
  };
}

/** The sources file of all these systems. */
export function sourcesOfDay(apiUrl: string): object[] {
  return everySystem.map((system) => ({
    ...settingsOf(system, sourceOf(system), apiUrl),
    // One of them gathers nothing.
    ...(system.name === 'mapping' ? { quietWindowSeconds: 0 } : {}),
  }));
}

/** Whether an event makes an unknown ticket known: Zammad's does by a public article alone, which says that the ticket is public. */
export function makesKnown({ system, happening: { what } }: DayEvent): boolean {
  return system.name !== 'zammad' || ['created', 'replied', 'deleted'].includes(what);
}

/** Whether the gateway writes a genuine event of this kind down, or only counts it (`ignored` in its answer). */
export function isKept({ system, happening: { what } }: DayEvent): boolean {
  if (what === 'unknown') return false;
  // Zammad's body says what the state is as well, and only the note stays there.
  if (what === 'internal' || what === 'unmarked') return system === native || system.name === 'zammad';
  return what !== 'no-address' || system.api !== undefined;
}

function knows(system: TestSystem, what: TestSystem['lacks'][number]): boolean {
  return !system.lacks.includes(what);
}

const sourceOf = ({ name }: TestSystem) => name.replaceAll(' ', '-');

/** What may follow in a ticket, and how often of a hundred. */
const STEPS: readonly (readonly [Happening['what'] | 'own' | 'by-copy', number])[] = [
  ['replied', 36],
  ['own', 14],
  ['by-copy', 4],
  ['internal', 8],
  ['unmarked', 2],
  ['edited', 5],
  ['made-internal', 3],
  ['retracted', 3],
  ['resolved', 9],
  ['reopened', 4],
  ['updated', 4],
  ['unknown', 2],
  ['no-address', 1],
  ['requester-changed', 2],
  ['merged', 1],
  ['deleted', 2],
];
/** The part that a body of each system cannot be without. */
const NEEDED: Readonly<Record<string, string>> = {
  zammad: 'ticket',
  zendesk: 'detail',
  freshdesk: 'freshdesk_webhook',
  jira: 'issue',
  mapping: 'event',
};

class DayMaker {
  readonly customers = new Map<number, Customer>();
  readonly copies = new Map<number, string[]>();
  readonly flaky = new Set<number>();
  readonly refused = new Set<number>();
  private tickets = 0;
  private messages = MESSAGES_FROM;

  constructor(
    readonly dice: Dice,
    private readonly startsAt: number,
    private readonly slots: number,
  ) {}

  /** A ticket from its first happening to its last, most of them around noon. */
  story(): DayEvent[] {
    const { dice } = this;
    const system = dice.oneOf(everySystem);
    const ticketId = ++this.tickets;
    let requester = this.customer('guest');
    const hidesAddress = system.name === 'zendesk' || (system.name === 'jira' && dice.falls(0.5));
    const isFlaky = hidesAddress && dice.falls(0.03);
    if (isFlaky) this.flaky.add(requester.id);
    else if (hidesAddress && dice.falls(0.02)) this.refused.add(requester.id);
    const hasCopies = knows(system, 'copies') && dice.falls(0.2);
    const copies = hasCopies ? Array.from({ length: dice.upTo(2) + 1 }, () => this.customer('copy').email) : undefined;
    if (copies) this.copies.set(ticketId, copies);

    const events: DayEvent[] = [];
    const replies: number[] = [];
    let slot = Math.floor((dice.next() + dice.next()) * 0.45 * this.slots);
    for (
      let left = 3 + dice.upTo(12);
      left > 0 && slot < this.slots;
      left--, slot += 1 + dice.upTo(dice.falls(0.6) ? 3 : 12)
    ) {
      const step = events.length === 0 && !isFlaky ? 'created' : isFlaky ? 'replied' : this.step(system, copies);
      const isAbout = step === 'edited' || step === 'made-internal' || step === 'retracted';
      if (isAbout && replies.length === 0) continue;
      if (step === 'requester-changed') {
        if (this.refused.has(requester.id)) continue;
        requester = this.customer('guest');
      }
      const what = step === 'own' || step === 'by-copy' ? 'replied' : step;
      const messageId = isAbout ? replies.pop()! : ++this.messages;
      if (what === 'replied') replies.push(messageId);
      const by = step === 'own' ? requester.email : step === 'by-copy' ? copies![0] : undefined;
      const happening = {
        ...{ ticketId, at: this.startsAt + slot * SLOT_MS, what, messageId, hidesAddress, copies, by },
        words: `Kata-kata nomor ${messageId}.`,
        email: requester.email,
        customerId: requester.id,
      };
      events.push({
        source: sourceOf(system),
        system,
        happening,
        slot,
        look: this.lookUp(hidesAddress, what, requester),
      });
      if (what === 'merged' || what === 'deleted') break;
    }
    return events;
  }

  /** Has so many come after the next one of their ticket. Returns how many it were. */
  shuffleSome(stories: readonly DayEvent[][], wanted: number): number {
    const places = this.dice.shuffled(stories.flatMap((story) => story.slice(0, -1).map((_, at) => ({ story, at }))));
    const taken = new Set<DayEvent>();
    for (const { story, at } of places) {
      if (taken.size >= wanted) break;
      const [before, one, next, then] = [story[at - 1], story[at]!, story[at + 1]!, story[at + 2]];
      const slot = next.slot + 1;
      const isFree = (then?.slot ?? Infinity) > slot && ![before, next].some((other) => other && taken.has(other));
      if (!isFree || slot - one.slot >= MOST_SLOTS_LATE) continue;
      one.slot = slot;
      taken.add(one);
    }
    return taken.size;
  }

  repeats(events: readonly DayEvent[], wanted: number): Post[] {
    // What came too early to be written down is no repeat when it comes again.
    const kept = this.dice.shuffled(events.filter((event) => isKept(event) && makesKnown(event)));
    return Array.from({ length: wanted }, (_, n) => {
      const event = kept[n % kept.length]!;
      const happenedIn = Math.round((event.happening.at - this.startsAt) / SLOT_MS);
      const latest = Math.max(0, MOST_SLOTS_LATE - (event.slot - happenedIn));
      return { slot: event.slot + this.dice.upTo(latest + 1), event, isAgain: true, malformed: null };
    });
  }

  /** Of tickets of their own: nothing of them may be anywhere. */
  malformed(wanted: number): Post[] {
    const ways: readonly Malformed[] = ['broken JSON', 'another signature', 'fields missing'];
    return Array.from({ length: wanted }, (_, n) => {
      const event = this.story()[0]!;
      return { slot: event.slot, event, isAgain: false, malformed: ways[n % ways.length]! };
    });
  }

  private step(system: TestSystem, copies: string[] | undefined): (typeof STEPS)[number][0] {
    for (;;) {
      let left = this.dice.next() * 100;
      const step = STEPS.find(([, weight]) => (left -= weight) < 0)?.[0] ?? 'replied';
      if (step === 'own' || (step === 'by-copy' ? knows(system, 'by') && copies : knows(system, step))) return step;
    }
  }

  private lookUp(hidesAddress: boolean, what: Happening['what'], { id }: Customer): LookUp {
    if (what === 'no-address') return 'unknown';
    if (!hidesAddress) return 'none';
    return this.refused.has(id) ? 'refused' : this.flaky.has(id) ? 'known-later' : 'known';
  }

  /** Somebody new. By the address the mail server knows how to treat them. */
  private customer(role: 'guest' | 'copy'): Customer {
    const id = this.customers.size + 1000;
    const roll = this.dice.next();
    const kind = roll < 0.01 ? 'nobody' : roll < 0.02 ? 'left' : roll < 0.05 ? 'grey' : role;
    const customer = { id, email: `${kind}-${id}@d${id % 40}.example` };
    this.customers.set(id, customer);
    return customer;
  }
}

/** The bytes of a post and its headers, signed at `now` as its system signs. */
export function requestOf({ event: { system, happening }, malformed }: Post, now: number) {
  const body = system.body(happening);
  if (malformed === 'fields missing') delete (eventIn(body) as Record<string, unknown>)[NEEDED[system.name] ?? 'data'];
  const whole = JSON.stringify(body);
  const raw = malformed === 'broken JSON' ? whole.slice(0, whole.length / 2) : whole;
  // What signs nothing is known by its secret alone.
  const signed = malformed === 'another signature' && !system.signsNothing ? `${raw} ` : raw;
  const headers = system.headers(signed, now);
  const wrong = malformed === 'another signature' && system.signsNothing;
  const sent = wrong
    ? Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, `x${value}`]))
    : headers;
  return { raw, headers: { 'content-type': system.mediaType ?? 'application/json', ...sent } };
}

function eventIn(body: unknown): unknown {
  return Array.isArray(body) ? body[0] : body;
}

/** The same throws for the same seed (mulberry32). */
class Dice {
  constructor(private state: number) {}

  /** From 0 to below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to below `end`. */
  upTo(end: number): number {
    return Math.floor(this.next() * end);
  }

  falls(chance: number): boolean {
    return this.next() < chance;
  }

  oneOf<T>(all: readonly T[]): T {
    return all[this.upTo(all.length)]!;
  }

  shuffled<T>(all: readonly T[]): T[] {
    const mixed = [...all];
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = this.upTo(i + 1);
      [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
    }
    return mixed;
  }
}
