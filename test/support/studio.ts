import type { ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { newId } from '../../src/ids.js';
import type { Role } from '../../src/studio/roles.js';
import { letIn, StudioGuard, type SignedIn } from '../../src/studio/studio.guard.js';

export interface StudioAnswer {
  status: number;
  headers: Headers;
  // The body of each route has its own shape, which the tests name.
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

/** Somebody in the studio of a gateway, with one role for all brands. */
export interface StudioPerson {
  id: string;
  ask(method: string, path: string, body?: unknown): Promise<StudioAnswer>;
  upload(path: string, text: string): Promise<StudioAnswer>;
}

const known = new Map<string, SignedIn>();
const judge = StudioGuard.prototype.canActivate;
/** Stands for the sign-in: a request names its person by a header. What a role may is judged as ever. */
StudioGuard.prototype.canActivate = function (this: StudioGuard, context: ExecutionContext) {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const person = known.get(String(request.headers['x-test-person']));
  if (person) letIn(request, person);
  return judge.call(this, context);
};

export function studioPerson(url: () => string, role: Role, name = 'Ana'): StudioPerson {
  const id = newId('usr', Date.now());
  const email = `${name.toLowerCase()}@content.example`;
  known.set(id, { id, name, email, roles: [{ brand: '*', role }] } as unknown as SignedIn);
  const send = async (method: string, path: string, body?: BodyInit, type?: string): Promise<StudioAnswer> => {
    const headers = { 'x-test-person': id, ...(type ? { 'content-type': type } : {}) };
    const answer = await fetch(`${url()}/studio/api/${path}`, { method, headers, body });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.includes('json');
    return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text };
  };
  return {
    id,
    ask: (method, path, body) =>
      body === undefined ? send(method, path) : send(method, path, JSON.stringify(body), 'application/json'),
    upload: (path, text) => {
      const form = new FormData();
      form.append('file', new Blob([text]), 'words.xlf');
      return send('POST', path, form);
    },
  };
}
