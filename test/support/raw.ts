import { request, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface RawAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * One request as `fetch` would not send it: with a path and headers (`host`, `connection`, a repeated one) as given. The
 * body is sent whole before the answer is looked at, as browsers do.
 */
export function send(
  origin: string,
  {
    method = 'GET',
    path,
    headers = {},
    body,
  }: { method?: string; path: string; headers?: Record<string, string | string[]>; body?: string | Buffer },
): Promise<RawAnswer> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers: { connection: 'close', ...headers } }, (answer) => {
      buffer(answer).then(
        (content) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: content }),
        reject,
      );
    });
    sent.setTimeout(10_000, () => sent.destroy(new Error(`no answer to ${method} ${path} within 10 s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/**
 * Bytes as they are on a connection of their own, which is then closed for writing: what no HTTP client would send.
 * Returns the statuses of all that was answered, none if the gateway hung up.
 */
export function sendBytes(origin: string, bytes: Buffer | string): Promise<number[]> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    let answered = '';
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true }, () => socket.end(bytes));
    socket.setTimeout(10_000, () => socket.destroy(new Error('neither answered nor hung up within 10 s')));
    socket.on('data', (part) => (answered += part.toString('latin1')));
    // Whoever is refused in the middle of a body may find the connection reset: hung up, then.
    socket.on('error', (error: NodeJS.ErrnoException) => error.code ?? reject(error));
    socket.on('close', () =>
      resolve([...answered.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, code]) => Number(code))),
    );
  });
}
