/** Reads `templates/content`: the words of one mail, or of the frame around all mails, in one locale. */
import { parseDocument } from 'yaml';
import { linkDestinations, markdownToText } from './markdown.js';
import {
  checkSyntax,
  isBlockTag,
  placeOf,
  printedValue,
  type Problem,
  replaceMustaches,
  Vault,
  type Vocabulary,
} from './mustache.js';
import type { LayoutName } from './values.js';

/** One named piece of words. `source` holds words of `vault` where the mustaches were. */
export interface Field {
  source: string;
  vault: Vault;
  kind: 'line' | 'markdown';
  /** As its writer typed it, without the front matter's quotes and indents. */
  raw: string;
  file: string;
  /** Where it begins in its file, or where `needle` stands in it. */
  at: (needle?: string) => { line: number; column: number };
}

export type Words = ReadonlyMap<string, Field>;

type Shape = Readonly<Record<string, Field['kind']>>;

/** Fields that every mail of a layout must have; `body` is what follows the front matter. */
const LINES = { subject: 'line', preheader: 'line', heading: 'line' } as const;
export const wordsShape: Readonly<Record<LayoutName, Shape>> = {
  notification: { ...LINES, body: 'markdown', button: 'line' },
  code: { ...LINES, body: 'markdown', detail: 'line', note: 'markdown' },
};

/** What all mails of a locale say. Its lines can be used in any words as `{{> name}}`. */
export const frameShape = {
  greeting: 'line',
  when: 'line',
  copyAddress: 'line',
  codeHint: 'markdown',
  check: 'markdown',
  ticketFooter: 'markdown',
  codeFooter: 'markdown',
} as const satisfies Shape;

export const frameParts = Object.entries(frameShape).flatMap(([name, kind]) => (kind === 'line' ? [name] : []));

export interface WordsFile {
  words: Words;
  problems: Problem[];
}

/**
 * Reads one file of words and finds all that is wrong with it.
 * @param given the file's text; `file` is its name, for people
 * @param parts names that `{{> name}}` may use in it
 */
export function readWords(
  given: string,
  file: string,
  shape: Shape,
  vocabulary: Vocabulary,
  parts: readonly string[],
): WordsFile {
  const text = given.replaceAll('\r\n', '\n');
  const problems = checkSyntax(text, file, vocabulary, parts);
  if (problems.length) return { words: new Map(), problems };
  const vault = new Vault(text);
  const [, front = '', body = ''] = FRONT_AND_BODY.exec(vault.hideAll(text)) ?? [];
  if (!front) {
    return {
      words: new Map(),
      problems: [{ file, line: 1, column: 1, message: 'begin with a line ---, the fields, and a line --- again' }],
    };
  }
  const fields = readFront(front, file, vault, problems);
  if (problems.length) return { words: new Map(), problems };
  if ('body' in shape) fields.set('body', body);
  else if (body.trim())
    problems.push({
      file,
      ...fieldPlace(text, 'body'),
      message: 'nothing may follow the second ---: put the words into a field',
    });
  return { words: checkFields(fields, shape, { text, vault, file, vocabulary, problems }), problems };
}

const FRONT_AND_BODY = /^---\n([^]*?\n)---(?:\n([^]*))?$/;

/** Where a field's words begin, or `needle` in them; for a field that is not there, the end of the front matter. */
function fieldPlace(text: string, name: string, needle = ''): { line: number; column: number } {
  const [start, end] = fieldRange(text, name);
  const found = needle ? text.slice(start, end).indexOf(needle) : -1;
  return placeOf(text, start + Math.max(0, found));
}

