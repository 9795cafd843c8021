/** Which words count, and which did: written in the transaction of whoever decides it. */
import { newId, type Id } from '../ids.js';
import type { Transaction } from '../platform/database/database.js';
import { insertNew, insertRows, run, selectRows } from '../platform/database/rows.js';
import { CurrentWords, Publication, TemplateRevision } from './words.entity.js';
import { placeOf, type WordsKey, wordsHash } from './words-texts.js';

export interface Author {
  id: string;
  name: string;
}

/** Keeps a text as a revision; the same text of the same place is one revision, whoever writes it. */
export async function keepRevision(
  tx: Transaction,
  { key, locale, text, by }: { key: WordsKey; locale: string; text: string; by: Author | null },
  now: number,
): Promise<TemplateRevision> {
  const hash = wordsHash(text);
  const author = { by: by?.id ?? null, byName: by?.name ?? null };
  const origin = by ? 'edited' : 'shipped';
  await insertNew(tx, TemplateRevision, [
    { id: newId('rev', now), key, locale, hash, text, origin, createdAt: now, ...author },
  ]);
  const [kept] = await selectRows(tx, TemplateRevision, 'WHERE key = ? AND locale = ? AND hash = ?', [
    key,
    locale,
    hash,
  ]);
  return kept!;
}

export interface Decision {
  key: WordsKey;
  locale: string;
  kind: Publication['kind'];
  /** Null: the shipped words. */
  revisionId: Id<'rev'> | null;
  shippedHash: string | null;
  englishHash: string | null;
  by: Author;
  why: string;
  publishAt?: number | null;
}

/** Notes a decision, and unless it is for later makes the revision count from the commit on. */
export async function decide(tx: Transaction, decision: Decision, now: number): Promise<Publication> {
  const { by, publishAt = null, ...rest } = decision;
  const publication: Publication = {
    ...{ id: newId('pub', now), ...rest, by: by.id, byName: by.name, at: now, publishAt },
  };
  await insertRows(tx, Publication, [publication]);
  if (decision.kind === 'schedule') return publication;
  const { key, locale, revisionId } = decision;
  // By one statement that counts on: of two at once each is noted, and the later one counts everywhere.
  await run(
    tx,
    `INSERT INTO template_current (id, key, locale, revision_id, publication_id, version, changed_at)
     VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT (id) DO UPDATE SET revision_id = excluded.revision_id,
     publication_id = excluded.publication_id, version = template_current.version + 1, changed_at = excluded.changed_at`,
    [placeOf(key, locale), key, locale, revisionId, publication.id, now],
  );
  return publication;
}

/** The row of what counts and the decision behind it; null where nothing was ever published. */
export async function currentOf(
  tx: Transaction,
  key: WordsKey,
  locale: string,
): Promise<{ current: CurrentWords; publication: Publication } | null> {
  const [current] = await selectRows(tx, CurrentWords, 'WHERE id = ?', [placeOf(key, locale)]);
  if (!current) return null;
  const [publication] = await selectRows(tx, Publication, 'WHERE id = ?', [current.publicationId]);
  return publication ? { current, publication } : null;
}

/** Which revision counts, null for the shipped words; on Postgres nobody else decides about it until the commit. */
export async function lockCounting(tx: Transaction, key: WordsKey, locale: string): Promise<Id<'rev'> | null> {
  const lock = tx.dataSource.options.type === 'postgres' ? 'FOR UPDATE' : '';
  const [current] = await selectRows(tx, CurrentWords, `WHERE id = ? ${lock}`, [placeOf(key, locale)]);
  return current?.revisionId ?? null;
}

/** Newest first. */
export function historyOf(tx: Transaction, key: WordsKey, locale: string): Promise<Publication[]> {
  return selectRows(tx, Publication, 'WHERE key = ? AND locale = ? ORDER BY id DESC LIMIT 200', [key, locale]);
}

/** The last decision that put a revision into force at once; null if none ever did: to schedule it is not enough. */
export async function lastInForce(
  tx: Transaction,
  { key, locale, id }: Pick<TemplateRevision, 'key' | 'locale' | 'id'>,
): Promise<Publication | null> {
  const where = `WHERE key = ? AND locale = ? AND revision_id = ? AND kind <> 'schedule' ORDER BY id DESC LIMIT 1`;
  return (await selectRows(tx, Publication, where, [key, locale, id]))[0] ?? null;
}

export async function revisionById(tx: Transaction, id: string): Promise<TemplateRevision | null> {
  return (await selectRows(tx, TemplateRevision, 'WHERE id = ?', [id]))[0] ?? null;
}

export async function revisionByHash(
  tx: Transaction,
  key: WordsKey,
  locale: string,
  hash: string,
): Promise<TemplateRevision | null> {
  const found = await selectRows(tx, TemplateRevision, 'WHERE key = ? AND locale = ? AND hash = ?', [
    key,
    locale,
    hash,
  ]);
  return found[0] ?? null;
}
