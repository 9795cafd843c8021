import type { FastifyRequest } from 'fastify';

/** What of a query says which page it is; the rest says what was just done. */
const PAGE_PARAMETERS = ['before', 'print'];

/** The path that shows by GET the page of this request: itself, or the page that its form stood on. */
export function shownPath({ url, method }: Pick<FastifyRequest, 'url' | 'method'>): string {
  const [given = '', query = ''] = url.split('?', 2);
  const path = given
    .replace(method === 'POST' ? /^(\/t\/[^/]+)\/(code|renew|language)$/ : /^(\/t\/[^/]+)\/(renew|language)$/, '$1')
    .replace(/^(\/t\/[^/]+)\/verify$/, '$1/code')
    .replace(/^(\/tickets\/[^/]+)\/.+$/, '$1')
    .replace(/^\/language$/, '/');
  const kept = new URLSearchParams([...new URLSearchParams(query)].filter(([name]) => PAGE_PARAMETERS.includes(name)));
  return kept.size > 0 ? `${path}?${kept}` : path;
}
