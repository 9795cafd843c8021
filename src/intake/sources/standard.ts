import type { Source } from '../../sources.js';
import { PosternError } from '../../errors.js';
import { parseEvent, type TicketEvent } from '../../events.js';
import { parseStrictJson, type StrictJson } from '../../platform/strict-json.js';
import { verifyWebhook, type WebhookHeaders } from '../../platform/webhook-signature.js';

const MAX_DEPTH = 32;

export interface ReceivedEvent {
  /** The source's own id of it, the same on each of its retries. */
  sourceEventId: string;
  event: TicketEvent;
}

/**
 * The native format: Standard Webhooks 1.0 over the raw bytes, then strict JSON, then the schema.
 * Nothing is parsed before the signature is good. Throws `PosternError` with the answer the sender gets.
 */
export function readStandardEvent(
  source: Source,
  headers: WebhookHeaders,
  rawBody: Buffer,
  now: number,
): ReceivedEvent {
  const verdict = verifyWebhook({ secrets: source.secrets, headers, rawBody, now });
  // One text for every reason: what exactly was wrong helps a forger more than an integrator.
  if (!verdict.ok)
    throw new PosternError(
      'bad-signature',
      'Sign the raw body by Standard Webhooks: headers webhook-id, webhook-timestamp (within 5 minutes), webhook-signature.',
    );
  const json = parseStrictJson(rawBody, { maxDepth: MAX_DEPTH });
  if (!json.ok) throw jsonError(json);
  const parsed = parseEvent(json.value);
  if (!parsed.ok)
    throw new PosternError('invalid-event', 'The event does not fit the schema; see errors.', {
      errors: parsed.errors,
    });
  return { sourceEventId: verdict.id, event: parsed.event };
}

function jsonError({ reason, detail }: Extract<StrictJson, { ok: false }>): PosternError {
  switch (reason) {
    case 'duplicate-key':
      return new PosternError('duplicate-key', detail);
    case 'forbidden-key':
      return new PosternError('forbidden-key', detail);
    case 'depth':
      return new PosternError('too-deep', detail);
    default:
      return new PosternError('invalid-json', detail);
  }
}
