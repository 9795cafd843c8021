import { onGround, onSqlite, type Run } from './ground.js';
import { load } from './load.js';
import type { Finding, Part, PartTask } from './part.js';
import { answers, untilReady, withChild, type Child } from './processes.js';
import { farthestFromMean, mean } from './statistics.js';
import { assertNoMore } from './system.js';

/** Events made and posted at a time: this process must not hold them all. */
const CHUNK = 2000;
const SAMPLE_EVERY_MS = 1000;
/** After so many mails caches are full and compilers have met everything. */
const SETTLED_AFTER = 20_000;
const WINDOWS = 18;

/** Memory at a moment, and how many mails had left by then. */
export interface Sample {
  sent: number;
  mib: number;
}

export const MEMORY: Part = { name: 'memory', title: 'memory over many mails, SQLite', measure };

function measure(task: PartTask): Promise<Finding[]> {
  return onGround(onSqlite, task.sink, async ({ env, start, post, url }) => {
    const app = start(env, 'src/main.js');
    return withChild(app, async () => {
      await untilReady(app, () => answers(`${url}/health/ready`));
      return findings(await watch(app, url, post, task), task.memoryMails);
    });
  });
}

/** Sends all mails, webhook in, SMTP out, and samples meanwhile. */
async function watch(app: Child, url: string, post: Run['post'], task: PartTask): Promise<(Sample & { at: number })[]> {
  const { sink, memoryMails: mails, progress } = task;
  const before = sink.accepted();
  const samples: (Sample & { at: number })[] = [];
  const sample = () => {
    const [sent, mib] = [sink.accepted() - before, app.residentMib()];
    if (mib === undefined) throw new Error('there is no /proc here to read memory from');
    samples.push({ sent, mib, at: performance.now() });
    progress(`${sent.toLocaleString('en')} of ${mails.toLocaleString('en')} mails, ${Math.round(mib)} MiB`);
  };
  sample();
  const timer = setInterval(sample, SAMPLE_EVERY_MS);
  try {
    for (let from = 0; from < mails; from += CHUNK) {
      const length = Math.min(CHUNK, mails - from);
      const posts = Array.from({ length }, (_, i) => post(from + i));
      await load(`${url}/v1/sources/default/events`, posts);
      // In step with what is sent: a pile of unsent mails is another measurement.
      await sink.until(before + from, app);
    }
    await sink.until(before + mails, app);
    sample();
  } finally {
    clearInterval(timer);
  }
  await assertNoMore(sink, before + mails);
  return samples;
}

function findings(samples: readonly (Sample & { at: number })[], mails: number): Finding[] {
  const windows = windowMeans(samples, Math.min(SETTLED_AFTER, mails / 4), mails);
  const title = `memory of a window, farthest from the mean of ${Math.round(mean(windows))} MiB, %`;
  const rate = (from: number, to: number) => {
    const some = samples.filter(({ sent }) => sent >= from && sent <= to);
    const [first, last] = [some[0]!, some.at(-1)!];
    return ((last.sent - first.sent) * 1000) / (last.at - first.at);
  };
  return [
    { figure: 'memory_deviation_percent', title, value: farthestFromMean(windows) * 100, atMost: 10 },
    { figure: 'memory_first_mib', title: 'memory, first window, MiB', value: windows[0]! },
    { figure: 'memory_last_mib', title: 'memory, last window, MiB', value: windows.at(-1)! },
    { figure: 'first_tenth_per_s', title: 'mails/s, first tenth', value: rate(0, mails / 10) },
    { figure: 'last_tenth_per_s', title: 'mails/s, last tenth', value: rate(mails * 0.9, mails) },
  ];
}

/** The mean of each window of equally many mails, from `from` on. A window that no sample fell into is left out. */
export function windowMeans(samples: readonly Sample[], from: number, to: number): number[] {
  const size = (to - from) / WINDOWS;
  const windows = Array.from({ length: WINDOWS }, (_, i) =>
    samples.filter(({ sent }) => sent > from + i * size && sent <= from + (i + 1) * size).map(({ mib }) => mib),
  );
  return windows.filter((window) => window.length > 0).map(mean);
}
