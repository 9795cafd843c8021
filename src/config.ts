import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { DevelopmentSecrets } from './development-secrets.js';
import { StartError } from './errors.js';
import { parseMailbox, type EmailAddress } from './platform/address.js';
import { KeyRing, parseKeyList } from './platform/crypto.js';
import { canonicalLocale } from './platform/locale.js';
import { SEED_BYTES, SigningKeys } from './platform/signing-keys.js';
import { generateWebhookSecret, isWebhookSecret } from './platform/webhook-signature.js';
import { readSources, readSourcesFile, type Source, type SourcesInput } from './sources.js';
import { bareHost, parseUrl } from './platform/url.js';

/** The folder of the package: where `templates/` and `package.json` are, from `src/` as from `dist/src/`. */
export const packageRoot = findPackageRoot(import.meta.dirname);

/** One of the ways out, in the order in which they are tried. */
export type TransportSettings = SmtpTransportSettings | ResendTransportSettings;

export interface SmtpTransportSettings {
  kind: 'smtp';
  /** `smtp`, `smtp-2`, …: unique, and the same after a restart with the same MAIL_URL. */
  name: string;
  host: string;
  port: number;
  secure: boolean;
  user: string | null;
  password: string | null;
}

export interface ResendTransportSettings {
  kind: 'resend';
  /** `resend`, `resend-2`, … */
  name: string;
  apiKey: string;
  /** Origin of the API; plain http only to a host of ALLOW_PRIVATE_HOSTS. */
  endpoint: string;
}

/** What mails are signed with (RFC 6376): an RSA key in PEM, whose public half stands at selector._domainkey.domain. */
export interface DkimSettings {
  domain: string;
  selector: string;
  privateKey: string;
}

/** An OpenID provider and what it knows us by. */
export interface OidcSettings {
  /** As its discovery document names it; https, or plain http to a host of ALLOW_PRIVATE_HOSTS. */
  issuer: string;
  clientId: string;
  clientSecret: string;
}

/** Where the files of replies are kept. */
export type FilesSettings =
  | { kind: 'folder'; path: string }
  | {
      kind: 'bucket';
      /** Origin of a server that speaks S3. */
      endpoint: string;
      bucket: string;
      region: string;
      accessKeyId: string;
      secretAccessKey: string;
    };

/** All settings, checked and completed. A class only so that it can be injected by its name. */
export abstract class Config {
  environment: 'development' | 'production' | 'test';
  /** Origin that every link begins with, without a slash at its end. */
  publicUrl: string;
  host: string;
  port: number;
  trustedProxies: string[];
  dataDir: string;
  database: { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string };
  queue: { kind: 'embedded' } | { kind: 'redis' | 'postgres'; url: string };
  roles: { web: boolean; worker: boolean };
  mail: {
    /** Tried in this order. */
    transports: TransportSettings[];
    from: { name: string; address: EmailAddress };
    returnPath: EmailAddress;
    /** For SMTP: `required` sends over TLS with a certificate that holds, or not at all. */
    tls: 'opportunistic' | 'required';
    dkim: DkimSettings | null;
  };
  linkKeys: KeyRing;
  secretKeys: KeyRing;
  /** Sign the JWTs of sources with `handoff: jwt`; none where there is no such source. */
  handoffKeys: SigningKeys;
  sources: Source[];
  files: FilesSettings;
  /** The virus scanner; null: files are not scanned. */
  clamd: { host: string; port: number } | { path: string } | null;
  allowPrivateHosts: string[];
  defaultLocale: string;
  logLevel: string;
  codeDigits: number;
  codeLifetimeSeconds: number;
  leaseSeconds: number;
  linkLifetimeDays: number;
  sessionIdleMinutes: number;
  sessionLifetimeHours: number;
  /** Tickets without news for so long are forgotten; 0: never. */
  retentionDays: number;
  /** Null: its door is closed. */
  resendWebhookSecret: string | null;
  feedbackToken: string | null;
  adminToken: string | null;
  /** Null: metrics are for this machine alone. */
  metricsToken: string | null;
  studio: {
    on: boolean;
    /** Words are published by another person than the one who wrote them. */
    secondPerson: boolean;
    /** Where people of the studio may sign in beside their passkeys. */
    oidc: OidcSettings | null;
  };
  /** Secrets that were made at this start because none were set: shown once, never outside development. */
  generated: { name: string; value: string }[];
}

