import { Injectable } from '@nestjs/common';
import { newId } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { insertNew, selectRows } from '../platform/database/rows.js';
import { TemplateCatalogue } from './catalogue.js';
import { type CompiledMail, compileSources, revisionOf } from './compile.js';
import type { TemplateKey } from './values.js';
import { Rendition, TemplateRevision } from './words.entity.js';
import { PublishedWords } from './published.js';
import { type WordsKey, wordsHash } from './words-texts.js';

/** Compiled mails of earlier words that are kept in memory: all keys of all languages, several times over. */
const MOST_IN_MEMORY = 1000;

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
  /** By revision, in the order they came to be used. */
  private readonly used = new Map<string, Used>();
  /** Revisions that are in the database for certain. */
  private readonly kept = new Set<string>();

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
    if (!this.used.has(mail.revision)) this.remember({ key, locale, words: this.catalogue.wordsIn(key, locale), mail });
    return { mail, locale };
  }

  /** The mail of a revision that was used once; null if none was kept of it. No query for one that this process knows. */
  async find(revision: string): Promise<CompiledMail | null> {
    const known = this.used.get(revision);
    if (known) return known.mail;
    const [row] = await this.rows(revision);
    // A row that somebody changed is no proof of what was sent.
    if (!row || revisionOf(row.sources) !== revision) return null;
    const mail = compileSources(row.sources, row.locale);
    this.kept.add(revision);
    this.remember({ key: row.key as TemplateKey, locale: row.locale, words: row.words, mail });
    return mail;
  }

  /** Which words are in a revision; null if none was kept of it. */
  async wordsIn(revision: string): Promise<Rendition['words'] | null> {
    return (await this.rows(revision))[0]?.words ?? null;
  }

  private rows(revision: string): Promise<Rendition[]> {
    return this.database.read((manager) => selectRows(manager, Rendition, 'WHERE id = ?', [revision]));
  }

  /** Writes down those that are not yet, in the transaction that names them; call `wereKept` after its commit. */
  async keep(tx: Transaction, revisions: Iterable<string>): Promise<void> {
    // In one order for all, or two processes could wait for each other.
    const fresh = [...new Set(revisions)].filter((revision) => !this.kept.has(revision)).sort();
    const used = fresh.flatMap((revision) => this.used.get(revision) ?? []);
    if (used.length === 0) return;
    const createdAt = this.clock.now();
    const shipped = used.flatMap(({ key, locale, words }) => [
      ...this.shippedRevision(key, locale, words.mail, createdAt),
      ...this.shippedRevision('_frame', locale, words.frame, createdAt),
    ]);
    const unique = new Map(shipped.map((row) => [`${row.key}/${row.locale}/${row.hash}`, row]));
    const inOrder = [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    await insertNew(tx, TemplateRevision, inOrder);
    await insertNew(
      tx,
      Rendition,
      used.map(({ key, locale, words, mail: { revision, sources } }) => ({
        ...{ id: revision, key, locale, words, sources, createdAt },
      })),
    );
  }

  wereKept(revisions: Iterable<string>): void {
    for (const revision of revisions) this.kept.add(revision);
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

  private remember(used: Used): void {
    this.used.set(used.mail.revision, used);
    if (this.used.size <= MOST_IN_MEMORY) return;
    // One that is not yet written down is under way.
    for (const revision of this.used.keys())
      if (this.kept.has(revision)) {
        this.used.delete(revision);
        return;
      }
  }
}
