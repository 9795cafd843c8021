import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { Config } from '../config.js';
import { sourceNamed } from '../sources.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { insertRows } from '../platform/database/rows.js';
import { Queue } from '../platform/queue/queue.js';
import { OutboundMessage, type OutboundState } from './outbound.entity.js';
import { writerOf } from './writers/writers.js';

/** What is told to a source. */
export interface OutboundNews {
  source: string;
  type: string;
  subjectId?: string;
  data: object & { ticket?: { id: string }; reply?: NewsOfReply };
}

export interface NewsOfReply {
  id: Id<'rpl'>;
  email: string;
  body: string;
  createdAt: string;
  attachments: NewsOfFile[];
}

/** `attachmentId` and `file` (its name in our store) stay here; the source gets a URL, signed anew at each try. */
export interface NewsOfFile {
  attachmentId: Id<'att'>;
  file: string | null;
  name: string;
  contentType: string;
  size: number | null;
  sha256: string | null;
}

/**
 * What the sources are told, by signed webhooks, and what is written into their ticket systems: kept, tried until
 * acknowledged, parked when nothing helps. `OutboundLines` finds what is due, `OutboundDelivery` tries it.
 */
@Injectable()
export class Outbound {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: Queue,
    private readonly clock: Clock,
  ) {}

  /** True if the source wants to hear of this type. */
  listens(name: string, type: string): boolean {
    const source = sourceNamed(this.config.sources, name);
    if (!source) return false;
    return writerOf(source, type) !== null || (source.outbound?.events.some((one) => matches(one, type)) ?? false);
  }

  /** True if some source wants to hear of this type. */
  isHeard(type: string): boolean {
    return this.config.sources.some(({ name }) => this.listens(name, type));
  }

  /** Keeps news in the caller's transaction; hand the ids to `wake` after its commit. Empty if the source does not listen. */
  enqueue(tx: Transaction, news: OutboundNews): Promise<Id<'out'>[]> {
    return this.enqueueAll(tx, [news]);
  }

  /** The same for many, in one statement; without those that their sources do not listen to. */
  async enqueueAll(tx: Transaction, news: readonly OutboundNews[]): Promise<Id<'out'>[]> {
    const now = this.clock.now();
    const messages = news
      .filter(({ source, type }) => this.listens(source, type))
      .map(({ source, type, subjectId, data }): OutboundMessage => ({
        id: newId('out', now),
        source,
        type,
        subjectId: subjectId ?? null,
        sourceTicketId: data.ticket?.id ?? null,
        data,
        deaths: 0,
        state: 'queued',
        attempts: 0,
        attemptsBefore: 0,
        createdAt: now,
        nextAttemptAt: now,
        endedAt: null,
        replayedAt: null,
      }));
    await insertRows(tx, OutboundMessage, messages);
    return messages.map(({ id }) => id);
  }

  wake(ids: Id<'out'>[]): void {
    this.queue.add('outbound', ids);
  }

  /** How far the news of these subjects came. */
  async states(subjectIds: string[]): Promise<Map<string, OutboundState>> {
    if (subjectIds.length === 0) return new Map();
    const rows = await this.database.read((manager) => manager.findBy(OutboundMessage, { subjectId: In(subjectIds) }));
    return new Map(rows.map((row) => [row.subjectId!, row.state]));
  }
}

function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}
