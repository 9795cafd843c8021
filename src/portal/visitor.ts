import type {} from '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Sessions, type OpenSession } from '../access/session.js';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { cookieName } from '../platform/cookie-name.js';
import { decodeBase64UrlStrict, randomToken } from '../platform/crypto.js';
import { isId } from '../ids.js';

const YEAR_SECONDS = 365 * 86_400;

/** The browser that asks, before and after it proved a mailbox: its cookies, and the tokens its forms carry. */
@Injectable()
export class Visitors {
  private readonly secure: boolean;
  private readonly origin: string;

  constructor(
    private readonly config: Config,
    private readonly sessions: Sessions,
  ) {
    this.secure = config.publicUrl.startsWith('https:');
    this.origin = new URL(config.publicUrl).origin;
  }

  /**
   * The token for the forms of a page: good for this browser only, and on ticket pages for this session only. Without
   * it another site could post the code form and lead a guest into a session that is not theirs (login CSRF).
   */
  formToken(request: FastifyRequest, reply: FastifyReply, session: OpenSession | null): string {
    let visitor = request.cookies[this.cookieName('visitor')];
    if (visitor === undefined || !/^[\w-]{22}$/.test(visitor)) {
      visitor = randomToken(16);
      this.setCookie(reply, 'visitor', visitor, this.config.sessionLifetimeHours * 3600);
      request.cookies[this.cookieName('visitor')] = visitor;
    }
    const { kid, mac } = this.config.secretKeys.sign('form', formBytes(visitor, session));
    return `${kid}.${mac.toString('base64url')}`;
  }

  /** Refuses a form that another site sent: by Fetch Metadata, else by Origin. The token is checked beside it. */
  checkOrigin(request: FastifyRequest): void {
    const site = request.headers['sec-fetch-site'];
    const { origin } = request.headers;
    // A browser that sends neither is old or a program: then the token alone decides.
    const fromHere = site !== undefined ? site === 'same-origin' : origin === undefined || origin === this.origin;
    if (!fromHere) throw new PosternError('forbidden', 'This form was sent from another site.');
  }

  checkFormToken(request: FastifyRequest, session: OpenSession | null, given: unknown): void {
    const visitor = request.cookies[this.cookieName('visitor')];
    // The page gave it one: it was refused, or thrown away since. A reload alone would lead back to here.
    if (visitor === undefined) throw new PosternError('cookies-required', 'The browser sent no cookie.');
    const [kid, encoded, ...rest] = typeof given === 'string' ? given.split('.') : [];
    const mac = encoded === undefined || rest.length > 0 ? null : decodeBase64UrlStrict(encoded);
    const genuine =
      kid !== undefined && mac !== null && this.config.secretKeys.verify('form', kid, formBytes(visitor, session), mac);
    if (!genuine) throw new PosternError('forbidden', 'The form is too old or not from this browser.');
  }

  /** The session that this browser holds on this ticket. */
  async session(request: FastifyRequest, ticketId: string): Promise<OpenSession | null> {
    if (!isId('tkt', ticketId)) return null;
    const token = request.cookies[this.cookieName(ticketId)];
    return token === undefined ? null : this.sessions.find(token, ticketId);
  }

  /** The session that this browser held on this ticket until its time was over. */
  async expiredSession(request: FastifyRequest, ticketId: string): Promise<OpenSession | null> {
    if (!isId('tkt', ticketId)) return null;
    const token = request.cookies[this.cookieName(ticketId)];
    return token === undefined ? null : this.sessions.findExpired(token, ticketId);
  }

  /**
   * One cookie per ticket: two tickets in two tabs do not push each other out. The guest's language is kept beside it, for
   * the page that says that the session is over and no longer knows whose it was.
   */
  keepSession(reply: FastifyReply, ticketId: string, token: string, locale: string | null): void {
    this.setCookie(reply, ticketId, token, this.config.sessionLifetimeHours * 3600);
    if (locale !== null) this.setCookie(reply, 'guest-language', locale, YEAR_SECONDS);
  }

  forgetSession(reply: FastifyReply, ticketId: string): void {
    this.setCookie(reply, ticketId, '', 0);
  }

  keepLanguage(reply: FastifyReply, locale: string): void {
    this.setCookie(reply, 'language', locale, YEAR_SECONDS);
  }

  /** The language this browser chose, by a page's form or by `?lang=`, now or before. */
  language(request: FastifyRequest, reply: FastifyReply): string | null {
    const chosen = (request.query as { lang?: unknown }).lang;
    if (typeof chosen === 'string' && /^[A-Za-z0-9-]{2,35}$/.test(chosen)) {
      this.keepLanguage(reply, chosen);
      return chosen;
    }
    return request.cookies[this.cookieName('language')] ?? null;
  }

  /** The language of the guest who was last let in here. */
  guestLanguage(request: FastifyRequest): string | null {
    return request.cookies[this.cookieName('guest-language')] ?? null;
  }

  private cookieName(name: string): string {
    return cookieName(name, this.secure);
  }

  private setCookie(reply: FastifyReply, name: string, value: string, maxAge: number): void {
    void reply.setCookie(this.cookieName(name), value, {
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.secure,
      maxAge,
    });
  }
}

function formBytes(visitor: string, session: OpenSession | null): Buffer {
  return Buffer.from(`${visitor}|${session?.id ?? ''}`);
}

/** More than anybody reads; whoever sends more means no language. */
const MOST_LANGUAGES = 32;

/** The languages a browser asks for, best first, without those that are no tag or unwanted (RFC 9110 12.5.4). */
export function acceptedLanguages(request: FastifyRequest): string[] {
  const ranges = (request.headers['accept-language'] ?? '').split(',', MOST_LANGUAGES).map((range) => {
    const [tag = '', ...parameters] = range.trim().split(';');
    const quality = Number(parameters.map((one) => /^\s*q=([\d.]+)\s*$/.exec(one)?.[1]).find(Boolean) ?? 1);
    return { tag, quality };
  });
  ranges.sort((a, b) => b.quality - a.quality);
  const isTag = (tag: string) => /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/.test(tag);
  return ranges.flatMap(({ tag, quality }) => (quality > 0 && isTag(tag) ? [tag] : []));
}