const RESEND_API = 'api.resend.com';

/** Every fault of the settings at once; each names its variable and the fix. */
export class ConfigError extends StartError {
  constructor(readonly problems: string[]) {
    super(
      `The settings have ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n  - ${problems.join('\n  - ')}`,
    );
    this.name = 'ConfigError';
  }
}

interface Setting {
  schema: z.ZodType<string>;
  /** As `.env.example` shows it; undefined where there is none. */
  default?: string;
  sentence: string;
}

const text = z.string();
const oneOf = <const T extends string>(...values: T[]) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });
const wholeNumber = (min: number, max: number) =>
  text.refine((value) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max, {
    message: `must be a whole number from ${min} to ${max}`,
  });

const isWithin = (value: number, min: number, max: number) => value >= min && value <= max;

/** What is sent in a header and guessed by strangers: 32 characters, so that it was made and not thought of. */
const token = text.regex(/^[\x21-\x7e]{32,256}$/, {
  message: 'must have 32 to 256 characters without spaces, for example from: openssl rand -base64 32',
});

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

/** Every setting: the order is that of `.env.example`, which is made from this table. */
export const settings = {
  NODE_ENV: {
    schema: oneOf('development', 'production', 'test'),
    default: 'development',
    sentence: 'production makes keys, mail and sources required and turns every convenience off',
  },
  PUBLIC_URL: {
    schema: text.refine(isPublicUrl, {
      message: 'must be an http(s) URL without query, for example https://support.example',
    }),
    default: 'http://localhost:3000',
    sentence: 'what links begin with; production wants https',
  },
  HOST: { schema: text, sentence: 'address to listen on: 127.0.0.1, or 0.0.0.0 in production' },
  PORT: { schema: wholeNumber(0, 65535), default: '3000', sentence: 'port to listen on' },
  TRUSTED_PROXIES: {
    schema: text.refine((value) => list(value).every(isAddressOrSubnet), {
      message: 'must be IP addresses or subnets, for example 10.0.0.0/8,127.0.0.1',
    }),
    default: '',
    sentence: 'addresses whose forwarded headers count, comma-separated; empty: none',
  },
  DATA_DIR: { schema: text.min(1), default: './data', sentence: 'SQLite file, attachments, development keys' },
  DATABASE_URL: {
    schema: text.refine((value) => /^(sqlite:.+|postgres(ql)?:\/\/.+)$/.test(value), {
      message: 'must be sqlite:PATH or postgres://…',
    }),
    sentence: 'sqlite:PATH or postgres://user:password@host/database; default sqlite:{DATA_DIR}/postern.sqlite',
  },
  QUEUE_URL: {
    schema: text.refine((value) => value === 'embedded' || /^(rediss?|postgres(ql)?):\/\/.+$/.test(value), {
      message: 'must be embedded, redis://…, rediss://… or postgres://…',
    }),
    default: 'embedded',
    sentence:
      'what spreads work: embedded (one process, nothing else needed), or for any number of processes redis://user:password@host:port/database (rediss:// over TLS) or postgres://user:password@host/database',
  },
  ROLES: {
    schema: text.refine((value) => list(value).length > 0 && list(value).every((role) => /^(web|worker)$/.test(role)), {
      message: 'must be web, worker or web,worker',
    }),
    default: 'web,worker',
    sentence: 'what this process does; on Postgres web and worker may be processes of their own',
  },
  MAIL_URL: {
    schema: text.min(1),
    sentence:
      'smtp://user:password@host:port, smtps://… or resend://API_KEY (resend://API_KEY@host:port for another endpoint); several, space-separated, are tried in order; required in production, else smtp://127.0.0.1:1025',
  },
  MAIL_FROM: { schema: text, default: 'Support <no-reply@localhost>', sentence: 'sender of every mail' },
  MAIL_RETURN_PATH: { schema: text, sentence: "envelope sender, where bounces go; default: MAIL_FROM's address" },
  MAIL_TLS: {
    schema: oneOf('opportunistic', 'required'),
    default: 'opportunistic',
    sentence: 'opportunistic: STARTTLS where the server offers it; required: over TLS or not at all',
  },
  DKIM_DOMAIN: {
    schema: text.regex(DNS_NAME, 'must be a domain name, for example support.example'),
    sentence: 'domain that mails over SMTP are signed for; set the three DKIM settings or none',
  },
  DKIM_SELECTOR: {
    schema: text.regex(DNS_NAME, 'must be a name in the DNS, for example 2026a'),
    sentence: 'selector of the public key, which stands at {DKIM_SELECTOR}._domainkey.{DKIM_DOMAIN}',
  },
  DKIM_PRIVATE_KEY_FILE: {
    schema: text,
    sentence: 'file with the private key in PEM, RSA of 2048 to 4096 bits',
  },
  LINK_KEYS: {
    schema: text,
    sentence: 'kid:base64,kid:base64 for links: the first signs, all verify; required in production',
  },
  SECRET_KEYS: { schema: text, sentence: 'the same for codes, sessions and forms; required in production' },
  HANDOFF_KEYS: {
    schema: text,
    sentence:
      'kid:base64 of Ed25519 seeds (32 bytes) for sources with "handoff: jwt": the first signs, all are published; required in production if there is such a source',
  },
  SOURCES_FILE: {
    schema: text,
    sentence: 'the sources (see sources.example.yaml); default ./sources.yaml if it exists, else the next three',
  },
  SOURCE_SECRET: { schema: text, sentence: 'Standard Webhooks secret (whsec_…) of source "default"' },
  OUTBOUND_URL: { schema: text, sentence: 'where replies of source "default" are posted; empty: nowhere' },
  OUTBOUND_SECRET: { schema: text, sentence: 'Standard Webhooks secret they are signed with' },
  ALLOW_PRIVATE_HOSTS: {
    schema: text,
    sentence:
      'hosts that outbound calls may reach though private, and by plain http; outside production 127.0.0.1,localhost',
  },
  DEFAULT_LOCALE: {
    schema: text.refine((tag) => canonicalLocale(tag) !== null, {
      message: 'must be a BCP 47 tag, for example en or id',
    }),
    default: 'en',
    sentence: 'last step of every fallback of languages',
  },
  QUIET_WINDOW_SECONDS: {
    schema: wholeNumber(0, 3600),
    default: '30',
    sentence:
      'what follows a mail to the same person about the same ticket within this time becomes one mail, at most 3600; 0: never',
  },
  FILES_URL: {
    schema: text.min(1),
    sentence:
      'where files of replies are kept: file:PATH, or s3://KEY:SECRET@host:port/bucket?region=… (add &insecure for plain http); a folder or bucket of its own; default file:{DATA_DIR}/files',
  },
  CLAMD_URL: {
    schema: text.min(1),
    sentence:
      'virus scanner: tcp://host:3310 or unix:PATH of clamd; while it is away no files are taken or handed out; empty: files are not scanned',
  },
  LOG_LEVEL: {
    schema: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    default: 'info',
    sentence: 'least level that is logged',
  },
  CODE_DIGITS: { schema: wholeNumber(6, 10), default: '6', sentence: 'digits of an emailed code, 6 to 10' },
  CODE_LIFETIME_SECONDS: {
    schema: wholeNumber(60, 600),
    default: '600',
    sentence: 'how long a code lives, at most 600',
  },
  LEASE_SECONDS: {
    schema: wholeNumber(1, 60),
    default: '60',
    sentence: 'how long a worker holds a mail without a sign of life before another one takes it',
  },
  LINK_LIFETIME_DAYS: { schema: wholeNumber(1, 90), default: '30', sentence: 'how long a link lives, at most 90' },
  SESSION_IDLE_MINUTES: {
    schema: wholeNumber(1, 30),
    default: '30',
    sentence: 'a session ends after this long unused',
  },
  SESSION_LIFETIME_HOURS: {
    schema: wholeNumber(1, 8),
    default: '8',
    sentence: 'a session ends after this long, used or not',
  },
  RETENTION_DAYS: {
    schema: text.refine((value) => /^\d+$/.test(value) && (Number(value) === 0 || isWithin(Number(value), 30, 3650)), {
      message: 'must be 0 or a whole number from 30 to 3650',
    }),
    default: '90',
    sentence:
      'tickets of which nothing was heard for so many days are forgotten, with their conversations, files and mails, 30 to 3650; 0: never',
  },
  RESEND_WEBHOOK_SECRET: {
    schema: text.refine(isWebhookSecret, { message: 'must be the signing secret of the webhook at Resend, whsec_…' }),
    sentence: 'Resend tells of bounces at /v1/feedback/resend, signed with this secret (whsec_…); empty: off',
  },
  FEEDBACK_TOKEN: {
    schema: token,
    sentence: 'bearer token for bounce mails handed in at /v1/feedback/dsn, at least 32 characters; empty: off',
  },
  ADMIN_TOKEN: { schema: token, sentence: 'bearer token of the admin API, at least 32 characters; empty: off' },
  METRICS_TOKEN: {
    schema: token,
    sentence: 'bearer token of /metrics, at least 32 characters; empty: from this machine alone',
  },
  STUDIO: {
    schema: oneOf('on', 'off'),
    default: 'on',
    sentence: 'the studio at /studio, where the words of mails and pages are edited; off: nothing is there',
  },
  STUDIO_SECOND_PERSON: {
    schema: oneOf('on', 'off'),
    default: 'off',
    sentence: 'on: words are published by another person than those who wrote at them',
  },
  STUDIO_OIDC_ISSUER: {
    schema: text.min(1),
    sentence:
      'OpenID provider that people of the studio may sign in with, for example https://login.example; set the three or none, and give it {PUBLIC_URL}/studio/oidc/callback as redirect address',
  },
  STUDIO_OIDC_CLIENT_ID: { schema: text.min(1), sentence: 'what that provider knows Postern by' },
  STUDIO_OIDC_CLIENT_SECRET: { schema: text.min(1), sentence: 'its secret' },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof settings;
type Values = Partial<Record<SettingName, string>>;

/** Reads, checks and completes the settings. Throws `ConfigError` with every problem found. */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const problems: string[] = [];
  const values = readValues(environment, problems);
  const production = values.NODE_ENV === 'production';
  const dataDir = resolve(values.DATA_DIR ?? '');
  const development = production ? null : new DevelopmentSecrets(dataDir);

  const allowPrivateHosts = list(values.ALLOW_PRIVATE_HOSTS ?? (production ? '' : '127.0.0.1,localhost'));
  const defaultLocale = values.DEFAULT_LOCALE ?? '';
  const from = readMailbox('MAIL_FROM', values.MAIL_FROM ?? '', production, problems);
  const returnPath = values.MAIL_RETURN_PATH
    ? readMailbox('MAIL_RETURN_PATH', values.MAIL_RETURN_PATH, production, problems)
    : from;
  const sources = readSources(
    {
      ...findSources(environment, values, development, problems),
      defaultLocale,
      quietWindowSeconds: Number(values.QUIET_WINDOW_SECONDS),
      allowPrivateHosts,
      allowHttp: (values.PUBLIC_URL ?? '').startsWith('http:'),
    },
    problems,
  );
  const config: Config = {
    environment: values.NODE_ENV as Config['environment'],
    publicUrl: (values.PUBLIC_URL ?? '').replace(/\/+$/, ''),
    host: values.HOST ?? (production ? '0.0.0.0' : '127.0.0.1'),
    port: Number(values.PORT),
    trustedProxies: list(values.TRUSTED_PROXIES ?? ''),
    dataDir,
    database: readDatabase(values.DATABASE_URL, dataDir),
    queue: readQueue(values.QUEUE_URL ?? ''),
    roles: { web: list(values.ROLES ?? '').includes('web'), worker: list(values.ROLES ?? '').includes('worker') },
    mail: {
      transports: readTransports(
        values.MAIL_URL ?? (production ? '' : 'smtp://127.0.0.1:1025'),
        allowPrivateHosts,
        problems,
      ),
      from,
      returnPath: returnPath.address,
      tls: values.MAIL_TLS as Config['mail']['tls'],
      dkim: readDkim(values, problems),
    },
    linkKeys: readKeys('LINK_KEYS', values.LINK_KEYS ?? development?.key('LINK_KEYS'), problems),
    secretKeys: readKeys('SECRET_KEYS', values.SECRET_KEYS ?? development?.key('SECRET_KEYS'), problems),
    handoffKeys: readHandoffKeys(
      values.HANDOFF_KEYS ?? development?.key('HANDOFF_KEYS'),
      sources.some(({ handoff }) => handoff === 'jwt'),
      problems,
    ),
    sources,
    files: readFiles(values.FILES_URL, dataDir, problems),
    clamd: readClamd(values.CLAMD_URL, problems),
    allowPrivateHosts,
    defaultLocale,
    logLevel: values.LOG_LEVEL ?? '',
    codeDigits: Number(values.CODE_DIGITS),
    codeLifetimeSeconds: Number(values.CODE_LIFETIME_SECONDS),
    leaseSeconds: Number(values.LEASE_SECONDS),
    linkLifetimeDays: Number(values.LINK_LIFETIME_DAYS),
    sessionIdleMinutes: Number(values.SESSION_IDLE_MINUTES),
    sessionLifetimeHours: Number(values.SESSION_LIFETIME_HOURS),
    retentionDays: Number(values.RETENTION_DAYS),
    resendWebhookSecret: values.RESEND_WEBHOOK_SECRET ?? null,
    feedbackToken: values.FEEDBACK_TOKEN ?? null,
    adminToken: values.ADMIN_TOKEN ?? null,
    metricsToken: values.METRICS_TOKEN ?? null,
    studio: {
      on: values.STUDIO === 'on',
      secondPerson: values.STUDIO_SECOND_PERSON === 'on',
      oidc: readOidc(values, allowPrivateHosts, problems),
    },
    generated: development?.shown ?? [],
  };
  if (production && !config.publicUrl.startsWith('https://') && !problems.some((p) => p.startsWith('PUBLIC_URL')))
    problems.push('PUBLIC_URL must begin with https:// in production: guests open it from anywhere');
  if (config.roles.web !== config.roles.worker && config.database.kind === 'sqlite')
    problems.push(
      'ROLES must be web,worker with SQLite: one process owns the file. Set DATABASE_URL=postgres://… to part them',
    );
  if (problems.length > 0) throw new ConfigError(problems);
  // Only now: a slip in NODE_ENV must leave no keys behind.
  development?.keep();
  return config;
}

