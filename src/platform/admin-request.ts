import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import { isId, type IdPrefix } from '../ids.js';
import { jsonProblem, parseStrictJson } from './strict-json.js';

/** What every route of the admin API reads and answers alike. */

/** Who acts, in the audit log: the name of the token, the only one there is. */
export const ADMIN = 'admin';
/** Entries of a page. */
export const PAGE = 100;
const LONGEST_REASON = 500;
const MAX_DEPTH = 4;

export interface Page {
  items: object[];
  /** For `?cursor=` of the next page; null on the last one. */
  nextCursor: string | null;
}

/** A page that is full may have another one behind it. */
export function pageOf<T extends { id: string }>(rows: T[], view: (row: T) => object): Page {
  return { items: rows.map(view), nextCursor: rows.length < PAGE ? null : rows.at(-1)!.id };
}

/**
 * Ids below this are on the page. Without a cursor it is one that no id reaches.
 * @throws PosternError `invalid-request`
 */
export function below<P extends IdPrefix>(prefix: P, cursor: string | undefined) {
  if (cursor === undefined) return `${prefix}_${'z'.repeat(26)}` as const;
  if (!isId(prefix, cursor)) throw new PosternError('invalid-request', 'Take the cursor from nextCursor as it is.');
  return cursor;
}

/**
 * `?state=` of a list, or undefined for all.
 * @throws PosternError `invalid-request`
 */
export function stateAmong<S extends string>(states: readonly S[], given: string | undefined): S | undefined {
  if (given === undefined) return undefined;
  const found = states.find((one) => one === given);
  if (found === undefined) throw new PosternError('invalid-request', `state is one of ${states.join(', ')}.`);
  return found;
}

/**
 * Why it is done: `?reason=`, or `{"reason":"…"}` in the body.
 * @throws PosternError `invalid-request`, or what is wrong with the JSON
 */
export function reasonOf(given: unknown, request: FastifyRequest, fields: readonly string[] = ['reason']): string {
  const said = decisionIn(request, fields).reason;
  const reason = given ?? said;
  if (typeof reason === 'string' && reason.trim() !== '' && reason.length <= LONGEST_REASON) return reason.trim();
  throw new PosternError('invalid-request', `Say why, for the audit log: reason, 1 to ${LONGEST_REASON} characters.`);
}

/**
 * What the body of a decision says. A field that is not known is refused: what it was to narrow down must not be done
 * to everything.
 * @throws PosternError `invalid-request`, or what is wrong with the JSON
 */
export function decisionIn({ body }: FastifyRequest, fields: readonly string[]): Record<string, unknown> {
  if (!Buffer.isBuffer(body) || body.length === 0) return {};
  const json = parseStrictJson(body, { maxDepth: MAX_DEPTH });
  if (!json.ok) throw jsonProblem(json);
  const said = (json.value ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(said).find((name) => !fields.includes(name));
  if (unknown !== undefined) throw new PosternError('invalid-request', `The body may say ${fields.join(' and ')}.`);
  return said;
}
