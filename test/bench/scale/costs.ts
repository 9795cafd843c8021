import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from '../processes.js';

/** What is measured when no file is named, and what the simulation begins with. */
export const COSTS_FILE = join(ROOT, 'test/bench/costs.json');

const number = z.number().nonnegative();

/** What one event, or one mail, costs each part of the plant. */
const cost = z.object({
  /** CPU of the web process for an event, of the worker for a mail. */
  processCpuMs: number,
  /** Of all processes of the server. */
  postgresCpuMs: number,
  redisCpuMs: number,
  walBytes: number,
  /** Whole pages in the write-ahead log, of 8 KiB at most: the first change of a page after a checkpoint. */
  walFullPages: number,
  commits: number,
  statements: number,
  redisCommands: number,
});

const costs = z.object({
  measuredAt: z.string(),
  machine: z.object({
    node: z.string(),
    platform: z.string(),
    cores: number,
    cpu: z.string(),
    postgres: z.string(),
    redis: z.string(),
    /** Flushes of 8 KiB to the disk in a second, one after the other. */
    flushesPerSecond: number,
  }),
  /** Few: some 40 a second, hardly two in one transaction. Many: as many as one process can, in large groups. */
  event: z.object({ few: cost, many: cost }),
  mail: z.object({ few: cost, many: cost }),
  /** What one web process and one worker did in a second at `many`, beside all else on the machine. */
  perSecond: z.object({ web: number, worker: number }),
  /** CPU ms in a second while nothing happens: one web process and one worker look for work. */
  idle: z.object({ webCpuMs: number, workerCpuMs: number, postgresCpuMs: number, redisCpuMs: number }),
  /** From the event's row to the recorded hand-over, at `few`. */
  latencyMs: z.object({ p50: number, p99: number }),
  redisBytesPerWaitingMail: number,
  /** With indexes. As left: with what the updates of a row left behind. Packed: after VACUUM FULL. */
  tables: z.array(z.object({ name: z.string(), rowsPerMail: number, bytesPerRow: number, packedBytesPerRow: number })),
});

export type Cost = z.infer<typeof cost>;
export type Costs = z.infer<typeof costs>;

/** Throws in words for a person. */
export function readCosts(path: string): Costs {
  const read = costs.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (!read.success) throw new Error(`${path} holds no costs: ${z.prettifyError(read.error)}`);
  return read.data;
}
