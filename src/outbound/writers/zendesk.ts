import { z } from 'zod';
import type { TicketApi } from '../ticket-api.js';
import { inNameOf, uploadEach, wasThere, withLinks, type OutgoingReply, type ReplyWriter } from './writer.js';

/** Under this name the reply's id stands in the metadata of its comment. */
export const ZENDESK_MARK = 'postern_reply';

/** What a page of the API gives at most. */
const PAGE = 100;
/** Pages that are looked through for an earlier try. */
const MOST_PAGES = 20;

const audits = z.looseObject({
  audits: z.array(
    z.looseObject({ metadata: z.looseObject({ custom: z.record(z.string(), z.unknown()).nullish() }).nullish() }),
  ),
});
const upload = z.looseObject({ upload: z.looseObject({ token: z.string() }) });
const users = z.looseObject({ users: z.array(z.looseObject({ id: z.number(), email: z.string().nullish() })) });
const ticket = z.looseObject({ ticket: z.looseObject({ status: z.string(), updated_at: z.string() }) });

/** Zendesk: a public comment by the guest's own user, known again by the metadata of the audit. */
export const zendesk: ReplyWriter = {
  async write(api, reply) {
    const place = `/api/v2/tickets/${encodeURIComponent(reply.ticketId)}`;
    if (await isThere(api, place, reply)) return wasThere;
    const query = encodeURIComponent(`email:"${reply.email.replaceAll('"', '')}"`);
    const found = users.parse(await api.get(`/api/v2/users/search.json?query=${query}`));
    const author = found.users.find(({ email }) => email?.toLowerCase() === reply.email.toLowerCase());
    const { taken, left } = await uploadEach(reply.files, async ({ name, contentType }, content) => {
      const given = await api.upload(`/api/v2/uploads.json?filename=${encodeURIComponent(name)}`, {
        contentType,
        content,
      });
      return upload.parse(given).upload.token;
    });
    const text = withLinks(reply.body, left);
    const comment = {
      body: author ? text : inNameOf(reply, text),
      public: true,
      ...(author && { author_id: author.id }),
      ...(taken.length > 0 && { uploads: taken }),
    };
    await api.put(`${place}.json`, { ticket: { comment, metadata: { custom: { [ZENDESK_MARK]: reply.id } } } });
    return { wasThere: false, left: left.length };
  },
  async reopen(api, ticketId) {
    const place = `/api/v2/tickets/${encodeURIComponent(ticketId)}.json`;
    const { status, updated_at: updatedAt } = ticket.parse(await api.get(place)).ticket;
    if (status !== 'solved') return;
    // Not over the head of an agent who changed it in between: then it is asked anew.
    await api.put(place, { ticket: { status: 'open', safe_update: true, updated_stamp: updatedAt } });
  },
};

async function isThere(api: TicketApi, place: string, { id }: OutgoingReply): Promise<boolean> {
  for (let page = 1; page <= MOST_PAGES; page++) {
    const path = `${place}/audits.json?sort_order=desc&page=${page}&per_page=${PAGE}`;
    const found = audits.parse(await api.get(path)).audits;
    if (found.some(({ metadata }) => metadata?.custom?.[ZENDESK_MARK] === id)) return true;
    if (found.length < PAGE) return false;
  }
  return false;
}
