import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface HttpRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  /** As it came, byte for byte. */
  bytes: Buffer;
  /** The same as a text. */
  body: string;
}

/** What becomes of one request that has come in whole. */
export type Script = (response: ServerResponse, request: HttpRequest) => void;

/** An HTTP server that does what it is told: the scripts in turn, then `otherwise`. It keeps every request. */
export interface ScriptedHttp {
  /** Without a slash at its end. */
  origin: string;
  port: number;
  requests: HttpRequest[];
  scripts: Script[];
  otherwise: Script;
  /** Hangs up on everybody. */
  drop(): void;
  close(): Promise<void>;
}

export async function startScriptedHttp(otherwise: Script): Promise<ScriptedHttp> {
  const server = createServer((request, response) => {
    buffer(request).then(
      (bytes) => {
        const { method = '', url = '', headers } = request;
        const whole = { method, url, headers, bytes, body: bytes.toString() };
        scripted.requests.push(whole);
        (scripted.scripts.shift() ?? scripted.otherwise)(response, whole);
      },
      () => undefined, // the caller went away in the middle
    );
  });
  const port = await listen(server);
  const scripted: ScriptedHttp = {
    origin: `http://127.0.0.1:${port}`,
    port,
    requests: [],
    scripts: [],
    otherwise,
    drop: () => server.closeAllConnections(),
    close: () => stop(server),
  };
  return scripted;
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await stop(server);
  return port;
}

/** An answer in good order; `body` is JSON unless it is a text. */
export function answer(status: number, body: unknown, headers: Record<string, string> = {}): Script {
  const content = typeof body === 'string' ? body : JSON.stringify(body);
  return (response) => void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(content);
}

/** Reads the request and says nothing. */
export const silence: Script = () => undefined;

/** Reads the request and resets the connection. */
export const reset: Script = (response) => void response.socket?.resetAndDestroy();

/** Begins an answer (half of its JSON) and resets the connection. */
export function resetInTheMiddle(status: number): Script {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{"id":"49a3999c-', () => response.socket?.resetAndDestroy());
  };
}

/** A body that does not end, as fast as it is read. */
export function endless(status: number): Script {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    const chunk = Buffer.alloc(16 * 1024, ' ');
    const write = (): void => void (response.destroyed || response.write(chunk, write));
    write();
  };
}

/** A body that comes byte by byte, and never all of it. */
export function trickle(status: number): Script {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': '1000000' });
    const timer = setInterval(() => response.write(' '), 5);
    response.on('close', () => clearInterval(timer));
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });
}
