import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startInbox, type Inbox, type InboxOptions } from '../../demo/inbox.js';
import { loadConfig } from '../../src/config.js';
import { startGateway, type Gateway } from '../../src/gateway.js';
import { generateKey } from '../../src/platform/crypto.js';
import { Logger } from '../../src/platform/logger.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { TestClock } from './clock.js';
import { databases, type DatabaseKind, type TestDatabase } from './databases.js';
import { freePort } from './program.js';
import { TestSource } from './source.js';

export interface TestGatewayOptions {
  database?: DatabaseKind;
  /** Settings over the usual ones of a test. */
  settings?: Record<string, string>;
  /** Runs before the inbox answers each mail: see `startInbox`. */
  onMail?: InboxOptions['onMail'];
  /** The worker sweeps by itself, as in production; without it only `drain()` looks for what is due. */
  sweeps?: boolean;
  /** How long a body that is read whole may take, ms; else as in production. */
  longestBodyMs?: number;
  /** The clock runs on by itself, beside being moved: see `TestClock`. */
  clockRuns?: boolean;
}

/** The real gateway in this process, with a real SMTP server, a clock that can be moved and a log that can be read. */
export interface TestGateway {
  readonly gateway: Gateway;
  url: string;
  databaseUrl: string;
  /** LINK_KEYS and SECRET_KEYS, for another process of the same gateway. */
  keys: Record<string, string>;
  clock: TestClock;
  inbox: Inbox;
  source: TestSource;
  /** Everything it logged, one line each. */
  logs: string[];
  /** Works until nothing is due. */
  drain(): Promise<void>;
  /** Stops it, as SIGTERM does, and starts it anew on the same data; with these settings over the former, if given. */
  restart(settings?: Record<string, string>): Promise<void>;
  /** A second gateway on the same data, as another process would be: at a port of its own. Whoever starts it closes it. */
  beside(): Promise<Gateway>;
  close(): Promise<void>;
}

/** Starts one. Close it in `afterAll` or `afterEach`: it removes its data. */
export async function createGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-test-'));
  const database: TestDatabase = await (options.database ?? databases[0]!).create(folder);
  const inbox = await startInbox({ smtpPort: 0, httpPort: 0, onMail: options.onMail });
  // Links begin with PUBLIC_URL, so the port must be known before the gateway listens.
  const port = await freePort();
  const secret = options.settings?.SOURCE_SECRET ?? generateWebhookSecret();
  const clock = new TestClock(options.clockRuns);
  const logs: string[] = [];
  const keys = { LINK_KEYS: `l1:${generateKey()}`, SECRET_KEYS: `s1:${generateKey()}` };
  const settings: Record<string, string> = {
    NODE_ENV: 'test',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    PORT: String(port),
    DATA_DIR: folder,
    DATABASE_URL: database.url,
    MAIL_URL: inbox.smtpUrl,
    MAIL_FROM: 'Support <no-reply@support.example>',
    ...keys,
    SOURCE_SECRET: secret,
    // Each event its own mail; what gathers them is for the tests that are about it.
    QUIET_WINDOW_SECONDS: '0',
    LOG_LEVEL: 'debug',
    ...options.settings,
  };
  const start = (more: Record<string, string> = {}) => {
    const config = loadConfig({ ...settings, ...more });
    return startGateway(config, {
      clock,
      logger: new Logger(config.logLevel, { write: (line) => logs.push(line) }),
      sweepEveryMs: options.sweeps ? undefined : 0,
      longestBodyMs: options.longestBodyMs,
    });
  };

  const test = {
    gateway: await start(),
    url: `http://127.0.0.1:${port}`,
    databaseUrl: database.url,
    keys,
    clock,
    inbox,
    source: new TestSource(`http://127.0.0.1:${port}`, secret, clock),
    logs,
    drain: () => test.gateway.queue.drain(),
    restart: async (changed: Record<string, string> = {}) => {
      await test.gateway.close();
      Object.assign(settings, changed);
      test.gateway = await start();
    },
    beside: async () => start({ PORT: String(await freePort()) }),
    close: async () => {
      await test.gateway.close();
      await inbox.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return test;
}
