import type { Attempt, Delivery } from '../delivery/delivery.entity.js';
import type { Feedback, Suppression } from '../delivery/feedback.entity.js';
import type { DeliveryRecord } from '../delivery/ledger.js';
import { siblingId } from '../ids.js';
import type { OutboundRecord } from '../outbound/outbound-ledger.js';
import type { OutboundAttempt, OutboundMessage } from '../outbound/outbound.entity.js';
import type { AuditEntry } from '../platform/audit.entity.js';

/** Rows as the admin API shows them: times in RFC 3339, nothing that opens anything. */

export function deliveryView(delivery: Delivery): object {
  const { id, state, lane, channel, eventId, ticketId, participantId, templateKey, templateRevision } = delivery;
  const { locale, localeReason, recipient, attempts, deaths, transport, providerId } = delivery;
  return {
    ...{ id, notificationId: siblingId('ntf', id), state, lane, channel, eventId, ticketId, participantId },
    ...{ templateKey, templateRevision, locale, localeReason, recipient, attempts, deaths, transport, providerId },
    uncertainAt: time(delivery.uncertainAt),
    createdAt: time(delivery.createdAt),
    dueAt: time(delivery.dueAt),
    nextAttemptAt: time(delivery.nextAttemptAt),
    endedAt: time(delivery.endedAt),
  };
}

export function deliveryRecordView({ delivery, attempts, feedback }: DeliveryRecord): object {
  return {
    delivery: deliveryView(delivery),
    attempts: attempts.map(attemptView),
    feedback: feedback.map(feedbackView),
  };
}

export function suppressionView({ id, addressKey, reason, softCount, softAt, since, releasedAt }: Suppression): object {
  return {
    ...{ id, address: addressKey, suppressed: since !== null && releasedAt === null, reason },
    ...{ since: time(since), releasedAt: time(releasedAt), softBounces: softCount, lastSoftBounceAt: time(softAt) },
  };
}

export function outboundView(message: OutboundMessage): object {
  const { id, source, type, subjectId, state, attempts } = message;
  return {
    ...{ id, source, type, subjectId, state, attempts },
    createdAt: time(message.createdAt),
    nextAttemptAt: time(message.nextAttemptAt),
    endedAt: time(message.endedAt),
    replayedAt: time(message.replayedAt),
  };
}

export function outboundRecordView({ message, attempts }: OutboundRecord): object {
  return { message: outboundView(message), attempts: attempts.map(outboundAttemptView) };
}

export function sourceView(name: string, adapter: string, pausedAt: number | null): object {
  return { name, adapter, paused: pausedAt !== null, pausedAt: time(pausedAt) };
}

export function auditView({ id, at, actor, action, subject, detail }: AuditEntry): object {
  return { id, at: time(at), actor, action, subject, detail };
}

function attemptView({ number, transport, outcome, detail, startedAt, endedAt }: Attempt): object {
  return { number, transport, outcome, detail, startedAt: time(startedAt), endedAt: time(endedAt) };
}

/** `status`: of the answer, 0 where there was none. */
function outboundAttemptView({ number, status, outcome, startedAt, endedAt }: OutboundAttempt): object {
  return { number, status, outcome, startedAt: time(startedAt), endedAt: time(endedAt) };
}

function feedbackView({ attempt, kind, origin, detail, receivedAt }: Feedback): object {
  return { attempt, kind, origin, detail, receivedAt: time(receivedAt) };
}

function time(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
