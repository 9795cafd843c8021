import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import type { Id } from '../ids.js';
import { EVERY_BRAND, mayDo, type Role, type RoleOfBrand } from './roles.js';

/** Somebody who is signed in. */
export interface SignedIn {
  id: Id<'usr'>;
  name: string;
  email: string;
  roles: readonly RoleOfBrand[];
}

const DOOR = 'studio-door';

/** The route takes this role for all brands, or a higher one. */
export const Needs = (role: Role) => SetMetadata<string, Role>(DOOR, role);

const people = new WeakMap<FastifyRequest, SignedIn>();

/** Decides who may do what in the studio. A route that says nothing of its door is shut. */
@Injectable()
export class StudioGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const role = this.reflector.getAllAndOverride<Role | undefined>(DOOR, [context.getHandler(), context.getClass()]);
    if (role === undefined || !mayDo(signedIn(request).roles, role, EVERY_BRAND))
      throw new PosternError('forbidden', `This takes the role ${role ?? 'of nobody'}.`);
    return true;
  }
}

/** The person behind a request. @throws PosternError if there is none */
export function signedIn(request: FastifyRequest): SignedIn {
  const person = people.get(request);
  if (!person) throw new PosternError('unauthorized', 'Sign in first.');
  return person;
}

/** Says who is behind a request. */
export function letIn(request: FastifyRequest, person: SignedIn): void {
  people.set(request, person);
}