/** Adds what `.env` says to the environment; what is set already stays. */
export function readEnvFile(path = '.env'): void {
  if (existsSync(path)) process.loadEnvFile(path);
}

/** The text of `.env.example`: every setting with its sentence, commented out at its default. */
export function envExample(): string {
  const lines = Object.entries(settings as Record<string, Setting>).flatMap(([name, { sentence, default: value }]) => [
    `# ${sentence.replace(/^[a-z]+(?=[\s,])/, (word) => word[0]!.toUpperCase() + word.slice(1))}.`,
    `# ${name}=${value !== undefined && /[\s<>]/.test(value) ? `"${value}"` : (value ?? '')}`,
    '',
  ]);
  return [
    '# Every setting of Postern, made from src/config.ts. Copy to .env and set what you need.',
    '',
    ...lines,
  ].join('\n');
}

function readValues(environment: NodeJS.ProcessEnv, problems: string[]): Values {
  const values: Values = {};
  for (const [name, setting] of Object.entries(settings as Record<string, Setting>)) {
    // An empty variable is as good as none: compose files and .env templates leave such lines.
    const given = environment[name] === '' ? undefined : environment[name];
    const value = given ?? setting.default;
    if (value === undefined) continue;
    const parsed = setting.schema.safeParse(value);
    if (parsed.success) values[name as SettingName] = parsed.data;
    else
      problems.push(`${name} ${parsed.error.issues[0]!.message} (it ${sensitive(name) ? 'is not' : `is "${value}"`})`);
  }
  return values;
}

