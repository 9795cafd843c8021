/** What a translator must not touch in a text: values, and what stands around the forms of a plural. */
import { Vault } from '../templates/mustache.js';
import { parseSentence } from '../portal/sentences.js';
import type { Unit } from './units.js';

/** Pieces of a text in their order: joined by what they say, they are the text again. */
export type Piece = { kind: 'text' | 'placeholder' | 'open' | 'close'; text: string };

/** Cuts a text up. What cannot be read is text as a whole: the checks say what is wrong with it. */
export function piecesOf({ text, format }: Pick<Unit, 'text' | 'format'>): Piece[] {
  const marks = format === 'icu' ? marksOfSentence(text) : marksOfWords(text);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, kind } of [...marks].sort((a, b) => a.start - b.start)) {
    if (start > at) pieces.push({ kind: 'text', text: text.slice(at, start) });
    pieces.push({ kind, text: text.slice(start, end) });
    at = end;
  }
  if (at < text.length) pieces.push({ kind: 'text', text: text.slice(at) });
  return isBalanced(pieces) ? pieces : pieces.map((piece) => (piece.kind === 'text' ? piece : asPlaceholder(piece)));
}

interface Mark {
  start: number;
  end: number;
  kind: Exclude<Piece['kind'], 'text'>;
}

/** `{{#if}}…{{/if}}` and `{{plural n …}}` embrace words; all other mustaches are one thing. */
function marksOfWords(text: string): Mark[] {
  const vault = new Vault(text);
  const marks: Mark[] = [];
  let at = 0;
  for (const piece of vault.hideAll(text).split(new RegExp(`(${vault.pattern})`))) {
    const mustache = new RegExp(`^${vault.pattern}$`).test(piece) ? vault.restore(piece) : null;
    const length = mustache?.length ?? piece.length;
    if (mustache) marks.push(...marksOfMustache(mustache, at));
    at += length;
  }
  // A comment is dropped on the way, and then nothing is where it was.
  return at === text.length ? marks : [];
}

function marksOfMustache(mustache: string, start: number): Mark[] {
  const end = start + mustache.length;
  if (/^\{\{~?#/.test(mustache)) return [{ start, end, kind: 'open' }];
  if (/^\{\{~?\//.test(mustache)) return [{ start, end, kind: 'close' }];
  const [opener] = /^\{\{~?\s*plural\s+[\w.]+/.exec(mustache) ?? [];
  if (opener === undefined) return [{ start, end, kind: 'placeholder' }];
  const closer = /\s*~?\}\}$/.exec(mustache)![0].length;
  return [
    { start, end: start + opener.length, kind: 'open' },
    { start: end - closer, end, kind: 'close' },
  ];
}

interface LocatedNode {
  type: number;
  options?: Record<string, { value: LocatedNode[] }>;
  location: { start: { offset: number }; end: { offset: number } };
}

const TEXT = 0;
/** `#` in a plural. */
const POUND = 7;

function marksOfSentence(text: string): Mark[] {
  let nodes: LocatedNode[];
  try {
    nodes = parseSentence(text, 'en', true).getAst() as LocatedNode[];
  } catch {
    return []; // The checks say what is wrong with it.
  }
  const marks: Mark[] = [];
  const visit = ({ type, options, location }: LocatedNode): void => {
    const [start, end] = [location.start.offset, location.end.offset];
    if (type === TEXT || type === POUND) return;
    const [opener] = /^\{\s*\w+\s*,\s*\w+\s*,/.exec(text.slice(start, end)) ?? [];
    if (!options || opener === undefined) {
      marks.push({ start, end, kind: 'placeholder' });
      return;
    }
    marks.push({ start, end: start + opener.length, kind: 'open' }, { start: end - 1, end, kind: 'close' });
    for (const { value } of Object.values(options)) value.forEach(visit);
  };
  nodes.forEach(visit);
  return marks;
}

function isBalanced(pieces: readonly Piece[]): boolean {
  let depth = 0;
  for (const { kind } of pieces) {
    if (kind === 'open') depth++;
    if (kind === 'close' && --depth < 0) return false;
  }
  return depth === 0;
}

function asPlaceholder({ text }: Piece): Piece {
  return { kind: 'placeholder', text };
}
