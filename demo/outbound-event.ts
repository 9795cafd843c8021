import type { IncomingHttpHeaders } from 'node:http';
import type { Webhook } from 'standardwebhooks';
import { z } from 'zod';

const outboundAttachment = z.object({
  name: z.string(),
  contentType: z.string(),
  size: z.number(),
  sha256: z.string(),
  url: z.url(),
});
const outboundReply = z.object({
  id: z.string(),
  email: z.string(),
  body: z.string(),
  createdAt: z.string(),
  attachments: z.array(outboundAttachment).default([]),
});
const outboundEvent = z.object({
  type: z.string(),
  timestamp: z.string(),
  data: z.looseObject({
    ticket: z.looseObject({ id: z.string(), number: z.string() }).optional(),
    reply: outboundReply.optional(),
  }),
});

/** What the gateway posts to the ticket system. */
export type OutboundEvent = z.infer<typeof outboundEvent> & { webhookId: string };

/** The event in a request of the gateway, or why it is none. `body` are the very bytes that were signed. */
export function verifyOutbound(
  webhook: Webhook,
  body: string,
  headers: IncomingHttpHeaders,
): OutboundEvent | 'forged' | 'malformed' {
  const header = (name: string) => String(headers[name] ?? '');
  const signed = {
    'webhook-id': header('webhook-id'),
    'webhook-timestamp': header('webhook-timestamp'),
    'webhook-signature': header('webhook-signature'),
  };
  let payload: unknown;
  try {
    payload = webhook.verify(body, signed);
  } catch {
    return 'forged'; // Also a genuine body that is no JSON, which the gateway never sends.
  }
  const parsed = outboundEvent.safeParse(payload);
  return parsed.success ? { ...parsed.data, webhookId: signed['webhook-id'] } : 'malformed';
}
