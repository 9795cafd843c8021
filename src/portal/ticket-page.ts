import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Outbound } from '../outbound/outbound.js';
import { Database } from '../platform/database/database.js';
import { listEntries } from '../tickets/conversation.js';
import { Drafts, type OpenDraft } from '../tickets/drafts.js';
import { pulsesOf } from '../tickets/pulse.js';
import { seenUntil } from '../tickets/readings.js';
import { lastAnswer } from '../tickets/solved.js';
import { PageWriter } from './page-writer.js';
import type { FormFault, ReplyForm } from './reply-form.js';
import { Rooms, type Room } from './rooms.js';
import { printView, replyView, ticketView } from './ticket-view.js';

/** Entries of one print, if their texts are short: some 100 sheets. Those before them are one link away. */
const MOST_ON_PAPER = 1000;

/** What a ticket's page is shown with, beside what is stored. */
interface Shown {
  /** The reply that was just sent. */
  sent?: string;
  /** Mails were just asked for again. */
  mailsOn?: boolean;
  /** The entry before which an earlier stretch ends. */
  before?: string;
  /** What was just refused, and why. */
  form?: ReplyForm;
  faults?: FormFault[];
  /** "Is it solved?" was just answered. */
  answered?: boolean;
}

/** Ticket detail as a page, for whoever may see it: on a screen, or on paper. */
@Injectable()
export class TicketPage {
  constructor(
    private readonly database: Database,
    private readonly outbound: Outbound,
    private readonly drafts: Drafts,
    private readonly rooms: Rooms,
    private readonly writer: PageWriter,
  ) {}

  async show(
    room: Room,
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    { sent, mailsOn = false, before, form, faults = [], answered = false }: Shown,
  ): Promise<void> {
    const { ticket } = room;
    // Before the rest is read: what comes in between is then told by the stream.
    const pulses = await this.database.read((manager) => pulsesOf(manager, [ticket.id]));
    const { stretch, seen, answer } = await this.database.read(async (manager) => ({
      stretch: await listEntries(manager, room, { before }),
      seen: await seenUntil(manager, room.participant.id),
      answer: await lastAnswer(manager, room),
    }));
    const { entries } = stretch;
    const draft = await this.drafts.find(room.session);
    const states = await this.outbound.states(entries.flatMap(({ replyId }) => replyId ?? []));
    const locale = this.writer.locale(request, reply, room);
    const view = ticketView(ticket, entries, states, {
      takesReplies: this.rooms.takesReplies(room),
      reply: replyView(ticket, draftView(draft, form), faults, (key, values) =>
        this.writer.pages.sentence(locale, key, values),
      ),
      flash: entries.some(({ replyId, mine }) => mine && replyId === sent) ? 'reply-sent' : mailsOn ? 'mails-on' : null,
      mailsOff: room.participant.mailStoppedAt !== null,
      asks: this.asksIfSolved(room) && answer !== 'no',
      answer,
      answered,
      before: stretch.before,
      isEarlier: before !== undefined,
      seenUntil: seen,
      pulse: pulses.get(ticket.id)!,
    });
    await this.writer.send(request, reply, status, 'ticket', view, room);
  }

  async showOnPaper(room: Room, request: FastifyRequest, reply: FastifyReply, before?: string): Promise<void> {
    const stretch = await this.database.read((manager) => listEntries(manager, room, { before, most: MOST_ON_PAPER }));
    const states = await this.outbound.states(stretch.entries.flatMap(({ replyId }) => replyId ?? []));
    await this.writer.send(request, reply, 200, 'print', printView(room.ticket, stretch, states), room);
  }

  /** Its source wants to hear the answer. */
  asksIfSolved({ source }: Room): boolean {
    return ['ticket.guest_solved', 'ticket.guest_unsolved'].every((type) => this.outbound.listens(source.name, type));
  }
}

/** What stands in the box: what was refused just now, else what waited. */
function draftView(draft: OpenDraft | null, form: ReplyForm | undefined) {
  return { body: form?.body ?? draft?.body ?? '', kept: draft?.files ?? [], isDraft: Boolean(draft?.body) };
}
