#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig, readEnvFile, type Config } from './config.js';
import { isMendable, PosternError, type ErrorCode, type FieldError } from './errors.js';
import { silentTypes, tellingTypes } from './events.js';
import { forecastText } from './forecast-text.js';
import { keysCommand } from './keys.js';
import { randomToken } from './platform/crypto.js';
import { signWebhook, type WebhookHeaders } from './platform/webhook-signature.js';
import { sourceNamed } from './sources.js';

const USAGE = `postern <command>            in the repository: npm run postern -- <command>

  start
      the gateway, until it is told to stop; settings come from the environment or .env (README.md)
  dry-run --source NAME FILE [--header 'name: value']… [--json]
      what a webhook with the body in FILE (- for the standard input) would do;
      needs no signature, changes nothing; JSON with the whole mails into a pipe, or with --json
  send --source NAME --type TYPE [--to ADDRESS] [--locale TAG] [--url URL]
      signs a sample event and posts it to the running gateway
  keys list
      which keys there are, and which one signs
  keys new [LINK_KEYS|SECRET_KEYS|HANDOFF_KEYS]
      a new key, and what to put where
  erase ADDRESS --reason WHY
      forgets a person; --dry in place of a reason only says what would go
  studio-link
      a link that makes whoever opens it an admin of the studio, once and within 24 hours;
      a former one ends
`;

/** What the command line is told, for whoever reads it; `ok` is the process's own success. */
interface Told {
  ok: boolean;
  text: string;
}

if (process.argv[2] === 'start') {
  await import('./main.js');
} else {
  const told = await run(process.argv.slice(2));
  (told.ok ? process.stdout : process.stderr).write(told.text);
  if (!told.ok) process.exitCode = 1;
}

async function run([command, ...args]: string[]): Promise<Told> {
  try {
    // The gateway takes a second to load: only what needs it loads it.
    if (command === 'keys') return keysCommand(args);
    if (command === 'erase') return await (await import('./erase.js')).eraseCommand(args);
    if (command === 'studio-link') return await (await import('./studio-link.js')).studioLinkCommand();
    if (command === 'dry-run') return await dryRun(args);
    if (command === 'send') return await send(args);
    if (command === 'help' || command === '--help' || command === '-h') return { ok: true, text: USAGE };
    return { ok: false, text: command === undefined ? USAGE : `There is no command ${command}.\n\n${USAGE}` };
  } catch (error) {
    // What a person can mend is said in its own words; only a fault of ours shows where it happened.
    if (error instanceof PosternError) return { ok: false, text: problem(error) };
    if (isMendable(error)) return { ok: false, text: `${error.message}\n` };
    throw error;
  }
}

/** What a gateway answered, in the form of `problem`; as it stands where something else answered. */
function refusal(status: number, text: string): string {
  try {
    const { code, detail, errors } = JSON.parse(text) as { code: ErrorCode; detail: string; errors?: FieldError[] };
    return `${status} ${problem({ code, detail, extra: { errors } })}`;
  } catch {
    return `${status} ${text.slice(0, 500)}\n`;
  }
}

function problem({ code, detail, extra: { errors = [] } }: Pick<PosternError, 'code' | 'detail' | 'extra'>): string {
  return [`${code}: ${detail}`, ...errors.map((one) => `  ${one.pointer || '(the whole)'}: ${one.detail}`), ''].join(
    '\n',
  );
}

/** Nothing of it touches the gateway's own data: every ticket is new to a database that lives as long as the command. */
async function dryRun(args: string[]): Promise<Told> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      source: { type: 'string' },
      header: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
    },
  });
  const [file] = positionals;
  if (!file || !values.source) return { ok: false, text: USAGE };
  const rawBody = readFileSync(file === '-' ? 0 : file);
  const headers = headersOf(values.header);
  const mediaType = String(headers['content-type'] ?? 'application/json')
    .split(';')[0]!
    .trim()
    .toLowerCase();
  const [{ openApplication }, { DryRun }, { Logger }] = await Promise.all([
    import('./gateway.js'),
    import('./intake/dry-run.js'),
    import('./platform/logger.js'),
  ]);
  readEnvFile();
  const dataDir = await mkdtemp(join(tmpdir(), 'postern-dry-run-'));
  const config: Config = {
    ...loadConfig(),
    dataDir,
    database: { kind: 'sqlite', path: join(dataDir, 'postern.sqlite') },
    queue: { kind: 'embedded' },
    files: { kind: 'folder', path: join(dataDir, 'files') },
    roles: { web: true, worker: false },
  };
  const gateway = await openApplication(config, { logger: new Logger('error'), sweepEveryMs: 0 });
  try {
    const forecasts = await gateway.app
      .get(DryRun)
      .foresee(values.source, { headers, rawBody, mediaType }, { isTrusted: true });
    const stdout = process.stdout;
    if (stdout.isTTY && !values.json)
      return { ok: true, text: forecastText(forecasts, { colour: stdout.hasColors(), columns: stdout.columns }) };
    return { ok: true, text: `${JSON.stringify(forecasts.length === 1 ? forecasts[0] : forecasts, null, 2)}\n` };
  } finally {
    await gateway.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function headersOf(lines: readonly string[]): WebhookHeaders {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

async function send(args: string[]): Promise<Told> {
  const { values } = parseArgs({
    args,
    options: {
      source: { type: 'string' },
      type: { type: 'string' },
      to: { type: 'string', default: 'siti@example.com' },
      locale: { type: 'string', default: 'en' },
      url: { type: 'string' },
    },
  });
  const types: readonly string[] = [...tellingTypes, ...silentTypes];
  if (!values.source || !values.type) return { ok: false, text: USAGE };
  if (!types.includes(values.type)) return { ok: false, text: `--type must be one of ${types.join(', ')}\n` };
  readEnvFile();
  const { sources, publicUrl } = loadConfig();
  const source = sourceNamed(sources, values.source);
  if (!source)
    return { ok: false, text: `There is no source ${values.source}: ${sources.map(({ name }) => name).join(', ')}\n` };
  if (source.adapter !== 'standard')
    return {
      ok: false,
      text: `send speaks the native format, and ${source.name} has adapter: ${source.adapter}. Try dry-run.\n`,
    };
  const body = JSON.stringify(sample(values.type, values.to, values.locale));
  const url = `${values.url ?? publicUrl}/v1/sources/${source.name}/events`;
  const headers = signWebhook({
    secret: source.secrets[0]!,
    id: `msg_${randomToken(16)}`,
    timestamp: Math.floor(Date.now() / 1000),
    body,
  });
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    const text = await answer.text();
    return { ok: answer.ok, text: answer.ok ? `${answer.status} ${text}\n` : refusal(answer.status, text) };
  } catch (error) {
    return { ok: false, text: `Nobody answers at ${url}: ${String((error as Error).cause ?? error)}\n` };
  }
}

function sample(type: string, email: string, locale: string): object {
  const now = new Date().toISOString();
  const status = /resolved|closed/.exec(type)?.[0] ?? 'open';
  return {
    type,
    timestamp: now,
    data: {
      ticket: { id: 'sample-1', number: '1001', subject: 'Withdrawal is late', status, updatedAt: now },
      requester: { kind: 'guest', email, locale },
      message: {
        id: `sample-${now}`,
        author: { kind: 'agent', name: 'Rina' },
        body: 'Please send us the id of the transaction.',
        visibility: 'public',
      },
      into: type === 'ticket.merged' ? 'sample-2' : undefined,
    },
  };
}
