import type { Attempt, Delivery } from '../delivery/delivery.entity.js';
import type { Feedback, Suppression } from '../delivery/feedback.entity.js';
import type { DeliveryRecord } from '../delivery/ledger.js';
import { siblingId } from '../ids.js';
import type { OutboundRecord } from '../outbound/outbound-ledger.js';
import type { OutboundAttempt, OutboundMessage } from '../outbound/outbound.entity.js';
import type { AuditEntry } from '../platform/audit.entity.js';
import { isoTime } from '../platform/clock.js';

/** Rows as the admin API shows them: times in RFC 3339, nothing that opens anything. */

export function deliveryView(delivery: Delivery): object {
  const { id, state, lane, channel, eventId, ticketId, participantId, templateKey, templateRevision } = delivery;
  const { locale, localeReason, recipient, attempts, deaths, transport, providerId } = delivery;
  return {
    ...{ id, notificationId: siblingId('ntf', id), state, lane, channel, eventId, ticketId, participantId },
    ...{ templateKey, templateRevision, locale, localeReason, recipient, attempts, deaths, transport, providerId },
    uncertainAt: isoTime(delivery.uncertainAt),
    createdAt: isoTime(delivery.createdAt),
    dueAt: isoTime(delivery.dueAt),
    nextAttemptAt: isoTime(delivery.nextAttemptAt),
    endedAt: isoTime(delivery.endedAt),
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
    ...{
      id,
      address: addressKey.startsWith('erased:') ? null : addressKey,
      suppressed: since !== null && releasedAt === null,
      reason,
    },
    ...{
      since: isoTime(since),
      releasedAt: isoTime(releasedAt),
      softBounces: softCount,
      lastSoftBounceAt: isoTime(softAt),
    },
  };
}

export function outboundView(message: OutboundMessage): object {
  const { id, source, type, subjectId, state, attempts } = message;
  return {
    ...{ id, source, type, subjectId, state, attempts },
    createdAt: isoTime(message.createdAt),
    nextAttemptAt: isoTime(message.nextAttemptAt),
    endedAt: isoTime(message.endedAt),
    replayedAt: isoTime(message.replayedAt),
  };
}

export function outboundRecordView({ message, attempts }: OutboundRecord): object {
  return { message: outboundView(message), attempts: attempts.map(outboundAttemptView) };
}

export function sourceView(name: string, adapter: string, pausedAt: number | null): object {
  return { name, adapter, paused: pausedAt !== null, pausedAt: isoTime(pausedAt) };
}

export function auditView({ id, at, actor, action, subject, detail }: AuditEntry): object {
  return { id, at: isoTime(at), actor, action, subject, detail };
}

function attemptView({ number, transport, outcome, detail, startedAt, endedAt }: Attempt): object {
  return { number, transport, outcome, detail, startedAt: isoTime(startedAt), endedAt: isoTime(endedAt) };
}

/** `status`: of the answer, 0 where there was none. */
function outboundAttemptView({ number, status, outcome, startedAt, endedAt }: OutboundAttempt): object {
  return { number, status, outcome, startedAt: isoTime(startedAt), endedAt: isoTime(endedAt) };
}

function feedbackView({ attempt, kind, origin, detail, receivedAt }: Feedback): object {
  return { attempt, kind, origin, detail, receivedAt: isoTime(receivedAt) };
}
