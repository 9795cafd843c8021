import { PosternError } from '../../errors.js';
import { fitting, parseEvent, type EventMessage, type TicketEvent } from '../../events.js';
import { markedReply } from '../../outbound/reply-mark.js';
import { sha256 } from '../../platform/crypto.js';
import { jsonProblem, parseStrictJson } from '../../platform/strict-json.js';
import type { Source } from '../../sources.js';
import type { IgnoredReason, IncomingWebhook, LookUp, NativeEvent, Normalised, SourceAdapter } from './adapter.js';
import { adapters } from './adapters.js';

const MAX_DEPTH = 32;

/** One happening of a webhook, checked. */
export type Happening =
  | { kind: 'ignored'; reason: IgnoredReason }
  | {
      kind: 'event';
      /** The source's own name of it, the same on each of its retries. */
      sourceEventId: string;
      /** SHA-256, hex: the same id with another one is a conflict. */
      bodyHash: string;
      event: TicketEvent;
      isInferred: boolean;
      onlyIfKnown: boolean;
      /** Takes something of a known ticket away at once: for that nobody need be known. */
      namesNobody: boolean;
      createsIfUnknown: boolean;
      /** To be found out before it counts; of what takes something away, only where its ticket is not known yet. */
      missing: { native: NativeEvent; lookUp: LookUp; isInferred: boolean; onlyIfKnown: boolean } | null;
    };

/** Whether words, or a whole ticket, are no longer to be seen: that waits for nobody's address. */
export function takesAway({ type, data }: NativeEvent): boolean {
  if (type === 'message.updated') return data.message?.visibility !== 'public';
  return type === 'message.retracted' || type === 'ticket.deleted';
}

/**
 * A webhook from raw bytes to checked events: nothing is parsed before the signature is good, and nothing internal comes
 * out. Pure. `isTrusted`: whoever hands it over need not show that it is genuine.
 * @throws PosternError with the answer that the sender gets
 */
export function readWebhook(source: Source, webhook: IncomingWebhook, isTrusted = false): Happening[] {
  const adapter = adapters[source.adapter];
  if (!adapter.mediaTypes.includes(webhook.mediaType))
    throw new PosternError('unsupported-media-type', `Send ${adapter.mediaTypes.join(' or ')}.`);
  const genuine = isTrusted ? { id: 'unsigned' } : adapter.verify(source, webhook);
  // One text for every reason: what exactly was wrong helps a forger more than an integrator.
  if (!genuine) throw new PosternError('bad-signature', adapter.signing);
  const json = parseStrictJson(webhook.rawBody, { maxDepth: MAX_DEPTH });
  if (!json.ok) throw jsonProblem(json);
  const found = adapter.normalise(source, json.value, webhook, genuine);
  return found.map((one) => checked(one, source, adapter, webhook.rawBody));
}

function checked(one: Normalised, source: Source, adapter: SourceAdapter, rawBody: Buffer): Happening {
  if (one.kind === 'ignored') return one;
  const {
    id,
    native,
    fingerprint,
    isInferred = false,
    onlyIfKnown = false,
    createsIfUnknown = false,
    lookUp,
    originOf,
  } = one;
  const isMissing = lookUp !== undefined && adapter.complete !== undefined;
  const namesNobody = one.namesNobody ?? (isMissing && takesAway(native));
  // Without a way to ask, nobody is known whom it could be told to.
  if (isMissing && source.api === null && !namesNobody) return { kind: 'ignored', reason: 'no-address' };
  return {
    kind: 'event',
    sourceEventId: id,
    bodyHash: sha256(fingerprint ?? rawBody).toString('hex'),
    event: eventOf(native, adapter, originOf),
    isInferred,
    onlyIfKnown,
    namesNobody,
    createsIfUnknown,
    missing: isMissing && source.api !== null ? { native, lookUp, isInferred, onlyIfKnown } : null,
  };
}

/** @throws PosternError `invalid-event` with pointers into the sender's own body, where the adapter knows them */
export function eventOf(
  native: NativeEvent,
  { origins = {} }: SourceAdapter,
  originOf = (pointer: string) => origins[pointer] ?? pointer,
): TicketEvent {
  const parsed = parseEvent(native);
  if (parsed.ok) return withEchoes(parsed.event);
  throw new PosternError('invalid-event', 'The event does not fit the schema; see errors.', {
    errors: parsed.errors.map(({ pointer, detail }) => ({ pointer: originOf(pointer), detail })),
  });
}

/**
 * What an API completed. What does not fit of it costs nobody their mail, as long as the requester and the words do.
 * @throws PosternError `invalid-event` with native pointers
 */
export function completedOf(native: NativeEvent, adapter: SourceAdapter): TicketEvent {
  return eventOf({ ...native, data: { ...native.data, ...fitting(native.data) } }, adapter, (pointer) => pointer);
}

/** Replies that we wrote into the ticket system ourselves, and that only the mark in their text tells. */
function withEchoes({ data, ...event }: TicketEvent): TicketEvent {
  const named = (message: EventMessage): EventMessage => {
    const marked = message.replyId === undefined ? markedReply(message.body ?? '') : undefined;
    return marked ? { ...message, replyId: marked } : message;
  };
  const { message, history } = data;
  return { ...event, data: { ...data, message: message && named(message), history: history.map(named) } };
}
