import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { mappingSchema, type Mapping } from './mapping.js';
import { canonicalLocale } from './platform/locale.js';
import { PageAddress } from './platform/page-address.js';
import { isWebhookSecret } from './platform/webhook-signature.js';
import { parseUrl } from './platform/url.js';

/** Formats that Postern understands; each is a file of `intake/sources`. */
export const adapterNames = ['standard', 'cloudevents', 'zendesk', 'zammad', 'freshdesk', 'jira', 'mapping'] as const;
export type AdapterName = (typeof adapterNames)[number];

/** Systems whose API takes a guest's reply; each is a file of `outbound/writers`. */
export const writerNames = ['zendesk', 'zammad', 'freshdesk', 'jira'] as const;
export type WriterName = (typeof writerNames)[number];

/** One upstream ticket system. */
export interface Source {
  name: string;
  adapter: AdapterName;
  /** What its webhooks are signed with: the first is current, the others verify during a rotation. */
  secrets: string[];
  /** The system's own API, for what its webhooks leave out; null: it is not asked. */
  api: SourceApiSettings | null;
  /** For `adapter: mapping`, which has it always, and no other. */
  mapping?: Mapping;
  /** A folder of `templates/brands`. */
  brand: string;
  defaultLocale: string;
  /** What follows a mail about the same ticket to the same person within it is gathered into one mail; 0: never. */
  quietWindowSeconds: number;
  /** Genuine events a minute, of each process that takes them; null: no limit. */
  eventsPerMinute: number | null;
  /** Where guests go after the code; null: the built-in page. */
  ticketPage: PageAddress | null;
  /** What they bring along. */
  handoff: 'token' | 'jwt';
  /** What the server of that page signs with when it redeems a token; none: nobody can. */
  handoffSecrets: string[];
  /** Where mails of signed-in users lead; `{id}` and `{number}` are the source's own. */
  accountTicketPage: string | null;
  /** Hosts on which `data.ticket.url` is believed to be the account's ticket page. */
  accountHosts: string[];
  /** Where news goes; `events` are types or patterns such as `notification.*`. */
  outbound: { url: string; secret: string; events: string[] } | null;
  /** Writes guests' replies into the ticket system through `api`, instead of a webhook; null: nobody does. */
  writer: WriterName | null;
}

export function sourceNamed(sources: readonly Source[], name: string | undefined): Source | undefined {
  return sources.find((source) => source.name === name);
}

export interface SourceApiSettings {
  /** Its root, without a slash at the end. */
  url: string;
  /** The whole header `Authorization`. */
  authorization: string;
}

const EVERY_TYPE = ['ticket.*', 'guest.*', 'link.*', 'requester.*', 'notification.*'];

const webhookSecret = z.string().refine(isWebhookSecret, { message: 'must be whsec_ and base64 of 24 to 64 bytes' });
const sourceSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be a-z, 0-9 and -, at most 32 characters'),
  adapter: z.enum(adapterNames, { error: `must be one of ${adapterNames.join(', ')}` }).default('standard'),
  secrets: z.array(z.string()).min(1),
  api: z
    .strictObject({
      url: z.string().transform((url) => url.replace(/\/+$/, '')),
      authorization: z.string().regex(/^[\x21-\x7e]+ [\x21-\x7e]+$/, 'must be a whole header value like "Bearer …"'),
    })
    .optional(),
  mapping: mappingSchema.optional(),
  brand: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be the name of a folder in templates/brands')
    .default('default'),
  defaultLocale: z
    .string()
    .refine((tag) => canonicalLocale(tag) !== null, { message: 'must be a BCP 47 tag' })
    .optional(),
  quietWindowSeconds: z.int().min(0).max(3600, 'must be at most 3600').optional(),
  eventsPerMinute: z.int().min(1, 'must be at least 1').optional(),
  ticketPage: z
    .string()
    .transform((template, context) => {
      const read = PageAddress.read(template);
      if (read.ok) return read.page;
      context.addIssue({
        code: 'custom',
        message: `${read.problem}, for example https://help.example/tickets/{number}`,
      });
      return z.NEVER;
    })
    .optional(),
  handoff: z.enum(['token', 'jwt'], { error: 'must be token or jwt' }).optional(),
  handoffSecret: webhookSecret.optional(),
  accountTicketPage: z
    .string()
    .refine((page) => /^https?:/i.test(page) && parseUrl(page.replace(/\{(id|number)\}/g, 'x')) !== null, {
      message: 'must be an http(s) URL',
    })
    .optional(),
  accountHosts: z.array(z.string().min(1)).default([]),
  outbound: z
    .strictObject({
      url: z.string(),
      secret: webhookSecret,
      events: z
        .array(z.string().regex(/^[a-z]+\.([a-z_]+|\*)$/, 'must be a type or a pattern like ticket.*'))
        .default(EVERY_TYPE),
    })
    .optional(),
  writer: z.enum(writerNames, { error: `must be one of ${writerNames.join(', ')}` }).optional(),
});

