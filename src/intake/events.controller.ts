import { Controller, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import { Intake, type Receipt } from './intake.js';

/** Where ticket systems post their events. */
@Controller('v1/sources')
export class EventsController {
  constructor(private readonly intake: Intake) {}

  @Post(':source/events')
  async receive(
    @Param('source') source: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Receipt> {
    const contentType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (contentType !== 'application/json') throw new PosternError('unsupported-media-type', 'Send application/json.');
    const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const receipt = await this.intake.receive(source, request.headers, rawBody);
    void reply.status(receipt.duplicate ? 200 : 202);
    return receipt;
  }
}
