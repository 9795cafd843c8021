import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from './statistics.js';

/** One POST, made before the clock starts so that making it costs nothing that is measured. */
export interface Post {
  body: string;
  headers?: Record<string, string>;
}

export interface LoadResult {
  acceptedPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** How many callers wait for an answer at any time, each on a connection of its own that is kept alive. */
const CALLERS = 64;
const PATIENCE_MS = 30_000;

/**
 * Posts everything, 64 at a time, and measures from the first to the last answer. Throws at the first one that is not
 * 2xx. With `perSecond` none leaves before its time.
 */
export async function load(url: string, posts: readonly Post[], perSecond = Infinity): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
  const latencies: number[] = [];
  let next = 0;
  const caller = async () => {
    for (let post = posts[next++]; post; post = posts[next++]) {
      const early = startedAt + ((next - 1) * 1000) / perSecond - performance.now();
      if (early > 0) await pause(early);
      latencies.push(await send(url, agent, post));
    }
  };
  const startedAt = performance.now();
  try {
    await Promise.all(Array.from({ length: CALLERS }, caller));
  } finally {
    agent.destroy();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    acceptedPerSecond: posts.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
  };
}

/** Milliseconds from the first byte out to the last byte in. */
function send(url: string, agent: Agent, { body, headers }: Post): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const length = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request(url, { method: 'POST', agent, headers: { ...length, ...headers } }, (answer) => {
      let text = '';
      const accepted = answer.statusCode !== undefined && answer.statusCode < 300;
      if (accepted) answer.resume();
      else answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      answer.on('error', reject).on('end', () => {
        if (accepted) resolve(performance.now() - startedAt);
        else reject(new Error(`answered ${answer.statusCode}: ${text.slice(0, 500)}`));
      });
    });
    call.on('error', reject);
    call.setTimeout(PATIENCE_MS, () => call.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)));
    call.end(body);
  });
}
