import { Challenge, FailedTries, Handoff, Limit, Session } from './access/access.entity.js';
import { Breaker } from './delivery/breaker.entity.js';
import { Attempt, Delivery } from './delivery/delivery.entity.js';
import { PausedSource } from './delivery/paused-source.entity.js';
import { Feedback, Suppression } from './delivery/feedback.entity.js';
import { Event } from './intake/event.entity.js';
import { WaitingEvent } from './intake/waiting-event.entity.js';
import { KeyNames } from './operations/key-names.entity.js';
import { DisabledEndpoint, OutboundAttempt, OutboundMessage } from './outbound/outbound.entity.js';
import { AuditEntry } from './platform/audit.entity.js';
import { Invitation, Passkey, Person, StudioChallenge, StudioSession } from './studio/people.entity.js';
import { BrandEdition } from './templates/brand-edition.entity.js';
import { CurrentWords, Publication, Rendition, TemplateRevision, WordsDraft } from './templates/words.entity.js';
import { Attachment, Message, Participant, Reply, Ticket } from './tickets/ticket.entity.js';
import { Draft, LanguageChoice, Reading, SolvedAnswer } from './tickets/visit.entity.js';

/** Every table, in the order of the data path. */
export const entities = [
  Event,
  WaitingEvent,
  Ticket,
  Participant,
  Message,
  Attachment,
  Reply,
  SolvedAnswer,
  Draft,
  Reading,
  LanguageChoice,
  Delivery,
  Attempt,
  Breaker,
  PausedSource,
  Feedback,
  Suppression,
  Challenge,
  Session,
  FailedTries,
  Handoff,
  Limit,
  OutboundMessage,
  OutboundAttempt,
  DisabledEndpoint,
  TemplateRevision,
  Publication,
  CurrentWords,
  WordsDraft,
  Rendition,
  AuditEntry,
  KeyNames,
  Person,
  Invitation,
  Passkey,
  StudioChallenge,
  StudioSession,
  BrandEdition,
];
