import type { KeyRing } from '../platform/crypto.js';
import type { Transaction } from '../platform/database/database.js';
import { insertOrLock, upsertRows } from '../platform/database/rows.js';
import { Limit } from './access.entity.js';

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** What is counted. */
type LimitName =
  | 'code'
  | 'mail'
  | 'address'
  | 'ip'
  | 'guess'
  | 'renew'
  | 'resume'
  | 'reply'
  | 'file'
  | 'check'
  | 'test-mail'
  | 'studio-try'
  | 'studio-person'
  | 'studio-invite'
  | 'studio-upload'
  | 'studio-brand';

/** At most `max` within any stretch of `seconds`. */
interface Window {
  max: number;
  seconds: number;
}

/** One thing that is counted, and how often it may be within each of its windows. */
export interface LimitRule {
  name: LimitName;
  /** Rows of the count, one for each key of the ring; none holds an address in the clear. */
  keys: readonly string[];
  windows: readonly Window[];
}

export type Taken = { ok: true } | { ok: false; full: LimitName; retryAfterSeconds: number };

/** Who asks for a mail: a participant of a ticket, at an address, from a network. */
export interface Asker {
  participantId: string;
  addressKey: string;
  ip: string;
}

/** What every mail counts against that somebody has sent to themselves. */
function sendingLimits(ring: KeyRing, { participantId, addressKey, ip }: Asker): LimitRule[] {
  return [
    // Five in an hour let a person try again whose mails are slow; what an attacker can fill a mailbox with ends there.
    rule(ring, 'mail', participantId, [
      { max: 5, seconds: HOUR },
      { max: 10, seconds: DAY },
    ]),
    rule(ring, 'address', addressKey, [{ max: 20, seconds: HOUR }]),
    rule(ring, 'ip', ip, [{ max: 30, seconds: HOUR }]),
  ];
}

/** One code in a minute: apart from the others, so that a fresh link may be followed by a code at once. */
export function codeLimits(ring: KeyRing, asker: Asker): LimitRule[] {
  return [rule(ring, 'code', asker.participantId, [{ max: 1, seconds: MINUTE }]), ...sendingLimits(ring, asker)];
}

/** Fresh links for one expired link: enough for a person who waits for a mail, nothing for one who floods a mailbox. */
export function renewalLimits(ring: KeyRing, asker: Asker): LimitRule[] {
  return [rule(ring, 'renew', asker.participantId, [{ max: 5, seconds: DAY }]), ...sendingLimits(ring, asker)];
}

export function guessLimit(ring: KeyRing, participantId: string): LimitRule {
  return rule(ring, 'guess', participantId, [{ max: 25, seconds: HOUR }]);
}

/** Enough for a person with a mailbox full of doubts; a reference has 65 bits. */
export function checkLimit(ring: KeyRing, ip: string): LimitRule {
  return rule(ring, 'check', ip, [{ max: 30, seconds: HOUR }]);
}

/** Test mails of one person of the studio: enough to look at words in several programs. */
export function testMailLimit(ring: KeyRing, personId: string): LimitRule {
  return rule(ring, 'test-mail', personId, [{ max: 20, seconds: HOUR }]);
}

/** Each "no more mails" tells the source, and comes after a "mails again": nobody changes their mind more often. */
export function resumeLimit(ring: KeyRing, participantId: string): LimitRule {
  return rule(ring, 'resume', participantId, [{ max: 10, seconds: DAY }]);
}

/** Replies of one person on one ticket: more than anybody writes who waits for an answer. */
export function replyLimit(ring: KeyRing, participantId: string): LimitRule {
  return rule(ring, 'reply', participantId, [
    { max: 30, seconds: HOUR },
    { max: 100, seconds: DAY },
  ]);
}

/** Files of one person on one ticket, also those that are refused or taken away again: each is stored, checked and scanned. */
export function fileLimit(ring: KeyRing, participantId: string): LimitRule {
  return rule(ring, 'file', participantId, [
    { max: 60, seconds: HOUR },
    { max: 200, seconds: DAY },
  ]);
}

/** Tries to come into the studio from one network: by a passkey, an invitation or the provider; people of one office share it. */
export function studioTryLimit(ring: KeyRing, ip: string): LimitRule {
  return rule(ring, 'studio-try', ip, [
    { max: 60, seconds: 10 * MINUTE },
    { max: 200, seconds: HOUR },
  ]);
}

