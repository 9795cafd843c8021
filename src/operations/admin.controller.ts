import { Controller, Delete, Get, HttpCode, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { LessThan } from 'typeorm';
import { Config } from '../config.js';
import { Deliveries } from '../delivery/delivery.js';
import { DeliveryLedger, type Resent } from '../delivery/ledger.js';
import { deliveryStates } from '../delivery/states.js';
import { Pauses } from '../delivery/pauses.js';
import { Suppressions } from '../delivery/suppression.js';
import { PosternError } from '../errors.js';
import { isId, type Id } from '../ids.js';
import { OutboundLedger, outboundStates } from '../outbound/outbound-ledger.js';
import { Outbound } from '../outbound/outbound.js';
import { parseAddress } from '../platform/address.js';
import { AdminGuard } from '../platform/admin.guard.js';
import {
  ADMIN,
  among,
  below,
  between,
  decisionIn,
  PAGE,
  pageOf,
  reasonOf,
  textOf,
  type Page,
  type Span,
} from '../platform/admin-request.js';
import { AuditEntry } from '../platform/audit.entity.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { revokeLinks } from '../tickets/ways-out.js';
import {
  auditView,
  deliveryRecordView,
  deliveryView,
  outboundRecordView,
  outboundView,
  sourceView,
  suppressionView,
} from './admin-views.js';

/** What an operator looks at and decides. What is decided is in the audit log. */
@Controller('v1/admin')
@UseGuards(AdminGuard)
export class AdminController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly suppressions: Suppressions,
    private readonly ledger: DeliveryLedger,
    private readonly deliveries: Deliveries,
    private readonly pauses: Pauses,
    private readonly outboundLedger: OutboundLedger,
    private readonly outbound: Outbound,
  ) {}

  @Get('suppressions')
  async listSuppressions(@Query('cursor') cursor?: string): Promise<Page> {
    const before = below('sup', cursor);
    return pageOf(await this.database.read((manager) => this.suppressions.list(manager, before)), suppressionView);
  }

  @Get('suppressions/:address')
  async showSuppression(@Param('address') address: string): Promise<object> {
    const key = keyOf(address);
    const found = await this.database.read((manager) => this.suppressions.find(manager, key));
    if (found === null) throw new PosternError('not-found', 'No mail to this address has come back.');
    return suppressionView(found);
  }

  @Delete('suppressions/:address')
  async release(
    @Param('address') address: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    const key = keyOf(address);
    const why = reasonOf(reason, request);
    const released = await this.database.write(async (tx) => {
      const suppression = await this.suppressions.release(tx, key);
      if (suppression === null) return null;
      const { id, reason: before } = suppression;
      const entry = { actor: ADMIN, action: 'suppression.released', subject: id, detail: `${before}; ${why}` };
      await audit(tx, entry, this.clock.now());
      return suppression;
    });
    if (released === null) throw new PosternError('not-found', 'This address is not suppressed.');
    return suppressionView(released);
  }

  @Get('deliveries')
  async listDeliveries(@Query() given: Span & { state?: string; ticket?: string }): Promise<Page> {
    const { ticket } = given;
    if (ticket !== undefined && !isId('tkt', ticket))
      throw new PosternError('invalid-request', 'ticket is an id of ours: tkt_….');
    const filter = { ...between('dlv', given), state: among('state', deliveryStates, given.state), ticket };
    return pageOf(await this.database.read((manager) => this.ledger.list(manager, filter)), deliveryView);
  }

  @Get('deliveries/:id')
  async showDelivery(@Param('id') id: string): Promise<object> {
    const record = await this.database.read((manager) => this.ledger.show(manager, id));
    if (record === null) throw new PosternError('not-found', 'There is no such delivery.');
    return deliveryRecordView(record);
  }

  @Post('deliveries/:id/resend')
  @HttpCode(202)
  async resend(
    @Param('id') id: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ id: string; state: 'queued' }> {
    const why = reasonOf(reason, request);
    const resent = await this.database.write(async (tx) => {
      const outcome = await this.ledger.resend(tx, id);
      if (!outcome.ok) return outcome;
      const entry = { actor: ADMIN, action: 'delivery.resent', subject: id, detail: `${outcome.before}; ${why}` };
      await audit(tx, entry, this.clock.now());
      return outcome;
    });
    if (!resent.ok) throw refusal(resent.reason);
    this.deliveries.wake([resent.planned]);
    return { id, state: 'queued' };
  }

  /** What the sources are told, without what it says: that is theirs and the guest's. */
  @Get('outbound')
  async listOutbound(@Query() given: Span & { state?: string; source?: string; ticket?: string }): Promise<Page> {
    const filter = {
      ...between('out', given),
      state: among('state', outboundStates, given.state),
      of: sourceTicketOf(given),
    };
    return pageOf(await this.database.read((manager) => this.outboundLedger.list(manager, filter)), outboundView);
  }

  @Get('outbound/:id')
  async showOutbound(@Param('id') id: string): Promise<object> {
    const record = await this.database.read((manager) => this.outboundLedger.show(manager, id));
    if (record === null) throw new PosternError('not-found', 'There is no such message.');
    return outboundRecordView(record);
  }

  @Post('outbound/:id/replay')
  @HttpCode(202)
  async replay(
    @Param('id') id: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ id: string; state: 'queued' }> {
    const why = reasonOf(reason, request);
    const outcome = await this.database.write(async (tx) => {
      const outcome = await this.outboundLedger.replay(tx, id);
      const entry = { actor: ADMIN, action: 'outbound.replayed', subject: id, detail: why };
      if (outcome === 'queued') await audit(tx, entry, this.clock.now());
      return outcome;
    });
    if (outcome === 'unknown') throw new PosternError('not-found', 'There is no such message.');
    if (outcome === 'not-parked')
      throw new PosternError('not-parked', 'It was delivered, or is still tried. Only what is parked is replayed.');
    this.outbound.wake([id as Id<'out'>]);
    return { id, state: 'queued' };
  }

  /** The sources of the settings, and since when one is paused. */
  @Get('sources')
  async listSources(): Promise<{ items: object[] }> {
    const paused = new Map(
      (await this.database.read((manager) => this.pauses.list(manager))).map(({ name, pausedAt }) => [name, pausedAt]),
    );
    return {
      items: this.config.sources.map(({ name, adapter }) => sourceView(name, adapter, paused.get(name) ?? null)),
    };
  }

  /** Its events go on to be taken and recorded; its mails wait. Said twice it is done once. */
  @Post('sources/:name/pause')
  @HttpCode(200)
  pause(
    @Param('name') name: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ name: string; paused: boolean }> {
    return this.setPaused(name, true, reasonOf(reason, request));
  }

  /** What has waited leaves at once. */
  @Post('sources/:name/resume')
  @HttpCode(200)
  resume(
    @Param('name') name: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ name: string; paused: boolean }> {
    return this.setPaused(name, false, reasonOf(reason, request));
  }

  private async setPaused(name: string, paused: boolean, why: string): Promise<{ name: string; paused: boolean }> {
    if (!this.config.sources.some((source) => source.name === name))
      throw new PosternError('unknown-source', 'Check the name of the source.');
    await this.database.write(async (tx) => {
      const isNew = paused ? await this.pauses.pause(tx, name) : await this.pauses.resume(tx, name);
      const entry = { actor: ADMIN, action: paused ? 'source.paused' : 'source.resumed', subject: name, detail: why };
      if (isNew) await audit(tx, entry, this.clock.now());
    });
    return { name, paused };
  }

  /** For a link that got into wrong hands: `address` of one person of the ticket, without it all of them. */
  @Post('tickets/:id/revoke-links')
  @HttpCode(200)
  async revokeLinks(
    @Param('id') id: string,
    @Query() query: { address?: string; reason?: string },
    @Req() request: FastifyRequest,
  ): Promise<{ id: string; revoked: number }> {
    const fields = ['reason', 'address'];
    const why = reasonOf(query.reason, request, fields);
    const address = query.address ?? decisionIn(request, fields).address;
    const key = address === undefined ? undefined : keyOf(String(address));
    const revoked = await this.database.write(async (tx) => {
      const people = isId('tkt', id) ? await revokeLinks(tx, id, key) : 0;
      const entry = { actor: ADMIN, action: 'links.revoked', subject: id, detail: `${people} people; ${why}` };
      if (people > 0) await audit(tx, entry, this.clock.now());
      return people;
    });
    if (revoked === 0)
      throw new PosternError('not-found', 'There is no such ticket, or nobody of it has this address.');
    return { id, revoked };
  }

  /** Newest first; `subject` (an id) leaves out the rest. */
  @Get('audit')
  async listAudit(@Query('cursor') cursor?: string, @Query('subject') subject?: string): Promise<Page> {
    const where = {
      id: LessThan(below('aud', cursor)),
      ...(subject === undefined ? {} : { subject: String(subject) }),
    };
    const entries = await this.database.read((manager) =>
      manager.find(AuditEntry, { where, order: { id: 'DESC' }, take: PAGE }),
    );
    return pageOf(entries, auditView);
  }
}

