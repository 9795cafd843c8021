import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { DevelopmentSecrets } from './development-secrets.js';
import { StartError } from './errors.js';
import type { EmailAddress } from './platform/address.js';
import type { KeyRing } from './platform/crypto.js';
import { canonicalLocale } from './platform/locale.js';
import type { SigningKeys } from './platform/signing-keys.js';
import { generateWebhookSecret, isWebhookSecret } from './platform/webhook-signature.js';
import { readHandoffKeys, readKeys } from './settings/keys.js';
import { readDkim, readMailbox, readTransports } from './settings/mail.js';
import type { DkimSettings, Mailbox, TransportSettings } from './settings/mail.js';
import { readOidc, type OidcSettings } from './settings/oidc.js';
import {
  DNS_NAME,
  isAddressOrSubnet,
  isPublicUrl,
  isWithin,
  list,
  oneOf,
  text,
  token,
  wholeNumber,
} from './settings/shapes.js';
import { readClamd, readDatabase, readFiles, readQueue } from './settings/storage.js';
import type { ClamdSettings, DatabaseSettings, FilesSettings, QueueSettings } from './settings/storage.js';
import { readSources, readSourcesFile, type Source, type SourcesInput } from './sources.js';

/** The folder of the package: where `templates/` and `package.json` are, from `src/` as from `dist/src/`. */
export const packageRoot = findPackageRoot(import.meta.dirname);

/** All settings, checked and completed. A class only so that it can be injected by its name. */
export abstract class Config {
  environment: 'development' | 'production' | 'test';
  /** Origin that every link begins with, without a slash at its end. */
  publicUrl: string;
  host: string;
  port: number;
  trustedProxies: string[];
  dataDir: string;
  database: DatabaseSettings;
  queue: QueueSettings;
  roles: { web: boolean; worker: boolean };
  mail: {
    /** Tried in this order. */
    transports: TransportSettings[];
    from: Mailbox;
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
  clamd: ClamdSettings | null;
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
    sentence: 'what links begin with; default http://localhost:{PORT}; production wants https',
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
    schema: text
      .refine((value) => /^(sqlite:.+|postgres(ql)?:\/\/.+)$/.test(value), {
        message: 'must be sqlite:PATH or postgres://…',
      })
      .refine((value) => !/^sqlite:(:memory:|file:)/i.test(value), {
        message: 'must be a file, sqlite:PATH: in memory each connection would have a database of its own',
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

  const publicUrl = (values.PUBLIC_URL ?? `http://localhost:${values.PORT}`).replace(/\/+$/, '');
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
      allowHttp: publicUrl.startsWith('http:'),
    },
    problems,
  );
  const config: Config = {
    environment: values.NODE_ENV as Config['environment'],
    publicUrl,
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

function findPackageRoot(start: string): string {
  let folder = start;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
