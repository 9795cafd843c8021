import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { ConfigError, envExample, loadConfig, settings, type Config } from '../../src/config.js';
import { parseEvent, silentTypes, tellingTypes } from '../../src/events.js';
import { generateKey } from '../../src/platform/crypto.js';
import { generateWebhookSecret, verifyWebhook } from '../../src/platform/webhook-signature.js';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const names = Object.keys(settings);
/** Read by a test run, not by the gateway. */
const ofTests = ['POSTERN_TEST_POSTGRES', 'POSTERN_TEST_REDIS', 'POSTERN_TEST_CLAMD', 'POSTERN_TEST_CHROMIUM'];

let folder: string;
const startedIn = process.cwd();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-frame-'));
  process.chdir(folder); // so that nobody's own sources.yaml is read
});
afterAll(() => {
  process.chdir(startedIn);
  rmSync(folder, { recursive: true });
});

/** The least that production needs. */
function production(): Record<string, string> {
  return {
    NODE_ENV: 'production',
    PUBLIC_URL: 'https://support.example',
    DATA_DIR: folder,
    MAIL_URL: 'smtps://user:p%40ss@mail.example',
    MAIL_FROM: 'Help <no-reply@support.example>',
    LINK_KEYS: `k1:${generateKey()}`,
    SECRET_KEYS: `k1:${generateKey()}`,
    SOURCE_SECRET: generateWebhookSecret(),
  };
}

