import { TestClock } from '../support/clock.js';
import { TestSource } from '../support/source.js';

/** An event as its source knows it, for one mail to one address of its own. */
export interface PostedEvent {
  id: string;
  body: string;
  recipient: string;
  /** How often it was posted. */
  posts: number;
  /** The number of the process that acknowledged it first; null: none did yet. */
  acknowledgedBy: number | null;
}

/** Recipients at so many domains: what is held back from one of them holds up few. */
const DOMAINS = 50;

/**
 * A ticket system that posts events, and posts again what was not acknowledged, as each of them does. Its list is the
 * outside ledger: what was acknowledged must be mailed, once.
 */
export class Load {
  readonly events: PostedEvent[] = [];
  /** Answers that no source should see: neither taken nor "come again". */
  readonly surprises: string[] = [];
  /** How often the answer was "come again" (503). */
  refused = 0;
  private readonly underWay = new Set<PostedEvent>();
  private readonly clock = new TestClock(true);

  constructor(private readonly secret: string) {}

  get acknowledged(): PostedEvent[] {
    return this.events.filter(({ acknowledgedBy }) => acknowledgedBy !== null);
  }

  get unacknowledged(): PostedEvent[] {
    return this.events.filter(({ acknowledgedBy }) => acknowledgedBy === null);
  }

  /** Posts what is not acknowledged, else a new event, one each `everyMs`, until told to stop. */
  async stream(url: () => string, by: number, everyMs: number, goesOn: () => boolean): Promise<void> {
    const posts = new Set<Promise<void>>();
    const from = performance.now();
    for (let posted = 0; goesOn();) {
      // By the clock: a moment in which this process had no time does not lower the rate.
      for (const due = (performance.now() - from) / everyMs; posted <= due && goesOn(); posted++) {
        const post = this.post(url(), by).finally(() => posts.delete(post));
        posts.add(post);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(everyMs, 10)));
    }
    await Promise.all(posts);
  }

  /** Posts one that is not acknowledged, else a new one. */
  private post(url: string, by: number): Promise<void> {
    return this.send(this.unacknowledged.find((event) => !this.underWay.has(event)) ?? this.next(), url, by);
  }

  /** Posts again what is not acknowledged, and no new one. */
  async repeat(url: string, by: number): Promise<void> {
    await Promise.all(this.unacknowledged.map((event) => this.send(event, url, by)));
  }

  private next(): PostedEvent {
    const n = this.events.length + 1;
    const recipient = `guest-${n}@d${n % DOMAINS}.example`;
    const body = JSON.stringify(
      new TestSource('', this.secret, this.clock).event('ticket.replied', {
        ticket: { id: `f-${n}`, number: `${n}` },
        requester: { email: recipient },
        message: { id: `m-${n}` },
      }),
    );
    const event = { id: `evt_${n}`, body, recipient, posts: 0, acknowledgedBy: null };
    this.events.push(event);
    return event;
  }

  private async send(event: PostedEvent, url: string, by: number): Promise<void> {
    this.underWay.add(event);
    event.posts++;
    try {
      const answer = await new TestSource(url, this.secret, this.clock).post(event.body, { id: event.id });
      if (answer.ok) event.acknowledgedBy ??= by;
      else if (answer.status === 503) this.refused++;
      else this.surprises.push(`${event.id}: ${answer.status} ${await answer.text()}`);
    } catch {
      // nobody listens, or it was killed meanwhile: not acknowledged, so it is posted again
    } finally {
      this.underWay.delete(event);
    }
  }
}

/** Mails by the one address of their event. */
export function mailsByRecipient<Mail extends { to: string[] }>(mails: readonly Mail[]): Map<string, Mail[]> {
  const byRecipient = new Map<string, Mail[]>();
  for (const mail of mails) {
    const copies = byRecipient.get(mail.to[0]!);
    if (copies) copies.push(mail);
    else byRecipient.set(mail.to[0]!, [mail]);
  }
  return byRecipient;
}
