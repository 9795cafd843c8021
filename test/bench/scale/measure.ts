import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { load } from '../load.js';
import { onGround, onServers, SERVERS, type Run, type ServerGround } from '../ground.js';
import {
  answers,
  findTool,
  freePort,
  removeFolder,
  temporaryFolder,
  untilReady,
  withChild,
  type Child,
} from '../processes.js';
import { machineFacts } from '../report.js';
import { Sink } from '../sink.js';
import { WARM_UP } from '../system.js';
import type { Cost, Costs } from './costs.js';

const MANY = 5000;
const FEW_PER_SECOND = 40;
const FEW = 20 * FEW_PER_SECOND;
const IDLE_SECONDS = 10;
const FLUSHES = 300;
const PAGE_BYTES = 8192;
/** Statements are counted by an extension; it costs Postgres a few percent, which are in the figures. */
const COUNTING = ['-c', 'shared_preload_libraries=pg_stat_statements'];
/** Numbers of `pg_stat_database` reach it a second late. */
const STATISTICS_LATE_MS = 1500;

/** Everything that only grows, at one moment. */
type Counters = Record<
  | 'webMs'
  | 'workerMs'
  | 'postgresMs'
  | 'redisMs'
  | keyof Pick<Cost, 'walBytes' | 'walFullPages' | 'commits' | 'statements' | 'redisCommands'>,
  number
>;

/** Measures the costs on a Postgres and a Redis started for it: about two minutes. Throws in words for a person. */
export async function measureCosts(progress: (text: string) => void): Promise<Costs> {
  const absent = SERVERS.find(({ name }) => !findTool(name));
  if (absent) throw new Error(`${absent.name} was not found (Debian: apt install ${absent.package})`);
  const sink = await Sink.start();
  try {
    return await onGround(
      () => onServers(COUNTING),
      sink,
      (run) => withMeter(run, (meter) => measure(run, meter, sink, progress)),
    );
  } finally {
    await sink.stop();
  }
}

async function measure(
  run: Run<ServerGround>,
  meter: Meter,
  sink: Sink,
  progress: (text: string) => void,
): Promise<Costs> {
  const { env, start, post, url } = run;
  const events = `${url}/v1/sources/default/events`;
  let made = 0;
  const posts = (count: number) => Array.from({ length: count }, () => post(made++));
  const web = start({ ...env, BENCH_ROLE: 'web' }, 'test/bench/one-role.js');
  return withChild(web, async () => {
    await untilReady(web, () => answers(`${url}/health/ready`));
    await meter.countStatements();
    progress('warming up the web process');
    await load(events, posts(WARM_UP));

    progress(`${MANY} events, as fast as they are taken`);
    const memoryBefore = await meter.redisMemory();
    let taken = 0;
    const eventsOfMany = await meter.during({ web }, async () => {
      taken = (await load(events, posts(MANY))).acceptedPerSecond;
    });
    const redisBytesPerWaitingMail = ((await meter.redisMemory()) - memoryBefore) / MANY;
    progress(`${FEW} events, ${FEW_PER_SECOND} a second`);
    const eventsOfFew = await meter.during({ web }, () => load(events, posts(FEW), FEW_PER_SECOND));

    const before = sink.accepted();
    const worker = start({ ...env, PORT: `${await freePort()}`, BENCH_ROLE: 'worker' }, 'test/bench/one-role.js');
    return withChild(worker, async () => {
      progress('warming up the worker');
      await sink.until(before + WARM_UP, worker);
      let already = 0;
      let seconds = 0;
      const mailsOfMany = await meter.during({ web, worker }, async () => {
        already = sink.accepted();
        const startedAt = performance.now();
        progress(`${before + made - already} mails, as fast as they are handed over`);
        await sink.until(before + made, worker);
        seconds = (performance.now() - startedAt) / 1000;
      });
      const sent = before + made - already;
      progress(`nothing for ${IDLE_SECONDS} s`);
      const idle = await meter.during({ web, worker }, () => pause(IDLE_SECONDS * 1000));
      progress(`${FEW} events and mails, ${FEW_PER_SECOND} a second`);
      const [fewFrom, beforeFew] = [made, Date.now()];
      const bothOfFew = await meter.during({ web, worker }, async () => {
        await load(events, posts(FEW), FEW_PER_SECOND);
        await sink.until(before + made, worker);
      });
      const event = { few: per(eventsOfFew, FEW, 'webMs'), many: per(eventsOfMany, MANY, 'webMs') };
      const both = per(bothOfFew, made - fewFrom, 'workerMs');
      progress('sizes');
      return {
        measuredAt: new Date().toISOString().slice(0, 10),
        machine: await machine(sink, meter),
        event,
        mail: {
          few: { ...minus(both, event.few), processCpuMs: both.processCpuMs },
          many: per(mailsOfMany, sent, 'workerMs'),
        },
        perSecond: { web: rounded(taken), worker: rounded(sent / seconds) },
        idle: {
          webCpuMs: rounded(idle.webMs / IDLE_SECONDS),
          workerCpuMs: rounded(idle.workerMs / IDLE_SECONDS),
          postgresCpuMs: rounded(idle.postgresMs / IDLE_SECONDS),
          redisCpuMs: rounded(idle.redisMs / IDLE_SECONDS),
        },
        latencyMs: await meter.latency(beforeFew),
        redisBytesPerWaitingMail: rounded(redisBytesPerWaitingMail),
        tables: await meter.tables(made),
      };
    });
  });
}

