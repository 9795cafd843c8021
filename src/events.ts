import { z } from 'zod';
import { type FieldError } from './errors.js';
import { parseAddress, type AddressFault } from './platform/address.js';
import { faultsOf, inWords } from './platform/faults.js';
import { UNPRINTABLE } from './platform/one-line.js';
import { canonicalLocale, isTimeZone } from './platform/locale.js';

/** Types that tell people, in the native event's words. */
export const tellingTypes = [
  'ticket.created',
  'ticket.replied',
  'ticket.info_requested',
  'ticket.resolved',
  'ticket.reopened',
  'ticket.closed',
] as const;

/** Types that change what Postern knows and mail nobody. */
export const silentTypes = [
  'ticket.updated',
  'message.updated',
  'message.retracted',
  'requester.changed',
  'ticket.merged',
  'ticket.deleted',
] as const;

export type TellingType = (typeof tellingTypes)[number];
export type EventType = TellingType | (typeof silentTypes)[number];

export const ticketStatuses = ['open', 'pending', 'resolved', 'closed'] as const;
export type TicketStatus = (typeof ticketStatuses)[number];
export const authorKinds = ['agent', 'requester', 'participant', 'system'] as const;
export type AuthorKind = (typeof authorKinds)[number];
export const messageFormats = ['text', 'markdown', 'html'] as const;
export type MessageFormat = (typeof messageFormats)[number];

/** Characters of a person's name, and of a file's. */
const MOST_NAME = 200;
const MOST_FILE_NAME = 255;
/** Of one message. */
const MOST_FILES = 50;
const MOST_PARTICIPANTS = 50;
const MOST_HISTORY = 200;

/** JSON may hold half a surrogate pair or NUL; Postgres takes neither in a text. */
const storable = (text: string) => text.toWellFormed().replaceAll('\0', '');
/** Of values that stand in one line (a subject, a name). */
const oneLine = (max: number) =>
  z
    .string()
    .max(max)
    .transform((text) => storable(text).replace(UNPRINTABLE, ' ').trim());
const sourceId = oneLine(255).pipe(z.string().min(1));
const moment = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
// As the URL standard writes it: plain ASCII, which is what a mail and both databases can hold.
const httpUrl = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .transform((text) => new URL(text).href);
/** Many programs write null for what they leave out. */
const optional = <S extends z.ZodType>(schema: S) => schema.nullish().transform((value) => value ?? undefined);

const ADDRESS_FAULTS: Record<AddressFault, string> = {
  'too-long': 'it is too long',
  characters: 'it has a character that does not show',
  'local-part': 'before the @ stands nothing, or something other than letters, digits and simple signs',
  domain: 'after the @ stands no domain',
};

const email = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (parsed.ok) return parsed.address;
  context.addIssue({
    code: 'custom',
    message: `is not an email address that Postern can mail: ${ADDRESS_FAULTS[parsed.reason]}`,
  });
  return z.NEVER;
});

// An unknown locale or time zone must not cost a notification: the person is told in the fallback, in UTC.
const locale = z
  .string()
  .max(64)
  .transform((tag) => canonicalLocale(tag));
const timeZone = z
  .string()
  .max(64)
  .transform((name) => (isTimeZone(name) ? name : null));

const person = z
  .object({
    kind: z.enum(['guest', 'account']),
    id: optional(sourceId),
    email,
    name: optional(oneLine(MOST_NAME)),
    locale: locale.nullish(),
    timeZone: timeZone.nullish(),
  })
  .refine((one) => one.kind === 'guest' || one.id !== undefined, {
    path: ['id'],
    message: 'is required for an account',
  });

const attachment = z.object({
  name: oneLine(MOST_FILE_NAME).pipe(z.string().min(1)),
  contentType: oneLine(255)
    .nullish()
    .transform((type) => type || 'application/octet-stream'),
  size: optional(z.number().int().nonnegative()),
  url: httpUrl,
});