export interface SourcesInput {
  /** `sources` as a file or the three variables gave them, not checked yet. */
  raw: unknown;
  /** Names the place of a fault for people: the file or the variables. */
  place: string;
  defaultLocale: string;
  quietWindowSeconds: number;
  allowPrivateHosts: string[];
  /** Links may be plain http: only where PUBLIC_URL is. */
  allowHttp: boolean;
}

/** Checks and completes the sources. Every fault is added to `problems`. */
export function readSources(
  { raw, place, defaultLocale, quietWindowSeconds, allowPrivateHosts, allowHttp }: SourcesInput,
  problems: string[],
): Source[] {
  problems.push(...secretFaults(raw, place));
  const parsed = z.array(sourceSchema).safeParse(raw);
  if (!parsed.success) {
    problems.push(
      ...parsed.error.issues
        .filter(({ path }) => !isUnset(path.reduce<unknown>((inside, step) => (inside as never)?.[step], raw)))
        .map(({ path, message }) => `${placeOf(place, raw, path)} ${message}`),
    );
    return [];
  }
  const names = new Set(parsed.data.map(({ name }) => name));
  if (names.size === 0) problems.push(`${place}: there is no source`);
  if (names.size !== parsed.data.length) problems.push(`${place}: two sources have the same name`);
  for (const { name, outbound } of parsed.data)
    if (outbound && !isReachable(outbound.url, allowPrivateHosts))
      problems.push(
        `${place}: outbound url of ${name} must be https (plain http only to a host of ALLOW_PRIVATE_HOSTS)`,
      );
  for (const { name, adapter, api, mapping } of parsed.data) {
    if ((adapter === 'mapping') !== (mapping !== undefined))
      problems.push(
        `${place}: mapping of ${name} ${mapping ? 'is for' : 'is missing: give it, or another'} adapter: mapping`,
      );
    if (api && !isReachable(api.url, allowPrivateHosts))
      problems.push(`${place}: api url of ${name} must be https (plain http only to a host of ALLOW_PRIVATE_HOSTS)`);
  }
  for (const { name, api, writer } of parsed.data)
    if (writer && !api)
      problems.push(`${place}: writer of ${name} needs its api: add url and authorization, or leave writer out`);
  for (const { name, accountTicketPage = 'https:' } of parsed.data)
    if (!allowHttp && !accountTicketPage.startsWith('https:'))
      problems.push(`${place}: accountTicketPage of ${name} must be https, as PUBLIC_URL is`);
  for (const { name, adapter, ticketPage, handoff, handoffSecret } of parsed.data) {
    if (ticketPage && !allowHttp && !ticketPage.isSecure)
      problems.push(`${place}: ticketPage of ${name} must be https, as PUBLIC_URL is`);
    if (handoff && !ticketPage)
      problems.push(`${place}: handoff of ${name} is for a source with a ticketPage: add it, or leave handoff out`);
    const takesTokens = ticketPage !== undefined && handoff !== 'jwt';
    if (handoffSecret && !takesTokens)
      problems.push(`${place}: handoffSecret of ${name} is for a source with a ticketPage and handoff: token`);
    if (takesTokens && !handoffSecret && !isSigned(adapter))
      problems.push(
        `${place}: handoffSecret of ${name} is missing: the server of its ticketPage signs with it (whsec_ and base64 of 24 to 64 bytes), or take handoff: jwt`,
      );
  }
  return parsed.data.map(({ name, adapter, secrets, brand, accountHosts, ...rest }) => ({
    name,
    adapter,
    secrets,
    api: rest.api ?? null,
    mapping: rest.mapping,
    brand,
    accountHosts,
    defaultLocale: rest.defaultLocale ?? defaultLocale,
    quietWindowSeconds: rest.quietWindowSeconds ?? quietWindowSeconds,
    eventsPerMinute: rest.eventsPerMinute ?? null,
    ticketPage: rest.ticketPage ?? null,
    handoff: rest.handoff ?? 'token',
    handoffSecrets: rest.handoffSecret ? [rest.handoffSecret] : isSigned(adapter) ? secrets : [],
    accountTicketPage: rest.accountTicketPage ?? null,
    outbound: rest.outbound ?? null,
    writer: rest.writer ?? null,
  }));
}

