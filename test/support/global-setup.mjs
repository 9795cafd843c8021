// One Postgres and one Redis for the whole run, where there are any: POSTERN_TEST_POSTGRES (any database that may create
// others) and POSTERN_TEST_REDIS name running servers, else the machine's own binaries are started in a temporary folder.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';

/** What this run started itself, to be ended and wiped after it. */
const started = [];

export async function setup() {
  const missing = [];
  if (!process.env.POSTERN_TEST_POSTGRES) {
    const bin = findPostgres();
    if (bin) process.env.POSTERN_TEST_POSTGRES = await startPostgres(bin);
    else
      missing.push(
        'Postgres (apt-get install postgresql, or set POSTERN_TEST_POSTGRES=postgres://…): its tests are left out',
      );
  }
  if (!process.env.POSTERN_TEST_REDIS) {
    const url = await startRedis();
    if (url) process.env.POSTERN_TEST_REDIS = url;
    else
      missing.push(
        'Redis (apt-get install redis-server, or set POSTERN_TEST_REDIS=redis://… with 10,000 databases): its tests are left out',
      );
  }
  if (!process.env.POSTERN_TEST_CHROMIUM) {
    const found = [
      '/usr/bin/chromium',
      '/usr/bin/chromium-browser',
      '/usr/bin/google-chrome',
      '/usr/bin/google-chrome-stable',
    ].find(existsSync);
    if (found) process.env.POSTERN_TEST_CHROMIUM = found;
    else
      missing.push(
        'Chromium (apt-get install chromium, or set POSTERN_TEST_CHROMIUM=/path): the journeys in a browser are left out',
      );
  }
  if (!process.env.POSTERN_TEST_CLAMD) {
    const found = ['/usr/sbin/clamd', '/usr/local/sbin/clamd', '/opt/homebrew/sbin/clamd'].find(existsSync);
    if (found) process.env.POSTERN_TEST_CLAMD = found;
    else
      missing.push(
        'clamd (apt-get install clamav-daemon, or set POSTERN_TEST_CLAMD=/path): the scanner is tried against a scripted one alone',
      );
  }
  if (!existsSync('/usr/bin/spamassassin'))
    missing.push('SpamAssassin (apt-get install spamassassin): what it thinks of the mails is left out');
  for (const line of missing) process.stdout.write(`\nNot found: ${line}\n`);
}

export async function teardown() {
  for (const { server, folder, signal } of started) {
    // One that never ran, or has ended by itself, never tells again.
    const ended = server.pid === undefined || server.exitCode !== null || server.signalCode !== null;
    if (!ended) {
      server.kill(signal);
      await once(server, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

function findPostgres() {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(root, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

/** Null where there is no redis-server. */
async function startRedis() {
  const folder = mkdtempSync(join(tmpdir(), 'postern-redis-'));
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--databases', '10000'];
  const server = spawn('redis-server', args, { stdio: 'ignore' });
  started.push({ server, folder, signal: 'SIGTERM' });
  const isThere = await new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.once('spawn', () => resolve(true));
  });
  if (!isThere) return null;
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: 200 });
  client.on('error', () => undefined); // not there yet
  await client.ping();
  client.disconnect();
  return url;
}

async function startPostgres(bin) {
  const folder = mkdtempSync(join(tmpdir(), 'postern-postgres-'));
  // initdb refuses to run as root.
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : {};
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid);
  execFileSync(
    join(bin, 'initdb'),
    ['-D', folder, '-U', 'postern', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    {
      ...owner,
      cwd: folder,
      stdio: 'ignore',
    },
  );
  const port = await freePort();
  const server = spawn(
    join(bin, 'postgres'),
    [
      '-D',
      folder,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      `unix_socket_directories=${folder}`,
      '-c',
      'max_connections=300',
      '-c',
      'fsync=off',
    ],
    { ...owner, cwd: folder, stdio: 'ignore' },
  );
  started.push({ server, folder, signal: 'SIGINT' });
  const url = `postgres://postern@127.0.0.1:${port}/postgres`;
  await untilReady(url);
  return url;
}

async function untilReady(url) {
  for (let attempt = 0; ; attempt++) {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100)); // the server's own start, before any test
    }
  }
}

function idsOf(user) {
  const read = (flag) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: read('-u'), gid: read('-g') };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