async function withMeter<T>({ ground }: Run<ServerGround>, work: (meter: Meter) => Promise<T>): Promise<T> {
  const database = new pg.Client({ connectionString: ground.postgres.url });
  const redis = new Redis(ground.redis.url);
  redis.on('error', () => undefined); // not there yet; it is asked again
  await database.connect();
  try {
    return await work(new Meter(ground, database, redis));
  } finally {
    redis.disconnect();
    await database.end();
  }
}

/** Reads what the servers say of themselves. */
class Meter {
  constructor(
    private readonly ground: ServerGround,
    private readonly database: pg.Client,
    private readonly redis: Redis,
  ) {}

  async countStatements(): Promise<void> {
    await this.database.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  }

  /** What was used while `work` ran. */
  async during(children: { web: Child; worker?: Child }, work: () => Promise<unknown>): Promise<Counters> {
    const before = await this.read(children);
    await work();
    await pause(STATISTICS_LATE_MS);
    const after = await this.read(children);
    return Object.fromEntries(
      Object.entries(after).map(([name, value]) => [name, value - before[name as keyof Counters]]),
    ) as Counters;
  }

  async redisMemory(): Promise<number> {
    return this.redisInfo('memory', 'used_memory');
  }

  /** Of the mails planned since then. */
  async latency(since: number): Promise<{ p50: number; p99: number }> {
    const [row] = await this.ask(
      `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ended_at - created_at) AS p50,
       percentile_disc(0.99) WITHIN GROUP (ORDER BY ended_at - created_at) AS p99 FROM deliveries WHERE created_at >= $1`,
      [since],
    );
    return { p50: Number(row!.p50), p99: Number(row!.p99) };
  }

  /** Every table that mails filled. */
  async tables(mails: number): Promise<Costs['tables']> {
    const names = (await this.ask(`SELECT relname AS name FROM pg_stat_user_tables WHERE relname <> 'migrations'`)).map(
      ({ name }) => String(name),
    );
    const tables = [];
    for (const name of names) {
      const [rows] = await this.ask(`SELECT count(*) AS count FROM "${name}"`);
      const count = Number(rows!.count);
      if (count < mails / 2) continue;
      const left = await this.size(name);
      await this.ask(`VACUUM FULL "${name}"`);
      tables.push({
        name,
        rowsPerMail: rounded(count / mails),
        bytesPerRow: rounded(left / count),
        packedBytesPerRow: rounded((await this.size(name)) / count),
      });
    }
    return tables.sort((one, other) => other.bytesPerRow - one.bytesPerRow);
  }

  async versions(): Promise<{ postgres: string; redis: string }> {
    const [row] = await this.ask('SHOW server_version');
    const redis = /^redis_version:(\S+)/m.exec(await this.redis.info('server'))?.[1];
    return { postgres: String(row!.server_version).split(' ')[0]!, redis: redis ?? 'unknown' };
  }

  private async read({ web, worker }: { web: Child; worker?: Child }): Promise<Counters> {
    const [counted] = await this.ask(`SELECT
      (SELECT pg_current_wal_insert_lsn() - '0/0') AS bytes,
      (SELECT wal_fpi FROM pg_stat_wal) AS pages,
      (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS commits,
      (SELECT COALESCE(sum(calls), 0) FROM pg_stat_statements) AS statements`);
    return {
      webMs: web.cpuMs() ?? 0,
      workerMs: worker?.cpuMs() ?? 0,
      postgresMs: this.ground.postgres.process.familyCpuMs() ?? 0,
      redisMs: this.ground.redis.process.cpuMs() ?? 0,
      walBytes: Number(counted!.bytes),
      walFullPages: Number(counted!.pages),
      commits: Number(counted!.commits),
      statements: Number(counted!.statements),
      redisCommands: await this.redisInfo('stats', 'total_commands_processed'),
    };
  }

  private async size(table: string): Promise<number> {
    return Number((await this.ask(`SELECT pg_total_relation_size('"${table}"') AS bytes`))[0]!.bytes);
  }

  private async redisInfo(section: string, name: string): Promise<number> {
    return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await this.redis.info(section))?.[1] ?? 0);
  }

  private async ask(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.database.query<Record<string, unknown>>(text, values)).rows;
  }
}

function per(used: Counters, count: number, process: 'webMs' | 'workerMs'): Cost {
  return {
    processCpuMs: rounded(used[process] / count),
    postgresCpuMs: rounded(used.postgresMs / count),
    redisCpuMs: rounded(used.redisMs / count),
    walBytes: rounded(used.walBytes / count),
    walFullPages: rounded(used.walFullPages / count),
    commits: rounded(used.commits / count),
    statements: rounded(used.statements / count),
    redisCommands: rounded(used.redisCommands / count),
  };
}

function minus(one: Cost, other: Cost): Cost {
  const left = Object.entries(one).map(([name, value]) => [
    name,
    rounded(Math.max(0, value - other[name as keyof Cost])),
  ]);
  return Object.fromEntries(left) as Cost;
}

async function machine(sink: Sink, meter: Meter): Promise<Costs['machine']> {
  const { node, platform, cores, cpu } = machineFacts(sink.kind);
  return { node, platform, cores, cpu, ...(await meter.versions()), flushesPerSecond: rounded(flushesPerSecond()) };
}

/** What a commit waits for at least, where Postgres kept its data. */
function flushesPerSecond(): number {
  const folder = temporaryFolder();
  const file = openSync(join(folder, 'flushed'), 'w');
  const page = Buffer.alloc(PAGE_BYTES, 1);
  const startedAt = performance.now();
  for (let i = 0; i < FLUSHES; i++) {
    writeSync(file, page);
    fdatasyncSync(file);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  closeSync(file);
  removeFolder(folder);
  return FLUSHES / seconds;
}

const rounded = (value: number) => Number(value.toPrecision(3));
