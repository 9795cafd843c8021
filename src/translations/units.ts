/** The words of one locale, mails and pages alike, cut into the pieces that are translated one by one. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { placeOf, type Problem, type Vocabulary } from '../templates/mustache.js';
import { templateKeys, templateLayouts, wordsVocabulary } from '../templates/values.js';
import { frameParts, frameShape, readWords, wordsShape } from '../templates/words.js';

export interface Unit {
  /** The same in every locale: `ticket-replied/subject`, `pages/landing.title`. */
  id: string;
  /** What is taken or refused as one: the mail, or the sentence itself. */
  whole: string;
  text: string;
  format: 'line' | 'markdown' | 'icu';
  /** Named from the project's root. */
  file: string;
  /** Where it begins in its file, or where `needle` stands in it. */
  at: (needle?: string) => { line: number; column: number };
}

export interface Finding extends Problem {
  severity: 'error' | 'warning';
  /** Of the unit, or of the whole mail. */
  about: string;
}

export interface LocaleWords {
  units: ReadonlyMap<string, Unit>;
  findings: Finding[];
}

/** A mail's file, or that of the frame around all mails: what its fields are, and what they may name. */
export interface MailFile {
  key: string;
  shape: Readonly<Record<string, 'line' | 'markdown'>>;
  vocabulary: Vocabulary;
  parts: readonly string[];
}

export const mailFiles: readonly MailFile[] = [
  {
    key: '_frame',
    shape: frameShape,
    vocabulary: { ...wordsVocabulary('notification'), ...wordsVocabulary('code') },
    parts: [],
  },
  ...templateKeys.map((key) => {
    const layout = templateLayouts[key];
    return { key, shape: wordsShape[layout], vocabulary: wordsVocabulary(layout), parts: frameParts };
  }),
];

export const mailPath = (key: string, locale: string): string => join('content', key, `${locale}.hbs`);
export const pagesPath = (locale: string): string => join('pages', `${locale}.json`);

/** Every locale that has a file of words, sorted. */
export function localesOf(templatesDir: string): string[] {
  const folders = [...mailFiles.map(({ key }) => ['content', key, '.hbs']), ['pages', '.', '.json']];
  const found = folders.flatMap(([folder = '', key = '', extension = '']) => {
    const dir = join(templatesDir, folder, key);
    const names = existsSync(dir) ? readdirSync(dir) : [];
    return names.filter((name) => name.endsWith(extension)).map((name) => name.slice(0, -extension.length));
  });
  // Of the pages' folder, markup has another ending; names that are no tag are somebody's notes.
  return [...new Set(found)].filter((name) => /^[a-z]{2,3}(-[A-Za-z0-9]+)*$/.test(name)).sort();
}

/** Reads all words of a locale, as far as they can be read. */
export function readLocale(templatesDir: string, locale: string): LocaleWords {
  const units = new Map<string, Unit>();
  const findings: Finding[] = [];
  for (const file of mailFiles) readMailFile(templatesDir, locale, file, units, findings);
  readPagesFile(templatesDir, locale, units, findings);
  return { units, findings };
}

/** First 8 hexadecimal digits of the SHA-256: tells whether a sentence is still the one that was translated. */
export function sourceHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** Reads one text of words: of a mail, of the frame around mails, or of the pages. `file` is its name, for people. */
export function readText(key: string, text: string, file: string): LocaleWords {
  const units = new Map<string, Unit>();
  const findings: Finding[] = [];
  const mail = mailFiles.find((each) => each.key === key);
  if (mail) readMail(text, file, mail, units, findings);
  else readPages(text, file, units, findings);
  return { units, findings };
}

function readMailFile(
  templatesDir: string,
  locale: string,
  mail: MailFile,
  units: Map<string, Unit>,
  findings: Finding[],
): void {
  const path = mailPath(mail.key, locale);
  const file = `templates/${path}`;
  if (!existsSync(join(templatesDir, path))) {
    findings.push(error(mail.key, { file, line: 0, column: 0, message: 'is missing: write the words of this mail' }));
    return;
  }
  readMail(readFileSync(join(templatesDir, path), 'utf8'), file, mail, units, findings);
}

