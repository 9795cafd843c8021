import { Injectable } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { In, IsNull, LessThanOrEqual, Not } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Challenge } from './access.entity.js';
import { takeLimits, type LimitRule, type Taken } from './limits.js';
import { Sessions, type Holder } from './session.js';

const PURPOSE = 'open-ticket';
const MAX_TRIES = 5;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
/** Signs that nobody takes for another one. */
const REFERENCE_SIGNS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';

export interface IssuedCode {
  challengeId: Id<'chl'>;
  reference: string;
  createdAt: number;
  expiresAt: number;
}

export type Refusal =
  | { ok: false; reason: 'malformed' | 'dead' }
  | { ok: false; reason: 'wrong'; triesLeft: number }
  | { ok: false; reason: 'limited'; retryAfterSeconds: number };
export type Verdict<T> = { ok: true; sessionToken: string | null; also: T } | Refusal;

/** The emailed one-time codes: made, counted, compared, consumed. */
@Injectable()
export class Codes {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly sessions: Sessions,
  ) {}

  /** Makes a code in the transaction that also plans its mail; older codes of the holder die. */
  async issue(
    tx: Transaction,
    holder: Holder,
    asker: { addressKey: string; ip: string },
  ): Promise<(IssuedCode & { ok: true }) | Exclude<Taken, { ok: true }>> {
    const now = this.clock.now();
    const taken = await takeLimits(tx, this.sendingLimits(holder, asker), now);
    if (!taken.ok) return taken;
    await tx.update(
      Challenge,
      { participantId: holder.participantId, supersededAt: IsNull() },
      { supersededAt: now, sealedCode: null },
    );
    const challengeId = newId('chl', now);
    const code = String(randomInt(10 ** this.config.codeDigits)).padStart(this.config.codeDigits, '0');
    const { kid, mac } = this.config.secretKeys.sign('code', codeBytes(challengeId, holder, code));
    const reference = Array.from({ length: 3 }, () => REFERENCE_SIGNS[randomInt(REFERENCE_SIGNS.length)]).join('');
    const expiresAt = now + this.config.codeLifetimeSeconds * 1000;
    await tx.insert(Challenge, {
      ...holder,
      id: challengeId,
      purpose: PURPOSE,
      reference,
      codeMac: mac.toString('base64url'),
      codeKid: kid,
      sealedCode: this.config.secretKeys.encrypt('code-mail', code, challengeId),
      tries: 0,
      createdAt: now,
      expiresAt,
      usedAt: null,
      supersededAt: null,
    });
    return { ok: true, challengeId, reference, createdAt: now, expiresAt };
  }

  /** The newest code of a holder, as its page tells of it: alive or not. */
  async latest(holder: Holder): Promise<(IssuedCode & { alive: boolean; triesLeft: number }) | null> {
    const challenge = await this.database.read((manager) =>
      manager.findOne(Challenge, { where: { ...holder }, order: { createdAt: 'DESC', id: 'DESC' } }),
    );
    if (challenge === null) return null;
    const { id, reference, createdAt, expiresAt, tries, usedAt, supersededAt } = challenge;
    const alive = usedAt === null && supersededAt === null && expiresAt > this.clock.now() && tries < MAX_TRIES;
    return { challengeId: id, reference, createdAt, expiresAt, alive, triesLeft: Math.max(0, MAX_TRIES - tries) };
  }

  /**
   * Tries a code. The try is counted and committed before anything is compared, so a hundred parallel guesses make five
   * comparisons; the right code is consumed by one conditional update, so fifty parallel right answers open one session.
   * `also` is done in the transaction that consumes it. A guest who is handed on to another page gets no session here.
   */
  async verify<T>(
    holder: Holder,
    typed: string,
    also: (tx: Transaction) => Promise<T>,
    { opensSession = true } = {},
  ): Promise<Verdict<T>> {
    const code = this.normalise(typed);
    if (code === null) return { ok: false, reason: 'malformed' };
    const counted = await this.countTry(holder);
    if (!counted.ok) return counted;
    const { challenge } = counted;
    const mac = Buffer.from(challenge.codeMac, 'base64url');
    if (!this.config.secretKeys.verify('code', challenge.codeKid, codeBytes(challenge.id, holder, code), mac)) {
      const triesLeft = MAX_TRIES - challenge.tries;
      return triesLeft > 0 ? { ok: false, reason: 'wrong', triesLeft } : { ok: false, reason: 'dead' };
    }
    return this.consume(challenge, holder, also, opensSession);
  }

  /** What a code mail still to be sent shows; null once it was used, replaced, sent or is too old: then no mail leaves. */
  async forMail(challengeId: Id<'chl'>): Promise<(IssuedCode & { code: string }) | null> {
    const challenge = await this.database.read((manager) => manager.findOneBy(Challenge, { id: challengeId }));
    if (!challenge || challenge.sealedCode === null || challenge.supersededAt !== null || challenge.usedAt !== null)
      return null;
    if (challenge.expiresAt <= this.clock.now()) return null;
    const code = this.config.secretKeys.decrypt('code-mail', challenge.sealedCode, challengeId);
    if (code === null) return null;
    const { reference, createdAt, expiresAt } = challenge;
    return { challengeId, reference, createdAt, expiresAt, code: code.toString() };
  }

  /** Forgets the readable codes of mails that were sent. */
  async wipe(tx: Transaction, challengeIds: Id<'chl'>[]): Promise<void> {
    if (challengeIds.length > 0) await tx.update(Challenge, { id: In(challengeIds) }, { sealedCode: null });
  }

  /** Forgets the readable codes that expired unsent. */
  async wipeExpired(): Promise<void> {
    await this.database.write((tx) =>
      tx.update(
        Challenge,
        { sealedCode: Not(IsNull()), expiresAt: LessThanOrEqual(this.clock.now()) },
        { sealedCode: null },
      ),
    );
  }

  /** ASCII digits of the right number once spaces and hyphens are gone, or null: then no try is counted. */
  private normalise(typed: string): string | null {
    const code = typed.length <= 64 ? typed.replace(/[\s-]/g, '') : '';
    return /^[0-9]+$/.test(code) && code.length === this.config.codeDigits ? code : null;
  }

  private countTry(holder: Holder): Promise<{ ok: true; challenge: Challenge } | Refusal> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const guess = { key: this.limitKey('guess', holder.participantId), max: 25, seconds: HOUR };
      const taken = await takeLimits(tx, [guess], now);
      if (!taken.ok) return { ok: false, reason: 'limited', retryAfterSeconds: taken.retryAfterSeconds } as const;
      const challenge = await tx.findOne(Challenge, {
        where: { ...holder, supersededAt: IsNull() },
        order: { createdAt: 'DESC' },
      });
      if (challenge === null) return { ok: false, reason: 'dead' } as const;
      const counted = await tx
        .createQueryBuilder()
        .update(Challenge)
        .set({ tries: () => 'tries + 1' })
        .where('id = :id AND tries < :max AND used_at IS NULL AND superseded_at IS NULL AND expires_at > :now', {
          id: challenge.id,
          max: MAX_TRIES,
          now,
        })
        .execute();
      if (counted.affected !== 1) return { ok: false, reason: 'dead' } as const;
      return { ok: true, challenge: await tx.findOneByOrFail(Challenge, { id: challenge.id }) } as const;
    });
  }

  private consume<T>(
    challenge: Challenge,
    holder: Holder,
    also: (tx: Transaction) => Promise<T>,
    opensSession: boolean,
  ): Promise<Verdict<T>> {
    return this.database.write(async (tx) => {
      const used = await tx.update(
        Challenge,
        { id: challenge.id, usedAt: IsNull(), supersededAt: IsNull() },
        { usedAt: this.clock.now(), sealedCode: null },
      );
      if (used.affected !== 1) return { ok: false, reason: 'dead' };
      const sessionToken = opensSession ? await this.sessions.open(tx, holder) : null;
      return { ok: true, sessionToken, also: await also(tx) };
    });
  }

  private sendingLimits(holder: Holder, { addressKey, ip }: { addressKey: string; ip: string }): LimitRule[] {
    const perHolder = (seconds: number, max: number) => ({
      key: this.limitKey(`send-${seconds}`, holder.participantId),
      max,
      seconds,
    });
    return [
      perHolder(MINUTE, 1),
      perHolder(HOUR, 5),
      perHolder(DAY, 10),
      { key: this.limitKey('send-address', addressKey), max: 20, seconds: HOUR },
      { key: this.limitKey('send-ip', ip), max: 30, seconds: HOUR },
    ];
  }

  /** Keyed, so that the table tells neither addresses nor IPs. */
  private limitKey(kind: string, value: string): string {
    return `${kind}:${this.config.secretKeys.sign('limit', Buffer.from(`${kind}:${value}`)).mac.toString('base64url')}`;
  }
}

/** What the MAC of a code binds: this challenge, ticket, participant, generation and purpose. */
function codeBytes(challengeId: string, { ticketId, participantId, generation }: Holder, code: string): Buffer {
  return Buffer.from([PURPOSE, challengeId, ticketId, participantId, generation, code].join('|'));
}
