import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseKind } from '../support/databases.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { returnedMail } from '../support/returned-mail.js';
import { answer, startScriptedHttp, type ScriptedHttp } from '../support/scripted-http.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { rows } from '../support/tables.js';
import { balance, type Balance } from './balance.js';
import { Ticket, type Fate } from './rules.js';
import {
  lookedUp,
  makeTraffic,
  requestOf,
  SLOT_MS,
  sourcesOfDay,
  type DayEvent,
  type Malformed,
  type Post,
  type Traffic,
} from './traffic.js';

export interface DayOptions {
  database: DatabaseKind;
  /** All that is posted in the day: first posts, repeats and what is malformed. */
  posts: number;
  seed: number;
  onProgress?: (done: { posts: number; mails: number; time: string }) => void;
}

/** An event that was posted, and what was answered and expected. */
export interface Posted {
  event: DayEvent;
  ticket: Ticket;
  fate: Fate;
  /** As the gateway names it; null: it wrote no row, or nothing was answered yet. */
  eventId: string | null;
  accepted: number;
  duplicates: number;
}

/** All that the outside knows when the day is over. */
export interface Day {
  startsAt: number;
  posts: number;
  late: number;
  events: Posted[];
  refused: Record<Malformed, number>;
  tickets: Map<string, Ticket>;
  /** How often each notification was taken by the mail server. */
  mails: Map<string, number>;
  /** Addresses whose mails came back. */
  returned: Set<string>;
  /** Answers that should not be. */
  surprises: string[];
}

const AT_ONCE = 24;
const FEEDBACK_TOKEN = 'feedback-token-of-at-least-32-signs-0001';
/** What waits is given up by then: a look-up after two days, a mail after four. */
const LONGEST_MS = 5 * 24 * 3_600_000;
const FAILURES_OF_FLAKY = 2;
const STATUS_OF: Record<Malformed, number> = { 'broken JSON': 400, 'another signature': 401, 'fields missing': 422 };

/**
 * A day of all ticket systems at once, each posting in its own format with its own signature to the real gateway, whose
 * mails go to a real SMTP server, while the clock is moved from slot to slot. Then the clock goes on until nothing waits,
 * and the books are compared: see `balance`.
 */
export async function simulateDay(options: DayOptions): Promise<Balance> {
  const scene = await Scene.open(options);
  try {
    return await scene.run();
  } finally {
    await scene.close();
  }
}

class Scene {
  private readonly day: Day;
  private readonly posted = new Map<DayEvent, Posted>();
  private readonly greeted = new Set<string>();
  private readonly failures = new Map<number, number>();
  /** Mails that will come back, as notification and address. */
  private returning: [string, string][] = [];

  private constructor(
    private readonly options: DayOptions,
    private readonly gateway: TestGateway,
    private readonly relay: Relay,
    private readonly api: ScriptedHttp,
    private readonly folder: string,
    private readonly traffic: Traffic,
  ) {
    this.day = {
      startsAt: gateway.clock.now(),
      posts: traffic.posts.length,
      late: traffic.late,
      events: [],
      refused: { 'broken JSON': 0, 'another signature': 0, 'fields missing': 0 },
      tickets: new Map(),
      mails: new Map(),
      returned: new Set(),
      surprises: [],
    };
    relay.onData = ({ to, notification }) => this.receive(to[0]!, notification);
    api.otherwise = (response, request) => {
      const { status, body } = this.lookUp(request.url);
      answer(status, body)(response, request);
    };
  }

  static async open(options: DayOptions): Promise<Scene> {
    const folder = mkdtempSync(join(tmpdir(), 'postern-day-'));
    const api = await startScriptedHttp(answer(404, {}));
    const relay = await startRelay();
    const sourcesFile = join(folder, 'sources.yaml');
    writeFileSync(sourcesFile, JSON.stringify({ sources: sourcesOfDay(api.origin) }));
    const gateway = await createGateway({
      database: options.database,
      settings: {
        SOURCES_FILE: sourcesFile,
        MAIL_URL: relay.url,
        FEEDBACK_TOKEN,
        QUIET_WINDOW_SECONDS: String((3 * SLOT_MS) / 1000),
        LOG_LEVEL: 'fatal',
      },
    });
    const startsAt = gateway.clock.now();
    return new Scene(options, gateway, relay, api, folder, makeTraffic({ ...options, startsAt }));
  }

  async run(): Promise<Balance> {
    const { posts } = this.traffic;
    for (let from = 0, slot = 0; from < posts.length;) {
      const next = posts[from]!.slot;
      this.gateway.clock.advance({ seconds: ((next - slot) * SLOT_MS) / 1000 });
      slot = next;
      const to = posts.findIndex((post, at) => at > from && post.slot > slot);
      const now = posts.slice(from, to === -1 ? undefined : to);
      await this.returnMails();
      this.expect(now);
      await inParallel(now, (post) => this.post(post));
      await this.gateway.drain();
      from += now.length;
      this.options.onProgress?.({ posts: from, mails: this.day.mails.size, time: timeOf(slot) });
    }
    const { clock } = this.gateway;
    const latest = clock.now() + LONGEST_MS;
    for (let due = await this.nextDue(); due !== null && clock.now() < latest; due = await this.nextDue()) {
      clock.advance({ seconds: Math.max(SLOT_MS, due - clock.now()) / 1000 });
      await this.returnMails();
      await this.gateway.drain();
    }
    return balance(this.day, this.gateway);
  }

