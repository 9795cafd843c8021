import { type Post, load } from './load.js';
import { type Child, findTool } from './processes.js';
import type { Sink } from './sink.js';

/** What can be measured, in the order in which it is shown. A system leaves out what it has not got. */
export const FIGURES = ['mails_per_s', 'cpu_ms_per_mail', 'accepted_per_s', 'intake_p50_ms', 'intake_p99_ms'] as const;
export type Figure = (typeof FIGURES)[number];
export type Figures = Partial<Record<Figure, number>>;

/** What one measurement gets: where mails go, how many to send, and whom to tell how far it is. */
export interface Task {
  sink: Sink;
  mails: number;
  progress: (text: string) => void;
}

/** A tool, and Debian's package of it. */
export interface Tool {
  name: string;
  package: string;
}

export interface System {
  name: string;
  title: string;
  /** How many times the run's number of mails it sends: the fast ones need more for their time to mean something. */
  times: number;
  /** Tools of the machine that it cannot do without. */
  tools?: readonly Tool[];
  /** Whether it needs the reference's packages. */
  reference: boolean;
  measure(task: Task): Promise<Figures>;
}

/** What keeps a system from being measured on this machine and how to get it; undefined when nothing does. */
export function missing({ tools = [] }: Pick<System, 'tools'>): string | undefined {
  const absent = tools.find(({ name }) => !findTool(name));
  return absent && `${absent.name} was not found (Debian: apt install ${absent.package})`;
}

/** Events before the clock starts: compilers and caches have met everything by then. */
export const WARM_UP = 2000;

/** Makes the i-th event, another ticket and another person for each. */
export type MakePost = (i: number) => Post;

/**
 * Sends events to a running system, first to warm it up, and measures until the sink has the last mail and `settled`, what
 * comes after so many mails, is done.
 */
export async function drive(
  app: Child,
  url: string,
  post: MakePost,
  task: Task,
  settled: (mails: number) => Promise<void> = async () => {},
): Promise<Figures> {
  const { sink, mails, progress } = task;
  const posts = Array.from({ length: WARM_UP + mails }, (_, i) => post(i));
  const start = sink.accepted() + WARM_UP;
  progress('warming up');
  await load(url, posts.slice(0, WARM_UP));
  await sink.until(start, app);
  await settled(WARM_UP);

  progress('posting');
  const cpuBefore = app.cpuMs();
  const startedAt = performance.now();
  const intake = await load(url, posts.slice(WARM_UP));
  await sink.until(start + mails, app, counting(progress, start, mails));
  await settled(WARM_UP + mails);
  const mailsPerSecond = perSecond(mails, startedAt);
  const cpuAfter = app.cpuMs();
  await assertNoMore(sink, start + mails);
  return {
    mails_per_s: mailsPerSecond,
    ...(cpuBefore !== undefined && cpuAfter !== undefined && { cpu_ms_per_mail: (cpuAfter - cpuBefore) / mails }),
    accepted_per_s: intake.acceptedPerSecond,
    intake_p50_ms: intake.p50Ms,
    intake_p99_ms: intake.p99Ms,
  };
}

/** A mail sent twice would have stood in for one that was never sent. */
export async function assertNoMore(sink: Sink, expected: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  const surplus = sink.accepted() - expected;
  if (surplus > 0) throw new Error(`${surplus} mails more than events`);
}

export const perSecond = (count: number, startedAt: number) => (count * 1000) / (performance.now() - startedAt);

export const counting = (progress: Task['progress'], before: number, mails: number) => (accepted: number) =>
  progress(`${Math.min(accepted - before, mails)} of ${mails} mails`);
