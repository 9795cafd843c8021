import { Body, Controller, Get, Post, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { checkLimit, takeLimits } from '../access/limits.js';
import { Config } from '../config.js';
import { MailCheck, readReference } from '../delivery/check.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { canonicalIp } from '../platform/client-network.js';
import { PageErrorFilter } from './page-error.filter.js';
import type { CheckView } from './page-views.js';
import { PageWriter, type PageSubject } from './page-writer.js';
import { Visitors } from './visitor.js';

/** Signs of what was typed that are given back. */
const MOST_CHARACTERS = 60;

/** "Is this mail really from you?", by the reference that every mail prints. */
@Controller('check')
@UseFilters(PageErrorFilter)
export class CheckController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly mails: MailCheck,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
  ) {}

  @Get()
  async form(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.show(request, reply, 200, { typed: '' });
  }

  /** Counted before it is looked up. What no reference can be is not counted: it is a slip of the finger. */
  @Post()
  async check(
    @Body() form: { formToken?: string; reference?: string } | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.visitors.checkOrigin(request);
    this.visitors.checkFormToken(request, null, form?.formToken);
    const typed = String(form?.reference ?? '').slice(0, MOST_CHARACTERS);
    const reference = readReference(typed);
    if (reference === null) return this.show(request, reply, 422, { typed, error: 'malformed' });
    const taken = await this.database.write((tx) =>
      takeLimits(tx, [checkLimit(this.config.secretKeys, canonicalIp(request.ip))], this.clock.now()),
    );
    if (!taken.ok) {
      void reply.header('retry-after', String(taken.retryAfterSeconds));
      return this.writer.notice(request, reply, 429, { kind: 'check-wait', seconds: taken.retryAfterSeconds });
    }
    const mail = await this.mails.recognise(reference);
    if (mail === null) return this.show(request, reply, 200, { typed, answer: 'unknown' });
    const { ticketNumber, maskedAddress, sentAt, locale, timeZone, brand } = mail;
    const genuine = { ticketNumber, maskedAddress, sentAt: new Date(sentAt) };
    const source = this.config.sources.find((one) => one.brand === brand);
    // In the language and the time zone of the mail, unless another language was chosen here.
    const subject = { source, participant: { locale, timeZone: timeZone || null } };
    await this.show(request, reply, 200, { typed, answer: 'ours', mail: genuine }, subject);
  }

  private show(
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    view: CheckView,
    subject: PageSubject = {},
  ): Promise<void> {
    return this.writer.send(request, reply, status, 'check', view, subject);
  }
}
