import { Body, Controller, Get, HttpCode, Param, Post, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { endSessions } from '../access/session.js';
import { Outbound } from '../outbound/outbound.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { deny, stopMails } from '../tickets/ways-out.js';
import { givenUp } from './broken-form.js';
import { Doors, newsOf, seeOther, type Door } from './doors.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { Visitors } from './visitor.js';

type Form = Record<string, unknown> | null | undefined;

/** A one-click form has one field (RFC 8058 3.1). */
const FORM_LIMITS = { fields: 5, fieldSize: 1000, files: 0, parts: 5 };

/**
 * "Not my ticket" and "no more mails about it": by the link alone, without a code. So whoever proves the mailbox can take
 * back both, and a GET, which mail scanners make, only asks.
 */
@Controller('t/:token')
@UseFilters(PageErrorFilter)
export class WaysOutController {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly doors: Doors,
    private readonly outbound: Outbound,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
  ) {}

  @Get('not-mine')
  async askNotMine(
    @Param('token') token: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const door = await this.open(token, request, reply);
    if (!door) return;
    const { deniedAt, confirmedAt } = door.participant;
    if (deniedAt !== null) return seeOther(reply, `/t/${token}`);
    if (confirmedAt !== null) return this.refuse(token, door, request, reply);
    const view = { kind: 'ask-not-mine' as const, action: `/t/${token}/not-mine` };
    await this.writer.notice(request, reply, 200, view, door);
  }

  @Post('not-mine')
  async notMine(
    @Param('token') token: string,
    @Body() form: Form,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.visitors.checkOrigin(request);
    this.visitors.checkFormToken(request, null, form?.formToken);
    const door = await this.open(token, request, reply);
    if (!door) return;
    const { holder, participant } = door;
    if (participant.confirmedAt !== null) return this.refuse(token, door, request, reply);
    await this.tell(door, 'requester.denied', async (tx, now) => {
      const isNew = await deny(tx, holder, now);
      if (isNew) await endSessions(tx, holder.participantId, now);
      return isNew;
    });
    await seeOther(reply, `/t/${token}`);
  }

  @Get('stop')
  async askStop(
    @Param('token') token: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const door = await this.find(token, request, reply);
    if (!door) return;
    const isStopped = door.participant.mailStoppedAt !== null;
    const view = isStopped ? { kind: 'stopped' as const } : { kind: 'ask-stop' as const, action: `/t/${token}/stop` };
    await this.writer.notice(request, reply, 200, view, door);
  }

  /**
   * By the page's form, or by one click in a mail program (RFC 8058), which has neither cookie nor origin: there the link
   * is the proof. An expired link will do, for the mails that carry it are still there.
   */
  @Post('stop')
  @HttpCode(200)
  async stop(
    @Param('token') token: string,
    @Body() form: Form,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const fields = request.isMultipart() ? await readFields(request) : form;
    const isOneClick = fields?.['List-Unsubscribe'] === 'One-Click';
    if (!isOneClick) {
      this.visitors.checkOrigin(request);
      this.visitors.checkFormToken(request, null, fields?.formToken);
    }
    const door = await this.find(token, request, reply);
    if (!door) return;
    await this.tell(door, 'requester.unsubscribed', (tx, now) => stopMails(tx, door.holder, now));
    if (isOneClick) await this.writer.notice(request, reply, 200, { kind: 'stopped' }, door);
    else await seeOther(reply, `/t/${token}/stop`);
  }

  /** Changes something and tells the source of it, once however often it is asked. */
  private async tell(door: Door, type: string, change: (tx: Transaction, now: number) => Promise<boolean>) {
    const news = await this.database.write(async (tx) => {
      if (!(await change(tx, this.clock.now()))) return [];
      return this.outbound.enqueue(tx, { source: door.source.name, type, data: newsOf(door, this.clock.now()) });
    });
    this.outbound.wake(news);
  }

  private async find(token: string, request: FastifyRequest, reply: FastifyReply): Promise<Door | null> {
    const door = await this.doors.find(token);
    if (!door) await this.writer.notice(request, reply, 404, { kind: 'not-found' });
    return door;
  }

  private async open(token: string, request: FastifyRequest, reply: FastifyReply): Promise<Door | null> {
    const door = await this.find(token, request, reply);
    if (!door?.expired) return door;
    await this.writer.notice(request, reply, 410, { kind: 'expired', action: `/t/${token}/renew` }, door);
    return null;
  }

  /** The mailbox's owner said already that it is theirs: a link that was passed on says nothing against that. */
  private refuse(token: string, door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    return this.writer.notice(request, reply, 409, { kind: 'confirmed', href: `/t/${token}/stop` }, door);
  }
}

/** Of a form sent as multipart/form-data, which RFC 8058 prefers. */
async function readFields(request: FastifyRequest): Promise<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  try {
    for await (const part of request.parts({ limits: FORM_LIMITS }))
      if (part.type === 'field') fields[part.fieldname] = part.value;
  } catch (error) {
    throw givenUp(error, request);
  }
  return fields;
}