const sensitive = (name: string) => /SECRET|KEYS|TOKEN|URL$/.test(name) && name !== 'PUBLIC_URL';

function readDatabase(url: string | undefined, dataDir: string): Config['database'] {
  if (url === undefined) return { kind: 'sqlite', path: join(dataDir, 'postern.sqlite') };
  return url.startsWith('sqlite:')
    ? { kind: 'sqlite', path: resolve(url.slice('sqlite:'.length)) }
    : { kind: 'postgres', url };
}

function readQueue(url: string): Config['queue'] {
  if (url === 'embedded') return { kind: 'embedded' };
  return { kind: url.startsWith('redis') ? 'redis' : 'postgres', url };
}

function readMailbox(name: string, value: string, production: boolean, problems: string[]): Config['mail']['from'] {
  const parsed = parseMailbox(value, { allowLocalhost: !production });
  if (parsed.ok) return { name: parsed.name, address: parsed.address };
  problems.push(
    `${name} must be an address or "Name <address>" with a real domain, for example "Support <no-reply@support.example>" (${parsed.reason})`,
  );
  return { name: '', address: { given: '', key: '', domain: '' } };
}

function readTransports(value: string, allowPrivateHosts: string[], problems: string[]): TransportSettings[] {
  const urls = value.split(/\s+/).filter(Boolean);
  if (urls.length === 0)
    problems.push('MAIL_URL is required in production: smtp://user:password@host:port or resend://API_KEY');
  const counts = { smtp: 0, resend: 0 };
  return urls.flatMap((one, index) => {
    const url = parseUrl(one);
    const settings = url && (readSmtp(url) ?? readResend(url, allowPrivateHosts));
    if (!settings) {
      problems.push(
        `MAIL_URL must be smtp://user:password@host:port, smtps://…, resend://API_KEY or resend://API_KEY@host:port (entry ${index + 1} is not)`,
      );
      return [];
    }
    const { kind } = settings;
    const count = ++counts[kind];
    return [{ ...settings, name: count === 1 ? kind : `${kind}-${count}` }];
  });
}

