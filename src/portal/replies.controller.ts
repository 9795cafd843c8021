import { Controller, Param, Post, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Database } from '../platform/database/database.js';
import { findConversation } from '../tickets/conversation.js';
import { Drafts } from '../tickets/drafts.js';
import { seeOther } from './doors.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { MOST_CHARACTERS, ReplyForms, type FormFault, type ReplyForm } from './reply-form.js';
import { ReplyKeeper } from './reply-keeper.js';
import { Rooms, type Room } from './rooms.js';
import { TicketPage } from './ticket-page.js';
import { BUSY_SECONDS, refusal, Uploads } from './uploads.js';
import { Visitors } from './visitor.js';

/** A guest's reply with files. Whatever keeps it from being sent, what was written is given back. */
@Controller('tickets/:id')
@UseFilters(PageErrorFilter)
export class RepliesController {
  constructor(
    private readonly database: Database,
    private readonly rooms: Rooms,
    private readonly drafts: Drafts,
    private readonly forms: ReplyForms,
    private readonly uploads: Uploads,
    private readonly keeper: ReplyKeeper,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
    private readonly page: TicketPage,
  ) {}

  @Post('replies')
  async reply(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    this.visitors.checkOrigin(request);
    const room = await this.rooms.find(id, request);
    if (!room) return this.tooLate(id, request, reply);
    const form = await this.uploads.take(request, room.session, (gate) => this.forms.read(request, gate));
    if (form === null) return this.tooBusy(room, request, reply);
    if (form.faults.length > 0) return this.refuse(room, request, reply, form, form.faults);
    // Nobody would ever carry it: the page has no box then, but an old one may still be open.
    if (!this.rooms.takesReplies(room)) {
      await this.keeper.discard(form);
      return this.page.show(room, request, reply, 409, { form });
    }
    const accepted = await this.keeper.keep(room, form);
    if (accepted === null)
      await this.writer.notice(
        request,
        reply,
        503,
        { kind: 'unavailable', href: `/tickets/${id}`, keptText: form.body },
        room,
      );
    else if (accepted.ok) await seeOther(reply, `/tickets/${id}?sent=${accepted.reply.id}#newest`);
    else if (accepted.reason === 'gone') await this.rooms.ended(request, reply, form.body);
    else if (accepted.reason === 'closed')
      await this.writer.notice(
        request,
        reply,
        409,
        { kind: 'ticket-closed', href: `/tickets/${id}`, keptText: form.body },
        room,
      );
    else if (accepted.reason === 'limited')
      await this.refuse(room, request, reply, form, [
        { field: 'body', key: 'wait', retryAfterSeconds: accepted.retryAfterSeconds },
      ]);
    else await this.refuse(room, request, reply, form, [{ field: 'files', key: accepted.reason }]);
  }

  /**
   * A reply whose session is over. If this browser's cookie tells whose it was, text and files wait for them as a draft;
   * else the text alone is given back, and nothing is stored.
   */
  private async tooLate(id: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const session = await this.visitors.expiredSession(request, id);
    const found = session && (await this.database.read((manager) => findConversation(manager, session)));
    if (!session || !found || found.ticket.status === 'closed')
      return this.rooms.ended(request, reply, await this.forms.readText(request));
    const form = await this.uploads.take(request, session, (gate) => this.forms.read(request, gate));
    if (form === null) return this.rooms.ended(request, reply, await this.forms.readText(request));
    if (form.body.trim() === '' && form.files.length === 0 && form.keep.length === 0)
      return this.rooms.ended(request, reply);
    const body = form.body.slice(0, MOST_CHARACTERS);
    await this.drafts.save(session, body, form.files, form);
    await this.writer.notice(request, reply, 404, { kind: 'session-ended', keptText: form.body, isKept: true });
  }

  private async refuse(
    room: Room,
    request: FastifyRequest,
    reply: FastifyReply,
    form: ReplyForm,
    faults: FormFault[],
  ): Promise<void> {
    await this.keeper.discard(form);
    await this.page.show(room, request, reply, refusal(reply, faults), { form, faults });
  }

  /** More forms of this session wait than anybody sends: this one is not read, but for its text. */
  private async tooBusy(room: Room, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const body = await this.forms.readText(request);
    const faults: FormFault[] = [{ field: 'body', key: 'wait', retryAfterSeconds: BUSY_SECONDS }];
    const form = { body, formKey: '', files: [], faults, offered: [], keep: [] };
    await this.page.show(room, request, reply, refusal(reply, faults), { form, faults });
  }
}
