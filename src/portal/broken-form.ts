import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';

/** What to answer to a multipart form that could not be read. */
export function givenUp(error: unknown, request: FastifyRequest): unknown {
  // What is left of the form is read and forgotten: a browser looks at no answer before it has sent everything.
  request.raw.unpipe();
  request.raw.resume();
  return isFaultOfForm(error, request)
    ? new PosternError('bad-request', 'The form broke off or is malformed.', {}, { cause: error })
    : error;
}

/** The sender went away, or what it sent is no form: the parser's own errors have neither code nor status. */
function isFaultOfForm(error: unknown, { raw }: FastifyRequest): boolean {
  const isGone = raw.destroyed && !raw.complete;
  return isGone || /multipart|needle/i.test((error as Error).message);
}
