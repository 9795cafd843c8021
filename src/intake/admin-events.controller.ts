import { Controller, Get, HttpCode, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import { AdminGuard } from '../platform/admin.guard.js';
import { ADMIN, below, pageOf, reasonOf, stateAmong, type Page } from '../platform/admin-request.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Queue } from '../platform/queue/queue.js';
import { EventLedger, eventStates, stateOf, type EventRecord } from './event-ledger.js';

/** The events that were taken, and those among them that wait for a person. */
@Controller('v1/admin/events')
@UseGuards(AdminGuard)
export class AdminEventsController {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly ledger: EventLedger,
    private readonly queue: Queue,
  ) {}

  @Get()
  async list(@Query('state') given?: string, @Query('cursor') cursor?: string): Promise<Page> {
    const state = stateAmong(eventStates, given);
    const before = below('evt', cursor);
    const found = await this.database.read((manager) => this.ledger.list(manager, before, state));
    return pageOf(
      found.map((one) => ({ id: one.event.id, ...one })),
      eventView,
    );
  }

  @Get(':id')
  async show(@Param('id') id: string): Promise<object> {
    const found = await this.database.read((manager) => this.ledger.show(manager, id));
    if (found === null) throw new PosternError('not-found', 'There is no such event.');
    return eventView(found);
  }

  /** Asks the source again for what an event lacks: once the source's API is mended. */
  @Post(':id/retry')
  @HttpCode(202)
  async retry(
    @Param('id') id: string,
    @Query('reason') reason: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ id: string; state: 'waiting' }> {
    const why = reasonOf(reason, request);
    const outcome = await this.database.write(async (tx) => {
      const outcome = await this.ledger.retry(tx, id);
      const entry = { actor: ADMIN, action: 'event.retried', subject: id, detail: why };
      if (outcome === 'queued') await audit(tx, entry, this.clock.now());
      return outcome;
    });
    if (outcome === 'unknown') throw new PosternError('not-found', 'There is no such event.');
    if (outcome === 'not-parked')
      throw new PosternError('not-parked', 'It is done, or its source is still being asked. Only what is parked is.');
    this.queue.add('lookups', [id]);
    return { id, state: 'waiting' };
  }
}

function eventView(record: EventRecord): object {
  const { event, waiting } = record;
  const { id, source, sourceEventId, type, sourceTicketId, occurredAt, receivedAt } = event;
  return {
    ...{ id, source, sourceEventId, type, sourceTicketId, state: stateOf(record) },
    occurredAt: new Date(occurredAt).toISOString(),
    receivedAt: new Date(receivedAt).toISOString(),
    lookUp: waiting && {
      attempts: waiting.attempts,
      outcome: waiting.outcome,
      nextAttemptAt: waiting.endedAt === null ? new Date(waiting.nextAttemptAt).toISOString() : null,
      endedAt: waiting.endedAt === null ? null : new Date(waiting.endedAt).toISOString(),
    },
  };
}
