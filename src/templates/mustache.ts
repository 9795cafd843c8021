/**
 * Mustaches as a writer types them: found, hidden from tools that would change them, and held to an allow-list.
 *
 * Markdown turns quotes into entities, YAML takes `{{x}}` for a map, React escapes `{{> part}}`. So every mustache
 * travels through them as an opaque word and is put back, byte for byte, at the end.
 */
import Handlebars from 'handlebars';

/** One thing that is wrong with a file, in words that name the fix. */
export interface Problem {
  file: string;
  /** From 1; 0 where there is no file. */
  line: number;
  /** In UTF-16 units, from 1; 0 where there is no file. */
  column: number;
  message: string;
}

/** What a value is decides how it may be written. `word`: shown as it is, kept from mixing with text of the other direction. */
export type ValueKind = 'word' | 'text' | 'url' | 'flag' | 'count' | 'time';
export type Vocabulary = Readonly<Record<string, ValueKind>>;

/** The helpers of Postern's words. Everything else is refused before it compiles. */
export const helperNames = ['eq', 'plural', 'datetime'] as const;

const PLURALS = new Set(['zero', 'one', 'two', 'few', 'many', 'other']);

// A comment, or anything between double braces where braces inside quotes don't count.
const MUSTACHE =
  /\{\{~?!--[^]*?--~?\}\}|\{\{~?![^]*?\}\}|\{\{(?:"(?:\\"|[^"])*"|'(?:\\'|[^'])*'|[^"'}]|\}(?!\}))*\}\}/g;

/** Keeps mustaches safe behind words that no tool touches: ASCII letters and digits only. */
export class Vault {
  private readonly mustaches: string[] = [];
  private readonly prefix: string;
  private readonly words: RegExp;

  /** @param around the text the words will stand in; they are chosen so that it contains none by chance. */
  constructor(around = '') {
    let prefix = 'zq';
    while (around.includes(prefix)) prefix += 'q';
    this.prefix = prefix;
    this.words = new RegExp(`${prefix}(\\d+)x`, 'g');
  }

  /** The word that stands for `mustache` from now on. */
  hide(mustache: string): string {
    return `${this.prefix}${this.mustaches.push(mustache) - 1}x`;
  }

  /** `source` with a word for each mustache; comments are dropped. */
  hideAll(source: string): string {
    return source.replace(MUSTACHE, (mustache) => (/^\{\{~?!/.test(mustache) ? '' : this.hide(mustache)));
  }

  /**
   * Puts the mustaches back, each as `print` writes it.
   * @throws if a tool made braces out of something else (`{\{`, `&#123;`): they would become a mustache nobody checked.
   */
  restore(text: string, print: (mustache: string) => string = (mustache) => mustache): string {
    if (text.includes('{{')) throw new Error('two braces that are not a mustache: leave one of them out');
    return text.replace(this.words, (_word, index: string) => print(this.mustaches[Number(index)] ?? ''));
  }

  /** The pattern of one word, for those who must tell words from text. */
  get pattern(): string {
    return `${this.prefix}\\d+x`;
  }
}

/** `name` of a mustache that prints one value, `{{name}}`; else null. */
export function printedValue(mustache: string): string | null {
  return /^\{\{~?\s*([\w.]+)\s*~?\}\}$/.exec(mustache)?.[1] ?? null;
}

/** A static part, `{{> name p='…'}}`: its name and its hash; else null. */
export function partOf(mustache: string): { name: string; hash: Record<string, string> } | null {
  if (!/^\{\{~?>/.test(mustache)) return null;
  const [node] = Handlebars.parseWithoutProcessing(mustache).body;
  if (node?.type !== 'PartialStatement') return null;
  const partial = node as hbs.AST.PartialStatement;
  const hash: Record<string, string> = {};
  for (const pair of partial.hash?.pairs ?? []) hash[pair.key] = (pair.value as hbs.AST.StringLiteral).value;
  return { name: (partial.name as hbs.AST.PathExpression).original, hash };
}

/** `{{#if}}`, `{{else}}`, `{{/if}}`: shapes what is printed and prints nothing itself. */
export function isBlockTag(mustache: string): boolean {
  return /^\{\{~?(?:[#/^]|\s*else\b)/.test(mustache);
}

/** Replaces each mustache of a template that is not a comment. */
export function replaceMustaches(source: string, print: (mustache: string) => string): string {
  const vault = new Vault(source);
  return vault.restore(vault.hideAll(source), print);
}

/**
 * Holds a template to the syntax that always ends, always escapes and names only known values.
 * @param parts names that `{{> name}}` may use
 * @returns every problem found; none means that it will compile
 */
export function checkSyntax(source: string, file: string, vocabulary: Vocabulary, parts: readonly string[]): Problem[] {
  const raw = /\\\{\{|\{\{\{\{/.exec(source);
  if (raw) {
    const message = `"${raw[0]}" is not allowed: write values as {{name}}, and no braces otherwise`;
    return [{ file, ...placeOf(source, raw.index), message }];
  }
  try {
    const check = new SyntaxCheck(file, vocabulary, parts);
    check.program(Handlebars.parseWithoutProcessing(source));
    return check.problems;
  } catch (error) {
    return [parseProblem(file, source, error)];
  }
}

/** Line and column of an offset, both from 1. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

/** How the problem begins of what is only half typed. */
export const UNFINISHED = 'something in {{ }} is not finished';
const PAIRS = 'each {{ needs its }}, each {{#if …}} its {{/if}}';

/** The parser stumbles over what comes later; this is the pair of braces, or the block, that lacks its other half. */
function unfinishedAt(source: string): number | null {
  const open = /\{\{(?!\{?[^{}]*\}\})/.exec(source);
  if (open) return open.index;
  const blocks: number[] = [];
  for (const { 0: tag, index } of source.matchAll(/\{\{~?[#/][^{}]*\}\}/g)) {
    if (tag.includes('#')) blocks.push(index);
    else if (blocks.pop() === undefined) return index;
  }
  return blocks.at(-1) ?? null;
}

function parseProblem(file: string, source: string, error: unknown): Problem {
  const text = error instanceof Error ? error.message : String(error);
  const unfinished = text.includes("doesn't match") ? null : unfinishedAt(source);
  if (unfinished !== null) return { file, ...placeOf(source, unfinished), message: `${UNFINISHED}; ${PAIRS}` };
  const [, row, place] = /(?:line |- )(\d+)(?::(\d+))?/.exec(text) ?? [];
  const line = Number(row ?? 1);
  // The parser says only in which line; what it stumbled over is most often the last pair of braces there.
  const column = place === undefined ? (source.split('\n')[line - 1] ?? '').lastIndexOf('{{') : Number(place);
  const what = text.includes("doesn't match") ? text : UNFINISHED;
  return {
    file,
    line,
    column: Math.max(0, column) + 1,
    message: `${what}; ${PAIRS}`,
  };
}

/** Walks a syntax tree made from a string of ours. Whatever is not named here is refused. */
class SyntaxCheck {
  readonly problems: Problem[] = [];

  constructor(
    private readonly file: string,
    private readonly vocabulary: Vocabulary,
    private readonly parts: readonly string[],
  ) {}

  program(program: hbs.AST.Program | undefined): void {
    if (!program) return;
    if (program.blockParams?.length) this.refuse(program, 'block parameters (as |x|) are not allowed: remove them');
    for (const node of program.body) this.statement(node);
  }

  private statement(node: hbs.AST.Statement): void {
    switch (node.type) {
      case 'ContentStatement':
      case 'CommentStatement':
        return;
      case 'MustacheStatement':
        return this.mustache(node as hbs.AST.MustacheStatement);
      case 'BlockStatement':
        return this.block(node as hbs.AST.BlockStatement);
      case 'PartialStatement':
        return this.partial(node as hbs.AST.PartialStatement);
      case 'Decorator':
      case 'DecoratorBlock':
        return this.refuse(node, 'decorators ({{* …}}) are not allowed: remove it');
      default:
        return this.refuse(node, `${node.type} is not allowed: remove it`);
    }
  }

  private mustache(node: hbs.AST.MustacheStatement): void {
    const name = pathName(node.path);
    if (!node.escaped) {
      return this.refuse(node, `{{{${name}}}} puts a value in unescaped, which is not allowed: write {{${name}}}`);
    }
    if (node.params.length || node.hash?.pairs.length || isHelper(name)) return this.helper(node, name);
    const kind = this.value(node.path);
    if (kind === 'time') this.refuse(node, `{{${name}}} is a time: write {{datetime ${name}}}`);
    if (kind === 'flag') this.refuse(node, `{{${name}}} is yes or no: write {{#if ${name}}}…{{/if}}`);
  }

  private block(node: hbs.AST.BlockStatement): void {
    const name = pathName(node.path);
    if (name !== 'if' && name !== 'unless') {
      const why = name === 'each' ? ': no value of a mail is a list' : '';
      this.refuse(node, `{{#${name}}} is not allowed${why}; only {{#if …}} and {{#unless …}} are`);
    } else if (node.params.length !== 1 || node.hash?.pairs.length) {
      this.refuse(node, `{{#${name}}} takes exactly one condition`);
    } else {
      this.argument(node.params[0]!);
    }
    this.program(node.program);
    this.program(node.inverse);
  }

  private partial(node: hbs.AST.PartialStatement): void {
    if (node.name.type !== 'PathExpression') {
      return this.refuse(node, 'a part whose name is computed is not allowed: write {{> name}}');
    }
    const name = pathName(node.name);
    if (node.params.length || node.hash?.pairs.length) this.refuse(node, `{{> ${name}}} takes no parameters`);
    if (!this.parts.includes(name)) {
      this.refuse(
        node,
        `there is no part "${name}"; ${this.parts.length ? `there are: ${this.parts.join(', ')}` : 'none can be used here'}`,
      );
    }
  }

  private helper(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression, name: string): void {
    const [first] = node.params;
    const isPlain = !node.hash?.pairs.length;
    if (name === 'datetime' && first && node.params.length === 1 && isPlain)
      return this.expect(first, 'time', '{{datetime …}}');
    if (name === 'plural' && first && node.params.length === 1) return this.plural(node, first);
    if (name === 'eq' && node.type === 'SubExpression' && node.params.length === 2 && isPlain) {
      return node.params.forEach((param) => this.argument(param));
    }
    if (isHelper(name)) {
      return this.refuse(
        node,
        `"${name}" is used wrongly: {{datetime time}}, {{plural count one="…" other="…"}} or {{#if (eq a 'b')}}`,
      );
    }
    this.refuse(node, `there is no helper "${name}"; there are: ${helperNames.join(', ')}`);
  }

  private plural(node: hbs.AST.MustacheStatement | hbs.AST.SubExpression, count: hbs.AST.Expression): void {
    this.expect(count, 'count', '{{plural …}}');
    const pairs = node.hash?.pairs ?? [];
    for (const { key, value } of pairs) {
      if (!PLURALS.has(key))
        this.refuse(node, `{{plural}} knows no form "${key}"; there are: ${[...PLURALS].join(', ')}`);
      if (value.type !== 'StringLiteral') this.refuse(node, `{{plural}}: put the words of "${key}" in quotes`);
    }
    if (!pairs.some(({ key }) => key === 'other')) this.refuse(node, '{{plural}} needs the form other="…"');
  }

  private expect(node: hbs.AST.Expression, kind: ValueKind, where: string): void {
    const found = node.type === 'PathExpression' ? this.value(node) : 'literal';
    if (found && found !== kind) this.refuse(node, `${where} takes a ${kind}, and ${pathName(node)} is none`);
  }

  private argument(node: hbs.AST.Expression): void {
    if (node.type === 'PathExpression') this.value(node);
    else if (node.type === 'SubExpression') {
      const call = node as hbs.AST.SubExpression;
      this.helper(call, pathName(call.path));
    }
  }

  private value(node: hbs.AST.Expression): ValueKind | null {
    const name = pathName(node);
    const known = Object.hasOwn(this.vocabulary, name) && !(node as hbs.AST.PathExpression).data;
    if (known) return this.vocabulary[name] ?? null;
    const names = Object.keys(this.vocabulary).filter((other) => !/^brand\.(?:light|dark|radius)/.test(other));
    this.refuse(node, `there is no value "${name}" in this mail; there are: ${names.join(', ')}`);
    return null;
  }

  private refuse(node: hbs.AST.Node, message: string): void {
    const { line, column } = node.loc.start;
    this.problems.push({ file: this.file, line, column: column + 1, message });
  }
}

/** What a checked piece of words is made of. */
export interface WordsDescription {
  /** Values and parts by the names a writer knows, however they are used: `{{ticketNumber}}`, `{{> greeting}}`. */
  names: ReadonlySet<string>;
  /** The forms of each `{{plural}}`. */
  plurals: readonly string[][];
  /** All that is read as it stands, the forms of plurals as well. */
  text: string;
}

interface AnyNode {
  type?: string;
  path?: hbs.AST.Node;
  name?: hbs.AST.Node;
  params?: unknown[];
  hash?: hbs.AST.Hash;
  body?: unknown;
  program?: unknown;
  inverse?: unknown;
  value?: unknown;
}

/** @throws Error if it is no template: `checkSyntax` tells why */
export function describeWords(source: string): WordsDescription {
  const names = new Set<string>();
  const plurals: string[][] = [];
  const text: string[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== 'object' || node === null) return;
    const { type, path, params, hash, name, ...rest } = node as AnyNode;
    if (type === 'ContentStatement') text.push((node as hbs.AST.ContentStatement).value);
    if (type === 'StringLiteral') text.push((node as hbs.AST.StringLiteral).value);
    if (type === 'PathExpression') names.add(`{{${pathName(node as hbs.AST.Node)}}}`);
    if (type === 'PartialStatement' && name) names.add(`{{> ${pathName(name)}}}`);
    if (path && pathName(path) === 'plural') plurals.push((hash?.pairs ?? []).map(({ key }) => key));
    // What is called is no value; without parameters it is what is printed.
    if (path && !params?.length) visit(path);
    const { body, program, inverse, value } = rest;
    [params, hash?.pairs, body, program, inverse, value].forEach(visit);
  };
  visit(Handlebars.parseWithoutProcessing(source));
  return { names, plurals, text: text.join(' ') };
}

/**
 * Writes a checked template anew so that its output is encoded: text by `encode` now, each printed value by the helper
 * `helper` later. What blocks do to the blank lines around them is done here, so the result is to be compiled with
 * `ignoreStandalone`. Still a string: no tree of ours is ever compiled.
 * @param constants text for each path that has the same value in every mail, escaped for the place it stands in
 */
export function encodePage(
  source: string,
  helper: string,
  constants: ReadonlyMap<string, string>,
  encode: (text: string) => string,
): string {
  const writer = new EncodedPage(helper, constants, encode);
  return writer.program(Handlebars.parse(source));
}

class EncodedPage {
  constructor(
    private readonly helper: string,
    private readonly constants: ReadonlyMap<string, string>,
    private readonly encode: (text: string) => string,
  ) {}

  program(program: hbs.AST.Program | undefined): string {
    let written = '';
    // Text is encoded in one go with the constants in its midst.
    let text = '';
    for (const node of program?.body ?? []) {
      const fixed = this.fixedText(node);
      if (fixed !== null) text += fixed;
      else {
        written += this.encode(text) + this.statement(node);
        text = '';
      }
    }
    return written + this.encode(text);
  }

  private fixedText(node: hbs.AST.Statement): string | null {
    if (node.type === 'ContentStatement') return (node as hbs.AST.ContentStatement).value;
    if (node.type === 'CommentStatement') return '';
    const { path, params } = node as hbs.AST.MustacheStatement;
    if (node.type !== 'MustacheStatement' || params.length) return null;
    return this.constants.get(pathName(path)) ?? null;
  }

  private statement(node: hbs.AST.Statement): string {
    if (node.type === 'BlockStatement') return this.block(node as hbs.AST.BlockStatement);
    if (node.type !== 'MustacheStatement') throw new Error(`${node.type} was not checked`);
    const { path, params, hash } = node as hbs.AST.MustacheStatement;
    if (!params.length) return `{{${this.helper} ${expression(path)}}}`;
    return `{{${this.helper} (${call(path, params, hash)})}}`;
  }

  private block({ path, params, program, inverse }: hbs.AST.BlockStatement): string {
    const name = pathName(path);
    const otherwise = inverse ? `{{else}}${this.program(inverse)}` : '';
    return `{{#${name} ${params.map(expression).join(' ')}}}${this.program(program)}${otherwise}{{/${name}}}`;
  }
}

function call(path: hbs.AST.Node, params: hbs.AST.Expression[], hash: hbs.AST.Hash | undefined): string {
  const pairs = (hash?.pairs ?? []).map(({ key, value }) => `${key}=${expression(value)}`);
  return [pathName(path), ...params.map(expression), ...pairs].join(' ');
}

function expression(node: hbs.AST.Expression): string {
  if (node.type === 'SubExpression') {
    const { path, params, hash } = node as hbs.AST.SubExpression;
    return `(${call(path, params, hash)})`;
  }
  // No literal ends in a backslash: it would have hidden the quote that ended it.
  if (node.type === 'StringLiteral') return `"${(node as hbs.AST.StringLiteral).value.replaceAll('"', '\\"')}"`;
  return pathName(node);
}

function isHelper(name: string): boolean {
  return (helperNames as readonly string[]).includes(name);
}

function pathName(node: hbs.AST.Node): string {
  return String((node as hbs.AST.PathExpression).original ?? node.type);
}
