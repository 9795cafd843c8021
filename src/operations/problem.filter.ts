import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { errorCodes, PosternError, type ErrorCode } from '../errors.js';
import { isDatabaseUnavailable } from '../platform/database/database.js';
import type { Logger } from '../platform/logger.js';

/** Every error as `application/problem+json` (RFC 9457) with a stable `code`; what is unexpected tells nothing of itself. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const { code, detail, extra } = asPosternError(thrown);
    const { status, title, log } = errorCodes[code];
    // What we refuse ourselves says why in its words. Of everything else the stack says where to look.
    const isRefusal = thrown instanceof PosternError;
    if (status < 500) this.logger[log](`answered ${status} ${code}`);
    else if (isRefusal) this.logger[log](`answered ${status} ${code}`, { detail, error: thrown.cause });
    else this.logger.error(`answered ${status} ${code}`, { error: thrown });
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (extra.retryAfterSeconds !== undefined) void reply.header('retry-after', String(extra.retryAfterSeconds));
    void reply
      .status(status)
      .header('content-type', 'application/problem+json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify({ type: 'about:blank', title, status, code, detail, ...shown(extra) }));
  }
}

/** What a caller can mend, place by place, and what stands in its way. */
function shown({ errors, problems, conflict }: PosternError['extra']): object {
  return { errors, problems, ...conflict };
}

/** What the outside may know of an error. */
function asPosternError(thrown: unknown): PosternError {
  if (thrown instanceof PosternError) return thrown;
  if (isDatabaseUnavailable(thrown))
    return new PosternError('unavailable', 'Nothing was changed. Try again in a moment.', { retryAfterSeconds: 5 });
  const status = thrown instanceof HttpException ? thrown.getStatus() : (thrown as { statusCode?: number }).statusCode;
  const known = status === undefined ? undefined : codeByStatus[status];
  if (known) return new PosternError(...known);
  if (status !== undefined && status >= 400 && status < 500)
    return new PosternError('bad-request', 'The request could not be read.');
  return new PosternError('internal', 'It was written to the log. Try again; if it stays, tell the operator.');
}

/** Errors that Nest and Fastify raise themselves. */
const codeByStatus: Record<number, [ErrorCode, string]> = {
  404: ['not-found', 'There is nothing at this address.'],
  405: ['method-not-allowed', 'This address takes another method.'],
  413: ['body-too-large', 'The body may have 256 KiB at most.'],
  415: ['unsupported-media-type', 'Send application/json.'],
};
