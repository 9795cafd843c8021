import { z } from 'zod';
import type { FeedbackReport } from '../../delivery/feedback.js';
import { isId, siblingId, type Id } from '../../ids.js';
import { parseAddress } from '../../platform/address.js';

const text = z.string().max(10_000);
/** The parts of https://resend.com/docs/webhooks/event-types that are read; the rest may be what it likes. */
const schema = z.object({
  type: text,
  data: z.object({
    email_id: text,
    to: z.array(text).max(100),
    /** Which of the two comes depends on the event; our Resend transport sends both. */
    headers: z.array(z.object({ name: text, value: text })).optional(),
    tags: z.record(text, text).optional(),
    bounce: z.object({ type: text, subType: text.optional(), message: text.optional() }).optional(),
    failed: z.object({ reason: text.optional() }).optional(),
    suppressed: z.object({ message: text.optional() }).optional(),
  }),
});
type ResendEvent = z.infer<typeof schema>;

/** What Resend says of a mail; null for what is no word about one (opened, clicked, contacts, domains). */
export function readResendEvent(body: unknown): FeedbackReport | null {
  const parsed = schema.safeParse(body);
  if (!parsed.success) return null;
  const { type, data } = parsed.data;
  // A type of somebody's choice: `toString` is none.
  if (!Object.hasOwn(words, type)) return null;
  const said = words[type]!(data);
  const recipientKeys = data.to.flatMap((one) => {
    const address = parseAddress(one, { allowLocalhost: true });
    return address.ok ? [address.address.key] : [];
  });
  return { providerId: data.email_id, deliveryId: deliveryOf(data), recipientKeys, origin: 'resend', ...said };
}

type Word = Pick<FeedbackReport, 'kind' | 'detail'>;

const words: Record<string, (data: ResendEvent['data']) => Word> = {
  'email.delivered': () => ({ kind: 'delivered', detail: '' }),
  'email.delivery_delayed': () => ({ kind: 'delayed', detail: '' }),
  'email.complained': () => ({ kind: 'complained', detail: '' }),
  'email.bounced': ({ bounce }) => ({
    // `Transient` is also what an out-of-office answer is taken for, so it says nothing about this mail.
    kind: bounce?.type === 'Permanent' ? 'bounced' : 'soft-bounced',
    detail: [bounce?.type, bounce?.subType, bounce?.message].filter(Boolean).join(' '),
  }),
  // It is on Resend's own list of addresses that bounced or complained.
  'email.suppressed': ({ suppressed }) => ({ kind: 'bounced', detail: suppressed?.message ?? 'suppressed' }),
  // That is about our account there (quota, domain), not about the address.
  'email.failed': ({ failed }) => ({ kind: 'refused', detail: failed?.reason ?? 'failed' }),
};

/** Our mail by the name we gave it: known also when Resend's word is quicker than its answer was, or that was lost. */
function deliveryOf({ headers, tags }: ResendEvent['data']): Id<'dlv'> | undefined {
  const header = headers?.find(({ name }) => name.toLowerCase() === 'x-postern-notification')?.value;
  const notification = header ?? tags?.notification;
  return isId('ntf', notification) ? siblingId('dlv', notification) : undefined;
}
