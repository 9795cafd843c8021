import type { EntityManager } from 'typeorm';
import { newId } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { insertNew, run, selectRows } from '../platform/database/rows.js';
import type { Author } from '../templates/revisions.js';
import { WordsDraft } from '../templates/words.entity.js';
import type { WordsKey } from '../templates/words-texts.js';

/*
 * The rows of drafts: one of each text and language, `gone` when nobody writes at it. Every change counts `version` up and
 * asks for the state that it comes from, so that of two at once one is told that it came too late.
 */

export interface Place {
  key: WordsKey;
  locale: string;
}

export type Written = Pick<WordsDraft, 'text' | 'base' | 'shippedHash' | 'englishHash' | 'by' | 'byName' | 'at'>;

/** A change of a draft's state in SQL: what is set, from which state, and the values of either's `?`. */
interface Move {
  set: string;
  given?: readonly unknown[];
  from: string;
  values?: readonly unknown[];
}

export async function draftAt(manager: EntityManager, { key, locale }: Place): Promise<WordsDraft | null> {
  const where = `WHERE key = ? AND locale = ? AND state <> 'gone'`;
  return (await selectRows(manager, WordsDraft, where, [key, locale]))[0] ?? null;
}

export function allDrafts(manager: EntityManager): Promise<WordsDraft[]> {
  return selectRows(manager, WordsDraft, `WHERE state <> 'gone'`);
}

/** Those that are to be published by now (ms since 1970). */
export function dueDrafts(manager: EntityManager, now: number): Promise<WordsDraft[]> {
  return selectRows(manager, WordsDraft, `WHERE state = 'scheduled' AND publish_at <= ?`, [now]);
}

/** The new version, or null if there is a draft already. */
export async function beginDraft(tx: Transaction, { key, locale }: Place, words: Written): Promise<number | null> {
  const none = { note: '', publishAt: null, publisher: null, publisherName: null, alarm: null, alarmAt: null };
  const row = {
    ...{ id: newId('wdr', words.at), key, locale, version: 1, state: 'draft' as const },
    ...words,
    authors: [words.by],
    ...none,
  };
  if ((await insertNew(tx, WordsDraft, [row])).size > 0) return 1;
  return write(tx, { key, locale }, words, [words.by], { from: `state = 'gone'` });
}

/** The new version, or null if the draft is not the same any more. */
export function rewriteDraft(tx: Transaction, before: WordsDraft, words: Written): Promise<number | null> {
  const authors = [...new Set([...before.authors, words.by])];
  return write(tx, before, words, authors, { from: `state <> 'gone' AND version = ?`, values: [before.version] });
}

/** These return false if there is no such draft any more. */
export function discardDraft(tx: Transaction, place: Place): Promise<boolean> {
  return move(tx, place, { set: `state = 'gone', text = ''`, from: `state <> 'gone'` });
}

export function submitDraft(tx: Transaction, place: Place, version: number, note: string): Promise<boolean> {
  const from = `state IN ('draft', 'submitted') AND version = ?`;
  return move(tx, place, { set: `state = 'submitted', note = ?`, given: [note], from, values: [version] });
}

/** Back to a draft that somebody writes at. */
export function withdrawDraft(tx: Transaction, place: Place): Promise<boolean> {
  const set = `state = 'draft', publish_at = NULL, publisher = NULL, publisher_name = NULL`;
  return move(tx, place, { set, from: `state IN ('submitted', 'scheduled')` });
}

/** Takes a draft to publish it, now (`publishAt` null) or then. */
export function takeDraft(
  tx: Transaction,
  { key, locale, version }: WordsDraft,
  { by, why, publishAt }: { by: Author; why: string; publishAt: number | null },
): Promise<boolean> {
  return move(
    tx,
    { key, locale },
    {
      set: `state = ?, note = ?, publish_at = ?, publisher = ?, publisher_name = ?`,
      given: [publishAt === null ? 'gone' : 'scheduled', why, publishAt, by.id, by.name],
      from: `state <> 'gone' AND version = ?`,
      values: [version],
    },
  );
}

/** A draft again of what was scheduled, with an alarm until somebody does something about it. */
export async function stopDraft(
  tx: Transaction,
  { key, locale, version }: WordsDraft,
  { message, now }: { message: string; now: number },
): Promise<boolean> {
  const stopped = await run(
    tx,
    `UPDATE template_drafts SET state = 'draft', publish_at = NULL, publisher = NULL, publisher_name = NULL,
     alarm = ?, alarm_at = ?, version = version + 1
     WHERE key = ? AND locale = ? AND state = 'scheduled' AND version = ? RETURNING id`,
    [message, now, key, locale, version],
  );
  return stopped.length > 0;
}

/** Whoever changes words takes back what was said of the former ones: that they wait for a look, or for their time. */
async function write(
  tx: Transaction,
  { key, locale }: Place,
  { text, base, shippedHash, englishHash, by, byName, at }: Written,
  authors: string[],
  { from, values = [] }: Omit<Move, 'set' | 'given'>,
): Promise<number | null> {
  const [changed] = await run<{ version: number }>(
    tx,
    `UPDATE template_drafts SET text = ?, base = ?, shipped_hash = ?, english_hash = ?, by = ?, by_name = ?, at = ?,
     authors = ?, version = version + 1, state = 'draft', note = '',
     publish_at = NULL, publisher = NULL, publisher_name = NULL, alarm = NULL, alarm_at = NULL
     WHERE key = ? AND locale = ? AND ${from} RETURNING version`,
    [text, base, shippedHash, englishHash, by, byName, at, JSON.stringify(authors), key, locale, ...values],
  );
  return changed?.version ?? null;
}

async function move(
  tx: Transaction,
  { key, locale }: Place,
  { set, given = [], from, values = [] }: Move,
): Promise<boolean> {
  const moved = await run(
    tx,
    `UPDATE template_drafts SET ${set}, alarm = NULL, alarm_at = NULL, version = version + 1
     WHERE key = ? AND locale = ? AND ${from} RETURNING id`,
    [...given, key, locale, ...values],
  );
  return moved.length > 0;
}
