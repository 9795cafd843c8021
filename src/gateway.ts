import 'reflect-metadata';
import cookie from '@fastify/cookie';
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet';
import multipart from '@fastify/multipart';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { fastify } from 'fastify';
import { mkdirSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { AppModule } from './app.module.js';
import type { Config } from './config.js';
import { entities } from './entities.js';
import { StartError } from './errors.js';
import { ProblemFilter } from './operations/problem.filter.js';
import { SystemClock, type Clock } from './platform/clock.js';
import { Database } from './platform/database/database.js';
import { HttpClient } from './platform/http-client.js';
import { Logger } from './platform/logger.js';
import { Metrics } from './platform/metrics.js';
import type { Platform } from './platform/platform.module.js';
import { prepareBroker } from './platform/queue/broker.js';
import { Queue } from './platform/queue/queue.js';
import { addStudioHeaders } from './studio/studio-headers.js';

/** Largest body that is read whole: webhooks and small forms. Replies with files are streamed. */
const BODY_LIMIT = 256 * 1024;

/** From the first byte to the last: 25 MB of files come through at 350 kbit/s, and nobody holds a connection for ever. */
const LONGEST_REQUEST_MS = 600_000;
/** For a head, and for a body that is read whole before anybody looks at it: the largest comes through at 70 kbit/s. */
const LONGEST_SHORT_MS = 30_000;
/** The 2000 streams of open pages, and a third more for all else. A body that is read whole takes up to 256 KB meanwhile. */
const MOST_CONNECTIONS = 3000;
/** Signs of a path: a link has about 120. */
const LONGEST_PATH = 600;

const HANG_UP_EVERY_MS = 50;
/** How long a request that began to come in may take to its first answerable byte while we stop. */
const LONGEST_HEAD_MS = 5000;
const FOLLOW_CLOCK_EVERY_MS = 30_000;

/** Parts that tests replace. */
export interface GatewayParts {
  clock?: Clock;
  logger?: Logger;
  /** 0: only `queue.drain()` looks for due work. */
  sweepEveryMs?: number;
  /** How long a body that is read whole may take, ms. */
  longestBodyMs?: number;
}

export interface Gateway extends Platform {
  app: NestFastifyApplication;
  queue: Queue;
  /** Where it listens, for example `http://127.0.0.1:3000`. */
  url: string;
  /** Stops taking, finishes what runs, closes everything. */
  close(): Promise<void>;
}

/** Opens the database, starts the application and listens. */
export async function startGateway(config: Config, parts: GatewayParts = {}): Promise<Gateway> {
  const opened = await openApplication(config, parts);
  await opened.app.listen(config.port, config.host);
  return { ...opened, url: await opened.app.getUrl() };
}

/** Opens the database and starts the application, which nobody can reach: for what the command line asks of it. */
export async function openApplication(config: Config, parts: GatewayParts = {}): Promise<Omit<Gateway, 'url'>> {
  makeFolder(config.dataDir);
  const clock = parts.clock ?? new SystemClock();
  const logger = parts.logger ?? new Logger(config.logLevel);
  if (config.queue.kind !== 'embedded') await prepareBroker(config.queue);
  const database = await Database.open(config.database, entities, config.environment !== 'production');
  const stopFollowing = await followDatabase(clock, database, logger);
  const http = new HttpClient({ allowPrivateHosts: config.allowPrivateHosts });
  const metrics = new Metrics();
  const platform: Platform = { config, clock, logger, database, http, metrics, sweepEveryMs: parts.sweepEveryMs };
  const app = await createApplication(platform, parts.longestBodyMs ?? LONGEST_SHORT_MS);
  const silent = silentConnections(app.getHttpServer());
  const queue = app.get(Queue);
  return {
    ...platform,
    app,
    queue,
    close: async () => {
      // First no new requests, then no new work, then the connections that the last of it needs.
      const server = app.getHttpServer();
      server.close();
      // Whoever was answered after that keeps the connection open for a next request (72 s) that nobody will answer.
      // Nor does it call those idle that never asked anything, which browsers open ahead: one such, beside a page's stream,
      // held up a stop for ever (node stops its own timer for them in `close`). Who has begun to ask may finish.
      const longest = performance.now() + LONGEST_HEAD_MS;
      const hangUp = setInterval(() => {
        server.closeIdleConnections();
        for (const one of silent) if (one.bytesRead === 0 || performance.now() > longest) one.destroy();
      }, HANG_UP_EVERY_MS);
      await queue.close();
      await app.close();
      clearInterval(hangUp);
      stopFollowing();
      http.close();
      await database.close();
    },
  };
}

function makeFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartError(`DATA_DIR must be a folder that can be written (${(error as Error).message})`, {
      cause: error,
    });
  }
}

