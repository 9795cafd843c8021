import { setTimeout as pause } from 'node:timers/promises';
import { Links } from '../../src/access/link.js';
import { loadConfig } from '../../src/config.js';
import { Delivery } from '../../src/delivery/delivery.entity.js';
import { entities } from '../../src/entities.js';
import { Database } from '../../src/platform/database/database.js';
import { selectRows } from '../../src/platform/database/rows.js';
import { Guest } from '../support/guest.js';
import { fillBacklog } from './backlog-rows.js';
import { onGround, onServers, onSqlite, SERVERS, type Run } from './ground.js';
import { load } from './load.js';
import type { Finding, Part, PartTask } from './part.js';
import { answers, untilReady, withChild } from './processes.js';
import { Sink } from './sink.js';
import { percentile } from './statistics.js';
import { perSecond } from './system.js';

/** The table that the backlog is held against. */
const FEW = 1000;
/** Events that really come in: their guests ask for codes, one of them is what the backlog is made of. */
const EVENTS = 300;
/** Of `posternPost`'s guests, whose own mails have left before: what reaches them later is a code. */
const GUESTS_DOMAIN = 'example.com';
const ASKING = 200;
const ASK_EVERY_MS = 200;
/** Until then the worker has filled what it fills: connections, what it holds, caches. */
const DRAINED_BEFORE = 5000;
const CODE_PATIENCE_MS = 60_000;

type Settings = Run['env'];

/** What a backlog costs whoever works it off, and those who wait for a code meanwhile. */
export const BACKLOGS: readonly Part[] = [
  backlog('backlog', 'a backlog, SQLite', onSqlite),
  { ...backlog('backlog-postgres', 'a backlog, Postgres and Redis', onServers), tools: SERVERS },
];

function backlog(name: string, title: string, lay: typeof onSqlite): Part {
  const measure = async (task: PartTask): Promise<Finding[]> => {
    const sink = await Sink.start(GUESTS_DOMAIN);
    try {
      return await onGround(lay, sink, (run) => measureOn(run, sink, task));
    } finally {
      await sink.stop();
    }
  };
  return { name, title, measure };
}

async function measureOn(run: Run, sink: Sink, { backlog: count, progress }: PartTask): Promise<Finding[]> {
  const many: Settings = { ...run.env, TRUSTED_PROXIES: '127.0.0.1' };
  progress('taking the first events');
  await sendEvents(run, many, sink);
  const few = { ...many, ...(await run.copyData()) };
  await fill(few, FEW, progress);
  const paths = await fill(many, count, progress);
  progress('claiming');
  const cost = await claimCost(run, few, many);
  return [
    {
      figure: 'claim_cost_ratio',
      title: `claiming one of ${count.toLocaleString('en')} : one of ${FEW.toLocaleString('en')}`,
      value: cost.many / cost.few,
      atMost: 1.2,
    },
    { figure: 'claim_ms', title: 'claiming a mail, ms', value: cost.many },
    ...(await drainAndAsk(run, many, sink, paths, progress)),
  ];
}

/** A gateway takes real events and sends their mails. */
async function sendEvents({ start, url, post }: Run, settings: Settings, sink: Sink): Promise<void> {
  const app = start(settings, 'src/main.js');
  await withChild(app, async () => {
    await untilReady(app, () => answers(`${url}/health/ready`));
    const posts = Array.from({ length: EVENTS }, (_, i) => post(i));
    await load(`${url}/v1/sources/default/events`, posts);
    await sink.until(EVENTS, app);
  });
}

/** Fills the tables of a gateway that does not run. Returns the guests of the real events, with their links. */
async function fill(settings: Settings, count: number, progress: (text: string) => void): Promise<Asker[]> {
  const config = loadConfig(settings);
  const links = new Links(config);
  const database = await Database.open(config.database, entities);
  try {
    const sent = await database.read((manager) =>
      selectRows(manager, Delivery, `WHERE lane = 'mail' ORDER BY id LIMIT ${ASKING}`),
    );
    await fillBacklog(database, count, progress);
    return sent.map(({ ticketId, participantId, recipient, inputs: { link, generation } }) => {
      if (link?.kind !== 'guest') throw new Error('a mail without the link of a guest');
      return { recipient, path: new URL(links.url({ ...link, ticketId, participantId, generation })).pathname };
    });
  } finally {
    await database.close();
  }
}

