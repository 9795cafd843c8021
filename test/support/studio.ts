import { startGateway, type Gateway } from '../../src/gateway.js';
import { Logger } from '../../src/platform/logger.js';
import { Invitations } from '../../src/studio/invitations.js';
import { Authenticator, type AuthenticatorFaults } from './authenticator.js';
import type { Role } from '../../src/studio/roles.js';
import type { TestGateway } from './gateway.js';
import { change } from './tables.js';

export interface Answer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

/** The browser of somebody in the studio: cookies, its session's token, and a passkey. */
export class StudioBrowser {
  readonly cookies = new Map<string, string>();
  readonly device: Authenticator;
  token = '';
  id = '';

  /** `at`: another process of the same gateway, which listens elsewhere. */
  constructor(
    private readonly origin: string,
    public at = origin,
  ) {
    this.device = new Authenticator(origin);
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request('GET', path, undefined, headers);
  }

  /** With the session's token and our origin, unless other headers say otherwise. */
  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string | undefined> = {},
  ): Promise<Answer> {
    const isJson = body !== undefined && !(body instanceof FormData);
    const all: Record<string, string | undefined> = {
      cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') || undefined,
      'x-studio-token': this.token || undefined,
      origin: method === 'GET' ? undefined : this.origin,
      'content-type': isJson ? 'application/json' : undefined,
      ...headers,
    };
    const sent = Object.entries(all).filter((one): one is [string, string] => one[1] !== undefined);
    const response = await fetch(new URL(path, this.at), {
      method,
      headers: Object.fromEntries(sent),
      body: isJson ? JSON.stringify(body) : (body as FormData | undefined),
      redirect: 'manual',
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [name = '', value = ''] = cookie.split(';', 1)[0]!.split('=', 2);
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    const text = await response.text();
    const isJsonAnswer = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: isJsonAnswer ? JSON.parse(text) : text };
  }

  post(path: string, body: unknown = {}, headers: Record<string, string | undefined> = {}): Promise<Answer> {
    return this.request('POST', path, body, headers);
  }

  /** A call of the API, by its path under `/studio/api`. */
  ask(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.request(method, `/studio/api/${path}`, body);
  }

  upload(path: string, text: string): Promise<Answer> {
    const form = new FormData();
    form.append('file', new Blob([text]), 'words.xlf');
    return this.ask('POST', path, form);
  }

  /** Makes a passkey by an invitation (`who`) or, without one, for whoever is signed in. */
  async register(who: object = {}, faults: AuthenticatorFaults = {}, device = this.device): Promise<Answer> {
    const options = await this.post('/studio/api/passkeys/register/options', who);
    if (options.status !== 200) return options;
    const response = device.create(options.body, faults);
    const answer = await this.post('/studio/api/passkeys/register/verify', { ...who, response });
    if (answer.status === 200) await this.learn();
    return answer;
  }

  async signIn(faults: AuthenticatorFaults = {}, device = this.device): Promise<Answer> {
    const options = await this.post('/studio/api/passkeys/sign-in/options');
    if (options.status !== 200) return options;
    const answer = await this.post('/studio/api/passkeys/sign-in/verify', {
      response: device.get(options.body, faults),
    });
    if (answer.status === 200) await this.learn();
    return answer;
  }

  /** Takes the token of its session. */
  async learn(): Promise<void> {
    const { body } = await this.get('/studio/api/me');
    this.token = body.token;
    this.id = body.id;
  }
}

export const ada = { email: 'ada@support.example', name: 'Ada' };

/** The first admin, signed in by the operator's link. */
export async function firstAdmin(test: TestGateway, who = ada, origin = test.url): Promise<StudioBrowser> {
  const browser = new StudioBrowser(origin);
  const answer = await browser.register({ token: await firstToken(test), ...who });
  if (answer.status !== 200) throw new Error(`the first admin was refused: ${JSON.stringify(answer.body)}`);
  return browser;
}

/** What the link holds that an operator prints. */
export async function firstToken(test: TestGateway): Promise<string> {
  return (await test.gateway.app.get(Invitations).renewFirst()).split('#')[1]!;
}

/** Invites somebody; the token is taken from the mail. */
export async function inviteToStudio(
  test: TestGateway,
  admin: StudioBrowser,
  {
    email,
    name = 'Ben',
    brand = '*',
    role = 'editor',
  }: { email: string; name?: string; brand?: string; role?: string },
): Promise<string> {
  const ask = () => admin.post('/studio/api/people/invitations', { email, name, brand, role });
  let answer = await ask();
  if (answer.body.code === 'fresh-sign-in-required') {
    await admin.signIn();
    answer = await ask();
  }
  if (answer.status !== 201) throw new Error(`nobody was invited: ${JSON.stringify(answer.body)}`);
  return tokenMailedTo(test, email);
}

export function tokenMailedTo(test: TestGateway, email: string): string {
  const mail = test.inbox.messages.findLast(({ to }) => to.includes(email));
  const token = /\/studio\/invitation#([\w-]{43})/.exec(mail?.text ?? '')?.[1];
  if (token === undefined) throw new Error(`no invitation was mailed to ${email}`);
  return token;
}

/** Somebody with a role, signed in. */
export async function enrol(
  test: TestGateway,
  admin: StudioBrowser,
  who: { email: string; name?: string; brand?: string; role?: string },
): Promise<StudioBrowser> {
  const browser = new StudioBrowser(test.url);
  const answer = await browser.register({ token: await inviteToStudio(test, admin, who) });
  if (answer.status !== 200) throw new Error(`${who.email} was refused: ${JSON.stringify(answer.body)}`);
  return browser;
}

/** Somebody with one role for all brands, signed in without a mail: by the operator's link, and less from then on. */
export async function studioPerson(
  test: TestGateway,
  role: Role,
  name = 'Ana',
  origin = test.url,
): Promise<StudioBrowser> {
  const browser = await firstAdmin(test, { email: `${name.toLowerCase()}@content.example`, name }, origin);
  const roles = JSON.stringify([{ brand: '*', role }]);
  await change(test, `UPDATE studio_people SET roles = '${roles}' WHERE id = '${browser.id}'`);
  return browser;
}

/** Another process of the same gateway on the same database. Close it before the first. */
export function secondGateway({ gateway, clock, logs }: TestGateway): Promise<Gateway> {
  const logger = new Logger('debug', { write: (line) => logs.push(line) });
  return startGateway({ ...gateway.config, port: 0 }, { clock, logger, sweepEveryMs: 0 });
}
