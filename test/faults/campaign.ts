import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import type { DatabaseKind } from '../support/databases.js';
import {
  deliveriesOf,
  freePort,
  lookInto,
  Program,
  programSettings,
  until,
  type DeliveryRow,
} from '../support/program.js';
import { startRelay, type HandedOver, type Relay } from '../support/smtp.js';
import { Load, mailsByRecipient, type PostedEvent } from './load.js';
import type { Order, Point } from './points.js';
import { Victim } from './victims.js';

export interface CampaignOptions {
  database: DatabaseKind;
  /** For `QUEUE_URL`. */
  queueUrl: string;
  /** A kill at each of these, one after the other. */
  kills: readonly Point[];
  onKill?: (killed: number) => void;
}

/** What the outside ledger says of the kills at one point. */
export interface PointResult {
  point: Point;
  kills: number;
  /** Mails that were sent more than once because of these kills, and how many of these kills did that to more than they may. */
  doubled: number;
  tooManyDoubled: number;
}

export interface CampaignResult {
  points: PointResult[];
  acknowledged: number;
  /** Events that were posted more than once because nobody had acknowledged them. */
  repeated: number;
  mails: number;
  /** Acknowledged, and no mail. */
  lost: string[];
  /** Sent again under another id, or with other bytes. */
  different: string[];
  /** Whatever else should not be: answers, states, ends of processes. */
  surprises: string[];
}

const LEASE_SECONDS = 2;
const EVENT_EVERY_MS = 25;
/** Without a death after so long, events come more slowly. */
const BUSY_SECONDS = 15;
const CALM_EVENT_EVERY_MS = 1000;
/** A mail server takes a moment, and not always the same one. */
const SLOWEST_ANSWER_MS = 30;
/** So many passes of the point are let by at most before the kill. */
const MOST_PASSES = 6;
const LATEST_DEATH_SECONDS = 60;
/** How long a mail is held at the end of its DATA until the others on the wire are recorded. */
const LONGEST_HOLD_MS = 3000;

interface Mail extends HandedOver {
  /** The number of the process that sent it. */
  by: number;
}

/** What is in the database in the end. */
interface Kept {
  events: number;
  deliveries: DeliveryRow[];
}

interface Killed {
  point: Point;
  /** Mails that were on their way when it happened: each of them may be sent once more, and no other. */
  onTheirWay: number;
}

/**
 * Kills the gateway again and again while events come in, then lets it finish, and compares what was acknowledged with
 * what the mail server got. Both are counted outside of the processes that die.
 */