/** The `sources` of a YAML file, with `${NAME}` taken from the environment wherever it stands in a value. */
export function readSourcesFile(file: string, environment: NodeJS.ProcessEnv, problems: string[]): unknown {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch {
    problems.push(`SOURCES_FILE ${file} cannot be read`);
    return [];
  }
  try {
    // In a flow list the braces would be YAML's own, so a variable goes through the parser in another dress.
    const dressed = content.replace(/\$\{([A-Za-z_]\w*)\}/g, '\ue000$1\ue001');
    const parsed = parseYaml(dressed) as { sources?: unknown } | null;
    return fillVariables(parsed?.sources ?? [], environment, (name) =>
      problems.push(`${file}: the environment has no ${name}`),
    );
  } catch {
    // The parser's own message quotes the line, and that may hold a secret.
    problems.push(`${file} is not valid YAML`);
    return [];
  }
}

/** Stands where a variable is missing: that is told once, and nothing else is said of such a value. */
const UNSET = '\ue002';
const isUnset = (value: unknown) => typeof value === 'string' && value.includes(UNSET);

/** Where a fault is, with the name of the source, which a reader finds sooner than its number. */
function placeOf(file: string, raw: unknown, path: readonly PropertyKey[]): string {
  const name = (raw as ({ name?: unknown } | null)[])[path[0] as number]?.name;
  const isNamed = typeof name === 'string' && path.length > 1 && path[1] !== 'name';
  return `${file}${isNamed ? ` (${name})` : ''}: ${['sources', ...path].join('.')}`;
}

function fillVariables(value: unknown, environment: NodeJS.ProcessEnv, missing: (name: string) => void): unknown {
  if (Array.isArray(value)) return value.map((one) => fillVariables(one, environment, missing));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, fillVariables(one, environment, missing)]),
    );
  if (typeof value !== 'string') return value;
  return value.replace(/\ue000(\w+)\ue001/g, (_, name: string) => {
    if (!environment[name]) missing(name);
    return environment[name] || UNSET;
  });
}

/** Systems that let their users write the secret take any text; a short one could be guessed. */
const SHORTEST_SECRET = 16;

/** By Standard Webhooks. */
const isSigned = (adapter: unknown) => adapter === 'standard' || adapter === 'cloudevents';

/** Beside the schema, which knows nothing of one field by another. */
function secretFaults(raw: unknown, place: string): string[] {
  const sources = Array.isArray(raw) ? (raw as ({ adapter?: unknown; secrets?: unknown } | null)[]) : [];
  return sources.flatMap((source, at) => {
    const secrets = Array.isArray(source?.secrets) ? (source.secrets as unknown[]) : [];
    const isStandard = isSigned(source?.adapter ?? 'standard');
    return secrets.flatMap((secret, index) => {
      if (typeof secret !== 'string' || isUnset(secret)) return [];
      if (isStandard ? isWebhookSecret(secret) : secret.length >= SHORTEST_SECRET) return [];
      const rule = isStandard
        ? 'be whsec_ and base64 of 24 to 64 bytes'
        : `have at least ${SHORTEST_SECRET} characters`;
      return [`${placeOf(place, raw, [at, 'secrets', index])} must ${rule}`];
    });
  });
}

function isReachable(value: string, allowPrivateHosts: string[]): boolean {
  if (parseUrl(value) === null) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || (protocol === 'http:' && allowPrivateHosts.includes(hostname));
}
