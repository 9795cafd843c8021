import { Controller, HttpCode, Options, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import { DryRun, type Forecast } from './dry-run.js';
import { Intake, type Receipt } from './intake.js';
import { headerOf, type IncomingWebhook } from './sources/adapter.js';
import { BATCH } from './sources/cloudevents.js';

/** Where ticket systems post their events. */
@Controller('v1/sources')
export class EventsController {
  constructor(
    private readonly intake: Intake,
    private readonly dryRun: DryRun,
  ) {}

  @Post(':source/events')
  async receive(
    @Param('source') source: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Receipt | { events: Receipt[] }> {
    const webhook = webhookOf(request);
    const receipts = await this.intake.receive(source, webhook);
    const isOld = receipts.length > 0 && receipts.every((receipt) => 'duplicate' in receipt && receipt.duplicate);
    void reply.status(isOld ? 200 : 202);
    return oneOrAll(receipts, webhook);
  }

  @Post(':source/events/dry-run')
  @HttpCode(200)
  async foresee(
    @Param('source') source: string,
    @Req() request: FastifyRequest,
  ): Promise<Forecast | { events: Forecast[] }> {
    const webhook = webhookOf(request);
    return oneOrAll(await this.dryRun.foresee(source, webhook), webhook);
  }

  /** The handshake of CloudEvents' web hooks: a sender asks whether it may post here, and how often. */
  @Options(':source/events')
  @HttpCode(200)
  allow(
    @Param('source') source: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): void {
    if (this.intake.source(source).adapter !== 'cloudevents')
      throw new PosternError(
        'method-not-allowed',
        'This source takes POST. The handshake is for adapter: cloudevents.',
      );
    const origin = headerOf(request.headers, 'webhook-request-origin');
    if (origin === undefined || !/^[\x21-\x7e]{1,253}$/.test(origin))
      throw new PosternError('bad-request', 'Name yourself in the header WebHook-Request-Origin.');
    // Whoever it is: what counts is the signature of each event. Nothing limits how many there may be.
    void reply.headers({ allow: 'POST', 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*' });
  }
}

function webhookOf(request: FastifyRequest): Omit<IncomingWebhook, 'now'> {
  return {
    headers: request.headers,
    rawBody: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    mediaType: request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '',
  };
}

/** A batch is answered as one, however many events are in it. */
function oneOrAll<T>(answers: T[], { mediaType }: Pick<IncomingWebhook, 'mediaType'>): T | { events: T[] } {
  return answers.length === 1 && mediaType !== BATCH ? answers[0]! : { events: answers };
}
