import { Controller, Get, HttpCode, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Delivery } from '../delivery/delivery.entity.js';
import { PosternError } from '../errors.js';
import { silentTypes, tellingTypes } from '../events.js';
import { siblingId } from '../ids.js';
import { AdminGuard } from '../platform/admin.guard.js';
import { ADMIN, among, between, pageOf, reasonOf, textOf, type Page, type Span } from '../platform/admin-request.js';
import { audit } from '../platform/audit.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Queue } from '../platform/queue/queue.js';
import {
  EventLedger,
  eventStates,
  stateOf,
  type EventFilter,
  type EventRecord,
  type EventStory,
} from './event-ledger.js';

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
  async list(@Query() given: Asked): Promise<Page> {
    const filter = filterOf(given);
    const found = await this.database.read((manager) => this.ledger.list(manager, filter));
    return pageOf(
      found.map((one) => ({ id: one.event.id, ...one })),
      eventView,
    );
  }

  @Get(':id')
  async show(@Param('id') id: string): Promise<object> {
    const found = await this.database.read((manager) => this.ledger.show(manager, id));
    if (found === null) throw new PosternError('not-found', 'There is no such event.');
    return storyView(found);
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

type Asked = Span & { state?: string; source?: string; type?: string; ticket?: string };

/** @throws PosternError `invalid-request` */
function filterOf(given: Asked): EventFilter {
  const [source, ticket] = [textOf('source', given.source), textOf('ticket', given.ticket)];
  if (ticket !== undefined && source === undefined)
    throw new PosternError('invalid-request', 'ticket is an id of its source: give source too.');
  return {
    ...between('evt', given),
    state: among('state', eventStates, given.state),
    type: among('type', [...tellingTypes, ...silentTypes], given.type),
    source,
    ticket,
  };
}

/** An event and what came of it: who was told, or why nobody. */
function storyView(story: EventStory): object {
  return { ...eventView(story), untold: story.untold, deliveries: story.deliveries.map(deliveryView) };
}

function deliveryView(delivery: Delivery): object {
  const { id, state, channel, recipient, locale, localeReason, templateKey, templateRevision, dueAt, endedAt } =
    delivery;
  return {
    ...{ id, notificationId: siblingId('ntf', id), state, channel, recipient, locale, localeReason },
    ...{ templateKey, templateRevision, dueAt: isoTime(dueAt), endedAt: isoTime(endedAt) },
  };
}

function eventView(record: EventRecord): object {
  const { event, waiting } = record;
  const { id, source, sourceEventId, type, sourceTicketId, occurredAt, receivedAt } = event;
  return {
    ...{ id, source, sourceEventId, type, sourceTicketId, state: stateOf(record) },
    occurredAt: isoTime(occurredAt),
    receivedAt: isoTime(receivedAt),
    lookUp: waiting && {
      attempts: waiting.attempts,
      deaths: waiting.deaths,
      outcome: waiting.outcome,
      nextAttemptAt: waiting.endedAt === null ? isoTime(waiting.nextAttemptAt) : null,
      endedAt: isoTime(waiting.endedAt),
    },
  };
}
