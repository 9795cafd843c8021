import type { Id } from '../ids.js';
import { sha256 } from '../platform/crypto.js';

/*
 * Where a ticket system keeps nothing of ours beside the text, the text ends with a mark. It names the reply, and by a
 * hash the words before it: an agent's answer that quotes the reply with its mark is not taken for the reply.
 */

const MARK = /\[(rpl_[0-9a-z]{26}):([0-9a-f]{8})\]\s*$/;

export function withMark(id: Id<'rpl'>, text: string): string {
  return `${text}\n\n${markOf(id, text)}`;
}

/** For the end of a text that was made of these words. */
export function markOf(id: Id<'rpl'>, text: string): string {
  return `[${id}:${hashOf(text)}]`;
}

/** The reply that a text, or HTML made of it, is. */
export function markedReply(text: string): Id<'rpl'> | undefined {
  if (!text.includes('[rpl_')) return undefined;
  const asText = text.replace(/<[^>]*>|&nbsp;/g, ' ').replace(/&#?\w+;/g, '');
  // A backslash that Jira's markup has as an entity.
  for (const plain of [text, text.replaceAll('&#92;', '\\'), asText]) {
    const mark = MARK.exec(plain);
    if (mark && hashOf(plain.slice(0, mark.index)) === mark[2]) return mark[1] as Id<'rpl'>;
  }
  return undefined;
}

/** Of letters and digits only: systems change the rest. */
function hashOf(text: string): string {
  const kept = text.normalize().replace(/[^\p{L}\p{N}]/gu, '');
  return sha256(kept).toString('hex').slice(0, 8);
}
