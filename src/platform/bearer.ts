import { PosternError } from '../errors.js';
import { constantTimeEqual } from './crypto.js';

/**
 * Lets a request with the right token in (`Authorization: Bearer`, RFC 6750 2.1). Without a token in the settings the
 * door is not there, and answers as any address that is not.
 * @throws PosternError `not-found` or `unauthorized`
 */
export function checkBearer(authorization: string | undefined, token: string | null): void {
  if (token === null) throw new PosternError('not-found', 'There is nothing at this address.');
  const given = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1] ?? '';
  if (!constantTimeEqual(given, token))
    throw new PosternError('unauthorized', 'Send the token as: Authorization: Bearer …');
}
