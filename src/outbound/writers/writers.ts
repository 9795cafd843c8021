import type { Source, WriterName } from '../../sources.js';
import { GUEST_WORDS } from '../outbound.entity.js';
import { freshdesk } from './freshdesk.js';
import { jira } from './jira.js';
import type { ReplyWriter } from './writer.js';
import { zammad } from './zammad.js';
import { zendesk } from './zendesk.js';

const writers: Readonly<Record<WriterName, ReplyWriter>> = { zendesk, zammad, freshdesk, jira };

/** Who brings this into the source's ticket system, if that is set and can be. */
export function writerOf({ writer }: Source, type: string): ReplyWriter | null {
  const found = writer === null || !GUEST_WORDS.includes(type) ? null : writers[writer];
  return found && (type === 'ticket.guest_replied' || found.reopen) ? found : null;
}