/** Connections on which no whole request has come yet. */
function silentConnections(server: Server): Set<Socket> {
  const silent = new Set<Socket>();
  server.on('connection', (one: Socket) => {
    silent.add(one);
    one.once('close', () => silent.delete(one));
  });
  server.on('request', ({ socket }: IncomingMessage) => silent.delete(socket));
  return silent;
}

/** Keeps our clock to that of the database which several processes share. */
async function followDatabase(clock: Clock, database: Database, logger: Logger): Promise<() => void> {
  const follow = async () => {
    const now = await database.now();
    if (now !== null) clock.follow(now);
  };
  await follow();
  const timer = setInterval(
    // It goes on by what it knew.
    () => void follow().catch((error: unknown) => logger.warn('the database was not asked for the time', { error })),
    FOLLOW_CLOCK_EVERY_MS,
  );
  timer.unref();
  return () => clearInterval(timer);
}

async function createApplication(platform: Platform, longestBodyMs: number): Promise<NestFastifyApplication> {
  const { config, logger, metrics } = platform;
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    requestTimeout: LONGEST_REQUEST_MS,
    trustProxy: config.trustedProxies.length > 0 ? config.trustedProxies : false,
    routerOptions: { maxParamLength: LONGEST_PATH },
    rewriteUrl: ({ url = '/' }) => readableUrl(url),
    forceCloseConnections: 'idle',
    // Whoever asks on an open connection while we stop is still served; the database is closed after the last of them.
    return503OnClosing: false,
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.on(platform), adapter, {
    logger,
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter(logger));
  const server = adapter.getInstance();
  // Webhooks are verified over their raw bytes, so nothing is parsed before the controller asks for it.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(body as string))),
  );
  await app.register(multipart, { throwFileSizeLimit: false });
  await app.register(cookie);
  const headers = await securityHeaders(config);
  server.server.maxConnections = MOST_CONNECTIONS;
  server.server.headersTimeout = LONGEST_SHORT_MS;
  server.addHook('onRequest', (request, reply, done) => {
    void reply.headers(headers);
    limitBodyTime(request.raw, longestBodyMs);
    // The last answer on this connection, or a busy client would keep us from stopping.
    if (!server.server.listening) void reply.header('connection', 'close');
    done();
  });
  if (config.studio.on) addStudioHeaders(server);
  server.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions } = request;
    // The route's pattern: the paths themselves are links, and there is no end of them.
    const labels = { method, route: routeOptions.url ?? 'none', status: reply.statusCode };
    metrics.requests.observe(labels, reply.elapsedTime / 1000);
    done();
  });
  await app.init();
  return app;
}

/** Hangs up on a body that is read whole and does not come to its end. Those with files are streamed, and take their time. */
function limitBodyTime(request: IncomingMessage, longestMs: number): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding, 'content-type': type = '' } = request.headers;
  if ((length === '0' && encoding === undefined) || type.startsWith('multipart/')) return;
  const timer = setTimeout(() => {
    request.socket.write('HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n');
    request.destroy();
  }, longestMs).unref();
  for (const event of ['end', 'close']) request.once(event, () => clearTimeout(timer));
}

/**
 * An address that the router would refuse by itself, with none of our headers and the path in its answer, becomes one
 * that does not exist: a mangled link gets the page that a forged one gets.
 */
function readableUrl(url: string): string {
  const path = url.split('?', 1)[0]!;
  if (path.length <= LONGEST_PATH && isDecodable(path)) return url;
  return path.startsWith('/t/') ? '/t/-' : '/-';
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false; // a stray percent sign, or bytes that are not UTF-8
  }
}

/** What helmet sets. It is the same for every answer, so it is asked for once: helmet makes it anew for each, in 40 µs. */
async function securityHeaders(config: Config): Promise<Record<string, string>> {
  const one = fastify();
  await one.register(helmet, helmetOptions(config));
  one.get('/', (_request, reply) => reply.send());
  const { headers } = await one.inject('/');
  await one.close();
  const ofEveryAnswer = ['content-length', 'date', 'connection'];
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (ofEveryAnswer.includes(name) ? [] : [[name, String(value)]])),
  );
}

function helmetOptions({ publicUrl }: Config): FastifyHelmetOptions {
  const isHttps = publicUrl.startsWith('https:');
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: ["'self'"],
        scriptSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // With no-referrer browsers post `Origin: null`, and no form could be told from a foreign one.
    referrerPolicy: { policy: 'same-origin' },
    strictTransportSecurity: isHttps ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    crossOriginEmbedderPolicy: false,
    xFrameOptions: { action: 'deny' },
  };
}
