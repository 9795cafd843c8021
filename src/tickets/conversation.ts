import { In, IsNull, type EntityManager, type SelectQueryBuilder } from 'typeorm';
import type { AuthorKind } from '../events.js';
import { isId, type Holder, type Id, type IdPrefix } from '../ids.js';
import { chosenLanguages } from './language-choices.js';
import { bodyAsHtml } from './message-body.js';
import { Attachment, Message, Participant, Reply, Ticket } from './ticket.entity.js';

export interface Conversation {
  ticket: Ticket;
  participant: Participant;
  /** The language that this person chose themselves; before what the source says. */
  chosenLocale: string | null;
}

/** One entry of the conversation, message or reply, as this participant sees it. */
export interface Entry {
  id: string;
  authorKind: AuthorKind;
  authorName: string;
  mine: boolean;
  at: number;
  /** Safe HTML; empty once withdrawn. */
  html: string;
  edited: boolean;
  retracted: boolean;
  attachments: Attachment[];
  /** The guest's reply, where it is one: how far it came is known by its id. */
  replyId: Id<'rpl'> | null;
  /** The source has shown it back to us, so it has certainly arrived. */
  echoed: boolean;
}

/**
 * The ticket and the person, if this holder still stands: ticket, person and generation are compared in the query itself,
 * so a session or link of another ticket, a revoked one, or one of somebody who left finds nothing.
 */
export async function findConversation(manager: EntityManager, holder: Holder): Promise<Conversation | null> {
  const found = await findByLink(manager, holder);
  return found?.participant.deniedAt === null ? found : null;
}

/** The same also for somebody who said that the ticket is not theirs: their link still leads to the way back. */
export async function findByLink(manager: EntityManager, holder: Holder): Promise<Conversation | null> {
  const participant = await manager.findOneBy(Participant, {
    id: holder.participantId,
    ticketId: holder.ticketId,
    generation: holder.generation,
    endedAt: IsNull(),
  });
  const ticket = participant && (await manager.findOneBy(Ticket, { id: holder.ticketId, deletedAt: IsNull() }));
  if (!ticket || !participant) return null;
  const { emailKey } = participant;
  const chosenLocale = (await chosenLanguages(manager, [emailKey])).get(emailKey) ?? null;
  return { ticket, participant, chosenLocale };
}

/** A file of that ticket, unless it came with a reply that the source has taken back. */
export async function findAttachment(
  manager: EntityManager,
  ticketId: Id<'tkt'>,
  id: string,
): Promise<Attachment | null> {
  if (!isId('att', id)) return null;
  const attachment = await manager.findOneBy(Attachment, { id, ticketId });
  if (!attachment?.replyId) return attachment;
  const echo = await manager.findOneBy(Message, { ticketId, replyId: attachment.replyId });
  return echo && (echo.hidden || echo.retractedAt !== null) ? null : attachment;
}

/** A piece of the conversation, oldest first. */
export interface Stretch {
  entries: Entry[];
  /** Where the piece before it ends, for `before`; null at the beginning of the conversation. */
  before: string | null;
}

/** Newest entries that a page holds: with long messages it stays below 200 KB. */
const ENTRIES_PER_PAGE = 30;
/**
 * Of all texts of one page, UTF-8. A text is rendered and sanitised while the whole process waits for it, some 10 MB a
 * second: a thousand replies made of addresses alone would hold it up for a minute, and then end it.
 */
const MOST_BYTES_PER_PAGE = 500_000;

/** What decides whether an entry is on a page. */
interface Outline {
  id: string;
  createdAt: number;
  /** Of its texts. */
  bytes: number;
}

/**
 * The newest entries, or those before a cursor that an earlier call gave: as many as asked for, fewer if they are long, and
 * one in any case. A reply and its echo are one entry. Each statement reads a page of rows, however long the conversation
 * is, and texts are read only once it is known how many there will be.
 */
export async function listEntries(
  manager: EntityManager,
  { ticket, participant }: Pick<Conversation, 'ticket' | 'participant'>,
  { before = null, most = ENTRIES_PER_PAGE }: { before?: string | null; most?: number } = {},
): Promise<Stretch> {
  const ticketId = ticket.id;
  const cursor = readCursor(before);
  const messages = await outlines(
    page(manager, Message, 'msg', ticketId, cursor, most).andWhere('one.reply_id IS NULL AND NOT one.hidden'),
    'octet_length(one.body)',
  );
  const replies = await outlines(
    page(manager, Reply, 'rpl', ticketId, cursor, most).andWhere(
      'NOT EXISTS (SELECT 1 FROM messages echo WHERE echo.reply_id = one.id AND echo.hidden)',
    ),
    // Of the two only one is shown, but which is not known here.
    'octet_length(one.body) + COALESCE((SELECT MAX(octet_length(echo.body)) FROM messages echo WHERE echo.reply_id = one.id), 0)',
  );
  const found = [...messages, ...replies].sort(
    (a, b) => b.createdAt - a.createdAt || (sortKey(b) < sortKey(a) ? -1 : 1),
  );
  const shown = found.slice(0, Math.min(most, fitting(found)));
  const oldest = shown.at(-1);
  const ids = shown.map(({ id }) => id);
  const entries = await fill(
    manager,
    participant,
    await manager.findBy(Message, { id: In(ids.filter((id) => isId('msg', id))) }),
    await manager.findBy(Reply, { id: In(ids.filter((id) => isId('rpl', id))) }),
  );
  return {
    entries: entries.sort((a, b) => a.at - b.at || (sortKey(a) < sortKey(b) ? -1 : 1)),
    before: found.length > shown.length && oldest ? `${oldest.createdAt}.${sortKey(oldest)}` : null,
  };
}