function readSmtp(url: URL): SmtpTransportSettings | null {
  if (!/^smtps?:$/.test(url.protocol) || url.hostname === '' || !isPercentEncoded(url.username + url.password))
    return null;
  const secure = url.protocol === 'smtps:';
  return {
    kind: 'smtp',
    name: 'smtp',
    host: bareHost(url.hostname),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    user: decodeURIComponent(url.username) || null,
    password: decodeURIComponent(url.password) || null,
  };
}

/** `resend://API_KEY`: the key stands where a host does, unless there is an `@`. */
function readResend(url: URL, allowPrivateHosts: string[]): ResendTransportSettings | null {
  const elsewhere = url.username !== '';
  const key = elsewhere ? url.username : url.hostname;
  if (url.protocol !== 'resend:' || !isPercentEncoded(key) || !isHeaderWord(decodeURIComponent(key))) return null;
  if (url.password + url.search + url.hash !== '' || !/^\/?$/.test(url.pathname)) return null;
  // A port without a key before it is a host whose key was forgotten.
  if (!elsewhere && url.port !== '') return null;
  const host = elsewhere ? url.host : RESEND_API;
  if (parseUrl(`https://${host}`) === null) return null;
  // The scheme of the web first: the host of another one is neither lower case nor an address to the parser.
  const isPrivate = allowPrivateHosts.includes(bareHost(new URL(`http://${host}`).hostname));
  const endpoint = new URL(`${isPrivate ? 'http' : 'https'}://${host}`).origin;
  return { kind: 'resend', name: 'resend', apiKey: decodeURIComponent(key), endpoint };
}

