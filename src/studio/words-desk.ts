import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { isId, type Id } from '../ids.js';
import { audit } from '../platform/audit.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { TemplateCatalogue } from '../templates/catalogue.js';
import { PublishedWords } from '../templates/published.js';
import {
  type Author,
  currentOf,
  decide,
  historyOf,
  keepRevision,
  lastInForce,
  lockCounting,
  revisionByHash,
  revisionById,
} from '../templates/revisions.js';
import { templatesDir } from '../templates/templates.module.js';
import { templateKeys } from '../templates/values.js';
import { type Publication, type TemplateRevision, WordsDraft } from '../templates/words.entity.js';
import { isWordsKey, placeOf, wordsHash } from '../templates/words-texts.js';
import { SOURCE_LOCALE } from '../translations/checks.js';
import { checkText, refusalsIn } from '../translations/check-text.js';
import { Lock } from '../translations/lock.js';
import { Person } from './people.entity.js';
import { problemsIn, type TextProblem } from './problems.js';
import { EVERY_BRAND, mayDo } from './roles.js';
import { stillIn } from './studio-session.js';
import {
  allDrafts,
  beginDraft,
  discardDraft,
  draftAt,
  dueDrafts,
  type Place,
  rewriteDraft,
  stopDraft,
  submitDraft,
  takeDraft,
  withdrawDraft,
  type Written,
} from './words-drafts.js';

const LOOK_FOR_DUE_MS = 5000;
/** Longer lists are those of no words that anybody writes, and take room. */
const MOST_PROBLEMS_REMEMBERED = 50;
const CHANGED_MEANWHILE = 'These words were changed after you looked at them: look at them once more.';
const MOST_REMEMBERED = 2000;

export interface Save {
  text: string;
  /** The one it was read at; 0: there was none. */
  version: number;
  base: string;
}

