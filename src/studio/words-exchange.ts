import { Injectable } from '@nestjs/common';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PosternError } from '../errors.js';
import type { Author } from '../templates/revisions.js';
import { PublishedWords } from '../templates/published.js';
import { shellsDir, templatesDir } from '../templates/templates.module.js';
import { type WordsKey, wordsFile, wordsKeys } from '../templates/words-texts.js';
import { exportXliff, importXliff } from '../translations/exchange.js';
import { XliffError } from '../translations/xliff.js';
import { WordsDesk } from './words-desk.js';

export interface Exchanged {
  accepted: string[];
  refused: { unit: string; line: number; message: string }[];
}

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
    for (const [key, text] of changed) {
      const draft = drafts.get(key);
      const base = draft?.base ?? this.published.texts.idOf(key, locale);
      const noBase = this.published.texts.read(key, locale) === null;
      await this.desk.save(
        by,
        { key, locale },
        { text: text!, version: draft?.version ?? 0, base: noBase ? 'shipped:' : base },
      );
    }
    return {
      accepted: report.accepted,
      refused: report.refused.map(({ id, line, message }) => ({ unit: id, line, message })),
    };
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
