import { Controller, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { openAttachmentToken } from '../outbound/attachment-url.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Attachment } from '../tickets/ticket.entity.js';
import { AttachmentSender } from './attachment-sender.js';

/** Files of replies for the source, by the signed URL that its outbound webhook carried. */
@Controller('v1/files')
export class FilesController {
  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
    private readonly database: Database,
    private readonly sender: AttachmentSender,
  ) {}

  @Get(':token')
  async download(@Param('token') token: string, @Res() reply: FastifyReply): Promise<void> {
    const id = openAttachmentToken(this.config.linkKeys, token, this.clock.now());
    const attachment =
      id === null ? null : await this.database.read((manager) => manager.findOneBy(Attachment, { id }));
    // Files of replies were scanned before they were kept.
    if ((await this.sender.send(reply, attachment)) !== 'sent')
      throw new PosternError('not-found', 'The file is gone, or its address is wrong or older than 7 days.');
  }
}