function readFiles(value: string | undefined, dataDir: string, problems: string[]): FilesSettings {
  const folder = { kind: 'folder' as const, path: join(dataDir, 'files') };
  if (value === undefined) return folder;
  const path = /^file:(?:\/\/(?=\/))?(.+)$/.exec(value)?.[1];
  if (path !== undefined && !path.startsWith('//')) return { ...folder, path: resolve(path) };
  const url = parseUrl(value);
  const bucket = url && readBucket(url);
  if (bucket === null)
    problems.push(
      'FILES_URL must be file:PATH or s3://KEY:SECRET@host:port/bucket?region=…, the secret percent-encoded (it is not)',
    );
  return bucket ?? folder;
}

function readBucket(url: URL): FilesSettings | null {
  const { protocol, username, password, host, pathname, searchParams, hash } = url;
  const bucket = /^\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/?$/.exec(pathname)?.[1];
  const isKnown = [...searchParams.keys()].every((name) => name === 'region' || name === 'insecure');
  if (protocol !== 's3:' || host === '' || username === '' || password === '' || hash !== '' || !isKnown) return null;
  if (bucket === undefined || !isPercentEncoded(username + password)) return null;
  return {
    kind: 'bucket',
    endpoint: `${searchParams.has('insecure') ? 'http' : 'https'}://${host}`,
    bucket,
    region: searchParams.get('region') || 'us-east-1',
    accessKeyId: decodeURIComponent(username),
    secretAccessKey: decodeURIComponent(password),
  };
}

