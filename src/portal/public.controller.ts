import { Controller, Get, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { takesCoding } from '../platform/content-coding.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';

/** What anybody may see: what this place is, help, and what pages load. */
@Controller()
@UseFilters(PageErrorFilter)
export class PublicController {
  constructor(private readonly writer: PageWriter) {}

  @Get()
  async home(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.writer.notice(request, reply, 200, { kind: 'home' });
  }

  @Get('help')
  async help(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.writer.send(request, reply, 200, 'help', {});
  }

  /** Another content has another path, so a browser may keep it for ever. */
  @Get('assets/*')
  async asset(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const asset = await this.writer.asset(request.url.split('?', 1)[0]!);
    if (!asset) return this.writer.notice(request, reply, 404, { kind: 'not-found' });
    const takesGzip = takesCoding(request.headers['accept-encoding'], 'gzip');
    if (takesGzip) void reply.header('content-encoding', 'gzip');
    await reply
      .header('content-type', asset.type)
      .header('vary', 'accept-encoding')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(takesGzip ? asset.gzipped : asset.content);
  }
}