const message = z.object({
  id: sourceId,
  author: z.object({
    kind: z.enum(authorKinds),
    id: optional(sourceId),
    email: optional(email),
    name: optional(oneLine(MOST_NAME)),
  }),
  body: optional(z.string().max(200_000).transform(storable)),
  format: optional(z.enum(messageFormats)),
  createdAt: optional(moment),
  // Whatever does not say that it is public is internal and is dropped before it is stored.
  visibility: optional(z.string()),
  replyId: optional(z.string().max(64)),
  attachments: optional(z.array(attachment).max(MOST_FILES)),
});

export const eventSchema = z
  .object({
    type: z.enum([...tellingTypes, ...silentTypes]),
    timestamp: moment,
    data: z.object({
      ticket: z.object({
        id: sourceId,
        number: oneLine(64).pipe(z.string().min(1)),
        subject: optional(oneLine(1000)),
        status: z.enum(ticketStatuses),
        version: optional(z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)),
        createdAt: optional(moment),
        updatedAt: moment,
        url: optional(httpUrl),
      }),
      requester: person,
      participants: optional(z.array(person).max(MOST_PARTICIPANTS)),
      message: optional(message),
      history: z
        .array(message)
        .max(MOST_HISTORY)
        .nullish()
        .transform((messages) => messages ?? []),
      into: optional(sourceId),
    }),
  })
  .superRefine((event, context) => {
    const needsMessage = event.type === 'message.updated' || event.type === 'message.retracted';
    if (needsMessage && !event.data.message)
      context.addIssue({ code: 'custom', path: ['data', 'message'], message: `is required for ${event.type}` });
    if (event.type === 'ticket.merged' && !event.data.into)
      context.addIssue({ code: 'custom', path: ['data', 'into'], message: 'is required for ticket.merged' });
  });

/** One normalised event: what every adapter hands on. Times are ms since 1970, addresses are parsed. */
export type TicketEvent = z.infer<typeof eventSchema>;
export type EventPerson = TicketEvent['data']['requester'];
export type EventMessage = NonNullable<TicketEvent['data']['message']>;

/**
 * The data of a native event as far as it fits, of what an API told beside the event itself: names are cut, files, people
 * on copy and earlier messages that do not fit are left out. Its requester and its own message are all it needs.
 */
export function fitting({ requester, participants, message: own, history, ...rest }: NativeData): NativeData {
  return {
    ...rest,
    requester: named(requester),
    participants: participants
      ?.map(named)
      .filter((one) => person.safeParse(one).success)
      .slice(0, MOST_PARTICIPANTS),
    message: own && said(own),
    history: history
      ?.map(said)
      .filter((one) => message.safeParse(one).success)
      .slice(-MOST_HISTORY),
  };
}

/** As an adapter writes it. */
interface NativeData {
  requester: { kind: string; email: string; [more: string]: unknown };
  participants?: object[];
  message?: { id: string; [more: string]: unknown } | null;
  history?: object[];
  [more: string]: unknown;
}

function named<T extends object>(one: T): T {
  const { name }: { name?: unknown } = one;
  return typeof name === 'string' ? { ...one, name: name.slice(0, MOST_NAME) } : one;
}

function said<T extends object>(one: T): T {
  const { author, attachments }: { author?: object; attachments?: unknown } = one;
  const files = Array.isArray(attachments)
    ? attachments
        .map((file: { name?: unknown }) => ({ ...file, name: String(file.name).slice(-MOST_FILE_NAME) }))
        .filter((file) => attachment.safeParse(file).success)
        .slice(0, MOST_FILES)
    : attachments;
  return { ...one, author: author && named(author), attachments: files };
}

/** Reads a native event. Every fault is named by its JSON pointer (RFC 6901). */
export function parseEvent(body: unknown): { ok: true; event: TicketEvent } | { ok: false; errors: FieldError[] } {
  const parsed = eventSchema.safeParse(body, { error: inWords });
  if (parsed.success) return { ok: true, event: parsed.data };
  return { ok: false, errors: faultsOf(parsed.error) };
}
