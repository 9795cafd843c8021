import { z } from 'zod';
import { PosternError } from '../../errors.js';
import { silentTypes, tellingTypes } from '../../events.js';
import { decodeBase64, sha256 } from '../../platform/crypto.js';
import { faultsOf, inWords } from '../../platform/faults.js';
import { parseStrictJson, type JsonValue } from '../../platform/strict-json.js';
import type { WebhookHeaders } from '../../platform/webhook-signature.js';
import { headerOf, type NativeEvent, type Normalised, type SourceAdapter } from './adapter.js';
import { readBody } from './reading.js';
import { standard } from './standard.js';

const STRUCTURED = 'application/cloudevents+json';
export const BATCH = 'application/cloudevents-batch+json';
/** Events of one batch: what is more comes as another one. */
const MOST_OF_A_BATCH = 100;
const MAX_DEPTH = 32;

const word = z.string().min(1);
const attributes = z.looseObject({
  specversion: z.literal('1.0', { error: 'must be "1.0"' }),
  id: word,
  source: word,
  type: word,
  time: z.iso.datetime({ offset: true }).nullish(),
  datacontenttype: z
    .string()
    .max(255)
    .regex(/^[\w.+-]+\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i, 'must be a JSON type')
    .nullish(),
  data: z.unknown().optional(),
  data_base64: z.string().optional(),
});
type CloudEvent = z.infer<typeof attributes>;

const types: readonly string[] = [...tellingTypes, ...silentTypes];

/** CloudEvents 1.0 over HTTP, binary, structured and in batches, with a signature by Standard Webhooks on top. */
export const cloudevents: SourceAdapter = {
  mediaTypes: ['application/json', STRUCTURED, BATCH],
  signing: standard.signing,
  verify: standard.verify,
  normalise(_source, body, { mediaType, headers }) {
    if (mediaType === BATCH) return batchOf(body);
    if (mediaType === STRUCTURED) return [ofStructured(body, '')];
    return [ofBinary(headers, body)];
  },
};

/** What is wrong with any of them is wrong with all: nothing of such a batch is taken. */
function batchOf(body: JsonValue): Normalised[] {
  const list = readBody(z.array(z.unknown()).max(MOST_OF_A_BATCH), body, 'a CloudEvents batch');
  const found = list.map((one, place) => ofStructured(one as JsonValue, `/${place}`));
  const fingerprints = new Map<string, string | undefined>();
  for (const [place, one] of found.entries()) {
    if (one.kind === 'ignored') continue;
    if (fingerprints.has(one.id) && fingerprints.get(one.id) !== one.fingerprint)
      throw invalid(`/${place}/id`, 'stands for another event of this batch already');
    fingerprints.set(one.id, one.fingerprint);
  }
  return found;
}

function ofStructured(body: JsonValue, at: string): Normalised {
  const parsed = attributes.safeParse(body, { error: inWords });
  if (!parsed.success)
    throw new PosternError('invalid-event', 'This is not a CloudEvent (1.0, JSON format); see errors.', {
      errors: faultsOf(parsed.error, at),
    });
  const event = parsed.data;
  const data = event.data === undefined ? decoded(event.data_base64, at) : (event.data as JsonValue);
  return happening(event, data, (pointer) => {
    if (pointer === '/type') return `${at}/type`;
    return pointer === '/timestamp' ? `${at}/time` : `${at}${pointer}`;
  });
}

function decoded(base64: string | undefined, at: string): JsonValue {
  const bytes = base64 === undefined ? null : decodeBase64(base64);
  const json = bytes && parseStrictJson(bytes, { maxDepth: MAX_DEPTH });
  if (json?.ok) return json.value;
  const what = base64 === undefined ? 'data' : 'data_base64';
  throw invalid(`${at}/${what}`, base64 === undefined ? 'is missing' : 'must be base64 of JSON');
}

/** The attributes are headers, and the body is the data. */
function ofBinary(headers: WebhookHeaders, body: JsonValue): Normalised {
  const given: Record<string, string | undefined> = {};
  for (const name of ['specversion', 'id', 'source', 'type', 'time']) given[name] = attributeOf(headers, name);
  const parsed = attributes.safeParse(given, { error: inWords });
  if (!parsed.success)
    throw new PosternError(
      'invalid-event',
      `This is not a CloudEvent: headers of it are missing or wrong; see errors. If its attributes stand in the body, send content-type ${STRUCTURED}.`,
      {
        errors: parsed.error.issues.map(({ path, message }) => ({
          pointer: '',
          detail: `header ce-${path.join('-')}: ${message}`,
        })),
      },
    );
  return happening(parsed.data, body, (pointer) => (pointer.startsWith('/data/') ? pointer.slice('/data'.length) : ''));
}

/**
 * A header's value: percent-encoded, in quotes or not (HTTP protocol binding 3.1.3.2).
 * @throws PosternError `invalid-event` if it is not UTF-8 then
 */
function attributeOf(headers: WebhookHeaders, name: string): string | undefined {
  const value = headerOf(headers, `ce-${name}`);
  if (value === undefined) return undefined;
  const bare = /^"(.*)"$/.exec(value)?.[1]?.replace(/\\(.)/g, '$1') ?? value;
  try {
    // A percent sign that begins no pair stands for itself.
    return decodeURIComponent(bare.replace(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    throw invalid('', `header ce-${name}: is not percent-encoded UTF-8`);
  }
}

function happening(
  { source, id, type, time }: CloudEvent,
  data: JsonValue,
  originOf: (pointer: string) => string,
): Normalised {
  // As it is, or behind the reversed domain that the standard advises.
  const nativeType = types.find((one) => type === one || type.endsWith(`.${one}`));
  if (!nativeType) return { kind: 'ignored', reason: 'unknown-type' };
  const given = data as { ticket?: { updatedAt?: string }; message?: { visibility?: unknown } | null } | null;
  const isReply = nativeType === 'ticket.replied' || nativeType === 'ticket.info_requested';
  if (isReply && given?.message && given.message.visibility !== 'public')
    return { kind: 'ignored', reason: 'internal' };
  return {
    kind: 'event',
    id: sha256(JSON.stringify([source, id])).toString('hex'),
    // Without the time of the attempt, or whatever else a batch has beside it.
    fingerprint: JSON.stringify([type, time ?? null, data]),
    originOf,
    // The schema decides what it is.
    native: { type: nativeType, timestamp: time ?? given?.ticket?.updatedAt, data } as unknown as NativeEvent,
  };
}

function invalid(pointer: string, detail: string): PosternError {
  return new PosternError('invalid-event', 'This is not a CloudEvent (1.0); see errors.', {
    errors: [{ pointer, detail }],
  });
}
