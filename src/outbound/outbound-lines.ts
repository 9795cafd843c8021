import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { In, IsNull, LessThanOrEqual, Not } from 'typeorm';
import { Config } from '../config.js';
import { sourceNamed } from '../sources.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';
import { Dispatcher } from '../platform/dispatcher.js';
import { Logger } from '../platform/logger.js';
import { Queue } from '../platform/queue/queue.js';
import { OutboundDelivery } from './outbound-delivery.js';
import { IS_GUEST_WORDS, OutboundMessage, GUEST_WORDS } from './outbound.entity.js';
import { writerOf } from './writers/writers.js';

/** Ids that are looked at together, and such batches side by side. */
const BATCH_SIZE = 50;
const CONCURRENCY = 2;
/**
 * Messages under way at once. What guests said has places of its own, so that no receipt is before it; and so has what is
 * written by an API: replies with files are in memory, each with up to 25 MB, and half as much again as base64. What a
 * worker died over goes one after the other: what ends the next worker takes no innocent messages along.
 */
const PLACES = { words: 8, receipts: 12, written: 3, suspect: 1 };
type Line = keyof typeof PLACES;
/** Messages of one source that are in line at once; the rest waits in the database, and hides nobody else's there. */
const MOST_HELD = 100;
/** Sources that are looked at in one statement. */
const SOURCES_AT_ONCE = 50;

/** What a message's line is known by. */
type Due = Pick<OutboundMessage, 'id' | 'source' | 'type' | 'state'>;
const DUE = { id: true, source: true, type: true, state: true } as const;

/** What is in line, and where there is room: each message goes behind those of its kind and source, for `OutboundDelivery`. */
@Injectable()
export class OutboundLines implements OnApplicationBootstrap {
  private readonly lines: Record<Line, Dispatcher> = {
    words: new Dispatcher(PLACES.words),
    receipts: new Dispatcher(PLACES.receipts),
    written: new Dispatcher(PLACES.written),
    suspect: new Dispatcher(PLACES.suspect),
  };
  /** Messages that are in line or under way, by line and source. Those in line are not claimed: no lease runs out there. */
  private readonly held = new Map<string, Map<string, Promise<void>>>();
  /** Of those there is more in the database. */
  private readonly overflowing = new Set<string>();
  private isStopping = false;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly queue: Queue,
    private readonly delivery: OutboundDelivery,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.config.roles.worker) return;
    this.queue.consume('outbound', {
      batchSize: BATCH_SIZE,
      concurrency: CONCURRENCY,
      handle: (ids) => this.lineUp(ids),
      settle: () => this.settle(),
      stop: () => void (this.isStopping = true),
      due: () => this.due(),
    });
  }

  /** Of each source the first that are due, what guests said before the rest: nobody's backlog hides another's messages. */
  private async due(): Promise<string[]> {
    const names = this.config.sources.map(({ name }) => name);
    const found: Due[] = [];
    for (let from = 0; from < names.length; from += SOURCES_AT_ONCE)
      found.push(...(await this.dueOf(names.slice(from, from + SOURCES_AT_ONCE))));
    // Of sources that were taken out of the settings: they are parked, in sight.
    const others = await this.database.read((manager) =>
      manager.find(OutboundMessage, {
        select: DUE,
        where: { source: Not(In(names)), endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
        take: MOST_HELD,
      }),
    );
    const wanted = [...found, ...others].filter((row) => this.roomFor(row) > 0);
    return [...new Set(wanted.map(({ id }) => id))];
  }

  private async dueOf(names: readonly string[]): Promise<Due[]> {
    const now = this.clock.now();
    // A statement by itself for each: no database takes the rows of several sources from one index in the order of time.
    const of = (more: string) =>
      `SELECT * FROM (SELECT id, source, type, state FROM outbound_messages WHERE source = ? AND ended_at IS NULL ${more} AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ${MOST_HELD}) AS due`;
    const text = names.flatMap(() => [of(`AND ${IS_GUEST_WORDS}`), of('')]).join(' UNION ALL ');
    const values = names.flatMap((name) => [name, now, name, now]);
    return this.database.read((manager) => run<Due>(manager, text, values));
  }

  /** Puts each in the line of its kind and source; what has no room there is found again by a look for what is due. */
  private async lineUp(ids: readonly string[]): Promise<void> {
    const rows = await this.database.read((manager) =>
      manager.find(OutboundMessage, {
        select: DUE,
        where: { id: In(ids), endedAt: IsNull(), nextAttemptAt: LessThanOrEqual(this.clock.now()) },
      }),
    );
    for (const row of rows) this.hold(row);
  }

  private hold(row: Due): void {
    if (this.roomFor(row) === 0) return;
    const { id, source } = row;
    const line = this.lineOf(row);
    const key = `${line} ${source}`;
    const held = this.held.get(key) ?? new Map<string, Promise<void>>();
    this.held.set(key, held);
    const work = this.lines[line]
      .run(source, () => (this.isStopping ? Promise.resolve() : this.delivery.deliver(id)))
      .catch((error: unknown) =>
        this.logger.error('an outbound message was left in the middle; it is taken up again', { id, error }),
      )
      .finally(() => {
        held.delete(id);
        if (held.size > 0) return;
        this.held.delete(key);
        if (this.overflowing.delete(key) && !this.isStopping) this.lookAgain();
      });
    held.set(id, work);
  }

  /** How many of its kind its line takes; 0 for one that is in it. */
  private roomFor(row: Due): number {
    const key = `${this.lineOf(row)} ${row.source}`;
    const held = this.held.get(key);
    if (held?.has(row.id)) return 0;
    const room = MOST_HELD - (held?.size ?? 0);
    if (room === 0) this.overflowing.add(key);
    return room;
  }

  private lineOf({ source: name, type, state }: Due): Line {
    if (state === 'leased') return 'suspect';
    const source = sourceNamed(this.config.sources, name);
    if (source && writerOf(source, type)) return 'written';
    return GUEST_WORDS.includes(type) ? 'words' : 'receipts';
  }

  /** Without it the next of many would wait for the next sweep, and so a second for each hundred. */
  private lookAgain(): void {
    void this.due()
      .then((ids) => this.queue.add('outbound', ids))
      .catch((error: unknown) => this.logger.error('due messages could not be looked up; trying again', { error }));
  }

  /** Waits for all that is in line and under way; false if nothing was. */
  private async settle(): Promise<boolean> {
    const had = this.held.size > 0;
    while (this.held.size > 0) await Promise.all([...this.held.values()].flatMap((held) => [...held.values()]));
    return had;
  }
}
