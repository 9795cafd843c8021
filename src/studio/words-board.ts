import { Injectable } from '@nestjs/common';
import { isoTime } from '../platform/clock.js';
import { textDirection } from '../platform/locale.js';
import { Database } from '../platform/database/database.js';
import { selectRows } from '../platform/database/rows.js';
import { PublishedWords, type WordsAlarm } from '../templates/published.js';
import { templatesDir } from '../templates/templates.module.js';
import { CurrentWords, Publication, type WordsDraft } from '../templates/words.entity.js';
import { placeOf, type WordsKey, wordsHash, wordsKeys, type WordsTexts } from '../templates/words-texts.js';
import { SOURCE_LOCALE } from '../translations/checks.js';
import { Lock } from '../translations/lock.js';
import { readText, type Unit } from '../translations/units.js';
import { WordsDesk } from './words-desk.js';
import { wordsTitles } from './words-vocabulary.js';

type State = 'shipped' | 'published' | 'draft' | 'submitted' | 'scheduled' | 'stale' | 'missing' | 'failing';

interface Cell {
  state: State;
  /** Of the words in force: a revision's id, or `shipped:` and the hash. */
  revision: string | null;
  editedBy?: string;
  at?: string;
  problems: number;
  /** The words were edited, and a newer version shipped other ones than those that the edit began from. */
  shippedChanged: boolean;
}

export interface Board {
  keys: { key: WordsKey; title: string; kind: 'mail' | 'frame' | 'pages' }[];
  locales: { tag: string; name: string; dir: 'ltr' | 'rtl' }[];
  cells: Record<string, Record<string, Cell>>;
  counts: Record<string, Partial<Record<State, number>>>;
  alarms: (Omit<WordsAlarm, 'since'> & { since: string })[];
}

export interface Hit {
  key: WordsKey;
  locale: string;
  line: number;
  text: string;
  /** Offsets in `text`, UTF-16 units. */
  ranges: [from: number, to: number][];
}

const MOST_HITS = 200;
/** How much of a line is shown, and how much of it before what was found. UTF-16 units. */
const LONGEST_LINE = 300;
const BEFORE_HIT = 60;

/** Words that were to come into force by themselves, and did not. */
function alarmOf({ key, locale, alarm, alarmAt }: WordsDraft): WordsAlarm[] {
  return alarm === null ? [] : [{ key, locale, message: alarm, since: alarmAt ?? 0 }];
}

/** What is in force of every text, who works at it, and where something is said. */
@Injectable()
export class WordsBoard {
  constructor(
    private readonly database: Database,
    private readonly published: PublishedWords,
    private readonly desk: WordsDesk,
  ) {}

  async show(): Promise<Board> {
    const { texts, alarms } = this.published;
    const [drafts, decisions] = await Promise.all([this.desk.drafts(), this.decisions()]);
    const locales = localesOf(texts, drafts);
    const staleness = new Staleness(texts);
    const given = {
      drafts: new Map(drafts.map((draft) => [placeOf(draft.key, draft.locale), draft])),
      failing: new Set(alarms.map(({ key, locale }) => placeOf(key, locale))),
      decisions,
      staleness,
    };
    const cells: Board['cells'] = {};
    const counts: Board['counts'] = {};
    for (const key of wordsKeys)
      for (const locale of locales) {
        const cell = this.cell(key, locale, given);
        (cells[key] ??= {})[locale] = cell;
        const ofLocale = (counts[locale] ??= {});
        ofLocale[cell.state] = (ofLocale[cell.state] ?? 0) + 1;
      }
    return {
      keys: wordsKeys.map((key) => ({ key, title: wordsTitles[key], kind: kindOf(key) })),
      locales: locales.map((tag) => ({ tag, name: nameOf(tag), dir: textDirection(tag) })),
      cells,
      counts,
      alarms: [...alarms, ...drafts.flatMap(alarmOf)].map((alarm) => ({ ...alarm, since: isoTime(alarm.since) })),
    };
  }

