/** What changed between two texts, word by word, in any script. */

export interface Segment {
  kind: 'same' | 'added' | 'removed';
  text: string;
}

/** Beyond this many differences the rest is shown as replaced: nobody reads them one by one, and time would grow with their square. */
const MOST_DIFFERENCES = 500;

// Chinese, Japanese and Thai have no blanks between words.
const words = new Intl.Segmenter('und', { granularity: 'word' });

/** @returns segments in reading order: `same` and `removed` are `from`, `same` and `added` are `to` */
export function wordDiff(from: string, to: string): Segment[] {
  const joined: Segment[] = [];
  for (const { kind, items } of difference(wordsOf(from), wordsOf(to))) {
    const text = items.join('');
    if (text) joined.push({ kind, text });
  }
  return joined;
}

function wordsOf(text: string): string[] {
  return [...words.segment(text)].map(({ segment }) => segment);
}

export interface Run<T> {
  kind: Segment['kind'];
  items: T[];
}

/** Runs of equal, removed and added items, with as few changes as there can be (Myers 1986); removed before added. */
export function difference<T>(from: readonly T[], to: readonly T[]): Run<T>[] {
  let start = 0;
  while (start < from.length && start < to.length && from[start] === to[start]) start++;
  let end = 0;
  const most = Math.min(from.length, to.length) - start;
  while (end < most && from[from.length - 1 - end] === to[to.length - 1 - end]) end++;
  const [a, b] = [from.slice(start, from.length - end), to.slice(start, to.length - end)];
  return gathered([
    ...from.slice(0, start).map((item) => ['same', item] as const),
    ...steps(a, b),
    ...from.slice(from.length - end).map((item) => ['same', item] as const),
  ]);
}

type Step<T> = readonly [kind: Segment['kind'], item: T];

function steps<T>(a: readonly T[], b: readonly T[]): Step<T>[] {
  const replaced: Step<T>[] = [
    ...a.map((item) => ['removed', item] as const),
    ...b.map((item) => ['added', item] as const),
  ];
  if (a.length === 0 || b.length === 0) return replaced;
  const trace = furthest(a, b);
  return trace ? walkBack(a, b, trace) : replaced;
}

/** For each number of changes, how far each diagonal comes; null if there would be too many. */
function furthest<T>(a: readonly T[], b: readonly T[]): Map<number, number>[] | null {
  let reach = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let changes = 0; changes <= Math.min(a.length + b.length, MOST_DIFFERENCES); changes++) {
    const next = new Map<number, number>();
    trace.push(next);
    for (let k = -changes; k <= changes; k += 2) {
      const down = k === -changes || (k !== changes && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      next.set(k, x);
      if (x >= a.length && x - k >= b.length) return trace;
    }
    reach = next;
  }
  return null;
}

function walkBack<T>(a: readonly T[], b: readonly T[], trace: readonly Map<number, number>[]): Step<T>[] {
  const back: Step<T>[] = [];
  let [x, y] = [a.length, b.length];
  for (let changes = trace.length - 1; changes > 0; changes--) {
    const reach = trace[changes - 1]!;
    const k = x - y;
    const down = k === -changes || (k !== changes && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const before = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0);
    const beforeY = before - (down ? k + 1 : k - 1);
    while (x > before + (down ? 0 : 1) && y > beforeY + (down ? 1 : 0)) {
      back.push(['same', a[--x]!]);
      y--;
    }
    if (down) back.push(['added', b[--y]!]);
    else back.push(['removed', a[--x]!]);
  }
  while (x > 0) back.push(['same', a[--x]!]);
  return back.reverse();
}

/** One run of each kind between two equal stretches. */
function gathered<T>(given: readonly Step<T>[]): Run<T>[] {
  const runs: Run<T>[] = [];
  let changed: { removed: T[]; added: T[] } = { removed: [], added: [] };
  const close = () => {
    if (changed.removed.length) runs.push({ kind: 'removed', items: changed.removed });
    if (changed.added.length) runs.push({ kind: 'added', items: changed.added });
    changed = { removed: [], added: [] };
  };
  for (const [kind, item] of given) {
    if (kind !== 'same') {
      changed[kind].push(item);
      continue;
    }
    close();
    const last = runs.at(-1);
    if (last?.kind === 'same') last.items.push(item);
    else runs.push({ kind: 'same', items: [item] });
  }
  close();
  return runs;
}