/** How many of the first fit on one page by their texts. */
function fitting(found: Outline[]): number {
  let sum = 0;
  const tooMany = found.findIndex(({ bytes }, i) => (sum += bytes) > MOST_BYTES_PER_PAGE && i > 0);
  return tooMany === -1 ? found.length : tooMany;
}

async function outlines(query: SelectQueryBuilder<Message | Reply>, bytes: string): Promise<Outline[]> {
  const rows = await query
    .select('one.id', 'id')
    .addSelect('one.created_at', 'at')
    .addSelect(bytes, 'bytes')
    .getRawMany<{ id: string; at: number | string; bytes: number | string }>();
  return rows.map(({ id, at, bytes }) => ({ id, createdAt: Number(at), bytes: Number(bytes) }));
}

const sortKey = ({ id }: { id: string }): string => id.slice(4);

/** What is no cursor is the newest page: it is nothing that a guest could mend. */
function readCursor(text: string | null): { at: number; key: string } | null {
  const [, at, key] = /^(\d{1,15})\.([0-9a-z]{26})$/.exec(text ?? '') ?? [];
  return at === undefined ? null : { at: Number(at), key: key! };
}

function page<T extends Message | Reply>(
  manager: EntityManager,
  entity: new () => T,
  prefix: IdPrefix,
  ticketId: Id<'tkt'>,
  cursor: { at: number; key: string } | null,
  most: number,
) {
  const query = manager
    .createQueryBuilder(entity, 'one')
    .where('one.ticket_id = :ticketId', { ticketId })
    .orderBy('one.createdAt', 'DESC')
    .addOrderBy('one.id', 'DESC')
    .limit(most + 1);
  if (cursor === null) return query;
  return query.andWhere('one.created_at <= :at AND (one.created_at < :at OR one.id < :id)', {
    at: cursor.at,
    id: `${prefix}_${cursor.key}`,
  });
}

async function fill(
  manager: EntityManager,
  participant: Participant,
  messages: Message[],
  replies: Reply[],
): Promise<Entry[]> {
  const { ticketId } = participant;
  const replyIds = replies.map(({ id }) => id);
  const files = await manager.find(Attachment, {
    where: [
      { ticketId, messageId: In(messages.map(({ id }) => id)) },
      { ticketId, replyId: In(replyIds) },
    ],
    order: { position: 'ASC' },
  });
  const echoes = new Map<string, Message>();
  for (const echo of await manager.findBy(Message, { ticketId, replyId: In(replyIds) }))
    echoes.set(echo.replyId!, echo);
  const writers = await manager.findBy(Participant, { id: In(replies.map((reply) => reply.participantId)) });
  return [
    ...messages.map((message) => ({
      ...fromMessage(message, participant),
      attachments: files.filter(({ messageId }) => messageId === message.id),
    })),
    ...replies.map((reply) => ({
      ...fromReply(
        reply,
        echoes.get(reply.id),
        writers.find((one) => one.id === reply.participantId),
        participant,
      ),
      attachments: echoes.get(reply.id)?.retractedAt ? [] : files.filter(({ replyId }) => replyId === reply.id),
    })),
  ];
}

function fromMessage(message: Message, reader: Participant): Omit<Entry, 'attachments'> {
  return {
    id: message.id,
    authorKind: message.authorKind,
    authorName: message.authorName,
    mine: message.authorKey === reader.emailKey,
    at: message.createdAt,
    html: bodyAsHtml(message.body, message.format),
    edited: message.editedAt !== null,
    retracted: message.retractedAt !== null,
    replyId: null,
    echoed: false,
  };
}

function fromReply(
  reply: Reply,
  echo: Message | undefined,
  writer: Participant | undefined,
  reader: Participant,
): Omit<Entry, 'attachments'> {
  const wasEdited = echo?.editedAt != null;
  return {
    id: reply.id,
    authorKind: writer?.role ?? 'participant',
    authorName: writer?.name ?? '',
    mine: reply.participantId === reader.id,
    at: reply.createdAt,
    html: echo && (wasEdited || echo.retractedAt) ? bodyAsHtml(echo.body, echo.format) : bodyAsHtml(reply.body, 'text'),
    edited: wasEdited,
    retracted: echo?.retractedAt != null,
    replyId: reply.id,
    echoed: echo !== undefined,
  };
}
