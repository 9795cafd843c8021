import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomToken } from '../platform/crypto.js';
import { isDatabaseUnavailable } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { errorCodes, PosternError } from '../errors.js';
import { PageWriter } from './page-writer.js';
import type { NoticeView } from './page-views.js';
import { shownPath } from './shown-path.js';

/** For programs: the page itself tells people to wait a few minutes. */
const TRY_AGAIN_SECONDS = 60;

/** Errors as pages, for people. What is unexpected gets an id that the log has too. */
@Catch()
@Injectable()
export class PageErrorFilter implements ExceptionFilter {
  constructor(
    private readonly writer: PageWriter,
    private readonly logger: Logger,
  ) {}

  async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    // A page that failed leads nowhere; a form that did, to its page.
    const { status, notice } = this.explain(thrown, request.method === 'POST' ? shownPath(request) : null);
    if (reply.sent) return;
    if (status === 503) void reply.header('retry-after', String(TRY_AGAIN_SECONDS));
    await this.writer.notice(request, reply, status, notice);
  }

  private explain(thrown: unknown, href: string | null): { status: number; notice: NoticeView } {
    if (thrown instanceof PosternError && thrown.code === 'cookies-required')
      return { status: 403, notice: { kind: 'cookies-off', href } };
    if (thrown instanceof PosternError && (thrown.code === 'forbidden' || thrown.code === 'bad-request'))
      return { status: errorCodes[thrown.code].status, notice: { kind: 'form-refused', href } };
    if (isDatabaseUnavailable(thrown)) {
      this.logger.error('a page could not be answered: the database is not available', { error: thrown });
      return { status: 503, notice: { kind: 'unavailable', href } };
    }
    const status =
      (thrown as { statusCode?: number; status?: number }).statusCode ?? (thrown as { status?: number }).status;
    if (status === 413) return { status, notice: { kind: 'too-large', href } };
    if (status !== undefined && status >= 400 && status < 500) return { status, notice: { kind: 'not-found' } };
    const errorId = randomToken(6);
    this.logger.error('a page failed', { errorId, error: thrown });
    return { status: 500, notice: { kind: 'error', errorId, href } };
  }
}
