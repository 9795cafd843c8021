import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { PosternError } from '../errors.js';
import { idFloor, isId, type Id, type IdPrefix } from '../ids.js';
import { jsonProblem, parseStrictJson } from './strict-json.js';

/** What every route of the admin API reads and answers alike. */

/** Who acts, in the audit log: the name of the token, the only one there is. */
export const ADMIN = 'admin';
/** Entries of a page. */
export const PAGE = 100;
const LONGEST_REASON = 500;
/** As the ids of tickets (docs/events.md). */
const LONGEST_TEXT = 255;
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
export function below<P extends IdPrefix>(prefix: P, cursor: string | undefined): Id<P> {
  if (cursor === undefined) return `${prefix}_${'z'.repeat(26)}`;
  if (!isId(prefix, cursor)) throw new PosternError('invalid-request', 'Take the cursor from nextCursor as it is.');
  return cursor;
}

/** What every list takes that goes by time. */
export interface Span {
  cursor?: string;
  since?: string;
  until?: string;
}

/** Ids of a page: `from` and later, below `before`. */
export interface Between<P extends IdPrefix> {
  from: Id<P>;
  before: Id<P>;
}

/**
 * The ids that were made from `since` on and before `until`, below the cursor. An id holds the time of its row, so that its
 * own index serves all three.
 * @throws PosternError `invalid-request`
 */
export function between<P extends IdPrefix>(prefix: P, { cursor, since, until }: Span): Between<P> {
  const [from, end] = [momentOf('since', since) ?? 0, momentOf('until', until)];
  if (end !== undefined && end <= from) throw new PosternError('invalid-request', 'since is before until.');
  const before = below(prefix, cursor);
  const ceiling = end === undefined ? before : idFloor(prefix, end);
  return { from: idFloor(prefix, from), before: ceiling < before ? ceiling : before };
}

const rfc3339 = z.iso.datetime({ offset: true });

function momentOf(name: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const read = rfc3339.safeParse(given);
  if (read.success) return Date.parse(read.data);
  const detail = `${name} is a time of RFC 3339, such as 2026-11-23T02:15:00Z; write + as %2B.`;
  throw new PosternError('invalid-request', detail);
}

/**
 * A name or an id that the source gave, or undefined.
 * @throws PosternError `invalid-request`
 */
export function textOf(name: string, given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  // It may have come twice, and is a list then. Postgres takes no NUL.
  if (typeof given === 'string' && given !== '' && given.length <= LONGEST_TEXT && !given.includes('\0')) return given;
  throw new PosternError('invalid-request', `${name} is given once, with 1 to ${LONGEST_TEXT} characters.`);
}

/**
 * A parameter with few values, or undefined for all.
 * @throws PosternError `invalid-request`
 */
export function among<S extends string>(name: string, values: readonly S[], given: string | undefined): S | undefined {
  if (given === undefined) return undefined;
  const found = values.find((one) => one === given);
  if (found === undefined) throw new PosternError('invalid-request', `${name} is one of ${values.join(', ')}.`);
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
