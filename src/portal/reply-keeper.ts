import { Injectable } from '@nestjs/common';
import { replyLimit, takeLimits } from '../access/limits.js';
import { Config } from '../config.js';
import { Outbound } from '../outbound/outbound.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database, isDatabaseUnavailable } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import type { Conversation } from '../tickets/conversation.js';
import { Drafts } from '../tickets/drafts.js';
import { FileStore } from '../tickets/file-store.js';
import { markSeen } from '../tickets/readings.js';
import { acceptReply, type AcceptedReply, type NewReply } from '../tickets/replies.js';
import type { Attachment, Reply } from '../tickets/ticket.entity.js';
import { lockTicket } from '../tickets/ticket-lock.js';
import type { ReplyForm } from './reply-form.js';
import type { Room } from './rooms.js';

/** Makes a reply of what a form brought: stored once, with its files, and on its way to the source. */
@Injectable()
export class ReplyKeeper {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly outbound: Outbound,
    private readonly files: FileStore,
    private readonly drafts: Drafts,
    private readonly logger: Logger,
  ) {}

  /** Null if the database cannot take it now. Its files stay: the commit may have been made, and only its answer lost. */
  async keep(room: Room, form: ReplyForm): Promise<AcceptedReply | null> {
    try {
      return await this.commit(room, form);
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      this.logger.error('a reply could not be kept: the database is not available', { error });
      return null;
    }
  }

  /** The reply and the message that brings it to the source, in one transaction. */
  private async commit(room: Room, form: ReplyForm): Promise<AcceptedReply> {
    const { accepted, left, news } = await this.database.write(async (tx) => {
      await lockTicket(tx, room.ticket.id);
      const drafted = await this.drafts.peek(tx, room.session, form.keep);
      const misses = form.keep.some((hash) => !drafted.some(({ sha256 }) => sha256 === hash));
      const whole = { ...form, files: [...drafted, ...form.files], misses };
      const limit = replyLimit(this.config.secretKeys, room.participant.id);
      const count = () => takeLimits(tx, [limit], this.clock.now());
      const accepted = await acceptReply(tx, room.session, whole, this.clock.now(), count);
      const isNew = accepted.ok && !accepted.isRepeat;
      if (isNew) await markSeen(tx, room.participant.id, accepted.reply.createdAt);
      return {
        accepted,
        left: isNew ? await this.drafts.use(tx, room.session, whole.files, form) : [],
        news: isNew ? await this.outbound.enqueue(tx, replyNews(room, accepted.reply, accepted.attachments)) : [],
      };
    });
    this.outbound.wake(news);
    for (const file of left) await this.files.remove(file);
    if (!accepted.ok || accepted.isRepeat) await this.discard(form);
    return accepted;
  }

  /** Removes the files of a form of which no reply comes. */
  async discard({ files }: { files: NewReply['files'] }): Promise<void> {
    for (const { file } of files) await this.files.remove(file);
  }
}

function replyNews({ ticket, participant }: Conversation, reply: Reply, attachments: Attachment[]) {
  const { id, body, createdAt } = reply;
  return {
    source: ticket.source,
    type: 'ticket.guest_replied',
    subjectId: id,
    data: {
      ticket: { id: ticket.sourceTicketId, number: ticket.number },
      reply: {
        id,
        email: participant.email,
        body,
        createdAt: isoTime(createdAt),
        attachments: attachments.map(({ id: attachmentId, file, name, contentType, size, sha256 }) => ({
          attachmentId,
          file,
          name,
          contentType,
          size,
          sha256,
        })),
      },
    },
  };
}