  private cell(
    key: WordsKey,
    locale: string,
    {
      drafts,
      failing,
      decisions,
      staleness,
    }: {
      drafts: Map<string, WordsDraft>;
      failing: Set<string>;
      decisions: Map<string, Publication>;
      staleness: Staleness;
    },
  ): Cell {
    const { texts } = this.published;
    const place = placeOf(key, locale);
    const draft = drafts.get(place);
    const decision = decisions.get(place);
    const text = texts.read(key, locale);
    const shipped = texts.shipped(key, locale);
    const isStale = text !== null && staleness.isStale(key, locale, decision ?? null);
    const state: State = failing.has(place)
      ? 'failing'
      : draft && draft.state !== 'gone'
        ? draft.state
        : text === null
          ? 'missing'
          : isStale
            ? 'stale'
            : decision
              ? 'published'
              : 'shipped';
    const who = draft
      ? { editedBy: draft.byName, at: draft.at }
      : decision && { editedBy: decision.byName, at: decision.at };
    const checked = draft?.text ?? (decision ? text : null);
    const from = draft ? draft.shippedHash : (decision?.shippedHash ?? null);
    return {
      state,
      revision: text === null ? null : texts.idOf(key, locale),
      ...(who ? { editedBy: who.editedBy, at: isoTime(who.at) } : {}),
      problems: checked === null ? 0 : this.desk.check({ key, locale }, checked).length,
      shippedChanged:
        (draft !== undefined || decision !== undefined) &&
        shipped !== null &&
        from !== null &&
        from !== wordsHash(shipped),
    };
  }

  /** Behind every text that counts instead of a shipped one. */
  private async decisions(): Promise<Map<string, Publication>> {
    return this.database.read(async (manager) => {
      const current = await selectRows(manager, CurrentWords, 'WHERE revision_id IS NOT NULL');
      const ids = current.map(({ publicationId }) => publicationId);
      const found = await selectRows(manager, Publication, 'WHERE id IN ?', [ids]);
      return new Map(found.map((one) => [placeOf(one.key, one.locale), one]));
    });
  }

  /** Every line that says it, in all words that count: at most 200. */
  search(query: string): Hit[] {
    const wanted = query.trim().slice(0, 100);
    if (!wanted) return [];
    const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'giu');
    const hits: Hit[] = [];
    for (const key of wordsKeys)
      for (const locale of localesOf(this.published.texts, []))
        for (const [index, line] of (this.published.texts.read(key, locale) ?? '').split('\n').entries()) {
          const found = [...line.matchAll(pattern)].map((one): [number, number] => [
            one.index,
            one.index + one[0].length,
          ]);
          if (found.length) hits.push({ key, locale, line: index + 1, ...excerpt(line, found) });
          if (hits.length >= MOST_HITS) return hits;
        }
    return hits;
  }
}

/** As much of a line as a list shows, so that the first of what was found is in it. */
function excerpt(line: string, found: [number, number][]): Pick<Hit, 'text' | 'ranges'> {
  if (line.length <= LONGEST_LINE) return { text: line, ranges: found };
  const first = found[0]![1] <= LONGEST_LINE ? 0 : found[0]![0] - BEFORE_HIT;
  const [start, end] = [Math.max(0, first), first + LONGEST_LINE];
  const ranges = found.filter(([, to]) => to <= end).map(([from, to]): [number, number] => [from - start, to - start]);
  return { text: line.slice(start, end), ranges };
}

/** Whether a translation was made of another English than the one in force. */
class Staleness {
  private readonly lock = Lock.read(templatesDir);
  private readonly english = new Map<WordsKey, { hash: string; units: Unit[] }>();

  constructor(private readonly texts: WordsTexts) {}

  isStale(key: WordsKey, locale: string, decision: Publication | null): boolean {
    if (locale === SOURCE_LOCALE) return false;
    const { hash, units } = this.englishOf(key);
    if (decision) return decision.englishHash !== null && decision.englishHash !== hash;
    return units.some((unit) => this.lock.age(locale, unit) === 'stale');
  }

  private englishOf(key: WordsKey): { hash: string; units: Unit[] } {
    const known = this.english.get(key);
    if (known) return known;
    const text = this.texts.read(key, SOURCE_LOCALE) ?? '';
    const made = { hash: wordsHash(text), units: [...readText(key, text, '').units.values()] };
    this.english.set(key, made);
    return made;
  }
}

function localesOf(texts: WordsTexts, drafts: readonly WordsDraft[]): string[] {
  const all = [...texts.locales().keys(), ...drafts.map(({ locale }) => locale)];
  // English first: the others are made of it.
  const order = (tag: string) => (tag === SOURCE_LOCALE ? '' : tag);
  return [...new Set(all)].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

function kindOf(key: WordsKey): 'mail' | 'frame' | 'pages' {
  return key === '_frame' ? 'frame' : key === 'pages' ? 'pages' : 'mail';
}

function nameOf(tag: string): string {
  return new Intl.DisplayNames(['en'], { type: 'language' }).of(tag) ?? tag;
}