/** Where words are written and put into force. What it decides is in the audit log. */
@Injectable()
export class WordsDesk implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;
  /** By everything that a check depends on. */
  private readonly checked = new Map<string, TextProblem[]>();
  private readonly lock = Lock.read(templatesDir);

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly catalogue: TemplateCatalogue,
    private readonly published: PublishedWords,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.publishDue().catch((error: unknown) => this.logger.warn('scheduled words were not looked for', { error }));
    }, LOOK_FOR_DUE_MS);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** What is wrong with a text. Thorough before it is published: then every mail that it is part of is filled in. */
  check({ key, locale }: Place, text: string, isThorough = false): TextProblem[] {
    const { texts } = this.published;
    const others = key === '_frame' ? templateKeys : (['_frame'] as const);
    const around = [texts.idOf(key, SOURCE_LOCALE), ...others.map((other) => texts.idOf(other, locale))];
    const id = [key, locale, wordsHash(text), ...around, isThorough].join('|');
    const known = this.checked.get(id);
    if (known) return known;
    const problems = problemsIn(text, this.findings({ key, locale }, text, isThorough));
    if (problems.length > MOST_PROBLEMS_REMEMBERED) return problems;
    this.checked.set(id, problems);
    // The oldest goes: the board looks at all the others again and again.
    if (this.checked.size > MOST_REMEMBERED) this.checked.delete(this.checked.keys().next().value!);
    return problems;
  }

  private findings({ key, locale }: Place, text: string, isThorough: boolean) {
    const { catalogue, published, lock } = this;
    return checkText({ templatesDir, lock, catalogue, texts: published.texts, key, locale, text, isThorough });
  }

  draftOf({ key, locale }: Place): Promise<WordsDraft | null> {
    return this.database.read((manager) => draftAt(manager, { key, locale }));
  }

  drafts(): Promise<WordsDraft[]> {
    return this.database.read((manager) => allDrafts(manager));
  }

  /** What the words in force are: their revision and the decision behind them. Null: those that are shipped. */
  async inForce({ key, locale }: Place): Promise<{ revision: TemplateRevision; publication: Publication } | null> {
    return this.database.read(async (manager) => {
      const found = await currentOf(manager, key, locale);
      if (!found?.current.revisionId) return null;
      const revision = await revisionById(manager, found.current.revisionId);
      return revision && { revision, publication: found.publication };
    });
  }

  /**
   * Saves a draft over the one that was read.
   * @throws PosternError `words-refused`, `draft-conflict`: nothing is changed then
   */
  async save(
    by: Author,
    place: Place,
    { text, version, base }: Save,
  ): Promise<{ version: number; problems: TextProblem[] }> {
    const findings = this.findings(place, text, false);
    const refused = refusalsIn(place.key, text, findings);
    if (refused.length) throw wordsRefused(problemsIn(text, refused));
    const now = this.clock.now();
    const saved = await this.database.write(async (tx) => {
      const origin = await this.originOf(tx, place, base, now);
      const words = { text, base, ...origin, by: by.id, byName: by.name, at: now };
      return version === 0 ? beginDraft(tx, place, words) : this.rewrite(tx, by, version, { ...place, ...words });
    });
    if (saved === null) {
      const theirs = await this.draftOf(place);
      // The same save once more: its first answer was lost.
      if (theirs?.text !== text || theirs.by !== by.id) throw await this.conflict(place, base, theirs);
      return { version: theirs.version, problems: problemsIn(text, findings) };
    }
    return { version: saved, problems: problemsIn(text, findings) };
  }

  private async rewrite(tx: Transaction, by: Author, version: number, words: Place & Written): Promise<number | null> {
    const before = await draftAt(tx, words);
    if (before?.version !== version) return null;
    const saved = await rewriteDraft(tx, before, words);
    // Single saves are not noted, but that somebody was waiting for these words, or for their time, is over.
    if (saved !== null && before.state !== 'draft') await this.note(tx, by, 'words.withdrawn', words, 'by an edit');
    return saved;
  }

  /** From which shipped and which English words an edit began. Both stay readable, whatever is shipped later. */
  private async originOf(
    tx: Transaction,
    { key, locale }: Place,
    base: string,
    now: number,
  ): Promise<Pick<WordsDraft, 'shippedHash' | 'englishHash'>> {
    const english = this.published.texts.read(key, SOURCE_LOCALE);
    const englishHash = english === null ? null : wordsHash(english);
    const shipped = this.published.texts.shipped(key, locale);
    if (shipped !== null) await keepRevision(tx, { key, locale, text: shipped, by: null }, now);
    if (isId('rev', base)) {
      const revision = await revisionById(tx, base);
      if (revision?.key !== key || revision.locale !== locale) throw noSuchBase();
      const former = await lastInForce(tx, revision);
      return { shippedHash: former?.shippedHash ?? (shipped === null ? null : wordsHash(shipped)), englishHash };
    }
    const hash = /^shipped:([0-9a-f]{32})?$/.exec(base)?.[1];
    if (hash === undefined && shipped === null && base === 'shipped:') return { shippedHash: null, englishHash };
    if (hash === undefined || !(await revisionByHash(tx, key, locale, hash))) throw noSuchBase();
    return { shippedHash: hash, englishHash };
  }

  private async conflict(
    place: Place,
    base: string,
    theirs: WordsDraft | null,
    detail = 'Somebody else saved this draft meanwhile: bring both together.',
  ): Promise<PosternError> {
    const text = await this.textOf(place, base);
    const given = theirs && { text: theirs.text, by: theirs.byName, at: isoTime(theirs.at), version: theirs.version };
    return new PosternError('draft-conflict', detail, {
      conflict: { theirs: given, base: text === null ? null : { text } },
    });
  }

  /** The text of a revision's id, of `shipped:` and a hash, or of `shipped`, `published`, `draft`; null if there is none. */
  async textOf(place: Place, id: string): Promise<string | null> {
    const { key, locale } = place;
    if (id === 'draft') return (await this.draftOf(place))?.text ?? null;
    if (id === 'published') return this.published.texts.read(key, locale);
    if (id === 'shipped') return this.published.texts.shipped(key, locale);
    return this.database.read(async (manager) => {
      const found = isId('rev', id)
        ? await revisionById(manager, id)
        : await revisionByHash(manager, key, locale, id.replace('shipped:', ''));
      return found?.text ?? null;
    });
  }

  revision(id: string): Promise<TemplateRevision | null> {
    return this.database.read((manager) => revisionById(manager, id));
  }

  history({ key, locale }: Place): Promise<Publication[]> {
    return this.database.read((manager) => historyOf(manager, key, locale));
  }

  throwAway(by: Author, place: Place): Promise<void> {
    return this.settle(by, place, { action: 'words.draft-discarded' }, (tx) => discardDraft(tx, place));
  }

  async submit(by: Author, place: Place, note: string): Promise<void> {
    const { text, version } = await this.mustHave(place);
    const errors = this.check(place, text, true).filter(({ severity }) => severity === 'error');
    if (errors.length) throw wordsRefused(errors);
    const entry = { action: 'words.submitted', detail: note };
    await this.settle(by, place, entry, (tx) => submitDraft(tx, place, version, note));
  }

  /** Back to a draft that somebody writes at. */
  withdraw(by: Author, place: Place): Promise<void> {
    return this.settle(by, place, { action: 'words.withdrawn' }, (tx) => withdrawDraft(tx, place));
  }

  private async settle(
    by: Author,
    place: Place,
    { action, detail = '' }: { action: string; detail?: string },
    change: (tx: Transaction) => Promise<boolean>,
  ): Promise<void> {
    await this.database.write(async (tx) => {
      if (!(await change(tx))) throw new PosternError('not-found', 'There is no such draft any more: look again.');
      await this.note(tx, by, action, place, detail);
    });
  }

  /**
   * Puts a draft into force, now or at a later time.
   * @param at ms since 1970
   * @param version the one that the publisher looked at; without it the newest
   */
  async publish(
    by: Author,
    place: Place,
    given: { why: string; at?: number | null; version?: number },
  ): Promise<{ revision: Id<'rev'> }> {
    const draft = await this.mustHave(place);
    if (given.version !== undefined && given.version !== draft.version)
      throw await this.conflict(place, draft.base, draft, CHANGED_MEANWHILE);
    if (this.config.studio.secondPerson && draft.authors.includes(by.id))
      throw new PosternError('second-person', 'You wrote these words: another person has to publish them.');
    const at = given.at ?? null;
    const isLater = at !== null && at > this.clock.now();
    const revision = await this.putIntoForce(by, draft, given.why, isLater ? at : null);
    if (revision === null) throw await this.conflict(place, draft.base, await this.draftOf(place), CHANGED_MEANWHILE);
    if (!isLater) await this.published.refresh();
    return { revision };
  }

  /** @returns null if the draft is not the same any more: somebody changed or published it meanwhile */
  private async putIntoForce(
    by: Author,
    draft: WordsDraft,
    why: string,
    publishAt: number | null,
  ): Promise<Id<'rev'> | null> {
    const { key, locale, text, shippedHash, englishHash } = draft;
    const errors = this.check(draft, text, true).filter(({ severity }) => severity === 'error');
    if (errors.length) throw wordsRefused(errors);
    const now = this.clock.now();
    return this.database.write(async (tx) => {
      if (!(await takeDraft(tx, draft, { by, why, publishAt }))) return null;
      const writer = { id: draft.by, name: draft.byName };
      const { id } = await keepRevision(tx, { key, locale, text, by: writer }, now);
      const kind = publishAt === null ? 'publish' : 'schedule';
      await decide(tx, { key, locale, kind, revisionId: id, shippedHash, englishHash, by, why, publishAt }, now);
      await this.note(tx, by, publishAt === null ? 'words.published' : 'words.scheduled', draft, `${id}; ${why}`);
      return id;
    });
  }

  /** Publishes what is due: once, whichever of many processes comes first. */
  async publishDue(): Promise<void> {
    const due = await this.database.read((manager) => dueDrafts(manager, this.clock.now()));
    let failed: unknown = null;
    for (const draft of due)
      // One that cannot even be tried holds up no other.
      await this.publishOne(draft).catch((error: unknown) => (failed ??= error));
    if (due.length) await this.published.refresh();
    if (failed) throw failed;
  }

  private async publishOne(draft: WordsDraft): Promise<void> {
    if (!isWordsKey(draft.key)) return; // of a mail that an older or newer version has
    const by = { id: draft.publisher ?? draft.by, name: draft.publisherName ?? draft.byName };
    // Who was blocked, removed, or publishes no more, publishes nothing by what they left behind.
    if (!(await this.mayPublish(by.id)))
      return this.stop(by, draft, `were not published: ${by.name}, who scheduled them, may not publish any more`);
    // It was not asked for when they were scheduled.
    if (this.config.studio.secondPerson && draft.authors.includes(by.id))
      return this.stop(by, draft, `were not published: ${by.name}, who scheduled them, wrote at them`);
    try {
      await this.putIntoForce(by, draft, draft.note, null);
    } catch (error) {
      if (!(error instanceof PosternError) || error.code !== 'words-refused') throw error;
      // What it was checked against has changed since. It waits for a person, and is not tried every few seconds.
      await this.stop(by, draft, 'were not published: when their time came they did not pass the checks');
    }
  }

  private async mayPublish(id: string): Promise<boolean> {
    const person = isId('usr', id)
      ? await this.database.read((manager) => manager.findOneBy(Person, { id, ...stillIn }))
      : null;
    return person !== null && mayDo(person.roles, 'publisher', EVERY_BRAND);
  }

  /** Makes a draft again of what cannot come into force, with an alarm on the board until somebody does something about it. */
  private async stop(by: Author, draft: WordsDraft, message: string): Promise<void> {
    const { key, locale } = draft;
    const now = this.clock.now();
    const isStopped = await this.database.write(async (tx) => {
      if (!(await stopDraft(tx, draft, { message, now }))) return false;
      const subject = placeOf(key, locale);
      await audit(tx, { actor: 'postern', action: 'words.withdrawn', subject, detail: `${by.id}: ${message}` }, now);
      return true;
    });
    if (isStopped) this.logger.error('scheduled words were not published', { words: placeOf(key, locale), message });
  }

  /**
   * Makes earlier words count again: a revision's id, or `shipped`. Doing it twice does it once. Only words that counted
   * once: all others go the way of a draft, where a second person may be asked for.
   * @throws PosternError `words-refused` if they never counted, or do not pass the checks of today
   */
  async rollback(by: Author, place: Place, to: string, why: string): Promise<{ revision: string }> {
    const { key, locale } = place;
    const revision = to === 'shipped' ? null : await this.revision(to);
    if (to !== 'shipped' && (revision?.key !== key || revision.locale !== locale))
      throw new PosternError('not-found', 'These words have no such revision.');
    const text = revision ? revision.text : this.published.texts.shipped(key, locale);
    if (text === null && key !== 'pages' && locale === this.config.defaultLocale)
      throw new PosternError('words-refused', 'Nothing was shipped that could count instead.');
    const former = revision && (await this.database.read((manager) => lastInForce(manager, revision)));
    if (revision) {
      if (!former && revision.origin !== 'shipped')
        throw new PosternError('words-refused', 'These words never counted: save them as a draft, and publish that.');
      const errors = this.check(place, revision.text, true).filter(({ severity }) => severity === 'error');
      if (errors.length) throw wordsRefused(errors);
    }
    const now = this.clock.now();
    await this.database.write(async (tx) => {
      if ((await lockCounting(tx, key, locale)) === (revision?.id ?? null)) return;
      const hashes = { shippedHash: former?.shippedHash ?? null, englishHash: former?.englishHash ?? null };
      await decide(tx, { key, locale, kind: 'rollback', revisionId: revision?.id ?? null, ...hashes, by, why }, now);
      await this.note(tx, by, 'words.rolled-back', place, `${revision?.id ?? 'shipped'}; ${why}`);
    });
    await this.published.refresh();
    return { revision: revision?.id ?? 'shipped' };
  }

  private async mustHave(place: Place): Promise<WordsDraft> {
    const draft = await this.draftOf(place);
    if (!draft) throw new PosternError('not-found', 'There is no draft of these words.');
    return draft;
  }

  private note(tx: Transaction, by: Author, action: string, { key, locale }: Place, detail: string): Promise<void> {
    return audit(tx, { actor: by.id, action, subject: placeOf(key, locale), detail }, this.clock.now());
  }
}

export function wordsRefused(problems: readonly TextProblem[]): PosternError {
  const [first] = problems;
  const detail = first ? `Line ${first.line}: ${first.message}` : 'The words cannot be used.';
  return new PosternError('words-refused', detail, { problems });
}

function noSuchBase(): PosternError {
  return new PosternError('invalid-request', 'The words that this draft began from are not known here: open it anew.');
}
