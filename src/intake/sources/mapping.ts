import type { JsonValue } from '../../platform/strict-json.js';
import { PosternError } from '../../errors.js';
import { decodeBase64, sha256 } from '../../platform/crypto.js';
import type { MappedField, Mapping } from '../../mapping.js';
import type { Source } from '../../sources.js';
import { silentTypes, tellingTypes } from '../../events.js';
import { headerOf, type IncomingWebhook, type Normalised, type SourceAdapter } from './adapter.js';
import { guestsOf, isHmac, isSecret } from './reading.js';

type Fields = Readonly<Record<string, MappedField | undefined>>;

const types: readonly string[] = [...tellingTypes, ...silentTypes];
/** Numbers below it are unix seconds (until the year 5138), others ms. */
const SECONDS_BELOW = 1e11;

/** JSON of any other system, by the JSON pointers that the source's settings give for each field. */
export const mapping: SourceAdapter = {
  mediaTypes: ['application/json'],
  signing: 'Send the header that mapping.signature of this source names, made with one of its secrets.',
  verify(source, webhook) {
    return isGenuine(source, webhook) ? {} : null;
  },
  normalise(source, body, { rawBody }) {
    return [happening(source.mapping!, body, rawBody)];
  },
};

function isGenuine({ mapping: settings, secrets }: Source, { headers, rawBody }: IncomingWebhook): boolean {
  const { header, algorithm, encoding, prefix } = settings!.signature;
  const value = headerOf(headers, header);
  if (!value?.startsWith(prefix)) return false;
  const given = value.slice(prefix.length);
  if (algorithm === undefined) return isSecret(secrets, given);
  const isHex = /^(?:[0-9a-f]{2})+$/i.test(given);
  const signature = encoding === 'base64' ? decodeBase64(given) : isHex ? Buffer.from(given, 'hex') : null;
  return signature !== null && isHmac(algorithm, secrets, [rawBody], signature);
}

function happening(settings: Mapping, body: JsonValue, rawBody: Buffer): Normalised {
  const type = take(settings.type, body);
  // A type that is no text is a fault of the mapping, which the schema names.
  if (typeof type === 'string' && !types.includes(type)) return { kind: 'ignored', reason: 'unknown-type' };
  const { signature: _, id, type: __, timestamp, ticket, requester, participants, message, into } = settings;
  const said = message && messageOf(message, body);
  const isReply = type === 'ticket.replied' || type === 'ticket.info_requested';
  if (said?.visibility === 'internal' && isReply) return { kind: 'ignored', reason: 'internal' };
  const email = take(requester.email, body);
  if (typeof type === 'string' && (email == null || email === '')) return { kind: 'ignored', reason: 'no-address' };
  const ticketId = textOf(take(ticket.id, body));
  const updatedAt = timeOf(take(ticket.updatedAt, body));
  const own = id && ownId(id, body);
  const native = {
    type,
    timestamp: (timestamp && timeOf(take(timestamp, body))) ?? updatedAt,
    data: {
      ticket: {
        ...fieldsOf(ticket, body),
        id: ticketId,
        number: (ticket.number && textOf(take(ticket.number, body))) ?? ticketId,
        createdAt: timeOf(take(ticket.createdAt, body)),
        updatedAt,
      },
      requester: personOf(requester, body),
      participants: participants && peopleOf(participants, body),
      // Of an edit or retraction it matters which message it is; of all others only what is public.
      message: said && (said.visibility === 'public' || isAboutMessage(type)) ? said : null,
      into: textOf(take(into, body)),
    },
  };
  return {
    kind: 'event',
    id: sha256(own === undefined ? rawBody : `own ${own}`).toString('hex'),
    native: native as unknown as Extract<Normalised, { kind: 'event' }>['native'],
    originOf: (pointer) => originOf(settings, pointer),
  };
}

/** An object would be the same name for every event. */
function ownId(field: MappedField, body: JsonValue): string | undefined {
  const found = textOf(take(field, body));
  if (found === undefined || found === '') return undefined;
  if (typeof found === 'string') return found;
  const pointer = 'pointer' in field ? field.pointer : '';
  throw new PosternError('invalid-event', 'The mapping leads to what is no id; see errors.', {
    errors: [{ pointer, detail: 'must be a text or a number: it names the event' }],
  });
}

const isAboutMessage = (type: unknown) => type === 'message.updated' || type === 'message.retracted';

/** What a field says of a body; undefined if nothing is there. */
function take(field: MappedField | undefined, body: JsonValue): JsonValue | undefined {
  if (field === undefined) return undefined;
  if ('value' in field) return field.value;
  const found = at(body, field.pointer);
  if (!('map' in field) || !field.map || typeof found === 'object' || found === undefined) return found;
  return Object.hasOwn(field.map, String(found)) ? field.map[String(found)] : found;
}

