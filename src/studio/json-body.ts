import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { PosternError } from '../errors.js';
import { faultsOf, inWords } from '../platform/faults.js';
import { jsonProblem, parseStrictJson } from '../platform/strict-json.js';

/** Of all that the studio takes; what a device answers is nested four deep. */
const MAX_DEPTH = 8;

/**
 * The JSON body of a request in the wanted shape.
 * @throws PosternError `unsupported-media-type`: a form of another site can send no `application/json` without asking
 */
export function readJson<T>({ headers, body }: FastifyRequest, shape: z.ZodType<T>): T {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') throw new PosternError('unsupported-media-type', 'Send application/json.');
  const json = parseStrictJson(Buffer.isBuffer(body) ? body : Buffer.alloc(0), { maxDepth: MAX_DEPTH });
  if (!json.ok) throw jsonProblem(json);
  const parsed = shape.safeParse(json.value, { error: inWords });
  if (parsed.success) return parsed.data;
  throw new PosternError('invalid-request', 'Mend what the errors name.', { errors: faultsOf(parsed.error) });
}
