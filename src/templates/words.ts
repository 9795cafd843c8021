/** Reads `templates/content`: the words of one mail, or of the frame around all mails, in one locale. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { linkDestinations } from './markdown.js';
import { checkSyntax, isBlockTag, printedValue, type Problem, Vault, type Vocabulary } from './mustache.js';
import type { LayoutName } from './values.js';

/** One named piece of words. `source` holds words of `vault` where the mustaches were. */
export interface Field {
  source: string;
  vault: Vault;
  kind: 'line' | 'markdown';
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
 * @param parts names that `{{> name}}` may use in it
 */
export function readWords(
  path: string,
  file: string,
  shape: Shape,
  vocabulary: Vocabulary,
  parts: readonly string[],
): WordsFile {
  const text = readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
  const problems = checkSyntax(text, file, vocabulary, parts);
  if (problems.length) return { words: new Map(), problems };
  const vault = new Vault(text);
  const [, front = '', body = ''] = /^---\n([^]*?\n)---(?:\n([^]*))?$/.exec(vault.hideAll(text)) ?? [];
  if (!front) {
    return {
      words: new Map(),
      problems: [{ file, line: 1, message: 'begin with a line ---, the fields, and a line --- again' }],
    };
  }
  const fields = readFront(front, file, problems);
  if (problems.length) return { words: new Map(), problems };
  if ('body' in shape) fields.set('body', body);
  else if (body.trim())
    problems.push({ file, line: 0, message: 'nothing may follow the second ---: put the words into a field' });
  return { words: checkFields(fields, shape, vault, file, vocabulary, problems), problems };
}

function readFront(front: string, file: string, problems: Problem[]): Map<string, string> {
  // "failsafe" reads every value as the text it is: no dates, no numbers, no "no" that becomes false.
  const document = parseDocument(front, { schema: 'failsafe' });
  for (const { message, linePos } of document.errors) {
    const what = message.split('\n')[0]?.replace(/ at line .*/, '');
    problems.push({
      file,
      line: (linePos?.[0].line ?? 0) + 1,
      message: `${what}: put the value in quotes, or begin it with "|" on a line of its own`,
    });
  }
  const fields = new Map<string, string>();
  if (problems.length) return fields;
  for (const [name, value] of Object.entries((document.toJS() as Record<string, unknown> | null) ?? {})) {
    if (typeof value === 'string') fields.set(name, value);
    else problems.push({ file, line: 0, message: `"${name}" must be text` });
  }
  return fields;
}

function checkFields(
  fields: Map<string, string>,
  shape: Shape,
  vault: Vault,
  file: string,
  vocabulary: Vocabulary,
  problems: Problem[],
): Words {
  const words = new Map<string, Field>();
  const problem = (name: string, message: string) => problems.push({ file, line: 0, message: `"${name}" ${message}` });
  for (const name of fields.keys()) {
    if (!Object.hasOwn(shape, name)) problem(name, `is not a field here; there are: ${Object.keys(shape).join(', ')}`);
  }
  for (const [name, kind] of Object.entries(shape)) {
    const text = (fields.get(name) ?? '').trim();
    if (!text) problem(name, 'is missing: every mail needs it');
    else if (kind === 'line' && text.includes('\n')) problem(name, 'must be one line');
    const field: Field = { source: kind === 'line' ? text : setBlocksApart(text, vault), vault, kind };
    const fault = text && fieldFault(field, vocabulary);
    if (fault) problem(name, fault);
    words.set(name, field);
  }
  return words;
}

/** What only shows in one field: a block that ends in another one, braces made by escapes, a link to nowhere safe. */
function fieldFault({ source, vault, kind }: Field, vocabulary: Vocabulary): string | null {
  try {
    const [broken] = checkSyntax(vault.restore(source), '', vocabulary, frameParts);
    if (broken) return `is not whole by itself: ${broken.message}`;
    if (kind === 'line') return null;
    for (const destination of linkDestinations(source).map((href) => vault.restore(href))) {
      const name = printedValue(destination);
      if (name ? vocabulary[name] === 'url' : /^(?:https:\/\/|mailto:)[^{}]+$/.test(destination)) continue;
      return `links to "${destination}": a link leads to https://…, mailto:… or to one value that is an address, like {{checkUrl}}`;
    }
    return null;
  } catch (error) {
    return `has ${error instanceof Error ? error.message : String(error)}`;
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
