/**
 * Every error that leaves the process, by its stable public code.
 * `status` is the HTTP answer, `title` the RFC 9457 title, `log` the level it is logged at, `retry` whether sending the same again can help.
 */
export const errorCodes = {
  'invalid-json': { status: 400, title: 'The body is not valid JSON', log: 'info', retry: false },
  'duplicate-key': { status: 400, title: 'The body repeats a key', log: 'info', retry: false },
  'forbidden-key': { status: 400, title: 'The body has a forbidden key', log: 'info', retry: false },
  'too-deep': { status: 400, title: 'The body is nested too deep', log: 'info', retry: false },
  'bad-request': { status: 400, title: 'The request is malformed', log: 'info', retry: false },
  'bad-signature': { status: 401, title: 'The signature is missing, wrong or too old', log: 'info', retry: false },
  unauthorized: { status: 401, title: 'The token is missing or wrong', log: 'info', retry: false },
  'sign-in-required': { status: 401, title: 'Nobody is signed in', log: 'debug', retry: false },
  'sign-in-refused': { status: 401, title: 'The sign-in was refused', log: 'info', retry: false },
  'cookies-required': { status: 403, title: 'The browser kept no cookie', log: 'info', retry: false },
  'fresh-sign-in-required': { status: 403, title: 'The last sign-in is too long ago', log: 'info', retry: false },
  forbidden: { status: 403, title: 'Refused', log: 'info', retry: false },
  'not-found': { status: 404, title: 'Not found', log: 'debug', retry: false },
  'unknown-source': { status: 404, title: 'There is no such source', log: 'info', retry: false },
  'method-not-allowed': { status: 405, title: 'Method not allowed', log: 'debug', retry: false },
  'event-conflict': { status: 409, title: 'The id was used for another body', log: 'warn', retry: false },
  'not-resendable': { status: 409, title: 'The delivery cannot be sent again', log: 'info', retry: false },
  'not-parked': { status: 409, title: 'It does not wait for anybody', log: 'info', retry: false },
  'draft-conflict': { status: 409, title: 'The draft was changed by somebody else', log: 'info', retry: false },
  'second-person': { status: 409, title: 'Somebody else has to publish it', log: 'info', retry: false },
  'last-admin': { status: 409, title: 'Somebody must stay in charge', log: 'info', retry: false },
  'last-passkey': { status: 409, title: 'Nothing would be left to sign in with', log: 'info', retry: false },
  'already-there': { status: 409, title: 'It is there already', log: 'info', retry: false },
  'brand-conflict': { status: 409, title: 'The brand was changed by somebody else', log: 'info', retry: false },
  'invitation-unusable': { status: 410, title: 'The invitation cannot be used', log: 'info', retry: false },
  'handoff-unusable': { status: 410, title: 'The handoff cannot be used', log: 'info', retry: false },
  'body-too-large': { status: 413, title: 'The body is too large', log: 'info', retry: false },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported', log: 'info', retry: false },
  'invalid-event': { status: 422, title: 'The event does not fit the schema', log: 'info', retry: false },
  'invalid-request': { status: 422, title: 'The request does not fit', log: 'info', retry: false },
  'words-refused': { status: 422, title: 'The words cannot be used', log: 'info', retry: false },
  'brand-refused': { status: 422, title: 'The brand cannot be used', log: 'info', retry: false },
  'logo-refused': { status: 422, title: 'The logo cannot be used', log: 'info', retry: false },
  'too-many-requests': { status: 429, title: 'Too many requests', log: 'info', retry: true },
  internal: { status: 500, title: 'Something went wrong here', log: 'error', retry: true },
  unavailable: { status: 503, title: 'Not available right now', log: 'warn', retry: true },
} as const satisfies Record<string, { status: number; title: string; log: string; retry: boolean }>;

export type ErrorCode = keyof typeof errorCodes;

/** One fault in a body: where (RFC 6901 JSON pointer) and what. */
export interface FieldError {
  pointer: string;
  detail: string;
}

/** What keeps the process from starting, and an operator can mend: its message says what is wrong and what to do. */
export class StartError extends Error {}

/** What the system says of an address, a file or an argument that an operator gave. */
const SYSTEM_CODES =
  /^(EADDRINUSE|EADDRNOTAVAIL|ENOTFOUND|EACCES|EPERM|ENOENT|EISDIR|ENOTDIR|EROFS|ENOSPC|ERR_PARSE_ARGS_\w+)$/;

/** Whether a start or a command that failed is told in the error's own words; only a fault of ours shows where it happened. */
export function isMendable(error: unknown): error is Error {
  return error instanceof StartError || SYSTEM_CODES.test((error as { code?: string } | null)?.code ?? '');
}

/** A path of keys and indexes as an RFC 6901 JSON pointer. */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** An error with a public code. `detail` is shown to the caller: it says what is wrong and what to do, and holds no secret. */
export class PosternError extends Error {
  constructor(
    readonly code: ErrorCode,
    readonly detail: string,
    readonly extra: {
      errors?: FieldError[];
      problems?: readonly object[];
      conflict?: object;
      retryAfterSeconds?: number;
    } = {},
    options?: ErrorOptions,
  ) {
    super(`${code}: ${detail}`, options);
    this.name = 'PosternError';
  }
}
