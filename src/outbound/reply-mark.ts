import { Parser } from 'htmlparser2';
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

/**
 * Whether the mark of this reply stands in a text, whatever became of the words before it. No text has it before the reply
 * was written, so this is how an earlier try is found.
 */
export function hasMarkOf(id: Id<'rpl'>, text: string): boolean {
  return text.includes(`[${id}:`);
}

/** The reply that a text, or HTML, Markdown or wiki markup made of it, is. */
export function markedReply(text: string): Id<'rpl'> | undefined {
  if (!/\[rpl\\?_/.test(text)) return undefined;
  for (const plain of [text, ofWiki(text), ofHtml(text), ofMarkdown(text)]) {
    const mark = MARK.exec(plain);
    if (mark && hashOf(plain.slice(0, mark.index)) === mark[2]) return mark[1] as Id<'rpl'>;
  }
  return undefined;
}

/** A backslash is an entity in what we write, and Jira makes links of URLs. */
function ofWiki(text: string): string {
  return text.replaceAll('&#92;', '\\').replace(/\[([^[|\]\s]+)\|\1(?:\|smart-link)?\]/g, '$1');
}

function ofHtml(text: string): string {
  let plain = '';
  const parser = new Parser({ ontext: (words) => (plain += words) });
  parser.end(text);
  return plain;
}

/** What stands in angle brackets there is the address of a link, beside its words. */
function ofMarkdown(text: string): string {
  return text.replace(/(?<!\\)<[^<>]*>/g, ' ').replace(/\\([^\p{L}\p{N}\s])/gu, '$1');
}

/** Of letters and digits only: systems change the rest. */
function hashOf(text: string): string {
  const kept = text.normalize().replace(/[^\p{L}\p{N}]/gu, '');
  return sha256(kept).toString('hex').slice(0, 8);
}
