/** The API's description as one page for people: no script, one style sheet, made once at the start. */

type Json = Record<string, unknown>;

interface Operation {
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string }[];
  requestBody?: { content: Record<string, Body> };
  responses: Record<string, { description: string; content?: Record<string, { example?: unknown }> }>;
}

interface Body {
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
  schema?: { $ref?: string };
}

interface Described {
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
}

export function apiPage(document: Json, stylePath: string): string {
  const { info, tags, paths, components } = document as unknown as Described;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<section><h2 id="${anchor(name)}">${text(name)}</h2><p>${prose(description)}</p>${own.map(operationOf).join('')}</section>`;
  });
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${anchor(name)}"><summary>${text(name)}</summary>${code(schema)}</details>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${text(info.title)} API</title>
<link rel="stylesheet" href="${stylePath}"></head>
<body><header><h1>${text(info.title)} API</h1><p>${prose(info.description)}</p>
<p>Version ${text(info.version)} · <a href="/openapi.json">openapi.json</a></p>
<nav aria-label="Contents"><ul>${tags.map(({ name }) => `<li><a href="#${anchor(name)}">${text(name)}</a></li>`).join('')}<li><a href="#schemas">Schemas</a></li></ul></nav></header>
<main>${sections.join('')}<section><h2 id="schemas">Schemas</h2>${schemas.join('')}</section></main></body></html>
`;
}

function operationOf({ path, method, operation }: { path: string; method: string; operation: Operation }): string {
  const { summary, description, security, parameters = [], requestBody, responses } = operation;
  const tokens = security.flatMap((one) => Object.keys(one));
  const parts = [
    `<h3><span class="method">${method.toUpperCase()}</span> <code>${text(path)}</code></h3><p>${prose(summary)}.</p>`,
    description ? `<p>${prose(description)}</p>` : '',
    tokens.length > 0
      ? `<p>Needs a bearer token: ${tokens.map((one) => `<code>${text(one)}</code>`).join(', ')}.</p>`
      : '',
    parameters.length > 0
      ? table(
          ['Parameter', 'What'],
          parameters.map(({ name, in: place, required, description: what = '' }) => [
            `<code>${text(name)}</code><br><small>${text(place)}${required ? '' : ', optional'}</small>`,
            prose(what),
          ]),
        )
      : '',
    ...Object.entries(requestBody?.content ?? {}).map(
      ([type, { example, examples = {}, schema }]) =>
        `<h4>Body: ${text(type)}${schema?.$ref ? `, ${link(schema.$ref)}` : ''}</h4>${example === undefined ? '' : code(example)}${Object.entries(examples).map(exampleOf).join('')}`,
    ),
    table(
      ['Status', 'Answer'],
      Object.entries(responses).map(([status, { description: what }]) => [status, prose(what)]),
    ),
  ];
  return `<article>${parts.join('')}</article>`;
}

function exampleOf([name, { value }]: [string, { value: unknown }]): string {
  return `<details><summary>${text(name)}</summary>${code(value)}</details>`;
}

function table(heads: string[], rows: string[][]): string {
  const head = heads.map((one) => `<th scope="col">${one}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`).join('');
  return `<div class="wide" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function link(reference: string): string {
  const name = reference.split('/').at(-1)!;
  return `<a href="#schema-${anchor(name)}">${text(name)}</a>`;
}

const code = (value: unknown) => `<pre tabindex="0"><code>${text(JSON.stringify(value, null, 2))}</code></pre>`;
const anchor = (name: string) => name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
const text = (given: string) =>
  given.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
/** With words in backquotes as code. */
const prose = (given: string) => text(given).replace(/`([^`]+)`/g, '<code>$1</code>');

export const API_STYLE = `:root { color-scheme: light dark; --ground: #fff; --ink: #1c1b1a; --soft: #f4f3f1; --line: #dcdad6; --faint: #5c5a57; --accent: #0b5d66 }
@media (prefers-color-scheme: dark) { :root { --ground: #151617; --ink: #ecebe9; --soft: #212325; --line: #3a3d40; --faint: #a9a7a3; --accent: #7fd0d9 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 56rem; padding: 1.5rem 1rem 4rem; background: var(--ground); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
h1 { font-size: 1.8rem; margin: 0 } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) } h3 { margin: 2rem 0 .3rem; font-size: 1.05rem; overflow-wrap: anywhere } h4 { margin: 1rem 0 .3rem; font-size: .95rem }
a { color: var(--accent) } nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none } nav a { display: inline-block; padding: .6rem 0 }
code, pre { font-family: ui-monospace, monospace; font-size: .9em } pre { overflow-x: auto; padding: 1rem; background: var(--soft); border-radius: .4rem }
.method { display: inline-block; min-width: 3.6rem; color: var(--accent) } .wide { overflow-x: auto }
table { width: 100%; border-collapse: collapse } th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top } th { color: var(--faint); font-weight: 600 }
td:first-child { white-space: nowrap }
summary { padding: .6rem 0; cursor: pointer } :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`;