function readClamd(value: string | undefined, problems: string[]): Config['clamd'] {
  if (value === undefined) return null;
  const path = /^unix:(?:\/\/)?(\/.+)$/.exec(value)?.[1];
  if (path !== undefined) return { path };
  const url = parseUrl(value);
  if (url?.protocol === 'tcp:' && url.hostname !== '' && url.username + url.password + url.search + url.hash === '')
    return { host: bareHost(url.hostname), port: Number(url.port) || 3310 };
  problems.push('CLAMD_URL must be tcp://host:3310 or unix:/path/to/clamd.sock (it is not)');
  return null;
}

/** RFC 8301: rsa-sha256, keys of 2048 bits or more; what is longer than 4096 need not be verified by anybody. */
function readDkim(values: Values, problems: string[]): DkimSettings | null {
  const { DKIM_DOMAIN: domain, DKIM_SELECTOR: selector, DKIM_PRIVATE_KEY_FILE: file } = values;
  if (domain === undefined && selector === undefined && file === undefined) return null;
  if (domain === undefined || selector === undefined || file === undefined) {
    problems.push('DKIM_DOMAIN, DKIM_SELECTOR and DKIM_PRIVATE_KEY_FILE are set together or not at all');
    return null;
  }
  const privateKey = readPrivateKey(file);
  if (privateKey === null)
    problems.push(
      'DKIM_PRIVATE_KEY_FILE must be a readable file with an RSA key of 2048 to 4096 bits in PEM without a password, for example from: openssl genrsa -out dkim.pem 2048',
    );
  return { domain, selector, privateKey: privateKey ?? '' };
}

/** In PKCS #8 whatever form it had, or null where it is none that DKIM can use. */
function readPrivateKey(file: string): string | null {
  try {
    const key = createPrivateKey(readFileSync(file));
    const bits = key.asymmetricKeyType === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
    return bits >= 2048 && bits <= 4096 ? (key.export({ type: 'pkcs8', format: 'pem' }) as string) : null;
  } catch {
    return null; // not there, not readable, not a key: the caller says what it must be
  }
}

