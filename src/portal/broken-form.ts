import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';

/** What is read of a form that nobody wants any more: as much as an honest one can have. */
const MOST_FORGOTTEN = 30 * 1024 * 1024;

/** What is left of the form is read and forgotten: a browser looks at no answer before it has sent everything. */
export function forgetRest({ raw }: FastifyRequest): void {
  let left = MOST_FORGOTTEN;
  raw.unpipe();
  raw.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) raw.destroy();
  });
  raw.resume();
}

/** What to answer to a multipart form that could not be read. */
export function givenUp(error: unknown, request: FastifyRequest): unknown {
  forgetRest(request);
  return isFaultOfForm(error, request)
    ? new PosternError('bad-request', 'The form broke off or is malformed.', {}, { cause: error })
    : error;
}

/** The sender went away, or what it sent is no form: the parser's own errors have neither code nor status. */
function isFaultOfForm(error: unknown, { raw }: FastifyRequest): boolean {
  const isGone = raw.destroyed && !raw.complete;
  return isGone || /multipart|needle/i.test((error as Error).message);
}
