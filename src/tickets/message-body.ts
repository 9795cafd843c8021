import MarkdownIt from 'markdown-it';
import sanitize from 'sanitize-html';
import type { MessageFormat } from '../events.js';

/** A link without a host, or with our own paths, would lead from the ticket page to somewhere nobody meant. */
const LEADS_OUT = /^\s*(?:https?:\/\/|mailto:)/i;
/** Of one message, more than anybody follows; the rest stays text. Each costs a page twenty times what it took to write. */
const MOST_LINKS = 200;
const link = (shown: sanitize.Attributes, most: number): sanitize.Transformer => {
  let left = most;
  return (_tag, { href = '' }) =>
    LEADS_OUT.test(href) && left-- > 0
      ? { tagName: 'a', attribs: { href, ...shown } }
      : { tagName: 'span', attribs: {} };
};

// Pictures are left out: loading one would tell its server when and where a guest reads the ticket.
const ALLOWED: sanitize.IOptions = {
  allowedTags: [
    ...['p', 'br', 'div', 'span', 'a', 'b', 'strong', 'i', 'em', 'u', 's', 'del', 'sub', 'sup', 'code', 'pre'],
    ...['blockquote', 'ul', 'ol', 'li', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6'],
    ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ],
  allowedAttributes: { a: ['href'], ol: ['start'], td: ['colspan', 'rowspan'], th: ['colspan', 'rowspan'] },
  allowedSchemes: ['https', 'http', 'mailto'],
  allowProtocolRelative: false,
  transformTags: {
    // Headings of a message must not compete with those of the page.
    ...Object.fromEntries(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((tag) => [tag, 'h4'])),
    // Stored are all of them: how many a page shows is its own business.
    a: link({}, Infinity),
  },
  nestingLimit: 50,
};

const markdown = withFewLinks(new MarkdownIt({ html: false, linkify: true, breaks: true }).disable('image'));
// Plain text has no mark-up of its own: only addresses become links.
const plain = withFewLinks(
  new MarkdownIt('zero', { html: false, linkify: true, breaks: true }).enable(['linkify', 'newline']),
);

/** What may be stored of a message in HTML: no script, style, form, picture, frame or foreign attribute. */
export function sanitiseHtml(html: string): string {
  return sanitize(html, ALLOWED);
}

/** A message as HTML for the ticket page: safe whatever was stored, with links that tell nothing of where they stand. */
export function bodyAsHtml(body: string, format: MessageFormat): string {
  const html = format === 'html' ? body : format === 'markdown' ? markdown(body) : plain(body);
  return sanitize(html, {
    ...ALLOWED,
    allowedAttributes: { ...ALLOWED.allowedAttributes, a: ['href', 'rel', 'target'] },
    transformTags: {
      ...ALLOWED.transformTags,
      a: link({ rel: 'noopener noreferrer nofollow ugc', target: '_blank' }, MOST_LINKS),
    },
  });
}

/** Renders, and makes links of the first addresses only. */
function withFewLinks(renderer: InstanceType<typeof MarkdownIt>): (body: string) => string {
  const { linkify } = renderer;
  const [test, match, matchAtStart] = [
    linkify.test.bind(linkify),
    linkify.match.bind(linkify),
    linkify.matchAtStart.bind(linkify),
  ];
  let left = 0;
  linkify.test = (text) => left > 0 && test(text);
  linkify.match = (text) => {
    const found = match(text)?.slice(0, left) ?? null;
    left -= found?.length ?? 0;
    return found;
  };
  linkify.matchAtStart = (text) => {
    const found = left > 0 ? matchAtStart(text) : null;
    if (found) left--;
    return found;
  };
  return (body) => {
    left = MOST_LINKS;
    return renderer.render(body);
  };
}
