import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { EVERY_BRAND, mayDo, type Role } from './roles.js';
import { StudioSessions, type SignedIn } from './studio-session.js';

/** Who may call a route. */
type Door = 'anybody' | 'signed-in' | { role: Role; brand: 'every' | 'any' | 'key' };

const DOOR = 'studio-door';

/** The route is for people who are not signed in yet. It counts its tries itself. */
export const Anybody = () => SetMetadata<string, Door>(DOOR, 'anybody');
/** The route is about the person's own things. */
export const SignedInOnly = () => SetMetadata<string, Door>(DOOR, 'signed-in');
/**
 * The route takes this role or a higher one: `every` for all brands (words belong to all of them), `any` for any brand,
 * `key` for the brand that the path's `:key` names.
 */
export const Needs = (role: Role, brand: 'every' | 'any' | 'key' = 'every') =>
  SetMetadata<string, Door>(DOOR, { role, brand });

const FRESH = 'studio-fresh';
/** What it does outlives the session, so it takes a sign-in of the last minutes too. */
export const Fresh = () => SetMetadata(FRESH, true);

const SAFE_METHODS = new Set(['GET', 'HEAD']);
const people = new WeakMap<FastifyRequest, SignedIn>();

/**
 * The one place where it is decided who may do what in the studio. A route that says nothing of its door is shut.
 * Whoever changes something must come from our own pages (Fetch Metadata, else Origin; a program sends Origin too), and
 * with a session carry its token.
 */
@Injectable()
export class StudioGuard implements CanActivate {
  private readonly origin: string;

  constructor(
    { publicUrl }: Config,
    private readonly reflector: Reflector,
    private readonly sessions: StudioSessions,
  ) {
    this.origin = new URL(publicUrl).origin;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const targets = [context.getHandler(), context.getClass()];
    const door = this.reflector.getAllAndOverride<Door | undefined>(DOOR, targets);
    if (door === undefined) throw new PosternError('forbidden', 'Nobody may do this.');
    const isUnsafe = !SAFE_METHODS.has(request.method);
    if (isUnsafe) this.checkOrigin(request);
    const person = await this.sessions.find(request);
    if (person !== null) people.set(request, person);
    if (door === 'anybody') return true;
    if (person === null) throw new PosternError('sign-in-required', 'Sign in first.');
    if (isUnsafe && !this.sessions.isFormToken(person, request.headers['x-studio-token']))
      throw new PosternError('forbidden', 'Send the token of this session in x-studio-token.');
    if (door !== 'signed-in') checkRole(person, door, request);
    if (this.reflector.getAllAndOverride<true | undefined>(FRESH, targets)) this.sessions.mustBeFresh(person);
    return true;
  }

  private checkOrigin({ headers }: FastifyRequest): void {
    const site = headers['sec-fetch-site'];
    const isOurs = site === undefined ? headers.origin === this.origin : site === 'same-origin';
    if (!isOurs) throw new PosternError('forbidden', 'This was sent from another site.');
  }
}

/** The person behind a request that `StudioGuard` has let in. @throws PosternError if there is none */
export function signedIn(request: FastifyRequest): SignedIn {
  const person = people.get(request);
  if (!person) throw new PosternError('sign-in-required', 'Sign in first.');
  return person;
}

/** The same where nobody need be signed in. */
export function signedInOrNull(request: FastifyRequest): SignedIn | null {
  return people.get(request) ?? null;
}

function checkRole({ roles }: SignedIn, { role, brand }: Exclude<Door, string>, request: FastifyRequest): void {
  const { key = '' } = request.params as { key?: string };
  const wanted = { every: EVERY_BRAND, any: null, key }[brand];
  if (mayDo(roles, role, wanted)) return;
  throw new PosternError('forbidden', `This takes the role ${role}. Ask an admin for it.`);
}
