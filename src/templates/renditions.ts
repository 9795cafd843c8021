import { Injectable } from '@nestjs/common';
import { newId } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, isDatabaseUnavailable, type Transaction } from '../platform/database/database.js';
import { insertNew, selectRows, updateRows } from '../platform/database/rows.js';
import { TemplateCatalogue } from './catalogue.js';
import { type CompiledMail, compileSources, revisionOf } from './compile.js';
import type { TemplateKey } from './values.js';
import { Rendition, TemplateRevision } from './words.entity.js';
import { PublishedWords } from './published.js';
import { type WordsKey, wordsHash } from './words-texts.js';

/** Compiled mails of earlier words that are kept in memory: all keys of all languages, several times over. */
const MOST_IN_MEMORY = 1000;
const DAY_MS = 86_400_000;
/** For so long a process takes a rendition that it saw in the database for one that is there still. */
const KNOWN_FOR_MS = DAY_MS;
/**
 * A rendition that no delivery names is forgotten after so long without use. Much longer than `KNOWN_FOR_MS`: whoever
 * still knows it said so in the database since, whatever the clocks of two machines tell.
 */
export const RENDITION_UNUSED_DAYS = 7;

interface Used {
  key: TemplateKey;
  locale: string;
  words: Rendition['words'];
  mail: CompiledMail;
}

/**
 * Mails as they were compiled for a delivery's first try, by their revision: whatever is published or shipped after it, a
 * later try has the same bytes.
 */
@Injectable()
export class Renditions {
  /** By revision; those that were used last come last. */
  private readonly used = new Map<string, Used>();
  /** Revisions that are in the database, and when that was said there last (ms since 1970). */
  private readonly kept = new Map<string, number>();

  constructor(
    private readonly catalogue: TemplateCatalogue,
    private readonly published: PublishedWords,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** What a mail that was never tried is made of. Where the words of its language are gone, another language has some. */
  current(key: TemplateKey, wanted: string): { mail: CompiledMail; locale: string } {
    const locale = this.catalogue.has(key, wanted) ? wanted : this.catalogue.resolveLocale(wanted, key).locale;
    const mail = this.catalogue.current(key, locale);
    const { revision } = mail;
    this.remember(this.used.get(revision) ?? { key, locale, words: this.catalogue.wordsIn(key, locale), mail });
    return { mail, locale };
  }

  /** The mail of a revision that was used once; null if none was kept of it. No query for one that this process knows. */
  async find(revision: string): Promise<CompiledMail | null> {
    const known = this.used.get(revision);
    if (known) return this.remember(known).mail;
    const row = await this.row(revision);
    if (!row) return null;
    const mail = compileSources(row.sources, row.locale);
    this.kept.set(revision, row.usedAt);
    return this.remember({ key: row.key as TemplateKey, locale: row.locale, words: row.words, mail }).mail;
  }

  /** Which words are in a revision; null if none was kept of it. */
  async wordsIn(revision: string): Promise<Rendition['words'] | null> {
    return (await this.row(revision))?.words ?? null;
  }

  /** Null too for one that somebody changed: it is no proof of what was sent. */
  private async row(revision: string): Promise<Rendition | null> {
    try {
      const [row] = await this.database.read((manager) => selectRows(manager, Rendition, 'WHERE id = ?', [revision]));
      return row && revisionOf(row.sources) === revision ? row : null;
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      return null; // what stands there is no JSON any more, or is of another shape
    }
  }

  /**
   * Writes down those that are not yet, in the transaction that names them, and once a day that they are in use still: so
   * none of them is forgotten meanwhile. Returns which it wrote, for `wereKept` after the commit.
   */
  async keep(tx: Transaction, revisions: Iterable<string>): Promise<string[]> {
    const now = this.clock.now();
    // In one order for all, or two processes could wait for each other.
    const fresh = [...new Set(revisions)].filter((revision) => !this.isKnown(revision, now)).sort();
    const used = fresh.flatMap((revision) => this.used.get(revision) ?? []);
    if (used.length === 0) return [];
    const shipped = used.flatMap(({ key, locale, words }) => [
      ...this.shippedRevision(key, locale, words.mail, now),
      ...this.shippedRevision('_frame', locale, words.frame, now),
    ]);
    const unique = new Map(shipped.map((row) => [`${row.key}/${row.locale}/${row.hash}`, row]));
    const inOrder = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    await insertNew(tx, TemplateRevision, inOrder);
    const rows = used.map(({ key, locale, words, mail: { revision, sources } }) => ({
      ...{ id: revision, key, locale, words, sources, createdAt: now, usedAt: now },
    }));
    // First those that are there: from then on nobody forgets them, and what was forgotten just before is missing.
    // With their sources, which are told by the id: so what somebody destroyed is whole again.
    const set = ['sources', 'usedAt'] as const;
    const there = await updateRows(tx, Rendition, rows, { by: ['id'], set });
    const missing = rows.filter(({ id }) => !there.has(id));
    await insertNew(tx, Rendition, missing);
    return rows.map(({ id }) => id);
  }

  wereKept(revisions: Iterable<string>): void {
    const now = this.clock.now();
    for (const revision of revisions) this.kept.set(revision, now);
  }

  private isKnown(revision: string, now: number): boolean {
    return (this.kept.get(revision) ?? -Infinity) > now - KNOWN_FOR_MS;
  }

  /** Shipped words that were sent to somebody stay readable after the next version brought others. */
  private shippedRevision(key: WordsKey, locale: string, id: string, createdAt: number): TemplateRevision[] {
    const text = this.published.texts.shipped(key, locale);
    if (text === null || id !== `shipped:${wordsHash(text)}`) return [];
    const by = { by: null, byName: null };
    return [
      { id: newId('rev', createdAt), key, locale, hash: wordsHash(text), text, origin: 'shipped', createdAt, ...by },
    ];
  }

  private remember(used: Used): Used {
    const { revision } = used.mail;
    this.used.delete(revision);
    this.used.set(revision, used);
    if (this.used.size <= MOST_IN_MEMORY) return used;
    // The one whose last use is longest ago. One that is not yet written down is under way.
    for (const each of this.used.keys())
      if (each !== revision && this.kept.delete(each)) {
        this.used.delete(each);
        break;
      }
    return used;
  }
}
