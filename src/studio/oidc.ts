import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as client from 'openid-client';
import { z } from 'zod';
import { Config } from '../config.js';
import type { OidcSettings } from '../settings/oidc.js';
import { PosternError } from '../errors.js';
import { newId } from '../ids.js';
import { parseAddress } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import { cookieName } from '../platform/cookie-name.js';
import { sha256 } from '../platform/crypto.js';
import { Database } from '../platform/database/database.js';
import { insertNew } from '../platform/database/rows.js';
import { HttpClient } from '../platform/http-client.js';
import { UNPRINTABLE } from '../platform/one-line.js';
import { Logger } from '../platform/logger.js';
import { StudioChallenge } from './people.entity.js';

const LIFETIME_SECONDS = 600;
/** Discovery documents and key sets of large providers have some ten kilobytes. */
const LONGEST_ANSWER = 256 * 1024;
const PURPOSE = 'studio-oidc';

const attemptShape = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), expiresAt: z.number() });
type Attempt = z.infer<typeof attemptShape>;

/** Somebody whom the provider vouches for, with an address that it has verified. */
export interface Vouched {
  /** Issuer and subject: the one name there that is never given to somebody else. */
  subject: string;
  email: string;
  name: string;
}

/**
 * Sign-in at an OpenID provider: authorization code with PKCE, state, nonce and the issuer's own `iss` (RFC 9700, RFC
 * 9207). Until the browser comes back it carries what was begun itself, sealed: looking at the start writes no row.
 */
@Injectable()
export class OidcSignIn {
  private readonly settings: OidcSettings | null;
  private readonly secure: boolean;
  /** Kept once the provider was reached. */
  private provider: Promise<client.Configuration> | null = null;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly http: HttpClient,
    private readonly logger: Logger,
  ) {
    this.settings = config.studio.oidc;
    this.secure = config.publicUrl.startsWith('https:');
  }

  /** Where to send the browser. @throws PosternError `not-found` without a provider, `unavailable` */
  async begin(reply: FastifyReply): Promise<string> {
    const provider = await this.reach();
    const attempt: Attempt = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      expiresAt: this.clock.now() + LIFETIME_SECONDS * 1000,
    };
    const sealed = this.config.secretKeys.encrypt(PURPOSE, JSON.stringify(attempt), PURPOSE);
    this.setCookie(reply, sealed, LIFETIME_SECONDS);
    const { state, nonce, verifier } = attempt;
    const parameters = {
      redirect_uri: this.redirectUri(),
      scope: 'openid email profile',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...{ state, nonce },
    };
    return client.buildAuthorizationUrl(provider, parameters).href;
  }

  /** Whom the provider vouches for, or null; why it is null is logged, and told to nobody. */
  async finish(request: FastifyRequest, reply: FastifyReply): Promise<Vouched | null> {
    const provider = await this.reach();
    const attempt = this.attemptOf(request);
    this.setCookie(reply, '', 0);
    if (attempt === null || attempt.expiresAt <= this.clock.now()) return this.refuse('no attempt of this browser');
    if (!(await this.isFirstUse(attempt))) return this.refuse('the attempt came back twice');
    const url = new URL(this.redirectUri());
    url.search = request.url.includes('?') ? request.url.slice(request.url.indexOf('?')) : '';
    try {
      const tokens = await client.authorizationCodeGrant(provider, url, {
        pkceCodeVerifier: attempt.verifier,
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims()!;
      // A provider that keeps to the letter of OpenID Connect Core 5.4 tells the address at its userinfo endpoint only.
      const isTold = claims.email !== undefined;
      const more = isTold ? {} : await client.fetchUserInfo(provider, tokens.access_token, claims.sub);
      return this.vouched({ ...more, ...claims });
    } catch (error) {
      // Whatever is wrong with what came back: state, code, signature, issuer. No name of a person is in it.
      return this.refuse((error as { code?: string }).code ?? (error as Error).name);
    }
  }

  private vouched(claims: client.IDToken): Vouched | null {
    if (claims.email_verified !== true) return this.refuse('the address is not verified');
    const parsed = parseAddress(String(claims.email ?? ''), { allowLocalhost: true });
    if (!parsed.ok) return this.refuse('no address');
    const name = typeof claims.name === 'string' ? claims.name.replaceAll(UNPRINTABLE, ' ').trim().slice(0, 100) : '';
    return { subject: `${claims.iss} ${claims.sub}`, email: parsed.address.given, name };
  }

  private refuse(reason: string): null {
    this.logger.info('a sign-in by the OpenID provider was refused', { reason });
    return null;
  }

  private reach(): Promise<client.Configuration> {
    if (this.settings === null) throw new PosternError('not-found', 'There is nothing at this address.');
    this.provider ??= this.discover(this.settings).catch((error: unknown) => {
      this.provider = null; // the next one tries again
      const detail = 'The OpenID provider cannot be reached. Sign in with a passkey, or try again.';
      throw new PosternError('unavailable', detail, { retryAfterSeconds: 30 }, { cause: error });
    });
    return this.provider;
  }

  private discover({ issuer, clientId, clientSecret }: OidcSettings): Promise<client.Configuration> {
    const isPlain = issuer.startsWith('http:'); // only to a host that the settings allow it for
    return client.discovery(new URL(issuer), clientId, clientSecret, client.ClientSecretBasic(clientSecret), {
      [client.customFetch]: (url, options) => this.fetch(url, options),
      execute: isPlain ? [client.allowInsecureRequests] : [],
    });
  }

  /** By our own client, which goes nowhere but to public addresses, whatever the discovery document names. */
  private async fetch(url: string, { method, headers, body, signal }: client.CustomFetchOptions): Promise<Response> {
    const answer =
      method === 'POST'
        ? await this.http.post(url, String(body ?? ''), headers, { signal })
        : await this.http.get(url, { headers, signal, maxBytes: LONGEST_ANSWER });
    if (!answer.ok) throw new TypeError(`the provider was not reached: ${answer.reason}`);
    const type = answer.headers['content-type'];
    return new Response(Uint8Array.from(answer.body), {
      status: answer.status,
      headers: type === undefined ? {} : { 'content-type': type },
    });
  }

  /** A unique key decides, over all processes: the same answer of the provider lets nobody in again. */
  private isFirstUse({ state, expiresAt }: Attempt): Promise<boolean> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const id = newId('chl', now);
      const challengeHash = sha256(state).toString('hex');
      const made = await insertNew(tx, StudioChallenge, [
        {
          ...{ id, challengeHash, kind: 'oidc', browserHash: '', personId: null, invitationId: null },
          ...{ expiresAt, usedAt: now },
        },
      ]);
      return made.has(id);
    });
  }

  private attemptOf(request: FastifyRequest): Attempt | null {
    const sealed = request.cookies[cookieName('studio-oidc', this.secure)];
    const opened = sealed === undefined ? null : this.config.secretKeys.decrypt(PURPOSE, sealed, PURPOSE);
    return opened === null ? null : attemptShape.parse(JSON.parse(opened.toString('utf8')));
  }

  private redirectUri(): string {
    return `${this.config.publicUrl}/studio/oidc/callback`;
  }

  /** Lax, because the browser comes back from another site. It opens nothing by itself. */
  private setCookie(reply: FastifyReply, value: string, maxAge: number): void {
    void reply.setCookie(cookieName('studio-oidc', this.secure), value, {
      ...{ path: '/', httpOnly: true, sameSite: 'lax', secure: this.secure, maxAge },
    });
  }
}
