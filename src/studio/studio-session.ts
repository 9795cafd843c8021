import type {} from '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IsNull, MoreThan } from 'typeorm';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { cookieName } from '../platform/cookie-name.js';
import { constantTimeEqual, hashToken, randomToken } from '../platform/crypto.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Person, StudioSession } from './people.entity.js';
import type { RoleOfBrand } from './roles.js';

const IDLE_MS = 60 * 60_000;
/** For how long after a sign-in it opens what could keep somebody in, or out, for good. */
const FRESH_MS = 5 * 60_000;
const LIFETIME_MS = 12 * 3_600_000;
/** The last use is written at most this often: looking at a page must not cost a commit. */
const TOUCH_EVERY_MS = 60_000;
const TOKEN = /^[\w-]{43}$/;

/** Who asks. */
export interface SignedIn {
  id: Id<'usr'>;
  sessionId: Id<'ses'>;
  signedInAt: number;
  name: string;
  email: string;
  roles: readonly RoleOfBrand[];
  hasOidc: boolean;
}

/** What the browsers of the studio's people hold. Only the hash of a token is stored. */
@Injectable()
export class StudioSessions {
  private readonly secure: boolean;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.secure = config.publicUrl.startsWith('https:');
  }

  /**
   * Opens one with a new token, and ends the one that this browser had: a copy of its cookie gains nothing by a new
   * sign-in. Give the token to `keep` once it is committed.
   */
  async open(
    tx: Transaction,
    request: FastifyRequest,
    personId: Id<'usr'>,
    passkeyId: Id<'pky'> | null,
  ): Promise<string> {
    const now = this.clock.now();
    const former = this.tokenOf(request);
    if (former !== null)
      await tx.update(StudioSession, { tokenHash: hashToken(former), endedAt: IsNull() }, { endedAt: now });
    const token = randomToken(32);
    await tx.insert(StudioSession, {
      id: newId('ses', now),
      tokenHash: hashToken(token),
      personId,
      passkeyId,
      browser: browserName(request.headers['user-agent'] ?? ''),
      createdAt: now,
      lastUsedAt: now,
      expiresAt: now + LIFETIME_MS,
      endedAt: null,
    });
    return token;
  }

  keep(reply: FastifyReply, token: string): void {
    this.setCookie(reply, token, LIFETIME_MS / 1000);
  }

  forget(reply: FastifyReply): void {
    this.setCookie(reply, '', 0);
  }

  /** Null: nobody is signed in here, the time is over, or the person was blocked or removed. */
  async find(request: FastifyRequest): Promise<SignedIn | null> {
    const token = this.tokenOf(request);
    if (token === null) return null;
    const now = this.clock.now();
    const found = await this.database.read(async (manager) => {
      const session = await manager.findOneBy(StudioSession, {
        tokenHash: hashToken(token),
        endedAt: IsNull(),
        expiresAt: MoreThan(now),
        lastUsedAt: MoreThan(now - IDLE_MS),
      });
      const person = session && (await manager.findOneBy(Person, { id: session.personId, ...stillIn }));
      return session && person && { session, person };
    });
    if (!found) return null;
    const { session, person } = found;
    if (session.lastUsedAt + TOUCH_EVERY_MS <= now)
      await this.database.write((tx) =>
        tx.update(StudioSession, { id: session.id, endedAt: IsNull() }, { lastUsedAt: now }),
      );
    const { id, name, email, roles, oidcSubject } = person;
    const { id: sessionId, createdAt: signedInAt } = session;
    return { id, sessionId, signedInAt, name, email, roles, hasOidc: oidcSubject !== null };
  }

  /** Those of a person that live, newest first. */
  async list(personId: Id<'usr'>): Promise<StudioSession[]> {
    const now = this.clock.now();
    return this.database.read((manager) =>
      manager.find(StudioSession, {
        where: { personId, endedAt: IsNull(), expiresAt: MoreThan(now), lastUsedAt: MoreThan(now - IDLE_MS) },
        order: { id: 'DESC' },
      }),
    );
  }

  /** False if it is not a living one of this person. */
  async end(tx: Transaction, personId: Id<'usr'>, id: Id<'ses'>): Promise<boolean> {
    const ended = await tx.update(StudioSession, { id, personId, endedAt: IsNull() }, { endedAt: this.clock.now() });
    return ended.affected === 1;
  }

  /**
   * For what outlives a session. Who holds only its cookie cannot sign in.
   * @throws PosternError `fresh-sign-in-required`
   */
  mustBeFresh({ signedInAt }: SignedIn): void {
    if (signedInAt > this.clock.now() - FRESH_MS) return;
    throw new PosternError(
      'fresh-sign-in-required',
      'Sign in once more: this takes a sign-in of the last five minutes.',
    );
  }

  /** What unsafe requests of this session carry in `x-studio-token`: another site can neither read nor send it. */
  formToken({ sessionId }: SignedIn): string {
    const { kid, mac } = this.config.secretKeys.sign('studio-form', Buffer.from(sessionId));
    return `${kid}.${mac.toString('base64url')}`;
  }

  isFormToken({ sessionId }: SignedIn, given: unknown): boolean {
    const [kid, mac, ...rest] = typeof given === 'string' ? given.split('.') : [];
    if (kid === undefined || mac === undefined || rest.length > 0) return false;
    const own = this.config.secretKeys.sign('studio-form', Buffer.from(sessionId), kid);
    return own.kid === kid && constantTimeEqual(own.mac.toString('base64url'), mac);
  }

  private tokenOf(request: FastifyRequest): string | null {
    const token = request.cookies[cookieName('studio', this.secure)];
    return token !== undefined && TOKEN.test(token) ? token : null;
  }

  private setCookie(reply: FastifyReply, value: string, maxAge: number): void {
    void reply.setCookie(cookieName('studio', this.secure), value, {
      ...{ path: '/', httpOnly: true, sameSite: 'strict', secure: this.secure, maxAge },
    });
  }
}

/** Ends all sessions of a person. */
export async function endStudioSessions(tx: Transaction, personId: Id<'usr'>, now: number): Promise<void> {
  await tx.update(StudioSession, { personId, endedAt: IsNull() }, { endedAt: now });
}

/** Neither blocked nor removed. */
export const stillIn = { blockedAt: IsNull(), removedAt: IsNull() };

const BROWSERS: [RegExp, string][] = [
  [/\bEdg\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\//, 'Firefox'],
  [/\b(Headless)?Chrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];
const SYSTEMS: [RegExp, string][] = [
  [/Windows/, 'Windows'],
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Mac OS X/, 'macOS'],
  [/Linux|CrOS/, 'Linux'],
];

/** Kept is what a person knows their browser by, not the whole line that would tell it from all others. */
function browserName(agent: string): string {
  const named = (list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(agent))?.[1];
  const system = named(SYSTEMS);
  return `${named(BROWSERS) ?? 'A browser'}${system ? ` on ${system}` : ''}`;
}