async function claimCost({ start }: Run, few: Settings, many: Settings): Promise<{ few: number; many: number }> {
  const child = start({ ...many, BENCH_GATEWAYS: JSON.stringify([few, many]) }, 'test/bench/claim-cost.js');
  const [ofFew, ofMany] = JSON.parse(await withChild(child, () => child.finish())) as [number, number];
  return { few: ofFew, many: ofMany };
}

/** Somebody with a link, who presses "Send code". */
interface Asker {
  recipient: string;
  path: string;
}

/** A gateway begins to work off the backlog, and guests ask for codes while it does. It is stopped after the last code. */
async function drainAndAsk(
  { start, url }: Run,
  settings: Settings,
  sink: Sink,
  askers: readonly Asker[],
  progress: (text: string) => void,
): Promise<Finding[]> {
  const already = sink.accepted();
  const app = start(settings, 'src/main.js');
  return withChild(app, async () => {
    await untilReady(app, () => answers(`${url}/health/ready`));
    progress('draining');
    await sink.until(already + DRAINED_BEFORE, app);
    const [sentBefore, startedAt] = [sink.accepted(), performance.now()];
    const askedAt = await askAll(url, askers, progress);
    const drainedPerSecond = perSecond(sink.accepted() - sentBefore, startedAt);
    const waits = await arrivalsOf(askedAt, sink);
    return [
      {
        figure: 'code_p50_s',
        title: 'from "Send code" to the SMTP server, p50 s',
        value: percentile(waits, 0.5) / 1000,
      },
      {
        figure: 'code_p99_s',
        title: 'from "Send code" to the SMTP server, p99 s',
        value: percentile(waits, 0.99) / 1000,
        atMost: 2,
      },
      { figure: 'drained_per_s', title: 'mails of the backlog meanwhile, a second', value: drainedPerSecond },
      {
        figure: 'memory_mib',
        title: 'highest memory while it drains, MiB',
        value: app.residentMib('highest') ?? NaN,
        atMost: 300,
      },
    ];
  });
}

/** When each of them pressed the button, by address. */
async function askAll(
  url: string,
  askers: readonly Asker[],
  progress: (text: string) => void,
): Promise<Map<string, number>> {
  const askedAt = new Map<string, number>();
  const asking: Promise<void>[] = [];
  for (const [i, { recipient, path }] of askers.entries()) {
    const ask = async () => {
      // Each from an address of their own, or the limit of codes for one address would stop them.
      const from = { 'x-forwarded-for': `10.0.${i >> 8}.${i & 255}`, 'sec-fetch-site': 'same-origin' };
      const guest = new Guest(url, from);
      const page = await guest.get(path);
      askedAt.set(recipient, Date.now());
      const { status, text } = await guest.submit(page, '/code');
      if (status !== 200) throw new Error(`no code was sent: ${status} ${text}`);
    };
    asking.push(ask());
    progress(`${i + 1} of ${askers.length} guests ask for a code`);
    await pause(ASK_EVERY_MS);
  }
  await Promise.all(asking);
  return askedAt;
}

/** How long each code took, in ms. Throws when one did not come. */
async function arrivalsOf(askedAt: ReadonlyMap<string, number>, sink: Sink): Promise<number[]> {
  const deadline = Date.now() + CODE_PATIENCE_MS;
  for (;;) {
    const cameAt = new Map(sink.arrivals().map(({ recipient, at }) => [recipient, at]));
    const waits = [...askedAt].map(([recipient, at]) => (cameAt.get(recipient) ?? 0) - at);
    const missing = waits.filter((ms) => ms < 0).length;
    if (missing === 0) return waits;
    if (Date.now() > deadline) throw new Error(`${missing} codes never came`);
    await pause(100);
  }
}
