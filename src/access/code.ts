import { Injectable } from '@nestjs/common';
import { randomInt } from 'node:crypto';
import { In, IsNull, LessThanOrEqual, MoreThanOrEqual, Not } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Holder, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Challenge, FailedTries, Limit } from './access.entity.js';
import { codeLimits, guessLimit, takeLimits, type Asker, type Taken } from './limits.js';
import { Links } from './link.js';
import { Sessions } from './session.js';

const PURPOSE = 'open-ticket';
const MAX_TRIES = 5;
/** Wrong codes in a row, then the link takes no more: a hundred of a million (NIST SP 800-63B-4 3.2.2). */
const MOST_FAILURES = 100;
/** Signs that nobody takes for another one. */
const REFERENCE_SIGNS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';

export interface IssuedCode {
  challengeId: Id<'chl'>;
  reference: string;
  createdAt: number;
  expiresAt: number;
}

/** Why a code was not taken. */
export type Refusal =
  | { ok: false; reason: 'malformed' | 'dead' | 'link-dead' }
  | { ok: false; reason: 'wrong'; triesLeft: number }
  | { ok: false; reason: 'limited'; retryAfterSeconds: number };
/** What came of a try; `sessionToken` is null for a guest who is handed on, `also` is what was done with it. */
export type Verified<T> = { ok: true; sessionToken: string | null; also: T } | Refusal;

/** The emailed one-time codes: made, counted, compared, consumed. */
@Injectable()
export class Codes {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly sessions: Sessions,
    private readonly links: Links,
  ) {}

  /** Makes a code in the transaction that also plans its mail; older codes of the holder die. */
  async issue(
    tx: Transaction,
    holder: Holder,
    asker: Omit<Asker, 'participantId'>,
  ): Promise<(IssuedCode & { ok: true }) | Exclude<Taken, { ok: true }>> {
    const now = this.clock.now();
    const taken = await takeLimits(
      tx,
      codeLimits(this.config.secretKeys, { ...asker, participantId: holder.participantId }),
      now,
    );
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
   * Each try counts against the link by which it came; too many wrong ones in a row kill that.
   */
  async verify<T>(
    { linkExpiresAt, ...holder }: Holder & { linkExpiresAt: number },
    typed: string,
    also: (tx: Transaction) => Promise<T>,
    { opensSession = true } = {},
  ): Promise<Verified<T>> {
    const code = this.normalise(typed);
    if (code === null) return { ok: false, reason: 'malformed' };
    const counted = await this.countTry(holder, linkExpiresAt);
    if (!counted.ok) return counted;
    const { challenge } = counted;
    const mac = Buffer.from(challenge.codeMac, 'base64url');
    if (!this.config.secretKeys.verify('code', challenge.codeKid, codeBytes(challenge.id, holder, code), mac)) {
      const triesLeft = MAX_TRIES - challenge.tries;
      return triesLeft > 0 ? { ok: false, reason: 'wrong', triesLeft } : { ok: false, reason: 'dead' };
    }
    return this.consume(challenge, { ...holder, linkExpiresAt }, also, opensSession);
  }

  /** True if too many codes in a row were wrong since this link was made: only one that was made later takes codes. */
  async isLinkDead({ participantId }: Holder, linkExpiresAt: number): Promise<boolean> {
    const tries = await this.database.read((manager) => manager.findOneBy(FailedTries, { participantId }));
    return tries !== null && tries.deadThrough >= linkExpiresAt;
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

  /** Forgets the readable codes that expired unsent, and what was counted for limits that are over. */
  async wipeExpired(): Promise<void> {
    const past = LessThanOrEqual(this.clock.now());
    await this.database.write(async (tx) => {
      await tx.update(Challenge, { sealedCode: Not(IsNull()), expiresAt: past }, { sealedCode: null });
      await tx.delete(Limit, { endsAt: past });
    });
  }

  /** ASCII digits of the right number once spaces and hyphens are gone, or null: then no try is counted. */
  private normalise(typed: string): string | null {
    const code = typed.length <= 64 ? typed.replace(/[\s-]/g, '') : '';
    return /^[0-9]+$/.test(code) && code.length === this.config.codeDigits ? code : null;
  }

  private countTry(holder: Holder, linkExpiresAt: number): Promise<{ ok: true; challenge: Challenge } | Refusal> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const taken = await takeLimits(tx, [guessLimit(this.config.secretKeys, holder.participantId)], now);
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
      if (!(await this.countFailure(tx, holder, linkExpiresAt))) return { ok: false, reason: 'link-dead' } as const;
      return { ok: true, challenge: await tx.findOneByOrFail(Challenge, { id: challenge.id }) } as const;
    });
  }

  /**
   * A failure until the code turns out to be right. The hundredth kills every link made until now, by the latest moment
   * at which one of them expires; a link of a later mail expires after that, and counts from the beginning.
   */
  private async countFailure(tx: Transaction, { participantId }: Holder, linkExpiresAt: number): Promise<boolean> {
    await tx
      .createQueryBuilder()
      .insert()
      .into(FailedTries)
      .values({ participantId, inARow: 0, deadThrough: 0 })
      .orIgnore()
      .execute();
    const deadThrough = Math.max(linkExpiresAt, this.links.terms(this.clock.now()).expiresAt);
    const counted = await tx
      .createQueryBuilder()
      .update(FailedTries)
      .set({
        inARow: () => `CASE WHEN in_a_row + 1 >= ${MOST_FAILURES} THEN 0 ELSE in_a_row + 1 END`,
        deadThrough: () => `CASE WHEN in_a_row + 1 >= ${MOST_FAILURES} THEN ${deadThrough} ELSE dead_through END`,
      })
      .where('participant_id = :participantId AND dead_through < :linkExpiresAt', { participantId, linkExpiresAt })
      .execute();
    return counted.affected === 1;
  }

  /** The right code ends the row, also where this very try was the last one of it. */
  private async forgetFailures(tx: Transaction, { participantId }: Holder, linkExpiresAt: number): Promise<void> {
    await tx.update(FailedTries, { participantId }, { inARow: 0 });
    const byThisTry = { participantId, deadThrough: MoreThanOrEqual(linkExpiresAt) };
    await tx.update(FailedTries, byThisTry, { deadThrough: 0 });
  }

  private consume<T>(
    challenge: Challenge,
    { linkExpiresAt, ...holder }: Holder & { linkExpiresAt: number },
    also: (tx: Transaction) => Promise<T>,
    opensSession: boolean,
  ): Promise<Verified<T>> {
    return this.database.write(async (tx) => {
      const used = await tx.update(
        Challenge,
        { id: challenge.id, usedAt: IsNull(), supersededAt: IsNull() },
        { usedAt: this.clock.now(), sealedCode: null },
      );
      if (used.affected !== 1) return { ok: false, reason: 'dead' };
      await this.forgetFailures(tx, holder, linkExpiresAt);
      const sessionToken = opensSession ? await this.sessions.open(tx, holder) : null;
      return { ok: true, sessionToken, also: await also(tx) };
    });
  }
}

/** What the MAC of a code binds: this challenge, ticket, participant, generation and purpose. */
function codeBytes(challengeId: string, { ticketId, participantId, generation }: Holder, code: string): Buffer {
  return Buffer.from([PURPOSE, challengeId, ticketId, participantId, generation, code].join('|'));
}
