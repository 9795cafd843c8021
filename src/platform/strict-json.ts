import { isUtf8 } from 'node:buffer';
import { pointerOf, PosternError, type ErrorCode } from '../errors.js';

/** A value as JSON.parse makes it. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

export type StrictJson =
  | { ok: true; value: JsonValue }
  | {
      ok: false;
      reason: 'utf8' | 'syntax' | 'duplicate-key' | 'forbidden-key' | 'depth';
      detail: string;
      /** Where a key is at fault. */
      pointer?: string;
    };

type Fault = Extract<StrictJson, { ok: false }>;

const CODES = {
  utf8: 'invalid-json',
  syntax: 'invalid-json',
  'duplicate-key': 'duplicate-key',
  'forbidden-key': 'forbidden-key',
  depth: 'too-deep',
} as const satisfies Record<Fault['reason'], ErrorCode>;

/** What the sender of such a body is told, the same at every door. */
export function jsonProblem({ reason, detail, pointer: place }: Fault): PosternError {
  if (place === undefined) return new PosternError(CODES[reason], `${detail[0]!.toUpperCase()}${detail.slice(1)}.`);
  return new PosternError(CODES[reason], `${place} ${detail}.`, { errors: [{ pointer: place, detail }] });
}

/** One open object or array of the scan. */
interface Level {
  /** Keys seen in this object; null in an array. */
  keys: Set<string> | null;
  /** The key, or the index, that the scan is at. */
  at: string | number;
}

/**
 * Parses JSON (RFC 8259) that means the same to every reader, as I-JSON (RFC 7493 2) asks: strict UTF-8 without a byte
 * order mark, no key twice in an object however it is spelled, nesting of at most `maxDepth`. Keys that reach for a
 * prototype are refused: `__proto__`, and `constructor` holding a `prototype`. The detail of a fault names the place
 * (a JSON pointer, RFC 6901) and quotes nothing but keys.
 */
export function parseStrictJson(bytes: Buffer, { maxDepth }: { maxDepth: number }): StrictJson {
  if (!isUtf8(bytes)) return { ok: false, reason: 'utf8', detail: 'the body is not UTF-8' };
  const text = bytes.toString('utf8');
  if (text.trim() === '') return { ok: false, reason: 'syntax', detail: 'the body is empty' };
  if (text.charCodeAt(0) === 0xfeff) return { ok: false, reason: 'utf8', detail: 'the body has a byte order mark' };
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue; // V8 parses without recursion, so depth can wait for the scan
  } catch (error) {
    return { ok: false, reason: 'syntax', detail: syntaxDetail(error) };
  }
  return scan(text, maxDepth) ?? { ok: true, value };
}

/** One pass over text that is known to be JSON. Strings are jumped over; only keys are looked at. */
function scan(text: string, maxDepth: number): Fault | null {
  const levels: Level[] = [];
  let top: Level | undefined;
  let keyNext = false; // the next string is a key, if it stands in an object
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: {
        const end = closingQuote(text, i);
        if (keyNext && top?.keys) {
          const key = keyText(text, i, end);
          const reason = keyFault(key, top.keys, levels);
          top.at = key;
          if (reason !== null) return { ok: false, reason, detail: KEY_FAULTS[reason], pointer: pointer(levels) };
          top.keys.add(key);
          keyNext = false;
        }
        i = end;
        break;
      }
      case 0x7b:
      case 0x5b:
        if (levels.length === maxDepth) return { ok: false, reason: 'depth', detail: `nested deeper than ${maxDepth}` };
        keyNext = text.charCodeAt(i) === 0x7b;
        top = keyNext ? { keys: new Set(), at: '' } : { keys: null, at: 0 };
        levels.push(top);
        break;
      case 0x7d:
      case 0x5d:
        levels.pop();
        top = levels.at(-1);
        keyNext = false;
        break;
      case 0x2c:
        keyNext = true;
        if (typeof top?.at === 'number') top.at++;
        break;
    }
  }
  return null;
}

const KEY_FAULTS = { 'duplicate-key': 'appears twice', 'forbidden-key': 'is not allowed' } as const;

function keyFault(key: string, seen: Set<string>, levels: Level[]): keyof typeof KEY_FAULTS | null {
  if (key === '__proto__') return 'forbidden-key';
  if (key === 'prototype' && levels.at(-2)?.at === 'constructor') return 'forbidden-key';
  return seen.has(key) ? 'duplicate-key' : null;
}

/** The place of the quote that ends the string begun at `start`: the first one after an even number of backslashes. */
function closingQuote(text: string, start: number): number {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let first = end;
    while (text.charCodeAt(first - 1) === 0x5c) first--;
    if ((end - first) % 2 === 0) return end;
  }
}

/** The key between two quotes, decoded: `"a"` and `"\u0061"` are one key. */
function keyText(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end + 1)) as string) : raw;
}

function pointer(levels: Level[]): string {
  const path = pointerOf(levels.map(({ at }) => at));
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}

/** V8's own message quotes the body, which may be private: only the place is kept. */
function syntaxDetail(error: unknown): string {
  const said = error instanceof SyntaxError ? error.message : '';
  if (said.startsWith('Unexpected end')) return 'the body ends before its JSON does';
  const place = /at position (\d+)/.exec(said)?.[1];
  return place === undefined ? 'the body is not JSON' : `the body is not JSON at character ${place}`;
}
