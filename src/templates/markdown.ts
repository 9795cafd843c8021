/** The Markdown of mails: paragraphs, lists, emphasis and links, written as HTML for mail programs or as a letter. */
import MarkdownIt, { type Token } from 'markdown-it';

/** Attributes for each element that Markdown makes, as the layout wrote them: `{ p: 'class="text" style="…"' }`. */
export type ElementAttributes = Readonly<Record<string, string>>;

// "zero" knows nothing; what a mail may contain is switched on. No HTML, pictures or headings: the layout owns those.
const markdown = new MarkdownIt('zero').enable(['list', 'newline', 'escape', 'entity', 'emphasis', 'link', 'autolink']);

/** HTML with every element dressed in the layout's attributes: mail programs throw style sheets away. */
export function markdownToHtml(source: string, attributes: ElementAttributes): string {
  return markdown.renderer.render(dress(markdown.parse(source, {}), attributes), markdown.options, {}).trim();
}

/** The same words as one would type them into a letter: "- " before list items, addresses in angle brackets (RFC 3986, C). */
export function markdownToText(source: string): string {
  const lists: { next: number | null }[] = [];
  let text = '';
  let marker = '';
  // Items of one list stand together, all else apart.
  let gap = '';
  for (const token of markdown.parse(source, {})) {
    if (token.type.endsWith('_list_open')) {
      lists.push({ next: token.type.startsWith('ordered') ? Number(token.attrGet('start') ?? 1) : null });
    } else if (token.type.endsWith('_list_close')) {
      lists.pop();
      if (lists.length === 0) gap &&= '\n\n';
    } else if (token.type === 'list_item_open') marker = itemMarker(lists);
    else if (token.type === 'inline') {
      const indent = '  '.repeat(lists.length);
      const words = inlineText(token.children ?? []).replaceAll('\n', `\n${indent}`);
      text += `${gap}${marker || indent}${words}`;
      gap = lists.length ? '\n' : '\n\n';
      marker = '';
    }
  }
  return text;
}

/** Where the links of `source` lead. */
export function linkDestinations(source: string): string[] {
  const inline = markdown.parse(source, {}).flatMap((token) => token.children ?? []);
  return inline.filter(({ type }) => type === 'link_open').map((token) => String(token.attrGet('href') ?? ''));
}

/** Text as HTML, safe between tags and in attributes. */
export function escapeHtml(text: string): string {
  return markdown.utils.escapeHtml(text);
}

/**
 * Makes sure that each block of mustaches closes in the element it opened in.
 * `{{#if a}}**b{{/if}}**` is fine Markdown, but leaves a `<strong>` without its end whenever `a` is not so.
 * @returns the tag in whose middle a block opens or ends, or null
 */
export function brokenNesting(html: string): string | null {
  const open: string[] = [];
  for (const [tag] of html.matchAll(/\{\{~?[#/^][^]*?\}\}|<\/?[a-z][^>]*>/g)) {
    const name = /[a-z]\w*/.exec(tag)?.[0] ?? '';
    if (/^(?:br|img|meta|hr)$/.test(name)) continue;
    const id = tag.startsWith('<') ? `<${name}>` : `{{#${name}}}`;
    if (!/^(?:<\/|\{\{~?\/)/.test(tag)) open.push(id);
    else if (open.pop() !== id) return id;
  }
  return open.at(-1) ?? null;
}

function dress(tokens: Token[], attributes: ElementAttributes): Token[] {
  for (const token of tokens) {
    if (token.children) dress(token.children, attributes);
    const own = token.nesting === 1 ? attributes[token.tag] : undefined;
    // Written as the tag's name, because the values hold mustaches and must not be escaped again.
    if (own) token.tag = `${token.tag} ${own}`;
  }
  return tokens;
}

function itemMarker(lists: { next: number | null }[]): string {
  const list = lists.at(-1);
  const indent = '  '.repeat(lists.length - 1);
  return list && list.next !== null ? `${indent}${list.next++}. ` : `${indent}- `;
}

function inlineText(tokens: Token[]): string {
  let text = '';
  const links: { href: string; at: number }[] = [];
  for (const token of tokens) {
    if (token.type === 'softbreak') text += ' ';
    else if (token.type === 'hardbreak') text += '\n';
    else if (token.type === 'link_open') links.push({ href: String(token.attrGet('href') ?? ''), at: text.length });
    else if (token.type === 'link_close') {
      const link = links.pop();
      if (link && text.slice(link.at) !== link.href.replace(/^mailto:/, '')) text += ` <${link.href}>`;
    } else text += token.content;
  }
  return text;
}
