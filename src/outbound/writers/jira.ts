import { z } from 'zod';
import { hasMarkOf, markOf } from '../reply-mark.js';
import type { TicketApi } from '../ticket-api.js';
import { multipart } from './multipart.js';
import { inNameOf, uploadEach, wasThere, withLinks, type OutgoingReply, type ReplyWriter } from './writer.js';

const PAGE = 100;
/** Pages that are looked through for an earlier try. */
const MOST_PAGES = 50;

const request = z.looseObject({ serviceDeskId: z.union([z.string(), z.number()]) });
const comments = z.looseObject({
  values: z.array(z.looseObject({ body: z.string().nullish() })),
  isLastPage: z.boolean().nullish(),
});
const temporary = z.looseObject({
  temporaryAttachments: z.array(z.looseObject({ temporaryAttachmentId: z.string() })).min(1),
});

/**
 * Jira Service Management: a public comment by the API's own user, which says whose words these are; its mark makes it
 * known again. The request's state is its workflow's business, so there is no `reopen`.
 */
export const jira: ReplyWriter = {
  async write(api, reply) {
    const place = `/rest/servicedeskapi/request/${encodeURIComponent(reply.ticketId)}`;
    if (await isThere(api, place, reply)) return wasThere;
    const { taken, left } = reply.files.length > 0 ? await uploadFiles(api, place, reply) : { taken: [], left: [] };
    const text = inNameOf(reply, withLinks(reply.body, left));
    const body = `${asPlainWiki(text)}\n\n${markOf(reply.id, text)}`;
    if (taken.length === 0) await api.post(`${place}/comment`, { body, public: true });
    else
      await api.post(`${place}/attachment`, {
        temporaryAttachmentIds: taken,
        public: true,
        additionalComment: { body },
      });
    return { wasThere: false, left: left.length };
  },
};

const WORD = /\S+/g;
const IS_LINK = /^https?:\/\//;
/** What opens a mention, a link, a picture, a macro or a table, wherever it stands, and what escapes. */
const REACHING = /[[\]{}!|\\]/g;
/** What changes the look of a text or makes a face beside that: in a URL it is an ordinary sign. */
const FORMATTING = /[[\]{}!|\\*_+\-^~?#()]|:(?=[dp])/gi;
/** A heading, or a quotation. */
const BLOCK = /^([ \t]*(?:h[1-6]|bq))\./gim;

/**
 * A guest's words as wiki markup that says just them: the API writes in its own user's name, which may mention people, and
 * a picture would be fetched by every agent who reads. A backslash is an entity, since two of them are a line break.
 */
function asPlainWiki(text: string): string {
  const escape = (sign: string) => (sign === '\\' ? '&#92;' : `\\${sign}`);
  return text
    .replace(WORD, (word) => word.replace(IS_LINK.test(word) ? REACHING : FORMATTING, escape))
    .replace(BLOCK, '$1\\.');
}

async function isThere(api: TicketApi, place: string, { id }: OutgoingReply): Promise<boolean> {
  for (let page = 0; page < MOST_PAGES; page++) {
    const path = `${place}/comment?public=true&internal=false&start=${page * PAGE}&limit=${PAGE}`;
    const { values, isLastPage } = comments.parse(await api.get(path));
    if (values.some(({ body }) => hasMarkOf(id, body ?? ''))) return true;
    if (isLastPage !== false || values.length === 0) return false;
  }
  return false;
}

async function uploadFiles(api: TicketApi, place: string, { files }: OutgoingReply) {
  const { serviceDeskId } = request.parse(await api.get(place));
  return uploadEach(files, async ({ name, contentType }, content) => {
    const form = multipart([{ name: 'file', fileName: name, type: contentType, content }]);
    const given = await api.upload(
      `/rest/servicedeskapi/servicedesk/${encodeURIComponent(serviceDeskId)}/attachTemporaryFile`,
      {
        ...form,
        // Its protection against forged forms, which a browser alone needs.
        headers: { 'x-atlassian-token': 'no-check', 'x-experimentalapi': 'opt-in' },
      },
    );
    return temporary.parse(given).temporaryAttachments[0]!.temporaryAttachmentId;
  });
}
