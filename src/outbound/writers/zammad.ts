import { z } from 'zod';
import type { TicketApi } from '../ticket-api.js';
import { isTaken, uploadEach, wasThere, withLinks, type OutgoingReply, type ReplyWriter } from './writer.js';

const articles = z.array(z.looseObject({ message_id: z.string().nullish() }));
const ticket = z.looseObject({ state: z.string() });

/** Zammad: an article by the customer, known again by its message id, which comes back with the webhook. */
export const zammad: ReplyWriter = {
  async write(api, reply) {
    const messageId = `<${reply.id}@postern>`;
    const there = articles.parse(await api.get(`/api/v1/ticket_articles/by_ticket/${path(reply.ticketId)}`));
    if (there.some(({ message_id: id }) => id === messageId)) return wasThere;
    const { taken: attachments, left } = await uploadEach(reply.files, async ({ name, contentType }, content) => ({
      filename: name,
      data: content.toString('base64'),
      'mime-type': contentType,
    }));
    const article = {
      ticket_id: ticketNumber(reply.ticketId),
      message_id: messageId,
      type: 'web',
      sender: 'Customer',
      from: reply.email,
      internal: false,
      content_type: 'text/plain',
    };
    const post = (body: string, files: object[]) =>
      api.post('/api/v1/ticket_articles', { ...article, body, attachments: files });
    // They go in one call, so which of them is not taken is not said.
    if (attachments.length > 0 && (await isTaken(post(withLinks(reply.body, left), attachments))))
      return { wasThere: false, left: left.length };
    const lost = attachments.length > 0 ? reply.files : left;
    await post(withLinks(reply.body, lost), []);
    return { wasThere: false, left: lost.length };
  },
  async reopen(api: TicketApi, ticketId) {
    const { state } = ticket.parse(await api.get(`/api/v1/tickets/${path(ticketId)}?expand=true`));
    if (state === 'closed' || state === 'pending close')
      await api.put(`/api/v1/tickets/${path(ticketId)}`, { state: 'open' });
  },
};

const path = encodeURIComponent;

function ticketNumber(id: OutgoingReply['ticketId']): number | string {
  return /^\d{1,15}$/.test(id) ? Number(id) : id;
}
