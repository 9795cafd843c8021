import { Body, Controller, Get, Param, Post, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Database } from '../platform/database/database.js';
import { findAttachment } from '../tickets/conversation.js';
import { Drafts } from '../tickets/drafts.js';
import type { ReceivedFile } from '../tickets/file-store.js';
import { AttachmentSender } from './attachment-sender.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { ReplyForms } from './reply-form.js';
import { Rooms } from './rooms.js';
import type { Values } from './sentences.js';
import { BUSY_SECONDS, refusal, Uploads } from './uploads.js';
import { faultText } from './ticket-view.js';
import { Visitors } from './visitor.js';

/** Files of a ticket: those that wait for their reply, and those of the conversation. */
@Controller('tickets/:id')
@UseFilters(PageErrorFilter)
export class TicketFilesController {
  constructor(
    private readonly database: Database,
    private readonly rooms: Rooms,
    private readonly drafts: Drafts,
    private readonly forms: ReplyForms,
    private readonly uploads: Uploads,
    private readonly sender: AttachmentSender,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
  ) {}

  /** One file by itself, as soon as it was picked: it waits in the draft, and the reply names it by its hash. */
  @Post('files')
  async addFile(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.visitors.checkOrigin(request);
    const room = await this.rooms.find(id, request);
    if (!room || room.ticket.status === 'closed' || !this.rooms.takesReplies(room)) {
      await this.forms.readText(request); // to its end: a browser looks at no answer before
      return void reply
        .status(room ? 409 : 404)
        .header('cache-control', 'no-store')
        .send();
    }
    const held = (await this.drafts.find(room.session))?.files ?? [];
    const read = await this.uploads.take(request, room.session, (gate) => this.forms.readFiles(request, gate, held));
    if (read === null) {
      await this.forms.readText(request);
      return void reply
        .status(429)
        .header('retry-after', String(BUSY_SECONDS))
        .header('cache-control', 'no-store')
        .send();
    }
    const { files, faults } = read;
    const kept: ReceivedFile[] = [];
    for (const one of files) {
      const added = await this.drafts.add(room.session, one);
      if (added.ok) kept.push(added.file);
      else faults.push({ field: 'files', key: added.reason });
    }
    const locale = this.writer.locale(request, reply, room);
    const say = (key: string, values?: Values) => this.writer.pages.sentence(locale, key, values);
    await reply
      .status(faults.length > 0 ? refusal(reply, faults) : 200)
      .header('cache-control', 'no-store')
      .send({
        files: kept.map(({ name, size, sha256 }) => ({ name, size, sha256 })),
        faults: faults.map((fault) => faultText(fault, say)),
      });
  }

  @Post('files/remove')
  async removeFile(
    @Param('id') id: string,
    @Body() form: { formToken?: string; name?: string; sha256?: string } | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enterByForm(id, form, request, reply);
    if (!room) return;
    const { name = '', sha256 = '' } = form ?? {};
    await this.drafts.remove(room.session, { name, sha256 });
    await reply.status(204).header('cache-control', 'no-store').send();
  }

  @Get('attachments/:attachment')
  async attachment(
    @Param('id') id: string,
    @Param('attachment') attachment: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enter(id, request, reply);
    if (!room) return;
    const file = await this.database.read((manager) => findAttachment(manager, room.ticket.id, attachment));
    const sending = await this.sender.send(reply, file, { asker: room.session.id, api: room.source.api });
    if (sending === 'sent') return;
    const { status, kind } = notSent[sending];
    if (status === 503) void reply.header('retry-after', String(BUSY_SECONDS));
    await this.writer.notice(request, reply, status, { kind, href: `/tickets/${id}` }, room);
  }

  @Get('attachments/:attachment/preview')
  async preview(
    @Param('id') id: string,
    @Param('attachment') attachment: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.find(id, request);
    const file = room && (await this.database.read((manager) => findAttachment(manager, room.ticket.id, attachment)));
    // A page has no use where a picture is expected.
    if (!room || !(await this.sender.sendPreview(reply, file, room.session.id)))
      await reply.status(404).header('cache-control', 'no-store').send();
  }
}

const notSent = {
  gone: { status: 404, kind: 'file-gone' },
  unsafe: { status: 403, kind: 'file-unsafe' },
  unchecked: { status: 503, kind: 'file-unchecked' },
  busy: { status: 503, kind: 'unavailable' },
} as const;