/** A field begins in the first column, and what belongs to it is further in: so it is found without reading YAML. */
function fieldRange(text: string, name: string): [start: number, end: number] {
  const front = FRONT_AND_BODY.exec(text)?.[1] ?? '';
  const frontEnd = '---\n'.length + front.length;
  const bodyStart = frontEnd + /^---\s*/.exec(text.slice(frontEnd))![0].length;
  if (name === 'body' && bodyStart < text.length) return [bodyStart, text.length];
  const head = new RegExp(`^(["']?)${name}\\1[ \\t]*:[ \\t]*(?:[|>][-+\\d]*[ \\t]*\\n\\s*)?["']?`, 'm').exec(front);
  if (!head) return [frontEnd, frontEnd];
  const start = head.index + head[0].length;
  const next = /^["']?[\w-]+["']?[ \t]*:/m.exec(front.slice(start));
  const offset = '---\n'.length;
  return [start + offset, offset + (next ? start + next.index : front.length)];
}

function readFront(front: string, file: string, vault: Vault, problems: Problem[]): Map<string, string> {
  // "failsafe" reads every value as the text it is: no dates, no numbers, no "no" that becomes false.
  const document = parseDocument(front, { schema: 'failsafe' });
  for (const { message, linePos } of document.errors) {
    const what = message.split('\n')[0]?.replace(/ at line .*/, '');
    const { line: row, col } = linePos?.[0] ?? { line: 1, col: 1 };
    const hidden = (front.split('\n')[row - 1] ?? '').slice(0, col - 1);
    problems.push({
      file,
      line: row + 1,
      column: vault.restore(hidden).length + 1,
      message: `${what}: put the value in quotes, or begin it with "|" on a line of its own`,
    });
  }
  const fields = new Map<string, string>();
  if (problems.length) return fields;
  for (const [name, value] of Object.entries(frontValues(document, file, problems))) {
    if (typeof value === 'string') fields.set(name, value);
    else
      problems.push({
        file,
        ...fieldPlace(`---\n${vault.restore(front)}---`, name),
        message: `"${name}" must be text`,
      });
  }
  return fields;
}

/** Aliases of aliases could grow without end: the reader of YAML gives up on them, and so do we. */
function frontValues(document: { toJS(): unknown }, file: string, problems: Problem[]): Record<string, unknown> {
  try {
    return (document.toJS() as Record<string, unknown> | null) ?? {};
  } catch (error) {
    problems.push({ file, line: 2, column: 1, message: `cannot be read: ${(error as Error).message}` });
    return {};
  }
}

interface FileOfWords {
  text: string;
  vault: Vault;
  file: string;
  vocabulary: Vocabulary;
  problems: Problem[];
}

function checkFields(
  fields: Map<string, string>,
  shape: Shape,
  { text: whole, vault, file, vocabulary, problems }: FileOfWords,
): Words {
  const words = new Map<string, Field>();
  const problem = (name: string, message: string, needle?: string) =>
    problems.push({ file, ...fieldPlace(whole, name, needle), message: `"${name}" ${message}` });
  for (const name of fields.keys()) {
    if (!Object.hasOwn(shape, name)) problem(name, `is not a field here; there are: ${Object.keys(shape).join(', ')}`);
  }
  for (const [name, kind] of Object.entries(shape)) {
    const text = (fields.get(name) ?? '').trim();
    if (!text) problem(name, 'is missing: every mail needs it');
    else if (kind === 'line' && text.includes('\n')) problem(name, 'must be one line');
    const source = kind === 'line' ? text : setBlocksApart(text, vault);
    const at = (needle?: string) => fieldPlace(whole, name, needle);
    const field: Field = { source, vault, kind, raw: restoredOr(text, vault), file, at };
    const fault = text && fieldFault(field, vocabulary);
    if (fault) problem(name, fault.message, fault.needle);
    words.set(name, field);
  }
  return words;
}

/** The text with its mustaches; as it is where braces stand in it that `fieldFault` refuses. */
function restoredOr(text: string, vault: Vault): string {
  return text.includes('{{') ? text : vault.restore(text);
}

/** What looks like an address to a mail program: it would make a link of it, wherever it leads. */
const BARE_ADDRESS = /(?:https?:\/\/|\bwww\.|\b(?:javascript|vbscript|file):|\bdata:[\w-]+\/)[^\s<>)]*/i;
// Control characters, and marks that turn the reading direction around: the engine sets those that are needed.
const UNSEEN = /[^\P{Cc}\n]|[\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u;

/** What only shows in one field: a block that ends in another one, braces made by escapes, a link to nowhere safe. */
function fieldFault(field: Field, vocabulary: Vocabulary): { message: string; needle?: string } | null {
  const { source, vault, kind, raw } = field;
  const unseen = UNSEEN.exec(raw)?.[0];
  if (unseen !== undefined) {
    const sign = unseen.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    return { message: `has the invisible sign U+${sign}: take it out`, needle: unseen };
  }
  try {
    const [broken] = checkSyntax(vault.restore(source), '', vocabulary, frameParts);
    if (broken) return { message: `is not whole by itself: ${broken.message}` };
    // Markdown makes braces of escapes and entities.
    if (kind === 'markdown') vault.restore(markdownToText(source));
    const destinations = kind === 'line' ? [] : linkDestinations(source).map((href) => vault.restore(href));
    const away = destinations.find((href) => {
      const name = printedValue(href);
      return name ? vocabulary[name] !== 'url' : !/^mailto:[^{}]+$/.test(href);
    });
    // Markdown may have escaped it; then it is found by nothing.
    const bare = away ?? BARE_ADDRESS.exec(replaceMustaches(raw, () => ' '))?.[0];
    if (bare === undefined) return null;
    return {
      message: `links to "${bare}": a link leads to mailto:… or to one value that is an address, like {{checkUrl}}; no words lead to another host`,
      needle: bare,
    };
  } catch (error) {
    return { message: `has ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** A line that holds only block tags shapes whole paragraphs, so it must not become part of one. */
function setBlocksApart(text: string, vault: Vault): string {
  const onlyWords = new RegExp(`^\\s*(?:${vault.pattern}\\s*)+$`);
  return text.replace(/^.*$/gm, (line) => {
    if (!onlyWords.test(line)) return line;
    const tags = line.match(new RegExp(vault.pattern, 'g')) ?? [];
    return tags.every((word) => isBlockTag(vault.restore(word))) ? `\n${line}\n` : line;
  });
}
