/** Atlassian Document Format as Markdown: what Jira makes of a comment. */
import type { JsonValue } from '../../platform/strict-json.js';

interface Node {
  type: string;
  text: string;
  attrs: { [key: string]: JsonValue };
  marks: Node[];
  content: Node[];
}

/** Everything that Markdown could take for mark-up. */
const SPECIAL = /[\\`*_{}[\]()<>#+\-.!|~&:]/g;
const escaped = (text: string) => text.replace(SPECIAL, '\\$&');

/**
 * The words of a document with what mark-up has a counterpart. Of a node that is not known its content is taken, pictures
 * and files are left out. Whatever the text says, it stays text. The parser of the body bounds how deep it goes.
 */
export function adfAsMarkdown(document: JsonValue): string {
  return blocks(nodeOf(document).content).trim();
}

function nodeOf(value: JsonValue | undefined): Node {
  const given = objectOf(value);
  const { type, text, attrs, marks, content } = given;
  return {
    type: typeof type === 'string' ? type : '',
    text: typeof text === 'string' ? text : '',
    attrs: objectOf(attrs),
    marks: Array.isArray(marks) ? marks.map(nodeOf) : [],
    content: Array.isArray(content) ? content.map(nodeOf) : [],
  };
}

function objectOf(value: JsonValue | undefined): { [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function blocks(nodes: readonly Node[]): string {
  return nodes
    .map(block)
    .filter((text) => text !== '')
    .join('\n\n');
}

function block(node: Node): string {
  const { type, attrs, content } = node;
  switch (type) {
    case 'paragraph':
      return inline(content);
    case 'heading':
      return `#### ${inline(content)}`;
    case 'codeBlock': {
      const code = content.map(({ text }) => text).join('');
      const longest = Math.max(2, ...(code.match(/`+/g) ?? []).map(({ length }) => length));
      const fence = '`'.repeat(longest + 1);
      return `${fence}\n${code}\n${fence}`;
    }
    case 'blockquote':
    case 'panel':
      return indented(blocks(content), '> ', '> ');
    case 'bulletList':
      return content.map((item) => indented(blocks(item.content), '- ', '  ')).join('\n');
    case 'orderedList': {
      const first = typeof attrs.order === 'number' && Number.isSafeInteger(attrs.order) ? Math.max(0, attrs.order) : 1;
      return content
        .map((item, i) => indented(blocks(item.content), `${first + i}. `, ' '.repeat(`${first + i}. `.length)))
        .join('\n');
    }
    case 'rule':
      return '---';
    case 'table':
      return content.map((row) => row.content.map((cell) => oneLine(blocks(cell.content))).join(' \\| ')).join('\n');
    default:
      return isInline(node) ? inline([node]) : blocks(content);
  }
}

function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .join(' ');
}

/** Each line of a text behind a mark: the first behind `first`, the others behind `rest`. */
function indented(text: string, first: string, rest: string): string {
  return first + text.split('\n').join(`\n${rest}`);
}

const isInline = ({ type, text }: Node) =>
  text !== '' || ['hardBreak', 'mention', 'emoji', 'inlineCard', 'date', 'status'].includes(type);

function inline(nodes: readonly Node[]): string {
  return nodes.map(words).join('');
}

function words({ type, text, attrs, marks, content }: Node): string {
  const named = (key: string) => (typeof attrs[key] === 'string' ? attrs[key] : '');
  switch (type) {
    case 'text':
      return marked(text, marks);
    case 'hardBreak':
      return '\n';
    case 'mention':
    case 'status':
      return escaped(named('text'));
    case 'emoji':
      return escaped(named('text') || named('shortName'));
    case 'inlineCard':
      return escaped(named('url'));
    case 'date': {
      const at = new Date(Number(named('timestamp')));
      return Number.isNaN(at.getTime()) ? '' : at.toISOString().slice(0, 10);
    }
    default:
      return inline(content);
  }
}

function marked(text: string, marks: readonly Node[]): string {
  const has = (type: string) => marks.some((mark) => mark.type === type);
  // Marks count only beside a letter, so the spaces at the ends stay outside.
  const inner = text.trim();
  if (inner === '') return text;
  const start = text.length - text.trimStart().length;
  const [before, after] = [text.slice(0, start), text.slice(start + inner.length)];
  let out = has('code') && !text.includes('`') ? `\`${inner}\`` : escaped(inner);
  if (has('strong')) out = `**${out}**`;
  if (has('em')) out = `*${out}*`;
  if (has('strike')) out = `~~${out}~~`;
  const href = marks.find(({ type }) => type === 'link')?.attrs.href;
  if (typeof href === 'string' && /^(https?:\/\/|mailto:)[^\s<>()\\]+$/i.test(href)) out = `[${out}](<${href}>)`;
  return `${before}${out}${after}`;
}