/** What a JSON pointer leads to (RFC 6901). */
function at(body: JsonValue, pointer: string): JsonValue | undefined {
  let found: JsonValue | undefined = body;
  for (const step of pointer.split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof found !== 'object' || found === null) return undefined;
    // Own keys only: a pointer cannot reach what every object inherits.
    found = Object.hasOwn(found, key) ? (found as { [key: string]: JsonValue })[key] : undefined;
  }
  return found;
}

function fieldsOf(fields: Fields, body: JsonValue): Record<string, JsonValue | undefined> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, take(field, body)]));
}

/** Ids are texts, though many systems count them. */
function textOf(value: JsonValue | undefined): JsonValue | undefined {
  return typeof value === 'number' ? String(value) : (value ?? undefined);
}

/** ISO 8601 with a zone as it stands, a number as unix seconds or ms. What is neither is left for the schema to refuse. */
function timeOf(value: JsonValue | undefined): JsonValue | undefined {
  const time = typeof value === 'string' && /^\d{9,14}$/.test(value) ? Number(value) : value;
  if (typeof time !== 'number') return value ?? undefined;
  const moment = new Date(time < SECONDS_BELOW ? time * 1000 : time);
  return Number.isNaN(moment.getTime()) ? value : moment.toISOString();
}

function personOf(fields: Fields, body: JsonValue): Record<string, JsonValue | undefined> & { email?: string } {
  const person = fieldsOf(fields, body);
  return { ...person, kind: person.kind ?? 'guest', id: textOf(person.id) } as ReturnType<typeof personOf>;
}

/** The elements of a list, each read by fields of its own. */
function elements(pointer: string, body: JsonValue): JsonValue[] {
  const found = at(body, pointer);
  return Array.isArray(found) ? found : [];
}

function peopleOf({ each, ...fields }: NonNullable<Mapping['participants']>, body: JsonValue): object[] {
  return elements(each, body)
    .map((one) => personOf(fields, one))
    .filter((one) => typeof one.email === 'string' && guestsOf([{ email: one.email }]).length > 0);
}

function messageOf(settings: NonNullable<Mapping['message']>, body: JsonValue) {
  const id = textOf(take(settings.id, body));
  if (id === undefined || id === '') return null;
  if (!isPublic(settings.public, body)) return { id, author: { kind: 'agent' }, visibility: 'internal' };
  const { author, attachments, format, createdAt, replyId } = settings;
  const by = author ? fieldsOf(author, body) : { kind: 'agent' };
  return {
    id,
    author: { ...by, id: textOf(by.id), email: by.email || undefined },
    body: textOf(take(settings.body, body)),
    format: take(format, body),
    createdAt: timeOf(take(createdAt, body)),
    replyId: take(replyId, body),
    visibility: 'public',
    attachments: attachments && filesOf(attachments, body),
  };
}

/** Nothing but `true` itself, and where a map says what is public, nothing that it does not name. */
function isPublic(field: MappedField, body: JsonValue): boolean {
  const map = 'map' in field ? field.map : undefined;
  if (map === undefined) return take(field, body) === true;
  const found = 'pointer' in field ? at(body, field.pointer) : undefined;
  return typeof found !== 'object' && Object.hasOwn(map, String(found)) && map[String(found)] === true;
}

function filesOf(
  { each, ...fields }: { each: string } & Record<string, MappedField | string | undefined>,
  body: JsonValue,
) {
  return elements(each, body).map((one) => {
    const file = fieldsOf(fields as Fields, one);
    const size = Number(file.size);
    return { ...file, size: file.size != null && Number.isSafeInteger(size) && size >= 0 ? size : undefined };
  });
}

/** Where the settings look for what the native pointer names; the native pointer itself if that is a constant or nowhere. */
function originOf(settings: Mapping, pointer: string): string {
  const { timestamp = settings.ticket.updatedAt, ticket } = settings;
  // What is not given is taken from elsewhere.
  let found: unknown = { ...settings, timestamp, ticket: { ...ticket, number: ticket.number ?? ticket.id } };
  let base = '';
  const steps = pointer
    .replace(/^\/data/, '')
    .split('/')
    .slice(1);
  for (const step of steps) {
    if (typeof found !== 'object' || found === null) return pointer;
    const { each, ...fields } = found as { each?: string };
    if (each !== undefined) base = `${each}/${step}`;
    found = each === undefined ? (found as Record<string, unknown>)[step] : fields;
  }
  const own = (found as { pointer?: string } | undefined)?.pointer;
  return own === undefined ? pointer : `${base}${own}`;
}
