import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Config } from '../../config.js';
import { FeedbackRecorder, type FeedbackReport } from '../../delivery/feedback.js';
import { PosternError } from '../../errors.js';
import { checkBearer } from '../../platform/bearer.js';
import { Clock } from '../../platform/clock.js';
import { Database } from '../../platform/database/database.js';
import { Logger } from '../../platform/logger.js';
import { jsonProblem, parseStrictJson } from '../../platform/strict-json.js';
import { verifyWebhook } from '../../platform/webhook-signature.js';
import { readReturnedMail } from './dsn.js';
import { readResendEvent } from './resend.js';

const MAX_DEPTH = 32;

/** What was new in it, and what was said before; the rest is not about mails of ours. */
interface FeedbackReceipt {
  recorded: number;
  duplicate: number;
}

/**
 * Where receiving servers and providers tell what became of mails. Each door is closed (404) until its secret is set.
 * What is not about a mail of ours is answered 200 as well: nobody must try it again for days.
 */
@Controller('v1/feedback')
export class FeedbackController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly recorder: FeedbackRecorder,
    private readonly logger: Logger,
  ) {}

  @Post('resend')
  @HttpCode(200)
  async resend(@Req() request: FastifyRequest): Promise<FeedbackReceipt> {
    const secret = this.config.resendWebhookSecret;
    if (secret === null) throw new PosternError('not-found', 'There is nothing at this address.');
    const rawBody = bytesOf(request);
    const { headers } = request;
    const verdict = verifyWebhook({ secrets: [secret], headers, rawBody, now: this.clock.now(), scheme: 'svix' });
    if (!verdict.ok) throw new PosternError('bad-signature', 'Sign the raw body as Resend does, within 5 minutes.');
    const json = parseStrictJson(rawBody, { maxDepth: MAX_DEPTH });
    if (!json.ok) throw jsonProblem(json);
    const report = readResendEvent(json.value);
    return this.record(report ? [report] : []);
  }

  @Post('dsn')
  @HttpCode(200)
  async dsn(@Req() request: FastifyRequest): Promise<FeedbackReceipt> {
    checkBearer(request.headers.authorization, this.config.feedbackToken);
    return this.record(await readReturnedMail(bytesOf(request)));
  }

  private async record(reports: FeedbackReport[]): Promise<FeedbackReceipt> {
    const receipt = { recorded: 0, duplicate: 0 };
    for (const report of reports) {
      const outcome = await this.database.write((tx) => this.recorder.record(tx, report));
      const { kind, origin } = report;
      if (outcome.ok)
        this.logger.info('feedback received', { kind, origin, id: outcome.deliveryId, isNew: outcome.isNew });
      else this.logger.info('feedback not counted', { kind, origin, reason: outcome.reason });
      if (outcome.ok) receipt[outcome.isNew ? 'recorded' : 'duplicate']++;
    }
    return receipt;
  }
}

function bytesOf({ body }: FastifyRequest): Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (body === undefined || body === null) return Buffer.alloc(0);
  throw new PosternError('unsupported-media-type', 'Send the body as it is: application/json, or message/rfc822.');
}
