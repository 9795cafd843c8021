import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { run, selectRows } from '../platform/database/rows.js';
import { Logger } from '../platform/logger.js';
import { TemplateCatalogue } from './catalogue.js';
import { CurrentWords, Publication, TemplateRevision } from './words.entity.js';
import { type EditedText, isWordsKey, placeOf, type WordsKey, WordsTexts, wordsHash } from './words-texts.js';

/** How often it is looked for changes of words: they reach every process within twice this time, a slow query included. */
const LOOK_EVERY_MS = 5000;

/** Published words that cannot be used; what counted before them is said instead. */
export interface WordsAlarm {
  key: WordsKey;
  locale: string;
  message: string;
  /** When they were published, ms since 1970. */
  since: number;
}

/** A place whose decision changed, and the revision that counts there: null if it is shipped ones, or is not there. */
interface Taken {
  row: CurrentWords;
  revision: TemplateRevision | null;
}

/**
 * Which words count now. Every process looks by itself whether anything was published: one query of a few rows, and no
 * other one while nothing changed.
 */
@Injectable()
export class PublishedWords implements OnModuleInit, OnApplicationShutdown {
  private readonly versions = new Map<string, number>();
  private readonly edited = new Map<string, EditedText>();
  private readonly failing = new Map<string, WordsAlarm>();
  private readonly listeners: (() => void)[] = [];
  private looking: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** All texts as they count now. */
  texts: WordsTexts;

