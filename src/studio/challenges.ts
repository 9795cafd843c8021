import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IsNull, LessThanOrEqual, MoreThan } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { cookieName } from '../platform/cookie-name.js';
import { hashToken, randomToken } from '../platform/crypto.js';
import { Database } from '../platform/database/database.js';
import { StudioChallenge } from './people.entity.js';

const LIFETIME_SECONDS = 300;

/** Whom a new passkey will be for, and by which invitation. */
export interface ForWhom {
  personId: Id<'usr'> | null;
  invitationId: Id<'inv'> | null;
}

/** What a device must sign: for one browser, once, within five minutes. Only hashes are kept. */
@Injectable()
export class Challenges {
  private readonly secure: boolean;

  constructor(
    config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.secure = config.publicUrl.startsWith('https:');
  }

  /** A new one for this browser, which gets a cookie to be known by. */
  async issue(
    request: FastifyRequest,
    reply: FastifyReply,
    kind: 'register' | 'sign-in',
    { personId, invitationId }: ForWhom = { personId: null, invitationId: null },
  ): Promise<Buffer> {
    const now = this.clock.now();
    const challenge = Buffer.from(randomToken(32), 'base64url');
    const browserHash = hashToken(this.browserOf(request) ?? this.mark(reply));
    await this.database.write(async (tx) => {
      await tx.delete(StudioChallenge, { expiresAt: LessThanOrEqual(now) }); // of no use to anybody
      await tx.insert(StudioChallenge, {
        ...{ id: newId('chl', now), kind, browserHash, personId, invitationId },
        challengeHash: hashToken(challenge.toString('base64url')),
        expiresAt: now + LIFETIME_SECONDS * 1000,
        usedAt: null,
      });
    });
    return challenge;
  }

  /** Uses it up, whatever comes of it: a wrong answer is no free try. Null if it is not one of this browser, or is over. */
  async useUp(request: FastifyRequest, kind: 'register' | 'sign-in', challenge: string): Promise<ForWhom | null> {
    const browser = this.browserOf(request);
    if (browser === null) return null;
    const challengeHash = hashToken(challenge);
    const now = this.clock.now();
    return this.database.write(async (tx) => {
      const used = await tx.update(
        StudioChallenge,
        { challengeHash, kind, browserHash: hashToken(browser), usedAt: IsNull(), expiresAt: MoreThan(now) },
        { usedAt: now },
      );
      return used.affected === 1 ? tx.findOneByOrFail(StudioChallenge, { challengeHash }) : null;
    });
  }

  private browserOf(request: FastifyRequest): string | null {
    const kept = request.cookies[cookieName('studio-browser', this.secure)];
    return kept !== undefined && /^[\w-]{22}$/.test(kept) ? kept : null;
  }

  private mark(reply: FastifyReply): string {
    const browser = randomToken(16);
    void reply.setCookie(cookieName('studio-browser', this.secure), browser, {
      ...{ path: '/', httpOnly: true, sameSite: 'strict', secure: this.secure, maxAge: 86_400 },
    });
    return browser;
  }
}
