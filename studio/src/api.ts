/** The studio's API as its pages use it: one function for all calls, and the shapes that come back. */

export type State = 'shipped' | 'published' | 'draft' | 'submitted' | 'scheduled' | 'stale' | 'missing' | 'failing';
export type Role = 'editor' | 'publisher' | 'admin';

export interface Me {
  id: string;
  name: string;
  email: string;
  roles: { brand: string; role: Role }[];
  token: string;
  settings: {
    secondPerson: boolean;
    oidc: boolean;
    sources: string[];
    brands: string[];
    brandNames: Record<string, string>;
    /** What mails of a brand are from. */
    senderNames: Record<string, string>;
  };
}

export interface Cell {
  state: State;
  revision?: string | null;
  editedBy?: string | null;
  at?: string | null;
  problems: number;
  shippedChanged: boolean;
}

export interface WordsKey {
  key: string;
  title: string;
  kind: 'mail' | 'frame' | 'pages';
}

export interface Locale {
  tag: string;
  name: string;
  dir: 'ltr' | 'rtl';
}

export interface Alarm {
  key: string;
  locale: string;
  message: string;
  since: string;
}

export interface Board {
  keys: WordsKey[];
  locales: Locale[];
  cells: Record<string, Record<string, Cell | undefined> | undefined>;
  counts: Record<string, Partial<Record<State, number>> | undefined>;
  alarms: Alarm[];
}

export interface Hit {
  key: string;
  locale: string;
  line: number;
  text: string;
  ranges: [number, number][];
}

export interface Problem {
  line: number;
  column: number;
  endColumn?: number;
  severity: 'error' | 'warning';
  message: string;
  fix?: { label: string; from: number; to: number; insert: string };
}

export interface Variable {
  name: string;
  kind: string;
  about: string;
  sample: string | number | boolean;
}

export interface Helper {
  name: string;
  about: string;
  example: string;
}

export interface Draft {
  text: string;
  version: number;
  base: string;
  state: 'draft' | 'submitted' | 'scheduled';
  by: string;
  /** Whether the one who is signed in wrote at it. */
  isOwn: boolean;
  at: string;
  note?: string | null;
  publishAt?: string | null;
}

export interface Words {
  text: string;
  source: string;
  base: string;
  published: { id: string; text: string; at: string; by: string } | null;
  shipped: { hash: string; text: string } | null;
  draft: Draft | null;
  vocabulary: Variable[];
  helpers: Helper[];
  parts: (string | { name: string; about?: string })[];
  problems: Problem[];
}

export interface Preview {
  subject?: string;
  preheader?: string;
  html: string;
  text?: string;
  dir?: 'ltr' | 'rtl';
  locale?: string;
}

export interface Segment {
  kind: 'same' | 'added' | 'removed';
  text: string;
}

export interface Publication {
  publication: string;
  revision: string | null;
  kind: 'publish' | 'rollback' | 'schedule';
  at: string;
  by: string;
  why: string;
}

export interface ThreeWay {
  base: string;
  shipped: string;
  edited: string;
  merged: string;
  conflicts: number;
}

export interface Conflict {
  /** Null: somebody published or discarded the draft. */
  theirs: { text: string; by: string; at: string; version: number } | null;
  base: { text: string } | null;
}

/** An answer that is not 2xx (`status`, `code`, `problems`), or none at all (`status` 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = 'ApiError';
  }

  get problems(): Problem[] {
    return Array.isArray(this.body['problems']) ? (this.body['problems'] as Problem[]) : [];
  }
}

let formToken = '';
let person = '';

/** The token that each change carries, as `/me` gave it, and whose it is. */
export function keepToken({ id, token }: Me): void {
  formToken = token;
  person = id;
}

/** After a new sign-in of the same person, here or in another tab. False: there was none, or it is somebody else now. */
export async function renewToken(): Promise<boolean> {
  const { id, token } = await get<Me>('me');
  if (id !== person || token === formToken) return false;
  formToken = token;
  return true;
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * @param body an object goes as JSON; a File or FormData as it is
 * @throws ApiError
 */
export async function call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const isRaw = body instanceof Blob || body instanceof FormData;
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET' && formToken) headers['x-studio-token'] = formToken;
  if (body !== undefined && !isRaw) headers['content-type'] = 'application/json';
  const sent: BodyInit | undefined = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
  const answer = await fetch(`/studio/api/${path}`, {
    method,
    headers,
    ...(sent === undefined ? {} : { body: sent }),
    ...(signal ? { signal } : {}),
  }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'offline', 'Postern cannot be reached. Check your connection; what you typed is kept here.');
  });
  if (answer.status === 204) return undefined as T;
  const isJson = answer.headers.get('content-type')?.includes('json') ?? false;
  const content = isJson ? ((await answer.json()) as Record<string, unknown>) : {};
  if (answer.ok) return content as T;
  if (answer.status === 401 && !path.startsWith('passkeys/sign-in')) globalThis.dispatchEvent(new Event('signed-out'));
  const isStale = content['code'] === 'forbidden' && method !== 'GET' && person !== '';
  // Not twice in a row: the second time the token is the newest.
  if (isStale && (await renewToken())) return call(method, path, body, signal);
  const said = content['detail'] ?? content['title'];
  throw new ApiError(
    answer.status,
    String(content['code'] ?? 'error'),
    typeof said === 'string' ? said : `That did not work (${answer.status}). Try again in a moment.`,
    content,
  );
}

export const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, undefined, signal);

/** `words/ticket-replied/pt-BR` */
export function place(what: string, key: string, locale: string, then = ''): string {
  return `${what}/${encodeURIComponent(key)}/${encodeURIComponent(locale)}${then && `/${then}`}`;
}

export function query(values: Record<string, string | number>): string {
  return new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)])).toString();
}

const rank: Role[] = ['editor', 'publisher', 'admin'];

/** True if the person may do what takes `role`, for all brands or for any. The server decides; this only hides buttons. */
export function may(me: Me, role: Role, brand: 'all' | 'any' = 'all'): boolean {
  return me.roles.some((one) => rank.indexOf(one.role) >= rank.indexOf(role) && (brand === 'any' || one.brand === '*'));
}
