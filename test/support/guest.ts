import { parse } from './html.js';

/** A page as a guest's browser got it. */
export interface Page {
  status: number;
  url: string;
  headers: Headers;
  html: string;
  /** What a person reads, mark-up and runs of spaces taken out. */
  text: string;
  forms: Form[];
}

export interface Form {
  action: string;
  method: string;
  fields: Record<string, string>;
}

/**
 * A guest without a script: keeps cookies, reads forms, submits what it finds. Follows redirects unless told.
 */
export class Guest {
  readonly cookies = new Map<string, string>();

  constructor(
    readonly origin: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.request(path, { headers });
  }

  /** Submits the form whose action ends so, with these values over its own. Files make it multipart. */
  async submit(
    page: Page,
    actionEnd: string,
    values: Record<string, string> = {},
    options: {
      files?: { name: string; content: Buffer; type?: string }[];
      follow?: boolean;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Page> {
    const form = page.forms.find(({ action }) => action.endsWith(actionEnd));
    if (!form)
      throw new Error(
        `no form ${actionEnd} on ${page.url}; it has ${page.forms.map(({ action }) => action).join(', ') || 'none'}`,
      );
    return this.post(form.action, { ...form.fields, ...values }, options);
  }

  async post(
    path: string,
    fields: Record<string, string>,
    {
      files,
      follow = true,
      headers = {},
    }: {
      files?: { name: string; content: Buffer; type?: string }[];
      follow?: boolean;
      headers?: Record<string, string>;
    } = {},
  ): Promise<Page> {
    const isMultipart = files !== undefined || /\/(replies|files)$/.test(path);
    const body = isMultipart ? new FormData() : new URLSearchParams(fields);
    if (body instanceof FormData) {
      for (const [name, value] of Object.entries(fields)) body.append(name, value);
      for (const { name, content, type } of files ?? [])
        body.append('files', new Blob([new Uint8Array(content)], { type }), name);
    }
    return this.request(path, { method: 'POST', body, headers: { origin: this.origin, ...headers } }, follow);
  }

  async request(path: string, init: RequestInit, follow = true): Promise<Page> {
    const url = new URL(path, this.origin);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...this.headers, ...(cookie ? { cookie } : {}), ...(init.headers as Record<string, string>) };
    const answer = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) this.keep(line);
    const location = answer.headers.get('location');
    if (follow && answer.status === 303 && location) return this.request(location, {});
    const html = await answer.text();
    return { status: answer.status, url: url.href, headers: answer.headers, html, ...parse(html) };
  }

  private keep(line: string): void {
    const [pair = ''] = line.split(';');
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    if (/max-age=0/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
