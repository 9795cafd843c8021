import { Body, Controller, Get, Param, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { replyLimit, resumeLimit, takeLimits } from '../access/limits.js';
import { Sessions } from '../access/session.js';
import { Config } from '../config.js';
import { Outbound } from '../outbound/outbound.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database, isDatabaseUnavailable } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { findConversation, listEntries, type Conversation } from '../tickets/conversation.js';
import { Drafts, type OpenDraft } from '../tickets/drafts.js';
import { FileStore } from '../tickets/file-store.js';
import { pulsesOf } from '../tickets/pulse.js';
import { markSeen, seenUntil } from '../tickets/readings.js';
import { acceptReply, type AcceptedReply, type NewReply } from '../tickets/replies.js';
import { answerSolved, lastAnswer, type Answer } from '../tickets/solved.js';
import type { Attachment, Reply } from '../tickets/ticket.entity.js';
import { lockTicket } from '../tickets/ticket-lock.js';
import { resumeMails } from '../tickets/ways-out.js';
import { newsOf, seeOther } from './doors.js';
import { PosternError } from '../errors.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { MOST_CHARACTERS, ReplyForms, type FormFault, type ReplyForm } from './reply-form.js';
import { Rooms, type Room } from './rooms.js';
import { BUSY_SECONDS, refusal, Uploads } from './uploads.js';
import { TicketStreams } from './ticket-streams.js';
import { printView, replyView, ticketView } from './ticket-view.js';
import { Visitors } from './visitor.js';

/** Entries of one print, if their texts are short: some 100 sheets. Those before them are one link away. */
const MOST_ON_PAPER = 1000;

/** Ticket detail, for whoever proved the mailbox: read, download, reply. Every request asks again whether it may. */
@Controller('tickets/:id')
@UseFilters(PageErrorFilter)
export class TicketController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly rooms: Rooms,
    private readonly clock: Clock,
    private readonly sessions: Sessions,
    private readonly outbound: Outbound,
    private readonly files: FileStore,
    private readonly drafts: Drafts,
    private readonly streams: TicketStreams,
    private readonly forms: ReplyForms,
    private readonly uploads: Uploads,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
    private readonly logger: Logger,
  ) {}

  @Get()
  async show(
    @Param('id') id: string,
    @Query() query: { sent?: string; mails?: string; before?: string; answer?: string; print?: string },
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enter(id, request, reply);
    if (!room) return;
    const { sent, mails, before, answer, print } = query;
    if (print !== undefined) return this.showOnPaper(room, request, reply, before);
    const mailsOn = mails === 'on' && room.participant.mailStoppedAt === null;
    await this.showTicket(room, request, reply, 200, { sent, mailsOn, before, answered: answer !== undefined });
  }

  /** That there is something new, for the page's script; what it is the script gets from the page itself. */
  @Get('stream')
  async stream(
    @Param('id') id: string,
    @Query('since') since: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.find(id, request);
    const last = request.headers['last-event-id'] ?? since;
    // Anything but 200 tells an EventSource not to come back.
    if (!room || request.method === 'HEAD')
      return void reply
        .status(room ? 200 : 404)
        .header('cache-control', 'no-store')
        .send();
    const out = this.streams.start(room.session, typeof last === 'string' ? last : '');
    if (!out) return void reply.status(503).header('retry-after', '60').header('cache-control', 'no-store').send();
    void reply
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('x-accel-buffering', 'no')
      .send(out);
  }

  /** How far the guest has read: their browser says so, because a GET changes nothing, whoever makes it. */
  @Post('seen')
  async seen(
    @Param('id') id: string,
    @Body() form: { formToken?: string; until?: string } | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enterByForm(id, form, request, reply);
    if (!room) return;
    const until = Number(form?.until);
    if (!Number.isSafeInteger(until) || until < 0) throw new PosternError('bad-request', 'The time is not one.');
    // Nobody has read what is still to be written.
    const seen = Math.min(until, this.clock.now());
    await this.database.write((tx) => markSeen(tx, room.participant.id, seen));
    await reply.status(204).header('cache-control', 'no-store').send();
  }

  @Post('solved')
  async solved(
    @Param('id') id: string,
    @Body() form: { formToken?: string; solved?: string } | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enterByForm(id, form, request, reply);
    if (!room) return;
    const answer = form?.solved;
    if (answer !== 'yes' && answer !== 'no') throw new PosternError('bad-request', 'The answer is yes or no.');
    // Reopened or closed meanwhile: the page says how it stands now.
    const kept = this.asksIfSolved(room) ? await this.keepAnswer(room, answer) : null;
    const goOn = kept ? `?answer=${kept}${kept === 'no' ? '#reply' : ''}` : '';
    await seeOther(reply, `/tickets/${id}${goOn}`);
  }

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
      await this.discard(form);
      return this.showTicket(room, request, reply, 409, { form });
    }
    const accepted = await this.keepIfPossible(room, form);
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

  /** Mails about this ticket again. */
  @Post('resume')
  async resume(
    @Param('id') id: string,
    @Body() form: { formToken?: string } | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enterByForm(id, form, request, reply);
    if (!room) return;
    const taken = await this.database.write(async (tx) => {
      const limit = resumeLimit(this.config.secretKeys, room.participant.id);
      const outcome = await takeLimits(tx, [limit], this.clock.now());
      if (outcome.ok) await resumeMails(tx, room.session);
      return outcome;
    });
    if (taken.ok) return seeOther(reply, `/tickets/${id}?mails=on`);
    const { retryAfterSeconds: seconds } = taken;
    void reply.header('retry-after', String(seconds));
    await this.writer.notice(request, reply, 429, { kind: 'resume-wait', href: `/tickets/${id}`, seconds }, room);
  }

  @Post('logout')
  async logout(
    @Param('id') id: string,
    @Body() form: { formToken?: string } | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const room = await this.rooms.enterByForm(id, form, request, reply);
    if (!room) return;
    await this.sessions.end(room.session.id);
    this.visitors.forgetSession(reply, id);
    const { source, participant } = room;
    await this.writer.notice(request, reply, 200, { kind: 'logged-out' }, { source, participant });
  }

  private asksIfSolved({ source }: Room): boolean {
    return ['ticket.guest_solved', 'ticket.guest_unsolved'].every((type) => this.outbound.listens(source.name, type));
  }

  /** The answer and the message that brings it to the source, in one transaction. */
  private async keepAnswer(room: Room, given: Answer): Promise<Answer | null> {
    const now = this.clock.now();
    const { kept, news } = await this.database.write(async (tx) => {
      const kept = await answerSolved(tx, room.session, given, now);
      const message = kept?.isNew && {
        source: room.ticket.source,
        type: kept.answer === 'yes' ? 'ticket.guest_solved' : 'ticket.guest_unsolved',
        data: newsOf(room, now),
      };
      return { kept, news: message ? await this.outbound.enqueue(tx, message) : [] };
    });
    this.outbound.wake(news);
    return kept?.answer ?? null;
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

  private async showTicket(
    room: Room,
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    {
      sent,
      mailsOn = false,
      before,
      form,
      faults = [],
      answered = false,
    }: {
      sent?: string;
      mailsOn?: boolean;
      before?: string;
      form?: ReplyForm;
      faults?: FormFault[];
      answered?: boolean;
    },
  ): Promise<void> {
    const { ticket } = room;
    // Before the rest is read: what comes in between is then told by the stream.
    const pulses = await this.database.read((manager) => pulsesOf(manager, [ticket.id]));
    const { stretch, seen, answer } = await this.database.read(async (manager) => ({
      stretch: await listEntries(manager, room, { before }),
      seen: await seenUntil(manager, room.participant.id),
      answer: await lastAnswer(manager, room),
    }));
    const { entries } = stretch;
    const draft = await this.drafts.find(room.session);
    const states = await this.outbound.states(entries.flatMap(({ replyId }) => replyId ?? []));
    const locale = this.writer.locale(request, reply, room);
    const view = ticketView(ticket, entries, states, {
      takesReplies: this.rooms.takesReplies(room),
      reply: replyView(ticket, draftView(draft, form), faults, (key, values) =>
        this.writer.pages.sentence(locale, key, values),
      ),
      flash: entries.some(({ replyId, mine }) => mine && replyId === sent) ? 'reply-sent' : mailsOn ? 'mails-on' : null,
      mailsOff: room.participant.mailStoppedAt !== null,
      asks: this.asksIfSolved(room) && answer !== 'no',
      answer,
      answered,
      before: stretch.before,
      isEarlier: before !== undefined,
      seenUntil: seen,
      pulse: pulses.get(ticket.id)!,
    });
    await this.writer.send(request, reply, status, 'ticket', view, room);
  }

  private async showOnPaper(room: Room, request: FastifyRequest, reply: FastifyReply, before?: string): Promise<void> {
    const stretch = await this.database.read((manager) => listEntries(manager, room, { before, most: MOST_ON_PAPER }));
    const states = await this.outbound.states(stretch.entries.flatMap(({ replyId }) => replyId ?? []));
    await this.writer.send(request, reply, 200, 'print', printView(room.ticket, stretch, states), room);
  }

  private async refuse(
    room: Room,
    request: FastifyRequest,
    reply: FastifyReply,
    form: ReplyForm,
    faults: FormFault[],
  ): Promise<void> {
    await this.discard(form);
    await this.showTicket(room, request, reply, refusal(reply, faults), { form, faults });
  }

  /** More forms of this session wait than anybody sends: this one is not read, but for its text. */
  private async tooBusy(room: Room, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const body = await this.forms.readText(request);
    const faults: FormFault[] = [{ field: 'body', key: 'wait', retryAfterSeconds: BUSY_SECONDS }];
    const form = { body, formKey: '', files: [], faults, offered: [], keep: [] };
    await this.showTicket(room, request, reply, refusal(reply, faults), { form, faults });
  }

  /** Null if the database cannot take it now. Its files stay: the commit may have been made, and only its answer lost. */
  private async keepIfPossible(room: Room, form: ReplyForm): Promise<AcceptedReply | null> {
    try {
      return await this.keep(room, form);
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      this.logger.error('a reply could not be kept: the database is not available', { error });
      return null;
    }
  }

  /** The reply and the message that brings it to the source, in one transaction. */
  private async keep(room: Room, form: ReplyForm): Promise<AcceptedReply> {
    const { accepted, left, news } = await this.database.write(async (tx) => {
      await lockTicket(tx, room.ticket.id);
      const drafted = await this.drafts.peek(tx, room.session, form.keep);
      const misses = form.keep.some((hash) => !drafted.some(({ sha256 }) => sha256 === hash));
      const whole = { ...form, files: [...drafted, ...form.files], misses };
      const limit = replyLimit(this.config.secretKeys, room.participant.id);
      const count = () => takeLimits(tx, [limit], this.clock.now());
      const accepted = await acceptReply(tx, room.session, whole, this.clock.now(), count);
      const isNew = accepted.ok && !accepted.isRepeat;
      if (isNew) await markSeen(tx, room.participant.id, accepted.reply.createdAt);
      return {
        accepted,
        left: isNew ? await this.drafts.use(tx, room.session, whole.files, form) : [],
        news: isNew ? await this.outbound.enqueue(tx, replyNews(room, accepted.reply, accepted.attachments)) : [],
      };
    });
    this.outbound.wake(news);
    for (const file of left) await this.files.remove(file);
    if (!accepted.ok || accepted.isRepeat) await this.discard(form);
    return accepted;
  }

  private async discard({ files }: { files: NewReply['files'] }): Promise<void> {
    for (const { file } of files) await this.files.remove(file);
  }
}

/** What stands in the box: what was refused just now, else what waited. */
function draftView(draft: OpenDraft | null, form: ReplyForm | undefined) {
  return { body: form?.body ?? draft?.body ?? '', kept: draft?.files ?? [], isDraft: Boolean(draft?.body) };
}

function replyNews({ ticket, participant }: Conversation, reply: Reply, attachments: Attachment[]) {
  const { id, body, createdAt } = reply;
  return {
    source: ticket.source,
    type: 'ticket.guest_replied',
    subjectId: id,
    data: {
      ticket: { id: ticket.sourceTicketId, number: ticket.number },
      reply: {
        id,
        email: participant.email,
        body,
        createdAt: isoTime(createdAt),
        attachments: attachments.map(({ id: attachmentId, file, name, contentType, size, sha256 }) => ({
          attachmentId,
          file,
          name,
          contentType,
          size,
          sha256,
        })),
      },
    },
  };
}