function readMail(
  text: string,
  file: string,
  { key, shape, vocabulary, parts }: MailFile,
  units: Map<string, Unit>,
  findings: Finding[],
): void {
  const { words, problems } = readWords(text, file, shape, vocabulary, parts);
  findings.push(...problems.map((problem) => error(key, problem)));
  for (const [name, { raw, kind, at }] of words)
    if (raw) units.set(`${key}/${name}`, { id: `${key}/${name}`, whole: key, text: raw, format: kind, file, at });
}

function readPagesFile(templatesDir: string, locale: string, units: Map<string, Unit>, findings: Finding[]): void {
  const path = pagesPath(locale);
  const file = `templates/${path}`;
  if (!existsSync(join(templatesDir, path))) {
    findings.push(
      error('pages', { file, line: 0, column: 0, message: 'is missing: write the sentences of the pages' }),
    );
    return;
  }
  readPages(readFileSync(join(templatesDir, path), 'utf8'), file, units, findings);
}

/** There are some 300. Beyond that a check would take as long as somebody likes. */
const MOST_SENTENCES = 1000;

function readPages(text: string, file: string, units: Map<string, Unit>, findings: Finding[]): void {
  const sentences = parsePages(text, file, findings);
  if (Object.keys(sentences).length === 0) return;
  if (Object.keys(sentences).length > MOST_SENTENCES) {
    const message = `is longer than ${MOST_SENTENCES} sentences: nobody shows so many`;
    findings.push(error('pages', { file, line: 1, column: 1, message }));
    return;
  }
  const begins = sentencesIn(text);
  for (const [key, sentence] of Object.entries(sentences)) {
    const id = `pages/${key}`;
    const [begin = 0, ...more] = begins.get(key) ?? [];
    const at = (needle?: string) => sentencePlace(text, begin, needle);
    if (more.length > 0)
      findings.push(
        error(id, { file, ...at(), message: `"${key}" stands here twice: take out the one that is wrong` }),
      );
    if (typeof sentence === 'string') units.set(id, { id, whole: id, text: sentence, format: 'icu', file, at });
    else findings.push(error(id, { file, ...at(), message: `"${key}" must be a sentence in quotes` }));
  }
}

function parsePages(text: string, file: string, findings: Finding[]): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
    findings.push(error('pages', { file, line: 1, column: 1, message: 'must be an object: { "key": "sentence" }' }));
  } catch (thrown) {
    const said = thrown instanceof Error ? thrown.message : String(thrown);
    const offset = /at position (\d+)/.exec(said)?.[1];
    const place = placeOf(text, offset === undefined ? text.trimEnd().length : Number(offset));
    const message = `is not JSON (${said.replace(/ in JSON.*| at position.*/, '')}): each line is "key": "sentence", with a comma between two`;
    findings.push(error('pages', { file, ...place, message }));
  }
  return {};
}

/** Where the value of each key begins, after its quote: more than once for a key that stands there twice. Offsets. */
function sentencesIn(text: string): Map<string, number[]> {
  const begins = new Map<string, number[]>();
  for (const match of text.matchAll(/("(?:\\[^]|[^"\\])*")(\s*:\s*)?/g)) {
    const [whole, name, colon] = match;
    if (colon === undefined) continue;
    const key = JSON.parse(name!) as string;
    const begin = match.index + whole.length;
    begins.set(key, [...(begins.get(key) ?? []), text[begin] === '"' ? begin + 1 : begin]);
  }
  return begins;
}

/** The place of a sentence, or of `needle` in it. `needle` is looked for as JSON writes it. */
function sentencePlace(text: string, begin: number, needle = ''): { line: number; column: number } {
  if (begin === 0) return { line: 1, column: 1 };
  const [sentence] = /^(?:\\[^]|[^"\\])*/.exec(text.slice(begin))!;
  const found = needle ? sentence.indexOf(JSON.stringify(needle).slice(1, -1)) : -1;
  return placeOf(text, begin + Math.max(0, found));
}

function error(about: string, problem: Problem): Finding {
  return { ...problem, severity: 'error', about };
}