function sourceTicketOf(given: { source?: string; ticket?: string }): { source: string; ticket: string } | undefined {
  const [source, ticket] = [textOf('source', given.source), textOf('ticket', given.ticket)];
  if (source !== undefined && ticket !== undefined) return { source, ticket };
  if (source === undefined && ticket === undefined) return undefined;
  throw new PosternError('invalid-request', 'source and ticket (its own id of it) are given together.');
}

export function keyOf(address: string): string {
  const parsed = parseAddress(address, { allowLocalhost: true });
  if (!parsed.ok) throw new PosternError('invalid-request', 'The address must be an e-mail address.');
  return parsed.address.key;
}

function refusal(reason: Extract<Resent, { ok: false }>['reason']): PosternError {
  if (reason === 'unknown') return new PosternError('not-found', 'There is no such delivery.');
  return new PosternError('not-resendable', whyNot[reason]);
}

const whyNot = {
  'may-still-leave': 'It is not at its end: it may still leave by itself.',
  done: 'It was sent, or its reason is gone. Only what is parked, failed, suppressed or bounced is sent again.',
  code: 'A code is never sent late. The guest asks for a new one on the page.',
  'suppressed-address': 'Its address is suppressed: release that first.',
  'too-soon': 'It bounced less than a day ago: a provider would take the same mail for a repeat and drop it.',
} as const;
