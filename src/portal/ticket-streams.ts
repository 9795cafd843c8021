import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { PassThrough } from 'node:stream';
import { Sessions, type OpenSession } from '../access/session.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { pulsesOf } from '../tickets/pulse.js';

/** Each holds some 20 KB of this process: a socket and its buffers. */
const MOST_STREAMS = 2000;
/** A browser opens no more than six connections to one host over HTTP/1.1, and needs some for the page itself. */
const MOST_PER_SESSION = 4;
const LOOK_EVERY_MS = 2000;
/** Proxies hang up on what is silent for 30 to 60 seconds. */
const HEARTBEAT_MS = 25_000;
/** Who reads nothing of this is gone, whatever the network says. */
const MOST_UNREAD_BYTES = 4096;

interface Open {
  session: OpenSession;
  out: PassThrough;
  pulse: string;
  spokeAt: number;
}

/**
 * Tells open ticket pages that there is something new (server-sent events, HTML 9.2); what it is they fetch as they
 * always do, so a stream carries nothing of a ticket. One look at the database serves all streams of the process, and none
 * is taken while there are none.
 */
@Injectable()
export class TicketStreams implements BeforeApplicationShutdown {
  private readonly open = new Set<Open>();
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> | null = null;
  private isStopping = false;

  constructor(
    private readonly database: Database,
    private readonly sessions: Sessions,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** A stream of a page that was made at `pulse`; null when there are too many. */
  start(session: OpenSession, pulse: string): PassThrough | null {
    const ofSession = [...this.open].filter((one) => one.session.id === session.id).length;
    if (this.isStopping || this.open.size >= MOST_STREAMS || ofSession >= MOST_PER_SESSION) return null;
    const one: Open = { session, out: new PassThrough(), pulse, spokeAt: this.clock.now() };
    this.open.add(one);
    one.out.on('close', () => this.forget(one));
    one.out.on('error', () => this.forget(one)); // its reader went away
    one.out.write(`retry: ${LOOK_EVERY_MS}\n\n`);
    this.timer ??= setInterval(() => void this.look(), LOOK_EVERY_MS).unref();
    return one.out;
  }

  get count(): number {
    return this.open.size;
  }

  /** Tells every stream what is new for it, and ends those whose session ended. */
  look(): Promise<void> {
    this.looking ??= this.lookOnce()
      // The pages stay as they are until the database is back.
      .catch((error: unknown) => this.logger.warn('open ticket pages were not told what is new', { error }))
      .finally(() => (this.looking = null));
    return this.looking;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    for (const one of this.open) this.end(one);
    await this.looking;
  }

  private async lookOnce(): Promise<void> {
    const streams = [...this.open];
    if (streams.length === 0) return;
    const tickets = [...new Set(streams.map(({ session }) => session.ticketId))];
    const pulses = await this.database.read((manager) => pulsesOf(manager, tickets));
    // Asked last: nothing is told to a session that ended before the news was there.
    const alive = await this.sessions.alive([...new Set(streams.map(({ session }) => session.id))]);
    const now = this.clock.now();
    for (const one of streams) {
      const pulse = pulses.get(one.session.ticketId)!;
      if (!alive.has(one.session.id) || one.out.readableLength > MOST_UNREAD_BYTES) this.end(one);
      else if (pulse !== one.pulse) this.say(one, `id: ${pulse}\nevent: update\ndata: \n\n`, now, pulse);
      else if (now - one.spokeAt >= HEARTBEAT_MS) this.say(one, ': still here\n\n', now, pulse);
    }
  }

  private say(one: Open, text: string, now: number, pulse: string): void {
    Object.assign(one, { spokeAt: now, pulse });
    one.out.write(text);
  }

  private end(one: Open): void {
    one.out.end();
    this.forget(one);
  }

  private forget(one: Open): void {
    this.open.delete(one);
    if (this.open.size > 0 || this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}