  constructor(
    private readonly catalogue: TemplateCatalogue,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {
    this.texts = catalogue.shippedTexts();
  }

  async onModuleInit(): Promise<void> {
    await this.refresh();
    this.timer = setInterval(() => {
      // What is known still counts; the next look finds what this one missed.
      this.refresh().catch((error: unknown) => this.logger.warn('no look at the published words', { error }));
    }, LOOK_EVERY_MS);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
  }

  get alarms(): WordsAlarm[] {
    return [...this.failing.values()];
  }

  /** `listener` is called after each change, before the next mail or page is written. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Looks now. Whoever comes while somebody looks waits for a look of their own: theirs may have begun too early. */
  async refresh(): Promise<void> {
    while (this.looking) await this.looking.catch(() => undefined);
    this.looking = this.look();
    try {
      await this.looking;
    } finally {
      this.looking = null;
    }
  }

  private async look(): Promise<void> {
    const found = await this.database.read((manager) =>
      run<{ id: string; version: number }>(manager, 'SELECT id, version FROM template_current'),
    );
    const changed = found.filter(({ id, version }) => this.versions.get(id) !== version);
    if (changed.length === 0) return;
    // What could not be used may fit what has come now.
    await this.take([...new Set([...changed.map(({ id }) => id), ...this.failing.keys()])]);
    // Only after it: what could not be taken is looked for again.
    for (const { id, version } of changed) this.versions.set(id, version);
  }

  private async take(places: string[]): Promise<void> {
    const { rows, revisions } = await this.database.read(async (manager) => {
      const current = await selectRows(manager, CurrentWords, 'WHERE id IN ?', [places]);
      const ids = current.flatMap(({ revisionId }) => revisionId ?? []);
      return { rows: current, revisions: await selectRows(manager, TemplateRevision, 'WHERE id IN ?', [ids]) };
    });
    const byId = new Map(revisions.map((revision) => [revision.id, revision]));
    // Words of a mail that an older or newer version has are used by nobody here: they can't be broken either.
    const known = rows
      .filter(({ key }) => isWordsKey(key))
      .map((row) => ({ row, revision: row.revisionId ? (byId.get(row.revisionId) ?? null) : null }));
    await this.takeTogether(known);
    const edited = new Map(this.edited);
    this.texts = this.texts.over(edited);
    this.catalogue.use(edited);
    for (const listener of this.listeners) listener();
  }

  /**
   * A frame and the mails in it are tried as they will be used, whichever was published first and whatever one look finds:
   * all processes come to the same, after a restart too. A mail that neither frame can carry is at fault itself; else the
   * frame is; and what does not fit the frame that is left falls back with it.
   */
  private async takeTogether(rows: readonly Taken[]): Promise<void> {
    const before = new Map(this.edited);
    for (const { row, revision } of rows) {
      this.failing.delete(row.id);
      if (revision) this.count(revision);
      else this.edited.delete(row.id);
    }
    const published = rows.filter(({ row }) => row.revisionId !== null);
    const [frames, others] = [
      published.filter(({ row }) => row.key === '_frame'),
      published.filter(({ row }) => row.key !== '_frame'),
    ];
    const faults = new Map(others.map(({ row, revision }) => [row.id, this.faultOf(revision, this.edited)]));
    const lost = others.filter(({ row, revision }) => faults.get(row.id) && this.faultOf(revision, before) !== null);
    // Out of the way while the frame is tried.
    for (const { row } of lost) {
      const former = before.get(row.id);
      if (former) this.edited.set(row.id, former);
      else this.edited.delete(row.id);
    }
    const reframed = new Set<string>();
    for (const { row, revision } of frames) {
      const fault = this.faultOf(revision, this.edited);
      if (fault === null) continue;
      await this.fallBack(row, fault);
      reframed.add(row.locale);
    }
    for (const one of others) {
      const isTriedAgain = reframed.has(one.row.locale) && !lost.includes(one);
      const fault = isTriedAgain ? this.faultOf(one.revision, this.edited) : (faults.get(one.row.id) ?? null);
      if (fault !== null) await this.fallBack(one.row, fault);
    }
  }

  private async fallBack(row: CurrentWords, fault: string): Promise<void> {
    const { id: place, key, locale, revisionId } = row;
    const message = `${fault}; the last good words are used instead`;
    this.failing.set(place, { key, locale, message, since: row.changedAt });
    this.logger.error('published words cannot be used', { words: place, revision: revisionId, detail: message });
    const good = await this.lastGood(row);
    if (good) this.count(good);
    else this.edited.delete(place);
  }

  private count({ key, locale, id, text }: TemplateRevision): void {
    this.edited.set(placeOf(key, locale), { text, revision: id });
  }

  /** The newest earlier revision that can be used; null if the shipped words counted after it, or nothing did. */
  private async lastGood({ key, locale, revisionId }: CurrentWords): Promise<TemplateRevision | null> {
    const history = await this.database.read((manager) =>
      selectRows(
        manager,
        Publication,
        `WHERE key = ? AND locale = ? AND kind <> 'schedule' ORDER BY id DESC LIMIT 50`,
        [key, locale],
      ),
    );
    const tried = new Set<string | null>([revisionId]);
    for (const { revisionId: id } of history) {
      if (id === null) return null;
      if (tried.has(id)) continue;
      tried.add(id);
      const found = await this.database.read((manager) => selectRows(manager, TemplateRevision, 'WHERE id = ?', [id]));
      if (found[0] && this.faultOf(found[0], this.edited) === null) return found[0];
    }
    return null;
  }

  /** Why a revision cannot be used among these others; null if it can. */
  private faultOf(revision: TemplateRevision | null, others: ReadonlyMap<string, EditedText>): string | null {
    if (revision === null) return 'the revision is not there';
    const { key, locale, text, hash } = revision;
    if (wordsHash(text) !== hash) return 'the text is not the one that was published';
    if (key === 'pages') return faultOfPages(text);
    const edited = new Map(others).set(placeOf(key, locale), { text, revision: revision.id });
    try {
      const [problem] = this.catalogue.over(this.texts.over(edited)).faults(key, locale);
      return problem ? `line ${problem.line}: ${problem.message}` : null;
    } catch (error) {
      // Whatever is wrong with one text, the others still come into force.
      return `cannot be read: ${(error as Error).message}`;
    }
  }
}

/** Only what costs them all: a sentence that cannot be said is replaced by itself. */
function faultOfPages(text: string): string | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? null : 'is not an object';
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`;
  }
}