function readOidc(values: Values, allowPrivateHosts: string[], problems: string[]): OidcSettings | null {
  const { STUDIO_OIDC_ISSUER: issuer, STUDIO_OIDC_CLIENT_ID: clientId, STUDIO_OIDC_CLIENT_SECRET: secret } = values;
  if (issuer === undefined && clientId === undefined && secret === undefined) return null;
  if (issuer === undefined || clientId === undefined || secret === undefined) {
    problems.push(
      'STUDIO_OIDC_ISSUER, STUDIO_OIDC_CLIENT_ID and STUDIO_OIDC_CLIENT_SECRET are set together or not at all',
    );
    return null;
  }
  const url = parseUrl(issuer);
  const isPrivate = allowPrivateHosts.includes(bareHost(url?.hostname ?? ''));
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && isPrivate)) || url.search + url.hash !== '')
    problems.push('STUDIO_OIDC_ISSUER must be an https URL without query, for example https://login.example');
  return { issuer, clientId, clientSecret: secret };
}

function readKeys(name: string, value: string | undefined, problems: string[]): KeyRing {
  const parsed = value === undefined ? null : parseKeyList(value);
  if (parsed?.ok) return new KeyRing(parsed.keys);
  problems.push(
    parsed === null
      ? `${name} is required in production: kid:base64 of 32 random bytes, for example from: echo "k1:$(openssl rand -base64 32)"`
      : `${name}: ${parsed.problem}`,
  );
  return new KeyRing([{ kid: 'none', key: Buffer.alloc(32) }]); // never used: the problem ends the start
}

function readHandoffKeys(value: string | undefined, isNeeded: boolean, problems: string[]): SigningKeys {
  const parsed = value === undefined ? null : parseKeyList(value);
  const wrong = parsed?.ok ? parsed.keys.find(({ key }) => key.length !== SEED_BYTES) : undefined;
  if (parsed?.ok && !wrong) return new SigningKeys(parsed.keys);
  if (wrong) problems.push(`HANDOFF_KEYS: the key of '${wrong.kid}' must have ${SEED_BYTES} bytes: an Ed25519 seed`);
  else if (parsed?.ok === false) problems.push(`HANDOFF_KEYS: ${parsed.problem}`);
  else if (isNeeded)
    problems.push(
      'HANDOFF_KEYS is required in production by a source with handoff: jwt: kid:base64 of 32 random bytes, for example from: echo "h1:$(openssl rand -base64 32)"',
    );
  return new SigningKeys([]);
}

/** The sources of the file, else the one that the three variables describe. */
function findSources(
  environment: NodeJS.ProcessEnv,
  values: Values,
  development: DevelopmentSecrets | null,
  problems: string[],
): Pick<SourcesInput, 'raw' | 'place'> {
  const file = values.SOURCES_FILE ?? (existsSync('sources.yaml') ? 'sources.yaml' : null);
  if (file !== null) return { place: file, raw: readSourcesFile(file, environment, problems) };
  const { OUTBOUND_URL: url, OUTBOUND_SECRET: outboundSecret } = values;
  if ((url === undefined) !== (outboundSecret === undefined))
    problems.push('OUTBOUND_URL and OUTBOUND_SECRET are set together or not at all');
  const given = values.SOURCE_SECRET ?? development?.webhookSecret('SOURCE_SECRET');
  if (given === undefined)
    problems.push('SOURCE_SECRET is required in production (or a sources.yaml): whsec_ and base64 of 32 random bytes');
  const usable = (name: string, secret = generateWebhookSecret()) => {
    if (isWebhookSecret(secret)) return secret;
    problems.push(`${name} must be whsec_ and base64 of 24 to 64 bytes (it is not)`);
    return generateWebhookSecret(); // never used: the problem ends the start
  };
  const secrets = [usable('SOURCE_SECRET', given)];
  const outbound = url && outboundSecret ? { url, secret: usable('OUTBOUND_SECRET', outboundSecret) } : undefined;
  return { place: 'OUTBOUND_URL', raw: [{ name: 'default', secrets, outbound }] };
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function isPublicUrl(value: string): boolean {
  if (parseUrl(value) === null) return false;
  const url = new URL(value);
  return (
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.pathname === '/'
  );
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false; // a % that begins no sign: there is no other way to ask
  }
}

function isHeaderWord(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

function isAddressOrSubnet(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const width = { 0: -1, 4: 32, 6: 128 }[isIP(address)]!;
  return rest.length === 0 && width > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width));
}

function findPackageRoot(start: string): string {
  let folder = start;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
