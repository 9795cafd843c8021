import { Controller, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
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
  ): Promise<Receipt | { events: Receipt[] }> {
    const mediaType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
    const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const receipts = await this.intake.receive(source, { headers: request.headers, rawBody, mediaType });
    const isOld = receipts.length > 0 && receipts.every((receipt) => 'duplicate' in receipt && receipt.duplicate);
    void reply.status(isOld ? 200 : 202);
    return receipts.length === 1 ? receipts[0]! : { events: receipts };
  }
}
