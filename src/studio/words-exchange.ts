import { Injectable } from '@nestjs/common';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PosternError } from '../errors.js';
import type { Author } from '../templates/revisions.js';
import { PublishedWords } from '../templates/published.js';
import { shellsDir, templatesDir } from '../templates/templates.module.js';
import type { WordsDraft } from '../templates/words.entity.js';
import { type WordsKey, wordsFile, wordsKeys } from '../templates/words-texts.js';
import { exportXliff, importXliff } from '../translations/exchange.js';
import { XliffError } from '../translations/xliff.js';
import { WordsDesk } from './words-desk.js';
import type { Place } from './words-drafts.js';

export interface Exchanged {
  accepted: string[];
  refused: { unit: string; line: number; message: string }[];
}

const DECIDED: Partial<Record<WordsDraft['state'], string>> = {
  submitted: 'waits for review: take it back to a draft first',
  scheduled: 'is scheduled: take it back to a draft first',
};

/** Translations on their way to translators and back, as files: by the code of `npm run translations`. */
@Injectable()
export class WordsExchange {
  constructor(
    private readonly published: PublishedWords,
    private readonly desk: WordsDesk,
  ) {}

  /** All words of a locale as they count now, as XLIFF 2.1. @throws PosternError if there is nothing to translate into it */
  download(locale: string): string {
    return this.staged(locale, new Map(), (stage) => orRefused(() => exportXliff(stage, locale)));
  }

  /** Takes what is right of an XLIFF file into drafts, over those that are there. What it refuses is left as it was. */
  async upload(by: Author, locale: string, xliff: string): Promise<Exchanged> {
    const drafts = new Map(
      (await this.desk.drafts()).flatMap((one) => (one.locale === locale ? [[one.key, one] as const] : [])),
    );
    const texts = new Map([...drafts].map(([key, { text }]) => [key, text]));
    const { report, changed } = this.staged(locale, texts, (stage) => {
      const imported = orRefused(() => importXliff({ templatesDir: stage, shellsDir }, xliff));
      if (imported.locale !== locale)
        throw new PosternError('words-refused', `The file is in "${imported.locale}", and this is ${locale}.`);
      const now = wordsKeys.map((key) => [key, readStaged(stage, key, locale)] as const);
      const before = (key: WordsKey) => texts.get(key) ?? this.published.texts.read(key, locale);
      return { report: imported, changed: now.filter(([key, text]) => text !== null && text !== before(key)) };
    });
    const lost = new Map<string, string>();
    for (const [key, text] of changed) {
      // Somebody looks at it, or its time is set: a file takes neither back.
      const decided = DECIDED[drafts.get(key)?.state ?? 'draft'];
      if (decided !== undefined) {
        lost.set(key, decided);
        continue;
      }
      try {
        await this.save(by, { key, locale }, text!, drafts.get(key) ?? null);
      } catch (error) {
        if (!(error instanceof PosternError)) throw error;
        lost.set(key, error.message); // somebody saved meanwhile; the others are in their drafts already
      }
    }
    const whyLost = (unit: string) => lost.get(unit.slice(0, unit.indexOf('/')));
    return {
      accepted: report.accepted.filter((unit) => whyLost(unit) === undefined),
      refused: [
        ...report.refused.map(({ id, line, message }) => ({ unit: id, line, message })),
        ...report.accepted.flatMap((unit) => {
          const message = whyLost(unit);
          return message === undefined ? [] : [{ unit, line: 1, message }];
        }),
      ],
    };
  }

  private async save(by: Author, place: Place, text: string, draft: WordsDraft | null): Promise<void> {
    const { texts } = this.published;
    const base = texts.read(place.key, place.locale) === null ? 'shipped:' : texts.idOf(place.key, place.locale);
    await this.desk.save(by, place, { text, version: draft?.version ?? 0, base: draft?.base ?? base });
  }

  /** Does the work in a folder that holds all words as they count now, and these drafts over them. */
  private staged<T>(locale: string, drafts: ReadonlyMap<WordsKey, string>, work: (stage: string) => T): T {
    const stage = mkdtempSync(join(tmpdir(), 'postern-words-'));
    try {
      for (const name of ['content', 'pages', 'brands', 'samples', 'translations.json'])
        if (existsSync(join(templatesDir, name)))
          cpSync(join(templatesDir, name), join(stage, name), { recursive: true });
      const { texts } = this.published;
      for (const key of wordsKeys) {
        for (const each of texts.editedLocales(key)) writeStaged(stage, key, each, texts.read(key, each)!);
        const draft = drafts.get(key);
        if (draft !== undefined) writeStaged(stage, key, locale, draft);
      }
      return work(stage);
    } finally {
      rmSync(stage, { recursive: true });
    }
  }
}

function pathIn(stage: string, key: WordsKey, locale: string): string {
  return join(stage, wordsFile(key, locale).replace(/^templates\//, ''));
}

function readStaged(stage: string, key: WordsKey, locale: string): string | null {
  const path = pathIn(stage, key, locale);
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function writeStaged(stage: string, key: WordsKey, locale: string, text: string): void {
  const path = pathIn(stage, key, locale);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function orRefused<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof XliffError) throw new PosternError('words-refused', `The file ${error.message}.`);
    throw error;
  }
}
