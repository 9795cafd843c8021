import { UNFINISHED } from '../templates/mustache.js';
import { wordsVocabulary } from '../templates/values.js';
import type { Finding } from '../translations/units.js';

/** One thing that is wrong with a text, where it stands, and where possible what mends it. */
export interface TextProblem {
  line: number;
  column: number;
  endColumn?: number;
  severity: 'error' | 'warning';
  message: string;
  /** `from` and `to` are offsets in the text, UTF-16 units. */
  fix?: { label: string; from: number; to: number; insert: string };
}

export function problemsIn(text: string, findings: readonly Finding[]): TextProblem[] {
  return findings.map(({ line, column, severity, message }) => {
    const place = { line: Math.max(1, line), column: Math.max(1, column) };
    const at = offsetOf(text, place.line, place.column);
    const rest = text.slice(at);
    const length = /^(?:\{\{\{?[^{}\n]*\}?\}\}|[\p{L}\p{N}_.-]+|.)/u.exec(rest)?.[0].length ?? 0;
    const fix = fixOf(message, text, at);
    return {
      ...{ ...place, ...(length ? { endColumn: place.column + length } : {}), severity, message },
      ...(fix ? { fix } : {}),
    };
  });
}

function offsetOf(text: string, line: number, column: number): number {
  let at = 0;
  for (let n = 1; n < line; n++) {
    const next = text.indexOf('\n', at);
    if (next === -1) break;
    at = next + 1;
  }
  return Math.min(text.length, at + column - 1);
}

function fixOf(message: string, text: string, at: number): TextProblem['fix'] {
  const rest = text.slice(at);
  const raw = /^\{\{\{([^{}]*)\}\}\}/.exec(rest);
  if (raw && message.includes('unescaped'))
    return { label: `write {{${raw[1]}}}`, from: at, to: at + raw[0].length, insert: `{{${raw[1]}}}` };
  if (message.includes('invisible sign') && /^[\p{Cc}\p{Cf}\u2028\u2029]/u.test(rest))
    return { label: 'take it out', from: at, to: at + 1, insert: '' };
  if (message.startsWith(UNFINISHED)) return closing(rest, at);
  const [, unknown, known] = UNKNOWN.exec(message) ?? [];
  if (unknown === undefined) return undefined;
  // A field is told of where its words begin: its name stands before them.
  const from = text.indexOf(unknown, message.startsWith('"') ? text.lastIndexOf('\n', at - 1) + 1 : at);
  const near = from === -1 || from > at + 80 ? null : nearest(unknown, known!.split(', '));
  return near === null ? undefined : { label: `write ${near}`, from, to: from + unknown.length, insert: near };
}

/** A value, a part or a field that there is none of, in words that name those there are. */
const UNKNOWN = /^(?:there is no (?:value|part) )?"([\w.]+)"[^;]*; there are: (.*)$/;

/** `{{ticketN`, and nothing that closes it. */
function closing(rest: string, at: number): TextProblem['fix'] {
  const [typed, name] = /^\{\{\s*([\w.]*)\}?(?!\})/.exec(rest) ?? [];
  if (typed === undefined || !name) return undefined;
  const [meant, ...others] = names.filter((known) => known.toLowerCase().startsWith(name.toLowerCase()));
  const whole = meant !== undefined && others.length === 0 ? meant : name;
  return { label: `write {{${whole}}}`, from: at, to: at + typed.length, insert: `{{${whole}}}` };
}

const names = [...new Set([...Object.keys(wordsVocabulary('notification')), ...Object.keys(wordsVocabulary('code'))])];

/** The name that was meant, if one is at most two slips away. */
function nearest(name: string, known: readonly string[]): string | null {
  const ranked = known.map((one) => ({ one, slips: slips(name.toLowerCase(), one.toLowerCase()) }));
  const [best] = ranked.sort((a, b) => a.slips - b.slips);
  return best && best.slips <= 2 ? best.one : null;
}

/** Levenshtein's distance. */
function slips(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)));
    row = next;
  }
  return row.at(-1)!;
}
