import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';

const PORTS_TRIED = 20;

/** The checkout's root: pages are read from there, whether this runs from the sources or from `dist/`. */
export const projectRoot = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder));
}

/**
 * The first free port from `wanted` on; 0 stays 0 (any port).
 * @throws if twenty in a row are taken
 */
export async function freePort(wanted: number, host: string): Promise<number> {
  if (wanted === 0) return 0;
  // A browser that is given `localhost` may try ::1 first, so a stranger there would answer in our place.
  const hosts = host === '127.0.0.1' ? [host, '::1'] : [host];
  for (let port = wanted; port < wanted + PORTS_TRIED; port++) {
    const free = await Promise.all(hosts.map((each) => isFree(port, each)));
    if (free.every(Boolean)) return port;
  }
  throw new Error(`Ports ${wanted} to ${wanted + PORTS_TRIED - 1} are all taken: end a program that listens there.`);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      // A machine without IPv6 has no ::1 on which anybody could listen.
      else if (error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT') resolve(host === '::1');
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** An HTTP server with one page at `/` (`demo/pages/<page>.html`), its style sheet, and changes as they happen at `/changes`. */
export function createWeb(page: string): { app: FastifyInstance; changes: ChangeFeed } {
  const app = Fastify({ forceCloseConnections: true, bodyLimit: 1_048_576 });
  const changes = new ChangeFeed();
  const file = (name: string) => readFile(join(projectRoot, 'demo', 'pages', name));
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });
  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(await file(`${page}.html`)));
  app.get('/page.css', async (_request, reply) => reply.type('text/css; charset=utf-8').send(await file('page.css')));
  app.get('/changes', (_request, reply) => changes.follow(reply));
  return { app, changes };
}

/** Listens on `port` (0: any free one) and returns the address to open in a browser. */
export async function listen(app: FastifyInstance, port: number, host: string): Promise<string> {
  await app.listen({ port, host });
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return `http://${host === '127.0.0.1' ? 'localhost' : host}:${address.port}`;
}

/** Server-sent events without content: each says "something changed, look again". */
class ChangeFeed {
  private readonly followers = new Set<FastifyReply['raw']>();

  follow(reply: FastifyReply): void {
    reply.hijack();
    const stream = reply.raw;
    stream.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    stream.write('retry: 1000\ndata: hello\n\n');
    this.followers.add(stream);
    stream.on('close', () => this.followers.delete(stream));
  }

  announce(): void {
    for (const stream of this.followers) stream.write('data: changed\n\n');
  }
}
