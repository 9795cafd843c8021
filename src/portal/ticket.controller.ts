import { Body, Controller, Get, Param, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { resumeLimit, takeLimits } from '../access/limits.js';
import { Sessions } from '../access/session.js';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { Outbound } from '../outbound/outbound.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { markSeen } from '../tickets/readings.js';
import { answerSolved, type Answer } from '../tickets/solved.js';
import { resumeMails } from '../tickets/ways-out.js';
import { newsOf, seeOther } from './doors.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { Rooms, type Room } from './rooms.js';
import { TicketPage } from './ticket-page.js';
import { TicketStreams } from './ticket-streams.js';
import { Visitors } from './visitor.js';

/** Ticket detail, for whoever proved the mailbox. Every request asks again whether it may. */
@Controller('tickets/:id')
@UseFilters(PageErrorFilter)
export class TicketController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly rooms: Rooms,
    private readonly sessions: Sessions,
    private readonly outbound: Outbound,
    private readonly streams: TicketStreams,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
    private readonly page: TicketPage,
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
    if (print !== undefined) return this.page.showOnPaper(room, request, reply, before);
    const mailsOn = mails === 'on' && room.participant.mailStoppedAt === null;
    await this.page.show(room, request, reply, 200, { sent, mailsOn, before, answered: answer !== undefined });
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
    const kept = this.page.asksIfSolved(room) ? await this.keepAnswer(room, answer) : null;
    const goOn = kept ? `?answer=${kept}${kept === 'no' ? '#reply' : ''}` : '';
    await seeOther(reply, `/tickets/${id}${goOn}`);
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
}
