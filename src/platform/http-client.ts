import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { Transform, pipeline, type Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import ipaddr from 'ipaddr.js';
import { bareHost, parseUrl } from './url.js';

export type HttpFailureReason =
  'refused-address' | 'refused-url' | 'timeout' | 'connect' | 'tls' | 'redirect' | 'too-large' | 'aborted' | 'dns';

export interface HttpFailure {
  ok: false;
  reason: HttpFailureReason;
  /** For an operator: codes and kinds, never a URL, a header or a body. */
  detail: string;
  /** The status, if an answer had begun (`redirect`, `too-large`, and what broke off in the middle of a body). */
  status?: number;
  /** False if the request has surely not arrived: repeating it cannot double anything. */
  mayHaveArrived: boolean;
  /** Of a `redirect`, as it was given. Not for an operator: it may open something. */
  location?: string;
}

export type HttpHeaders = IncomingMessage['headers'];
export type HttpOutcome = { ok: true; status: number; headers: HttpHeaders; body: Buffer } | HttpFailure;
export type HttpStreamOutcome = { ok: true; status: number; headers: HttpHeaders; stream: Readable } | HttpFailure;

export interface HttpClientOptions {
  /** Host names or addresses that may be private and may be reached by plain http. Any of their ports. */
  allowPrivateHosts: readonly string[];
  /** From the call to the last byte of the answer, in ms. */
  timeoutMs?: number;
  /** Largest body of an answer to `post`, in bytes. */
  maxAnswerBytes?: number;
  /** Connections to one host at a time; further requests wait for one, and their time runs. No limit by default. */
  connections?: number;
  /** All addresses of a host name. */
  resolve?: (hostname: string) => Promise<string[]>;
  /** Certificates to trust instead of the usual ones (PEM). */
  ca?: string;
}

export interface StreamOptions {
  /** The stream errs with `HttpStreamError` at the first byte beyond. */
  maxBytes: number;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** What the stream of `getStream` is destroyed with. */
export class HttpStreamError extends Error {
  constructor(readonly reason: HttpFailureReason) {
    super(`the answer broke off: ${reason}`);
  }
}

class RefusedAddress extends Error {}
class UnknownHost extends Error {}

interface Target {
  url: URL;
  /** The host name, or the address without brackets. */
  host: string;
  privateAllowed: boolean;
}

interface Call {
  method: 'GET' | 'POST' | 'PUT';
  headers: Record<string, string>;
  body?: Buffer;
  signal?: AbortSignal;
  timeoutMs: number;
}

const IDLE_SOCKET_MS = 4_000; // less than the 5 s after which node and Apache close theirs

/**
 * An HTTP client for addresses that others chose: it reaches the public internet by https and nothing else.
 *
 * A host name is resolved once per connection, inside the connection's own lookup: every address is checked and the
 * socket goes to a checked one, so a second DNS answer (rebinding) is never asked for. The pool of idle sockets is the
 * agent's, keyed by host and port; each of them passed that check when it was opened. Redirects are failures.
 */
export class HttpClient {
  readonly #allowed: ReadonlySet<string>;
  readonly #timeoutMs: number;
  readonly #maxAnswerBytes: number;
  readonly #resolve: (hostname: string) => Promise<string[]>;
  readonly #agents: { 'http:': HttpAgent; 'https:': HttpsAgent };

  constructor(options: HttpClientOptions) {
    this.#allowed = new Set(options.allowPrivateHosts.map(hostKey));
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#maxAnswerBytes = options.maxAnswerBytes ?? 64 * 1024;
    this.#resolve = options.resolve ?? resolveBySystem;
    const maxSockets = options.connections ?? Infinity;
    const pool = { keepAlive: true, maxSockets, maxFreeSockets: 16, timeout: IDLE_SOCKET_MS };
    this.#agents = { 'http:': new HttpAgent(pool), 'https:': new HttpsAgent({ ...pool, ca: options.ca }) };
  }

  /** Posts `body` and reads the answer, whatever its status but 3xx. */
  post(
    url: string,
    body: string | Buffer,
    headers: Record<string, string>,
    options: { signal?: AbortSignal } = {},
  ): Promise<HttpOutcome> {
    const call: Call = { method: 'POST', headers, body: Buffer.from(body), timeoutMs: this.#timeoutMs, ...options };
    return this.#whole(url, call, this.#maxAnswerBytes);
  }

  /** Sends `body` and reads an answer of at most `maxBytes` whole, whatever its status but 3xx. */
  send(method: 'POST' | 'PUT', url: string, body: Buffer, options: StreamOptions): Promise<HttpOutcome> {
    const { headers = {}, signal, timeoutMs = this.#timeoutMs, maxBytes } = options;
    return this.#whole(url, { method, headers, body, signal, timeoutMs }, maxBytes);
  }

  /** Gets an answer of at most `maxBytes` whole, whatever its status but 3xx. */
  get(url: string, options: StreamOptions): Promise<HttpOutcome> {
    const { headers = {}, signal, timeoutMs = this.#timeoutMs, maxBytes } = options;
    return this.#whole(url, { method: 'GET', headers, signal, timeoutMs }, maxBytes);
  }

  async #whole(url: string, call: Call, maxBytes: number): Promise<HttpOutcome> {
    const target = this.#target(url);
    if ('ok' in target) return target;
    return new Promise((resolve) => {
      const exchange = new Exchange<HttpOutcome>(this.#open(target, call), call, resolve);
      exchange.onAnswer((answer, status) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBytes) exchange.fail('too-large', `more than ${maxBytes} bytes`);
          else chunks.push(chunk);
        });
        answer.on('end', () => {
          exchange.succeed({ ok: true, status, headers: answer.headers, body: Buffer.concat(chunks) });
        });
      });
    });
  }

  /** Gets a large answer as a stream. Its caller reads or destroys the stream; the time runs until its end. */
  async getStream(url: string, options: StreamOptions): Promise<HttpStreamOutcome> {
    const target = this.#target(url);
    if ('ok' in target) return target;
    const { headers = {}, signal, timeoutMs = this.#timeoutMs, maxBytes } = options;
    const call: Call = { method: 'GET', headers, signal, timeoutMs };
    return new Promise((resolve) => {
      const exchange = new Exchange<HttpStreamOutcome>(this.#open(target, call), call, resolve);
      exchange.onAnswer((answer, status) => {
        if (Number(answer.headers['content-length']) > maxBytes) {
          exchange.fail('too-large', `more than ${maxBytes} bytes`);
        } else {
          exchange.succeed({ ok: true, status, headers: answer.headers, stream: exchange.stream(answer, maxBytes) });
        }
      });
    });
  }

  /** Closes the idle sockets and breaks off the others. */
  close(): void {
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  /** Parses the URL once, by the rules of browsers (WHATWG): from here on only the parsed parts are used. */
  #target(text: string): Target | HttpFailure {
    const url = parseUrl(text);
    if (url === null) return refusedUrl('not a URL');
    const host = hostKey(url.hostname);
    const privateAllowed = this.#allowed.has(host);
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && privateAllowed)) return refusedUrl('not https');
    if (url.username !== '' || url.password !== '') return refusedUrl('name or password in the URL');
    // Node asks no lookup about an address, so it is checked here.
    const fault = isIP(host) && !privateAllowed ? addressFault(host) : null;
    if (fault !== null) return { ok: false, reason: 'refused-address', detail: fault, mayHaveArrived: false };
    return { url, host, privateAllowed };
  }

  #open({ url, host, privateAllowed }: Target, call: Call): ClientRequest {
    const secure = url.protocol === 'https:';
    const options = {
      method: call.method,
      host,
      port: url.port || (secure ? 443 : 80),
      path: url.pathname + url.search,
      agent: this.#agents[secure ? 'https:' : 'http:'],
      lookup: this.#lookup(privateAllowed),
      // Ours come last: a caller's header must name neither another host nor another length.
      headers: { ...call.headers, host: url.host, ...(call.body && { 'content-length': call.body.length }) },
    };
    return secure ? httpsRequest(options) : httpRequest(options);
  }

  #lookup(privateAllowed: boolean): LookupFunction {
    return (hostname, options, callback) => {
      this.#addresses(hostname, privateAllowed).then(
        (found) => (options.all ? callback(null, found) : callback(null, found[0]!.address, found[0]!.family)),
        (error: NodeJS.ErrnoException) => callback(error, ''),
      );
    };
  }

  /** One address that is refused refuses the host: a name that points both ways is a trick or a mistake. */
  async #addresses(hostname: string, privateAllowed: boolean): Promise<LookupAddress[]> {
    const addresses = await this.#resolve(hostname).catch((error: NodeJS.ErrnoException) => {
      throw new UnknownHost(error.code ?? error.name);
    });
    if (addresses.length === 0) throw new UnknownHost('no address');
    const fault = privateAllowed ? undefined : addresses.map(addressFault).find((found) => found !== null);
    if (fault) throw new RefusedAddress(fault);
    return addresses.map((address) => ({ address, family: isIP(address) }));
  }
}

