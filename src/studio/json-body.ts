import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { PosternError, type ErrorCode } from '../errors.js';
import { parseStrictJson } from '../platform/strict-json.js';

/** Of all that the studio takes; what a device answers is nested four deep. */
const MAX_DEPTH = 8;

const FAULTS = {
  utf8: 'invalid-json',
  syntax: 'invalid-json',
  'duplicate-key': 'duplicate-key',
  'forbidden-key': 'forbidden-key',
  depth: 'too-deep',
} as const satisfies Record<string, ErrorCode>;

/**
 * The JSON body of a request in the wanted shape.
 * @throws PosternError `unsupported-media-type`: a form of another site can send no `application/json` without asking
 */
export function readJson<T>({ headers, body }: FastifyRequest, shape: z.ZodType<T>): T {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new PosternError('unsupported-media-type', 'Send application/json.');
  const json = parseStrictJson(Buffer.isBuffer(body) ? body : Buffer.alloc(0), { maxDepth: MAX_DEPTH });
  if (!json.ok) throw new PosternError(FAULTS[json.reason], json.detail);
  const parsed = shape.safeParse(json.value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({
    pointer: path.map((part) => `/${String(part)}`).join(''),
    detail: message,
  }));
  throw new PosternError('invalid-request', 'Mend what the errors name.', { errors });
}
