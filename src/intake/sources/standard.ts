import { verifyWebhook } from '../../platform/webhook-signature.js';
import type { NativeEvent, SourceAdapter } from './adapter.js';

/** The native format, signed by Standard Webhooks 1.0. */
export const standard: SourceAdapter = {
  mediaTypes: ['application/json'],
  signing:
    'Sign the raw body by Standard Webhooks: headers webhook-id (no full stop), webhook-timestamp (unix seconds, within 5 minutes), webhook-signature (v1, and base64 of HMAC-SHA-256 over id.timestamp.body; the key is the base64 after whsec_).',
  verify({ secrets }, { headers, rawBody, now }) {
    const verdict = verifyWebhook({ secrets, headers, rawBody, now });
    return verdict.ok ? { id: verdict.id } : null;
  },
  // The schema decides what it is.
  normalise: (_source, body, _webhook, { id }) => [{ kind: 'event', id: id!, native: body as unknown as NativeEvent }],
};
