import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Links } from '../access/link.js';
import { Config } from '../config.js';
import type { Holder } from '../ids.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { sourceNamed, type Source } from '../sources.js';
import { findByLink, type Conversation } from '../tickets/conversation.js';

/** What a genuine link leads to. */
export interface Door extends Conversation {
  source: Source;
  holder: Holder;
  expired: boolean;
  /** ms since 1970. */
  linkExpiresAt: number;
}

/** Finds what a link leads to, also one that expired. */
@Injectable()
export class Doors {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly links: Links,
  ) {}

  /** Null for a link that is forged, revoked, or of a ticket that is gone: nothing tells which. */
  async find(token: string): Promise<Door | null> {
    const link = this.links.open(token, this.clock.now());
    if (!link.ok) return null;
    const { ticketId, participantId, generation, expired, expiresAt: linkExpiresAt } = link;
    const holder = { ticketId, participantId, generation };
    const conversation = await this.database.read((manager) => findByLink(manager, holder));
    const source = sourceNamed(this.config.sources, conversation?.ticket.source);
    return conversation && source && link.isOf(source.name)
      ? { ...conversation, source, holder, expired, linkExpiresAt }
      : null;
  }
}

/** What the source is told of a guest's step: which ticket, who, and when (ms since 1970). */
export function newsOf({ ticket, participant }: Conversation, now: number): object {
  const { email } = participant;
  return { ticket: { id: ticket.sourceTicketId, number: ticket.number }, email, at: isoTime(now) };
}

/** After a form: the page that shows what it did, so that a reload repeats nothing. */
export async function seeOther(reply: FastifyReply, path: string): Promise<void> {
  await reply.status(303).header('location', path).header('cache-control', 'no-store').send();
}