/** One request on its way. It settles once, with the first of answer, error, end of time and abort, and cleans up. */
class Exchange<T> {
  #phase: 'connect' | 'tls' | 'sent' = 'connect';
  #status: number | undefined;
  #done = false;
  #stream: Transform | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #abort = (): void => this.fail('aborted', 'the caller gave up');

  constructor(
    private readonly request: ClientRequest,
    private readonly call: Call,
    private readonly settle: (outcome: T | HttpFailure) => void,
  ) {
    this.#timer = setTimeout(() => this.fail('timeout', `not done within ${call.timeoutMs} ms`), call.timeoutMs);
    call.signal?.addEventListener('abort', this.#abort);
    request.on('error', (error) => this.#failBy(error));
    // The last resort, for ends that node reports by no error: an answer of 101, for one.
    request.on('close', () => this.#stream ?? this.fail('connect', 'closed without an answer'));
    request.on('socket', (socket) => this.#follow(socket));
    if (call.signal?.aborted) this.#abort();
    else request.end(call.body);
  }

  onAnswer(handle: (answer: IncomingMessage, status: number) => void): void {
    this.request.on('response', (answer) => {
      const status = answer.statusCode ?? 0;
      this.#status = status;
      answer.on('error', (error) => this.#failBy(error));
      if (status >= 300 && status < 400) this.fail('redirect', `status ${status}`, answer.headers.location);
      else handle(answer, status);
    });
  }

  succeed(outcome: T): void {
    this.settle(outcome);
    if (!this.#stream) this.#clean();
  }

  /** The answer cut off at `maxBytes`; from here on a failure destroys the stream. */
  stream(answer: IncomingMessage, maxBytes: number): Readable {
    let size = 0;
    const stream = new Transform({
      transform: (chunk: Buffer, _encoding, next) => {
        size += chunk.length;
        next(size > maxBytes ? new HttpStreamError('too-large') : null, chunk);
      },
    });
    this.#stream = stream;
    pipeline(answer, stream, () => this.#clean());
    return stream;
  }

  fail(reason: HttpFailureReason, detail: string, location?: string): void {
    if (this.#done) return;
    const mayHaveArrived = this.#phase === 'sent';
    this.#stream?.destroy(new HttpStreamError(reason));
    const more = { ...(this.#status && { status: this.#status }), ...(location !== undefined && { location }) };
    this.settle({ ok: false, reason, detail, mayHaveArrived, ...more });
    this.#clean();
    this.request.destroy();
  }

  #failBy(error: NodeJS.ErrnoException): void {
    if (error instanceof RefusedAddress) return this.fail('refused-address', error.message);
    if (error instanceof UnknownHost) return this.fail('dns', error.message);
    this.fail(this.#phase === 'tls' ? 'tls' : 'connect', error.code ?? error.name);
  }

  /** Nothing is written before the socket is connected, and by https before it is secure. */
  #follow(socket: Socket): void {
    if (!socket.connecting) {
      this.#phase = 'sent';
      return;
    }
    const secure = socket instanceof TLSSocket;
    socket.once('connect', () => (this.#phase = secure ? 'tls' : 'sent'));
    socket.once('secureConnect', () => (this.#phase = 'sent'));
  }

  #clean(): void {
    this.#done = true;
    clearTimeout(this.#timer);
    this.call.signal?.removeEventListener('abort', this.#abort);
  }
}

function refusedUrl(detail: string): HttpFailure {
  return { ok: false, reason: 'refused-url', detail, mayHaveArrived: false };
}

/** A host as WHATWG writes it, without brackets, so that `LOCALHOST`, `[::1]` and `127.1` are found as what they are. */
function hostKey(host: string): string {
  const text = `http://${isIP(host) === 6 ? `[${host}]` : host}`;
  return bareHost(parseUrl(text)?.hostname ?? host);
}

async function resolveBySystem(hostname: string): Promise<string[]> {
  const found = await systemLookup(hostname, { all: true, verbatim: true });
  return found.map(({ address }) => address);
}

/**
 * Why an address is not of the public internet, or null. IPv4: all but the IANA special-purpose registry (RFC 6890).
 * IPv6: global unicast (2000::/3, RFC 4291 2.4) without the special blocks in it; so mapped, compatible, NAT64, unique
 * local and whatever else carries another address stay out, 6to4 and Teredo by name.
 */
function addressFault(address: string): string | null {
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return 'not a plain address';
  const parsed = ipaddr.parse(address);
  const range: string = parsed.range();
  if (range !== 'unicast') return `the address is ${range}`;
  if (parsed instanceof ipaddr.IPv6)
    return ((parsed.parts[0] ?? 0) & 0xe000) === 0x2000 ? null : 'the address is reserved';
  return CLOUD_INTERNAL.has(address) ? 'the address is cloud-internal' : null;
}

/** Public by its number, but every Azure machine reaches its host's agent (and secrets) there. */
const CLOUD_INTERNAL: ReadonlySet<string> = new Set(['168.63.129.16']);
