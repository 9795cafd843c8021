import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import { isStudioPage, StudioFiles } from './studio-files.js';
import { nonceOf } from './studio-headers.js';

/** The studio's pages: one document for all of them, and its files. They hold nobody's data; the API gives that. */
@Controller('studio')
export class StudioPagesController {
  private files: StudioFiles | null = null;

  /** Another content has another name, so a browser may keep it for ever. */
  @Get('assets/:name')
  async asset(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { name } = request.params as { name: string };
    const file = this.built().file(name, String(request.headers['accept-encoding'] ?? ''));
    if (!file) throw new PosternError('not-found', 'There is no such file.');
    if (file.encoding) void reply.header('content-encoding', file.encoding);
    await reply
      .header('content-type', file.type)
      .header('vary', 'accept-encoding')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(file.content);
  }

  @Get(['', '*'])
  async page(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const path = request.url.split('?', 1)[0]!;
    if (/^\/studio\/(?:api|oidc|assets)(?:\/|$)/.test(path))
      throw new PosternError('not-found', 'There is nothing here.');
    await reply
      .status(isStudioPage(path) ? 200 : 404)
      .header('content-type', 'text/html; charset=utf-8')
      .send(this.built().page(nonceOf(request)));
  }

  /** Read when first wanted: a process that nobody edits in keeps nothing of it in memory. */
  private built(): StudioFiles {
    return (this.files ??= new StudioFiles());
  }
}