/** Tries with one person's passkeys, from wherever they come. */
export function studioPersonLimit(ring: KeyRing, personId: string): LimitRule {
  return rule(ring, 'studio-person', personId, [{ max: 10, seconds: 10 * MINUTE }]);
}

/** Invitations of one person, and those to one address: they are mails that a stranger gets. */
export function studioInviteLimits(ring: KeyRing, personId: string, addressKey: string): LimitRule[] {
  return [
    rule(ring, 'studio-invite', personId, [{ max: 30, seconds: HOUR }]),
    rule(ring, 'address', addressKey, [{ max: 20, seconds: HOUR }]),
  ];
}

/** Logos of one person: each is a picture that is read and written anew. */
export function studioUploadLimit(ring: KeyRing, personId: string): LimitRule {
  return rule(ring, 'studio-upload', personId, [{ max: 30, seconds: HOUR }]);
}

/** Edits of brands by one person: each is kept for good. */
export function studioBrandLimit(ring: KeyRing, personId: string): LimitRule {
  return rule(ring, 'studio-brand', personId, [{ max: 120, seconds: HOUR }]);
}

/** Under each key of the ring: a new one in front finds what was counted under the former, and counts go on. */
function rule(ring: KeyRing, name: LimitName, value: string, windows: readonly Window[]): LimitRule {
  const data = Buffer.from(`${name}:${value}`);
  const keys = ring.names.map((kid) => `${name}:${ring.sign('limit', data, kid).mac.toString('base64url')}`);
  return { name, keys, windows };
}

/**
 * Counts one more of each rule, or of none if one of them is full. A window is any stretch of its length, not one that
 * begins anew: the moments themselves are kept, at most `max` of them. Their rows are locked by one statement until the
 * commit, in one order for all, so that parallel requests and processes take turns and none waits for another in a circle.
 */
export async function takeLimits(tx: Transaction, rules: readonly LimitRule[], now: number): Promise<Taken> {
  const keys = rules.flatMap((one) => one.keys).sort();
  const locked = await insertOrLock(
    tx,
    Limit,
    keys.map((key) => ({ key, times: [], endsAt: 0 })),
    ['key'],
  );
  const times = new Map(locked.map((row) => [row.key, row.times]));
  const counts = rules.map((one) => merged(one.keys.map((key) => times.get(key) ?? [])));
  let refusal: Taken = { ok: true };
  for (const [index, { name, windows }] of rules.entries()) {
    const wait = Math.max(...windows.map((window) => waitMs(counts[index]!, window, now)));
    const retryAfterSeconds = Math.ceil(wait / 1000);
    if (wait > 0 && (refusal.ok || refusal.retryAfterSeconds < retryAfterSeconds))
      refusal = { ok: false, full: name, retryAfterSeconds };
  }
  if (refusal.ok)
    await upsertRows(
      tx,
      Limit,
      rules.flatMap((one, index) => rowsAfter(one, counts[index]!, now)),
    );
  return refusal;
}

/** How long until one more is within the window, ms; 0 if it is now. */
function waitMs(times: readonly number[], { max, seconds }: Window, now: number): number {
  const blocking = times.at(-max);
  return blocking === undefined ? 0 : Math.max(0, blocking + seconds * 1000 - now);
}

function rowsAfter({ keys, windows }: LimitRule, times: readonly number[], now: number): Limit[] {
  const most = Math.max(...windows.map(({ max }) => max));
  const longest = Math.max(...windows.map(({ seconds }) => seconds)) * 1000;
  const kept = [...times, now].sort((a, b) => a - b).slice(-most);
  return keys.map((key) => ({ key, times: kept, endsAt: kept.at(-1)! + longest }));
}

/**
 * The moments of rows that were written together: each as often as the row has it that has it most often. So what one
 * row missed, because its key was not known then, is found in another, and nothing is counted twice.
 */
function merged(lists: readonly (readonly number[])[]): number[] {
  const counts = new Map<number, number>();
  for (const list of lists)
    for (const time of new Set(list)) {
      const often = list.filter((one) => one === time).length;
      counts.set(time, Math.max(often, counts.get(time) ?? 0));
    }
  return [...counts].flatMap(([time, often]) => Array<number>(often).fill(time)).sort((a, b) => a - b);
}
