import { z } from 'zod';
import { hasMarkOf, withMark } from '../reply-mark.js';
import type { TicketApi } from '../ticket-api.js';
import { multipart } from './multipart.js';
import { inNameOf, isTaken, wasThere, withLinks, type OutgoingReply, type ReplyWriter } from './writer.js';

/** What a page of the API gives at most. */
const PAGE = 100;
/** Pages that are looked through for an earlier try. */
const MOST_PAGES = 50;

const conversations = z.array(z.looseObject({ body_text: z.string().nullish() }));
const ticket = z.looseObject({
  status: z.number(),
  requester: z.looseObject({ id: z.number(), email: z.string().nullish() }).nullish(),
});
const contacts = z.array(z.looseObject({ id: z.number() }));

const OPEN = 2;
const RESOLVED = 4;
const CLOSED = 5;

/** Freshdesk: a public note by the guest's own contact, as if it had come by mail; known again by its mark. */
export const freshdesk: ReplyWriter = {
  async write(api, reply) {
    const place = `/api/v2/tickets/${encodeURIComponent(reply.ticketId)}`;
    if (await isThere(api, place, reply)) return wasThere;
    const userId = await contactOf(api, place, reply);
    const files: { fileName: string; type: string; content: Buffer }[] = [];
    const gone = [];
    for (const file of reply.files) {
      const content = await file.read();
      if (content) files.push({ fileName: file.name, type: file.contentType, content });
      else gone.push(file);
    }
    const post = (left: OutgoingReply['files'], attached: typeof files) => {
      const text = withLinks(reply.body, left);
      const body = asHtml(withMark(reply.id, userId === null ? inNameOf(reply, text) : text));
      const fields = { private: 'false', incoming: 'true', ...(userId !== null && { user_id: String(userId) }) };
      const parts = Object.entries({ body, ...fields }).map(([name, value]) => ({ name, value }));
      return api.upload(
        `${place}/notes`,
        multipart([...parts, ...attached.map((file) => ({ name: 'attachments[]', ...file }))]),
      );
    };
    // They go in one call, so which of them is not taken is not said.
    if (files.length > 0 && (await isTaken(post(gone, files)))) return { wasThere: false, left: gone.length };
    await post(reply.files, []);
    return { wasThere: false, left: reply.files.length };
  },
  async reopen(api, ticketId) {
    const place = `/api/v2/tickets/${encodeURIComponent(ticketId)}`;
    const { status } = ticket.parse(await api.get(place));
    if (status === RESOLVED || status === CLOSED) await api.put(place, { status: OPEN });
  },
};

async function isThere(api: TicketApi, place: string, { id }: OutgoingReply): Promise<boolean> {
  // The oldest come first, and there is no other order.
  for (let page = 1; page <= MOST_PAGES; page++) {
    const notes = conversations.parse(await api.get(`${place}/conversations?per_page=${PAGE}&page=${page}`));
    if (notes.some(({ body_text: text }) => hasMarkOf(id, text ?? ''))) return true;
    if (notes.length < PAGE) return false;
  }
  return false;
}

/** The guest's id there; null: the note is written by the API's own user and says whose words these are. */
async function contactOf(api: TicketApi, place: string, { email }: OutgoingReply): Promise<number | null> {
  const { requester } = ticket.parse(await api.get(`${place}?include=requester`));
  if (requester?.email?.toLowerCase() === email.toLowerCase()) return requester.id;
  const found = contacts.parse(await api.get(`/api/v2/contacts?email=${encodeURIComponent(email)}`));
  return found[0]?.id ?? null;
}

function asHtml(text: string): string {
  const safe = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<div>${safe.replaceAll('\n', '<br>')}</div>`;
}
