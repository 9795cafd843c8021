import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OpenSession } from '../access/session.js';
import { Config } from '../config.js';
import { Outbound } from '../outbound/outbound.js';
import { Database } from '../platform/database/database.js';
import { sourceNamed, type Source } from '../sources.js';
import { findConversation, type Conversation } from '../tickets/conversation.js';
import { PageWriter } from './page-writer.js';
import { Visitors } from './visitor.js';

/** A ticket, to whoever proved the mailbox. */
export interface Room extends Conversation {
  source: Source;
  session: OpenSession;
}

/** Lets a browser's session into its ticket. Every request asks again whether it may. */
@Injectable()
export class Rooms {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly outbound: Outbound,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
  ) {}

  /** What this browser's session opens, or the page that says to open the mail again. */
  async enter(id: string, request: FastifyRequest, reply: FastifyReply): Promise<Room | null> {
    const room = await this.find(id, request);
    if (!room) await this.ended(request, reply);
    return room;
  }

  /** The same for a form: of this site, and made for this session. */
  async enterByForm(
    id: string,
    form: { formToken?: string } | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Room | null> {
    this.visitors.checkOrigin(request);
    const room = await this.enter(id, request, reply);
    if (room) this.visitors.checkFormToken(request, room.session, form?.formToken);
    return room;
  }

  /** Null also for a ticket whose source is no more. */
  async find(id: string, request: FastifyRequest): Promise<Room | null> {
    const session = await this.visitors.session(request, id);
    const conversation = session && (await this.database.read((manager) => findConversation(manager, session)));
    const source = sourceNamed(this.config.sources, conversation?.ticket.source);
    return session && conversation && source ? { ...conversation, source, session } : null;
  }

  /** One answer for no session, an ended one and another ticket's: nothing tells which tickets there are. */
  ended(request: FastifyRequest, reply: FastifyReply, keptText = ''): Promise<void> {
    return this.writer.notice(request, reply, 404, { kind: 'session-ended', keptText });
  }

  /** Whether anybody would carry a reply to the source. */
  takesReplies({ source }: Room): boolean {
    return this.outbound.listens(source.name, 'ticket.guest_replied');
  }
}
