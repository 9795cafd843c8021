/** Two changed texts of one origin brought together, line by line. */
import { difference } from './word-diff.js';

export interface Merged {
  text: string;
  /** Places where both changed the same lines differently: they stand in the text between marks, ours first. */
  conflicts: number;
}

/** One stretch of the origin's lines, and what it became. */
interface Change {
  start: number;
  end: number;
  lines: string[];
}

/**
 * @param base what both began from
 * @param ours its lines win nothing: where both changed the same ones, people decide
 */
export function mergeTexts(
  base: string,
  ours: string,
  theirs: string,
  marks: { ours: string; theirs: string } = { ours: 'edited', theirs: 'shipped' },
): Merged {
  const origin = linesOf(base);
  const [own, other] = [changesOf(origin, linesOf(ours)), changesOf(origin, linesOf(theirs))];
  const merged: string[] = [];
  let conflicts = 0;
  let at = 0;
  while (own.length || other.length) {
    const start = Math.min(own[0]?.start ?? Infinity, other[0]?.start ?? Infinity);
    merged.push(...origin.slice(at, start));
    const { mine, yours, end } = takeTogether(own, other, start);
    const sides = [applied(origin, mine, start, end), applied(origin, yours, start, end)] as const;
    if (mine.length === 0 || same(sides[0], sides[1])) merged.push(...sides[1]);
    else if (yours.length === 0) merged.push(...sides[0]);
    else {
      conflicts++;
      merged.push(`<<<<<<< ${marks.ours}\n`, ...ended(sides[0]), '=======\n', ...ended(sides[1]));
      merged.push(`>>>>>>> ${marks.theirs}\n`);
    }
    at = end;
  }
  merged.push(...origin.slice(at));
  return { text: merged.join(''), conflicts };
}

/** Each with its end, so that joined they are the text again. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function changesOf(origin: readonly string[], changed: readonly string[]): Change[] {
  const changes: Change[] = [];
  let at = 0;
  for (const { kind, items } of difference(origin, changed)) {
    if (kind === 'same') {
      at += items.length;
      continue;
    }
    const last = changes.at(-1);
    const joins = last?.end === at;
    if (kind === 'removed') {
      if (joins) last.end += items.length;
      else changes.push({ start: at, end: at + items.length, lines: [] });
      at += items.length;
    } else if (joins) last.lines.push(...items);
    else changes.push({ start: at, end: at, lines: [...items] });
  }
  return changes;
}

/** Takes the changes off both lists that touch one another, beginning with the first. */
function takeTogether(own: Change[], other: Change[], start: number): { mine: Change[]; yours: Change[]; end: number } {
  const mine: Change[] = [];
  const yours: Change[] = [];
  let end = start;
  // Two insertions at one place touch as well: nobody knows which comes first.
  const touches = (change: Change | undefined) =>
    change !== undefined &&
    (change.start < end || change.start === start || (change.start === end && change.start === change.end));
  for (;;) {
    const list = touches(own[0]) ? own : touches(other[0]) ? other : null;
    if (!list) return { mine, yours, end };
    const change = list.shift()!;
    (list === own ? mine : yours).push(change);
    end = Math.max(end, change.end);
  }
}

function applied(origin: readonly string[], changes: readonly Change[], start: number, end: number): string[] {
  const lines: string[] = [];
  let at = start;
  for (const change of changes) {
    lines.push(...origin.slice(at, change.start), ...change.lines);
    at = change.end;
  }
  return [...lines, ...origin.slice(at, end)];
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((line, i) => line === other[i]);
}

/** A mark after it must begin a line. */
function ended(lines: readonly string[]): string[] {
  return lines.map((line) => (line.endsWith('\n') ? line : `${line}\n`));
}
