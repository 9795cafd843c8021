/** The port that every ticket system's format comes in by. An adapter is pure: it touches neither network nor database. */
import type { JsonValue } from '../../platform/strict-json.js';
import type { WebhookHeaders } from '../../platform/webhook-signature.js';
import type { Source } from '../../sources.js';

/** A webhook as it came in. */
export interface IncomingWebhook {
  headers: WebhookHeaders;
  rawBody: Buffer;
  /** Without parameters, lower case. */
  mediaType: string;
  /** ms since 1970. */
  now: number;
}

/** Why a genuine body tells nobody anything. Counted by source. */
export type IgnoredReason =
  | 'internal' // a note, or something that does not say that it is public
  | 'unknown-type'
  | 'no-address' // nobody who could be mailed
  | 'nothing-new';

/** What one happening of a genuine body says. */
export type Normalised =
  | {
      kind: 'event';
      /** Names the happening: the same on each of its retries, another for any other of this source. */
      id: string;
      /** A native event (docs/events.md) as JSON: it still goes through the schema. */
      native: NativeEvent;
      /** Names what was sent. Without it the raw body does: the same id with another one is a conflict. */
      fingerprint?: string;
      /** The place in the sender's body of what the native pointer names, where it differs from body to body. */
      originOf?(pointer: string): string;
      /** The body does not say what changed: a state mails somebody only if it was another one before. */
      isInferred?: boolean;
      /**
       * Nothing in it says that its ticket is one that guests may know of: it changes a known ticket and makes none.
       * The ticket's deletion needs no such word: what it leaves says nothing, and keeps the ticket away.
       */
      onlyIfKnown?: boolean;
      /** Its requester is a stand-in for one whom nobody can mail: only of what takes something away. */
      namesNobody?: boolean;
      /** The body does not say whether its message is the first that guests may see: if nobody knows the ticket, it makes it. */
      createsIfUnknown?: boolean;
      /** What `complete` must find out before anybody is told; only adapters with `complete` give it. */
      lookUp?: LookUp;
    }
  | { kind: 'ignored'; reason: IgnoredReason };

/** The source's own ids of what its body left out. */
export interface LookUp {
  userId?: string;
  ticketId?: string;
  /** Whether the ticket is one that its requester may see: the body does not say. */
  isForRequester?: true;
  /** Who wrote the message, where that may turn out to be the requester. */
  authorId?: string;
}

/** The native event as an adapter writes it. Absent is `undefined` or null. */
export interface NativeEvent {
  type: string;
  timestamp: string;
  data: {
    ticket: { id: string; number: string; status: string; updatedAt: string; [more: string]: unknown };
    requester: { kind: string; email: string; [more: string]: unknown };
    participants?: object[];
    message?: { id: string; [more: string]: unknown } | null;
    history?: object[];
    into?: string;
  };
}

/** Questions to the ticket system's own API, with the source's credential. */
export interface SourceApi {
  /**
   * Gets `path` (from the API's root, with its query) as JSON.
   * `gone`: it says that there is no such thing (404, 410); `unavailable`: worth asking again, for less if `isTooLarge`.
   * `concernsAll`: whatever else is asked there would fail alike.
   */
  get(path: string): Promise<ApiAnswer>;
}
export type ApiAnswer =
  | { ok: true; body: JsonValue }
  | {
      ok: false;
      reason: 'gone' | 'refused' | 'unavailable';
      detail: string;
      retryAfterMs?: number;
      isTooLarge?: boolean;
      concernsAll?: boolean;
    };

export type Completed =
  | { ok: true; native: NativeEvent }
  | {
      ok: false;
      reason: 'ignored' | 'refused' | 'unavailable';
      detail: string;
      retryAfterMs?: number;
      concernsAll?: boolean;
    };

/** What a good signature says besides that it is good. */
export interface Genuine {
  /** The id that the sender signed or sent along, if its system has one. */
  id?: string;
}

export interface SourceAdapter {
  /** What it takes; everything else is 415. */
  readonly mediaTypes: readonly string[];
  /** What a sender must do, for whoever gets the 401. */
  readonly signing: string;
  /** Over the raw bytes, before anything is parsed, in constant time. Null: not genuine, or too old. */
  verify(source: Source, webhook: IncomingWebhook): Genuine | null;
  /**
   * What the body says, without anything internal.
   * @throws PosternError `invalid-event` where the body is not one of this system
   */
  normalise(source: Source, body: JsonValue, webhook: IncomingWebhook, genuine: Genuine): Normalised[];
  /** Where the sender's body has what the schema names by the native pointer, for the errors that it gets back. */
  readonly origins?: Readonly<Record<string, string>>;
  /** Finds what the body left out. Asked again as long as it is `unavailable`. */
  complete?(native: NativeEvent, lookUp: LookUp, api: SourceApi): Promise<Completed>;
}

/** A header's one value; undefined if it is missing or came twice. */
export function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