function problemsOf(environment: Record<string, string | undefined>): string[] {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** A sources.yaml of this text, for `SOURCES_FILE`. */
function sourcesFile(text: string): string {
  const path = join(folder, 'given.yaml');
  writeFileSync(path, text);
  return path;
}

describe('production settings', () => {
  it('are complete with an address, mail, keys and a source', () => {
    const config = loadConfig(production());
    expect(config).toMatchObject({
      publicUrl: 'https://support.example',
      host: '0.0.0.0',
      port: 3000,
      allowPrivateHosts: [],
      database: { kind: 'sqlite', path: join(folder, 'postern.sqlite') },
      generated: [],
    });
    expect(config.mail.transports).toEqual([
      { kind: 'smtp', name: 'smtp', host: 'mail.example', port: 465, secure: true, user: 'user', password: 'p@ss' },
    ]);
    expect(config.mail.returnPath).toBe(config.mail.from.address);
    expect(config.sources).toMatchObject([{ name: 'default', outbound: null }]);
    expect(existsSync(join(folder, 'development-secrets.json'))).toBe(false);
  });

  it('tell everything that is missing at once', () => {
    const problems = problemsOf({ NODE_ENV: 'production', DATA_DIR: folder });
    const variables = problems.map((problem) => /^[A-Z_]+/.exec(problem)?.[0]).sort();
    expect(variables).toEqual(['LINK_KEYS', 'MAIL_FROM', 'MAIL_URL', 'PUBLIC_URL', 'SECRET_KEYS', 'SOURCE_SECRET']);
  });

  it('tell everything that is wrong at once', () => {
    const wrong = { PORT: 'http', LOG_LEVEL: 'loud', QUEUE_URL: 'amqp://q', LINK_KEYS: 'k1:short', CODE_DIGITS: '4' };
    const problems = problemsOf({ ...production(), ...wrong });
    expect(problems.map((problem) => /^[A-Z_]+/.exec(problem)?.[0]).sort()).toEqual(Object.keys(wrong).sort());
  });

  it('take an empty variable as none', () => {
    expect(problemsOf({ ...production(), PORT: '', DATABASE_URL: '', OUTBOUND_URL: '', HOST: '' })).toEqual([]);
    expect(problemsOf({ ...production(), LINK_KEYS: '' })).toEqual([expect.stringContaining('LINK_KEYS is required')]);
  });

  it.each<[what: string, settings: Record<string, string>, problem: string]>([
    ['an unknown environment', { NODE_ENV: 'prod' }, 'NODE_ENV must be one of development, production, test'],
    ['plain http', { PUBLIC_URL: 'http://support.example' }, 'PUBLIC_URL must begin with https://'],
    ['an address without scheme', { PUBLIC_URL: 'support.example' }, 'PUBLIC_URL must be an http(s) URL'],
    ['another scheme', { PUBLIC_URL: 'ftp://support.example' }, 'PUBLIC_URL must be an http(s) URL'],
    ['a path', { PUBLIC_URL: 'https://support.example/help' }, 'PUBLIC_URL must be an http(s) URL'],
    ['a query', { PUBLIC_URL: 'https://support.example?a=b' }, 'PUBLIC_URL must be an http(s) URL'],
    ['a password in it', { PUBLIC_URL: 'https://me:pw@support.example' }, 'PUBLIC_URL must be an http(s) URL'],
    ['a port beyond all', { PORT: '65536' }, 'PORT must be a whole number from 0 to 65535'],
    ['half a port', { PORT: '30.5' }, 'PORT must be a whole number'],
    ['a negative port', { PORT: '-1' }, 'PORT must be a whole number'],
    ['a proxy by name', { TRUSTED_PROXIES: '10.0.0.1,proxy.example' }, 'TRUSTED_PROXIES must be IP addresses'],
    ['a subnet that is none', { TRUSTED_PROXIES: '10.0.0.0/33' }, 'TRUSTED_PROXIES must be IP addresses or subnets'],
    ['another database', { DATABASE_URL: 'mysql://db/postern' }, 'DATABASE_URL must be sqlite:PATH or postgres://'],
    ['a database in memory', { DATABASE_URL: 'sqlite::memory:' }, 'DATABASE_URL must be a file, sqlite:PATH'],
    ['a shared one in memory', { DATABASE_URL: 'sqlite:file::memory:?cache=shared' }, 'DATABASE_URL must be a file'],
    ['another queue', { QUEUE_URL: 'amqp://q' }, 'QUEUE_URL must be embedded, redis://…, rediss://… or postgres://…'],
    ['an unknown role', { ROLES: 'web,mailer' }, 'ROLES must be web, worker or web,worker'],
    ['half of the work on SQLite', { ROLES: 'web' }, 'ROLES must be web,worker with SQLite'],
    ['another transport', { MAIL_URL: 'sendmail://localhost' }, 'MAIL_URL must be smtp://'],
    ['a bare mail host', { MAIL_URL: 'mail.example:587' }, 'MAIL_URL must be smtp://'],
    ['a bad escape', { MAIL_URL: 'smtp://u%zz:p@mail.example' }, 'MAIL_URL must be smtp://'],
    ['a second transport that is none', { MAIL_URL: 'smtp://a.example resend://' }, 'MAIL_URL must be smtp://'],
    ['a Resend endpoint without a key', { MAIL_URL: 'resend://mail.example:8080' }, 'MAIL_URL must be smtp://'],
    ['a Resend key with a password', { MAIL_URL: 'resend://re_key:pass@mail.example' }, 'MAIL_URL must be smtp://'],
    ['a Resend key that breaks its header', { MAIL_URL: 'resend://re%0d%0akey' }, 'MAIL_URL must be smtp://'],
    ['a Resend endpoint with a path', { MAIL_URL: 'resend://re_key@mail.example/v2' }, 'MAIL_URL must be smtp://'],
    ['a Resend key with a query', { MAIL_URL: 'resend://re_key?region=eu' }, 'MAIL_URL must be smtp://'],
    ['a Resend endpoint that is no host', { MAIL_URL: 'resend://re_key@1.2.3.4.5' }, 'MAIL_URL must be smtp://'],
    ['no sender', { MAIL_FROM: '' }, 'MAIL_FROM must be an address or "Name <address>" with a real domain'],
    ['a sender at localhost', { MAIL_FROM: 'Support <no-reply@localhost>' }, 'MAIL_FROM must be an address'],
    ['two senders', { MAIL_FROM: 'a@support.example, b@support.example' }, 'MAIL_FROM must be an address'],
    ['a broken return path', { MAIL_RETURN_PATH: 'bounces' }, 'MAIL_RETURN_PATH must be an address'],
    ['a key without a name', { LINK_KEYS: generateKey() }, 'LINK_KEYS: entry 1 is not kid:base64'],
    ['a short key', { LINK_KEYS: 'k1:c2hvcnQ=' }, "LINK_KEYS: the key of 'k1' has 5 bytes"],
    ['a key that is not base64', { SECRET_KEYS: 'k1:not*base64' }, "SECRET_KEYS: the key of 'k1' is not base64"],
    [
      'a name used twice',
      { SECRET_KEYS: `k:${generateKey()},k:${generateKey()}` },
      "SECRET_KEYS: kid 'k' appears twice",
    ],
    [
      'a foreign source secret',
      { SOURCE_SECRET: 'secret' },
      'SOURCE_SECRET must be whsec_ and base64 of 24 to 64 bytes',
    ],
    [
      'a foreign outbound secret',
      { OUTBOUND_URL: 'https://help.example/hook', OUTBOUND_SECRET: 'secret' },
      'OUTBOUND_SECRET must be whsec_ and base64 of 24 to 64 bytes',
    ],
    ['half an outbound', { OUTBOUND_URL: 'https://help.example/hook' }, 'are set together or not at all'],
    [
      'an outbound by plain http',
      { OUTBOUND_URL: 'http://help.example/hook', OUTBOUND_SECRET: generateWebhookSecret() },
      'outbound url of default must be https',
    ],
    [
      'an outbound by http to another host than the allowed one',
      { OUTBOUND_URL: 'http://b.lan/', OUTBOUND_SECRET: generateWebhookSecret(), ALLOW_PRIVATE_HOSTS: 'a.lan' },
      'outbound url of default must be https',
    ],
    ['a locale that is none', { DEFAULT_LOCALE: 'english please' }, 'DEFAULT_LOCALE must be a BCP 47 tag'],
    ['an unknown log level', { LOG_LEVEL: 'verbose' }, 'LOG_LEVEL must be one of trace, debug, info'],
    ['a short code', { CODE_DIGITS: '5' }, 'CODE_DIGITS must be a whole number from 6 to 10'],
    ['a code for eleven minutes', { CODE_LIFETIME_SECONDS: '660' }, 'CODE_LIFETIME_SECONDS must be a whole number'],
    ['a link for a year', { LINK_LIFETIME_DAYS: '365' }, 'LINK_LIFETIME_DAYS must be a whole number from 1 to 90'],
    ['an endless idle session', { SESSION_IDLE_MINUTES: '31' }, 'SESSION_IDLE_MINUTES must be a whole number'],
    [
      'a feedback secret that is none',
      { RESEND_WEBHOOK_SECRET: 'secret' },
      'RESEND_WEBHOOK_SECRET must be the signing',
    ],
    ['a short feedback token', { FEEDBACK_TOKEN: 'x'.repeat(31) }, 'FEEDBACK_TOKEN must have 32 to 256 characters'],
    [
      'an admin token with a space',
      { ADMIN_TOKEN: `${'x'.repeat(31)} x` },
      'ADMIN_TOKEN must have 32 to 256 characters',
    ],
    ['a session over night', { SESSION_LIFETIME_HOURS: '9' }, 'SESSION_LIFETIME_HOURS must be a whole number'],
  ])('refuse %s, and nothing else', (_, given, problem) => {
    // Another NODE_ENV takes the checks of production away: nothing is left but its own problem.
    expect(problemsOf({ ...production(), ...given })).toEqual([expect.stringContaining(problem)]);
  });

  it('leave no keys behind when NODE_ENV is a slip', () => {
    const { LINK_KEYS: _, SECRET_KEYS: __, SOURCE_SECRET: ___, ...rest } = production();
    expect(problemsOf({ ...rest, NODE_ENV: 'prod' })).toEqual([expect.stringContaining('NODE_ENV must be one of')]);
    expect(existsSync(join(folder, 'development-secrets.json'))).toBe(false);
  });

  it.each<[what: string, settings: Record<string, string>, config: Partial<Config>]>([
    ['another port', { NODE_ENV: 'test', PUBLIC_URL: '', PORT: '4000' }, { publicUrl: 'http://localhost:4000' }],
    ['a slash at the end', { PUBLIC_URL: 'https://support.example/' }, { publicUrl: 'https://support.example' }],
    ['proxies and subnets', { TRUSTED_PROXIES: '10.0.0.0/8, ::1' }, { trustedProxies: ['10.0.0.0/8', '::1'] }],
    [
      'Postgres',
      { DATABASE_URL: 'postgres://u:p@db/postern' },
      { database: { kind: 'postgres', url: 'postgres://u:p@db/postern' } },
    ],
    [
      'a worker alone on Postgres',
      { DATABASE_URL: 'postgres://db/p', ROLES: 'worker' },
      { roles: { web: false, worker: true } },
    ],
    ['SQLite elsewhere', { DATABASE_URL: 'sqlite:/var/p.db' }, { database: { kind: 'sqlite', path: '/var/p.db' } }],
    ['a longer code', { CODE_DIGITS: '8' }, { codeDigits: 8 }],
    ['any port', { PORT: '0' }, { port: 0 }],
  ])('take %s', (_, given, expected) => {
    expect(loadConfig({ ...production(), ...given })).toMatchObject(expected);
  });

  it('take several transports in order, each with a name of its own', () => {
    const urls = [
      'smtp://a.example',
      'resend://re_Key_1',
      'smtps://u:p@b.example:2465',
      'resend://re_Key_2@API.example:8443',
    ];
    const { transports } = loadConfig({ ...production(), MAIL_URL: urls.join('  ') }).mail;
    expect(transports).toEqual([
      { kind: 'smtp', name: 'smtp', host: 'a.example', port: 587, secure: false, user: null, password: null },
      { kind: 'resend', name: 'resend', apiKey: 're_Key_1', endpoint: 'https://api.resend.com' },
      { kind: 'smtp', name: 'smtp-2', host: 'b.example', port: 2465, secure: true, user: 'u', password: 'p' },
      { kind: 'resend', name: 'resend-2', apiKey: 're_Key_2', endpoint: 'https://api.example:8443' },
    ]);
  });

  it.each([
    ['a private host that is named', 'relay.lan', 'resend://key@relay.lan:8080', 'http://relay.lan:8080'],
    ['its letters otherwise', 'relay.lan', 'resend://key@Relay.LAN', 'http://relay.lan'],
    ['an address of IPv6', '::1', 'resend://key@[::1]:8080', 'http://[::1]:8080'],
    ['another host than the named one', 'relay.lan', 'resend://key@api.example', 'https://api.example'],
    ['a private host that is not named', '', 'resend://key@127.0.0.1:8080', 'https://127.0.0.1:8080'],
  ])('reach %s by plain http only if it is named', (_, allowed, url, endpoint) => {
    const config = loadConfig({ ...production(), MAIL_URL: url, ALLOW_PRIVATE_HOSTS: allowed });
    expect(config.mail.transports).toMatchObject([{ apiKey: 'key', endpoint }]);
  });

  it('tell every transport that is wrong at once, by its place', () => {
    const MAIL_URL = 'smpt://planted:planted@a.example smtp://b.example resend://planted:planted@c.example';
    expect(problemsOf({ ...production(), MAIL_URL })).toEqual([
      expect.stringContaining('(entry 1 is not)'),
      expect.stringContaining('(entry 3 is not)'),
    ]);
  });

  it('never repeat a secret in a problem', () => {
    const secrets = {
      LINK_KEYS: 'k1:cGxhbnRlZC1saW5rLWtleQ==',
      SECRET_KEYS: 'planted-secret-key-without-a-colon',
      SOURCE_SECRET: 'whsec_planted!source!secret',
      OUTBOUND_SECRET: 'whsec_planted!outbound!secret',
      OUTBOUND_URL: 'http://planted-user:planted-pass@help.example/planted-path',
      MAIL_URL:
        'smpt://planted-user:planted-pass@mail.example resend://planted-key:8080 resend://planted-key@planted/x',
      DATABASE_URL: 'mysql://planted-user:planted-pass@db/postern',
    };
    const problems = problemsOf({ ...production(), ...secrets });
    expect(problems.length).toBeGreaterThanOrEqual(5);
    expect(problems.join('\n')).not.toMatch(/planted|cGxhbnRlZC/);
  });
});

describe('development settings', () => {
  it('need nothing, and keep the secrets they make', () => {
    const environment = { DATA_DIR: join(folder, 'development') };
    const first = loadConfig(environment);
    const second = loadConfig(environment);
    expect(first.generated).toEqual([{ name: 'SOURCE_SECRET', value: first.sources[0]!.secrets[0] }]);
    expect(second.generated).toEqual([]);
    expect(second.sources).toEqual(first.sources);
    expect(first).toMatchObject({ host: '127.0.0.1', allowPrivateHosts: ['127.0.0.1', 'localhost'] });
  });
});

describe('sources.yaml', () => {
  const variables = () => {
    const asked = new Set(
      [
        ...read('sources.example.yaml')
          .replace(/^ *#.*/gm, '')
          .matchAll(/\$\{([A-Z][A-Z_]+)\}/g),
      ].map(([, name]) => name!),
    );
    return Object.fromEntries([...asked].map((name) => [name, generateWebhookSecret()]));
  };

  it('has an example that loads', () => {
    const given = variables();
    const { sources } = loadConfig({
      ...production(),
      ...given,
      SOURCE_SECRET: '',
      SOURCES_FILE: join(root, 'sources.example.yaml'),
    });
    expect(sources.map(({ name }) => name)).toEqual(['acme', 'second-desk']);
    expect(sources[0]).toMatchObject({
      secrets: [given.ACME_SECRET, given.ACME_OLD_SECRET],
      defaultLocale: 'id',
      outbound: { secret: given.ACME_OUTBOUND_SECRET },
    });
    expect(sources[1]!.secrets).toEqual([given.SECOND_DESK_SECRET]);
  });

  it('names every variable of the example that the environment lacks', () => {
    const problems = problemsOf({ ...production(), SOURCES_FILE: join(root, 'sources.example.yaml') });
    for (const name of Object.keys(variables()))
      expect(problems).toContainEqual(expect.stringContaining(`the environment has no ${name}`));
    expect(problems).toHaveLength(new Set(problems).size);
    expect(problems.filter((one) => !one.includes('the environment has no'))).toEqual([]);
  });

  const secret = generateWebhookSecret();
  it.each([
    ['what is not YAML', 'sources: [', 'is not valid YAML'],
    ['no source at all', 'sources: []', 'there is no source'],
    ['a misspelt key', `sources: [{ name: a, secret: ${secret} }]`, 'sources.0'],
    ['no secret', 'sources: [{ name: a, secrets: [] }]', '(a): sources.0.secrets '],
    ['a short secret', 'sources: [{ name: a, adapter: jira, secrets: [x] }]', '(a): sources.0.secrets.0 must have'],
    ['a bad name', `sources: [{ name: A b, secrets: [${secret}] }]`, 'sources.0.name must be a-z, 0-9 and -'],
    [
      'an unknown adapter',
      `sources: [{ name: a, secrets: [${secret}], adapter: hotline }]`,
      'must be one of standard, ',
    ],
    [
      'one name twice',
      `sources: [{ name: a, secrets: [${secret}] }, { name: a, secrets: [${secret}] }]`,
      'two sources have the same name',
    ],
    ['a variable that is not set', 'sources: [{ name: a, secrets: [${NOT_SET_ANYWHERE}] }]', 'no NOT_SET_ANYWHERE'],
  ])('refuses %s', (_, text, problem) => {
    const problems = problemsOf({ ...production(), SOURCES_FILE: sourcesFile(text) });
    expect(problems).toContainEqual(expect.stringContaining(problem));
    expect(problems.join('\n')).not.toContain(secret);
  });

  it('is named when it cannot be read', () => {
    const problems = problemsOf({ ...production(), SOURCES_FILE: '/nowhere/sources.yaml' });
    expect(problems).toContainEqual('SOURCES_FILE /nowhere/sources.yaml cannot be read');
  });

  it('takes variables in flow lists and within a text too', () => {
    const text =
      'sources: [{ name: a, secrets: [${OWN}], outbound: { url: "https://${HOST_PART}.example/", secret: ${OWN} } }]';
    const config = loadConfig({ ...production(), SOURCES_FILE: sourcesFile(text), OWN: secret, HOST_PART: 'help' });
    expect(config.sources[0]).toMatchObject({ secrets: [secret], outbound: { url: 'https://help.example/', secret } });
  });

  it('does not ask for variables that only a comment names', () => {
    const text = `# \${ONLY_TALKED_ABOUT}\nsources: [{ name: a, secrets: [${secret}] }]`;
    expect(problemsOf({ ...production(), SOURCES_FILE: sourcesFile(text) })).toEqual([]);
  });
});

describe('the frame', () => {
  it('has an .env.example made of the settings: npm run env-example', () => {
    expect(read('.env.example')).toBe(envExample());
  });

  interface Compose {
    services: Record<string, { image?: string; environment?: Record<string, string>; volumes?: string[] }>;
    volumes: object;
  }
  const compose = () => parse(read('docker-compose.yml'), { merge: true }) as Compose;

  it('has a Compose file that sets nothing the gateway does not know', () => {
    const gateways = Object.entries(compose().services).filter(([, { image }]) => image === 'postern');
    expect(gateways.map(([name]) => name)).toEqual(['gateway', 'web', 'worker']);
    for (const [, { environment }] of gateways) {
      expect(names).toEqual(expect.arrayContaining(Object.keys(environment ?? {})));
      // What Compose takes from the shell comes out empty here.
      const filled = Object.entries(environment ?? {}).map(([name, value]) => [
        name,
        String(value).replace(/\$\{\w+:-(.*?)\}/g, '$1'),
      ]);
      expect(problemsOf({ ...Object.fromEntries(filled), DATA_DIR: folder })).toEqual([]);
    }
    expect(names).toEqual(
      expect.arrayContaining([...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map((m) => m[1])),
    );
  });

  it('has a Dockerfile that sets and copies only what there is', () => {
    const lines = read('Dockerfile').split('\n');
    const set = lines.filter((line) => line.startsWith('ENV ')).flatMap((line) => line.match(/[A-Z_]+(?==)/g) ?? []);
    expect(set).toEqual(['NODE_ENV', 'DATA_DIR']);
    expect(names).toEqual(expect.arrayContaining(set));
    const copied = lines.filter((line) => /^COPY (?!--)/.test(line)).flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(copied.length).toBeGreaterThan(5);
    for (const path of copied) {
      expect(existsSync(join(root, path))).toBe(true);
      expect(read('.dockerignore')).toContain(`!${path}\n`);
    }
  });

  const documents = ['README.md', 'CONTRIBUTING.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

  it('has a table of settings in the README: all that there are, each once', () => {
    const cells = read('README.md').match(/^\| `[A-Z][A-Z0-9_]*` +\|/gm) ?? [];
    expect(cells.flatMap((cell) => variablesOf(cell)).sort()).toEqual(names.toSorted());
  });

  it('documents every setting, and none that there is not', () => {
    const texts = documents.filter((path) => path.endsWith('.md')).map((path) => [path, read(path)] as const);
    const inTables = texts.flatMap(([, text]) => text.match(/^\| `.*?\|/gm) ?? []).flatMap((cell) => variablesOf(cell));
    expect(inTables.sort()).toEqual(names.toSorted());
    for (const [path, text] of texts) {
      const unknown = variablesOf(text).filter((name) => !names.includes(name) && !ofTests.includes(name));
      expect({ path, unknown }).toEqual({ path, unknown: [] });
    }
  });

  /** What stands in code quotes and looks like a variable. */
  function variablesOf(text: string): string[] {
    return [...text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)(?:=[^`]*)?`/g)]
      .map(([, name]) => name!)
      .filter((name) => name.includes('_') || names.includes(name));
  }

  it('has documents whose links and pictures lead somewhere', () => {
    for (const path of documents.filter((name) => name.endsWith('.md'))) {
      const links = [...read(path).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)|(?:src|srcset)="(?!https?:)([^"]+)"/g)];
      const missing = links
        .map(([, link, picture]) => join(root, path, '..', (link ?? picture)!))
        .filter((target) => !existsSync(target));
      expect({ path, missing }).toEqual({ path, missing: [] });
    }
  });

  it('has a README whose sender signs a valid event', async () => {
    const [, code] = /^```js\n(.*?)^```$/ms.exec(read('README.md'))!;
    const secret = generateWebhookSecret();
    const received: { url?: string; headers: IncomingHttpHeaders; rawBody: Buffer }[] = [];
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        received.push({ url: request.url, headers: request.headers, rawBody: Buffer.concat(chunks) });
        response.writeHead(202).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const env = { PATH: process.env.PATH, SOURCE_SECRET: secret, POSTERN_URL: url };
      await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code!], { env });
    } finally {
      server.close();
    }
    expect(received).toHaveLength(1);
    const { url, headers, rawBody } = received[0]!;
    expect(url).toBe('/v1/sources/default/events');
    expect(verifyWebhook({ secrets: [secret], headers, rawBody, now: Date.now() })).toMatchObject({ ok: true });
    expect(parseEvent(JSON.parse(rawBody.toString()))).toMatchObject({ ok: true });
  });

  it('documents native events that fit the schema', () => {
    const [, example] = /^```json\n(.*?)^```$/ms.exec(read('docs/events.md'))!;
    expect(parseEvent(JSON.parse(example!))).toMatchObject({ ok: true });
  });

  it('documents every type of event', () => {
    for (const type of [...tellingTypes, ...silentTypes]) expect(read('docs/events.md')).toContain(`\`${type}\``);
  });

  it('has a licence, and a changelog that knows this version', () => {
    const { version, license } = JSON.parse(read('package.json')) as { version: string; license: string };
    expect(license).toBe('MIT');
    expect(read('LICENSE')).toMatch(/^MIT License\n\nCopyright \(c\) 2026 Postern contributors\n/);
    expect(read('CHANGELOG.md')).toContain(`\n## [${version}] - `);
  });

  it('names the scripts of package.json right wherever it names one', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const texts = [...documents.filter((name) => name.endsWith('.md')), 'Dockerfile', '.ci/run'].map(read).join('\n');
    const named = [...texts.matchAll(/npm run ([a-z][a-z:-]*)/g)].map((m) => m[1]!);
    expect(named.length).toBeGreaterThan(5);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
  });
});