export async function runCampaign({ database, queueUrl, kills, onKill }: CampaignOptions): Promise<CampaignResult> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-kills-'));
  const store = await database.create(folder);
  const relay = await startRelay();
  const port = await freePort();
  const secret = generateWebhookSecret();
  const environment = {
    ...programSettings({ folder, port, databaseUrl: store.url, mailUrl: relay.url, secret }),
    LEASE_SECONDS: String(LEASE_SECONDS),
    QUIET_WINDOW_SECONDS: '0',
    LOG_LEVEL: 'silent',
    QUEUE_URL: queueUrl,
  };
  const ground = new Ground(folder, store.url, `http://127.0.0.1:${port}`, environment, relay, new Load(secret));
  try {
    for (const point of kills) {
      await ground.killAt(point);
      onKill?.(ground.killed.length);
    }
    return compare(ground, await ground.finish());
  } finally {
    await ground.close();
    await relay.close();
    await store.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where the victims work: one database, one mail server, one source. */
class Ground {
  readonly mails: Mail[] = [];
  readonly killed: Killed[] = [];
  private standby: Victim | null = null;
  private program: Program | null = null;

  constructor(
    private readonly folder: string,
    private readonly databaseUrl: string,
    private readonly url: string,
    private readonly environment: Record<string, string>,
    private readonly relay: Relay,
    readonly load: Load,
  ) {}

  /** Starts one, gives it work, and sees it die there. */
  async killAt(point: Point): Promise<void> {
    const number = this.killed.length;
    const victim = this.standby ?? new Victim(this.folder, this.environment);
    this.standby = null;
    const order: Order = { point, after: randomInt(MOST_PASSES) };
    let isHolding = false;
    let received = 0;
    this.relay.onData = async (mail) => {
      this.mails.push({ ...mail, by: number });
      if (point === 'after-data' && !isHolding && received++ >= order.after) {
        isHolding = true;
        const from = performance.now();
        while (!(await victim.dieIfAlone()) && performance.now() - from < LONGEST_HOLD_MS) await moment(10);
        isHolding = false;
      }
      await moment(randomInt(SLOWEST_ANSWER_MS));
      return undefined;
    };
    await victim.start(order);
    this.standby = new Victim(this.folder, this.environment);
    const latest = performance.now() + LATEST_DEATH_SECONDS * 1000;
    const calmFrom = performance.now() + BUSY_SECONDS * 1000;
    const anyMoment = point === 'any-moment' ? moment(randomInt(50, 500)).then(() => victim.kill()) : null;
    while (!victim.isDead && performance.now() < latest) {
      // On a machine with much else to do some mail is on the wire at every moment: then there are fewer.
      const isCalm = performance.now() >= calmFrom;
      const until = isCalm ? latest : calmFrom;
      const goesOn = () => !victim.isDead && !isHolding && performance.now() < until;
      await this.load.stream(() => this.url, number, isCalm ? CALM_EVENT_EVERY_MS : EVENT_EVERY_MS, goesOn);
      await moment(1);
    }
    await anyMoment;
    victim.check();
    if (!victim.isDead) {
      await victim.kill();
      throw new Error(`no process came by "${point}" within ${LATEST_DEATH_SECONDS} seconds`);
    }
    this.killed.push({ point, onTheirWay: await this.onTheirWay(point) });
  }

  /** A process that nobody kills works off what is left. */
  async finish(): Promise<Kept> {
    const number = this.killed.length;
    await this.standby?.kill();
    this.relay.onData = (mail) => void this.mails.push({ ...mail, by: number });
    this.program = new Program(this.folder, this.environment);
    // Silent, it would not say that it is ready.
    this.program.environment.LOG_LEVEL = 'info';
    await this.program.start();
    await until('every event acknowledged', async () => {
      await this.load.repeat(this.url, number);
      return this.load.unacknowledged.length === 0;
    });
    const isDone = async () => (await deliveriesOf(this.databaseUrl)).every(({ state }) => endedOrParked(state));
    // What does not end in time is told by its state.
    await until('every mail ended', isDone, { seconds: 60, everyMs: 200 }).catch(() => undefined);
    const code = await this.program.end('SIGTERM');
    if (code !== 0) this.load.surprises.push(`told to stop it ended with ${code}: ${this.program.problems.join('')}`);
    const events = await lookInto(this.databaseUrl, (database) =>
      database.read((manager) => manager.query<object[]>('SELECT id FROM events')),
    );
    return { events: events.length, deliveries: await deliveriesOf(this.databaseUrl) };
  }

  async close(): Promise<void> {
    await this.standby?.kill();
    await this.program?.end('SIGKILL');
  }

  private async onTheirWay(point: Point): Promise<number> {
    if (point === 'any-moment')
      return (await deliveriesOf(this.databaseUrl)).filter(({ state }) => state === 'submitting').length;
    return point === 'after-data' || point === 'after-answer' ? 1 : 0;
  }
}

/** The ledger: each event's mails are those to its one address. */
function compare({ load, mails, killed }: Ground, kept: Kept): CampaignResult {
  const received = mailsByRecipient(mails);
  const mailsOf = ({ recipient }: PostedEvent) => received.get(recipient) ?? [];
  const doubledBy = killed.map(() => 0);
  const different: string[] = [];
  const surprises = [...load.surprises];
  for (const event of load.events) {
    const [first, ...again] = mailsOf(event);
    for (const mail of again) if (mail.raw !== first!.raw) different.push(`${event.id}: ${mail.notification}`);
    // Whatever is sent again was left by the process that sent it before.
    for (const [i] of again.entries()) {
      const by = mailsOf(event)[i]!.by;
      if (by < killed.length && mailsOf(event)[i + 1]!.by > by) doubledBy[by]!++;
      else surprises.push(`${event.id} was sent twice by a process that lived`);
    }
  }
  for (const { id, state, deaths } of kept.deliveries)
    if (state !== 'sent') surprises.push(`${id} ended as ${state} after ${deaths} deaths`);
  const [posted, planned] = [load.events.length, kept.deliveries.length];
  if (kept.events !== posted || planned !== posted)
    surprises.push(`${posted} events were kept as ${kept.events} and made ${planned} deliveries`);
  const points = [...new Set(killed.map(({ point }) => point))].map((point): PointResult => {
    const ofPoint = killed.flatMap((one, number) =>
      one.point === point ? [{ ...one, doubled: doubledBy[number]! }] : [],
    );
    return {
      point,
      kills: ofPoint.length,
      doubled: ofPoint.reduce((sum, { doubled }) => sum + doubled, 0),
      tooManyDoubled: ofPoint.filter(({ doubled, onTheirWay }) => doubled > onTheirWay).length,
    };
  });
  return {
    points,
    acknowledged: load.acknowledged.length,
    repeated: load.events.filter(({ posts }) => posts > 1).length,
    mails: mails.length,
    lost: load.acknowledged.filter((event) => mailsOf(event).length === 0).map(({ id }) => id),
    different,
    surprises,
  };
}

function endedOrParked(state: string): boolean {
  return !['queued', 'leased', 'submitting', 'deferred', 'uncertain'].includes(state);
}

function moment(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