  async close(): Promise<void> {
    await this.gateway.close();
    await this.relay.close();
    await this.api.close();
    rmSync(this.folder, { recursive: true });
  }

  /** Of one ticket there is one new event in a slot at most, so that it does not matter which post is answered first. */
  private expect(posts: readonly Post[]): void {
    const { tickets, events } = this.day;
    for (const { event, isAgain, malformed } of posts) {
      if (isAgain || malformed) continue;
      const key = `${event.source} ${event.happening.ticketId}`;
      const ticket = tickets.get(key) ?? new Ticket();
      tickets.set(key, ticket);
      const one = { event, ticket, fate: ticket.take(event), eventId: null, accepted: 0, duplicates: 0 };
      events.push(one);
      this.posted.set(event, one);
    }
  }

  private async post(post: Post): Promise<void> {
    const { event, malformed } = post;
    const { raw, headers } = requestOf(post, this.gateway.clock.now());
    const response = await fetch(`${this.gateway.url}/v1/sources/${event.source}/events`, {
      method: 'POST',
      headers,
      body: raw,
    });
    const { status } = response;
    const text = await response.text();
    const surprise = () => void this.day.surprises.push(`${event.source} ${nameOf(post)}: ${status} ${text}`);
    if (malformed) {
      if (status !== STATUS_OF[malformed]) return surprise();
      this.day.refused[malformed]++;
      return;
    }
    if (status !== 200 && status !== 202) return surprise();
    const posted = this.posted.get(event)!;
    const said = JSON.parse(text) as Receipt & { events?: Receipt[] };
    const receipt = said.events?.[0] ?? said;
    const isIgnored = 'ignored' in receipt;
    const expected = posted.fate.kind === 'ignored' ? posted.fate.answer : undefined;
    if (isIgnored ? receipt.ignored !== expected : expected !== undefined) return surprise();
    if (isIgnored || !receipt.duplicate) posted.accepted++;
    else posted.duplicates++;
    if (isIgnored) return;
    if (posted.eventId !== null && posted.eventId !== receipt.eventId) return surprise();
    posted.eventId = receipt.eventId;
  }

  /** A mailbox that is not there, one that is new to this sender, one whose mails come back, and all others. */
  private receive(address: string, notification: string): number | undefined {
    this.relay.handedOver.length = 0;
    const kind = address.split('-')[0];
    if (kind === 'nobody') return 550;
    if (kind === 'grey' && !this.greeted.has(address)) {
      this.greeted.add(address);
      return 451;
    }
    this.day.mails.set(notification, (this.day.mails.get(notification) ?? 0) + 1);
    if (kind === 'left') this.returning.push([notification, address]);
    return undefined;
  }

  private async returnMails(): Promise<void> {
    const returning = this.returning.splice(0);
    for (const [notification, recipient] of returning) {
      const deliveryId = notification.replace('ntf_', 'dlv_');
      const response = await fetch(`${this.gateway.url}/v1/feedback/dsn`, {
        method: 'POST',
        headers: { 'content-type': 'message/rfc822', authorization: `Bearer ${FEEDBACK_TOKEN}` },
        body: returnedMail('postfix-unknown-user', { deliveryId, recipient }),
      });
      if (response.status !== 200) this.day.surprises.push(`a returned mail: ${response.status}`);
      this.day.returned.add(recipient);
    }
  }

  /** What a ticket system answers to the gateway's question. */
  private lookUp(path: string): { status: number; body: object } {
    const { customers, flaky, refused } = this.traffic;
    let status = 404;
    const emailOf = (id: number) => {
      const failures = this.failures.get(id) ?? 0;
      this.failures.set(id, failures + 1);
      if (refused.has(id)) status = 403;
      else if (flaky.has(id) && failures < FAILURES_OF_FLAKY) status = 503;
      else return customers.get(id)?.email ?? null;
      return null;
    };
    const copiesOf = (ticketId: number) => this.traffic.copies.get(ticketId) ?? [];
    const found = lookedUp.map((system) => system.api!(path, { emailOf, copiesOf })).find((body) => body !== null);
    if (status !== 404) return { status, body: {} };
    return found ? { status: 200, body: found } : { status, body: {} };
  }

  /** When the next of what waits is due, ms since 1970; null if nothing waits. */
  private async nextDue(): Promise<number | null> {
    if (this.returning.length > 0) return this.gateway.clock.now();
    const tables = ['deliveries', 'waiting_events'] as const;
    const open = await Promise.all(tables.map((table) => rows(this.gateway, table, 'ended_at IS NULL')));
    const times = open.flat().map((row) => Number(row.next_attempt_at));
    return times.length > 0 ? Math.min(...times) : null;
  }
}

type Receipt = { eventId: string; duplicate: boolean } | { ignored: string };

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const worker = async () => {
    for (let one = left.shift(); one; one = left.shift()) await work(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function nameOf({ event: { happening }, malformed }: Post): string {
  return `${happening.ticketId} ${happening.what}${malformed ? `, ${malformed}` : ''}`;
}

/** Of the simulated day. */
function timeOf(slot: number): string {
  return new Date(slot * SLOT_MS).toISOString().slice(11, 16);
}
