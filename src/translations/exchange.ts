/** Translations on their way out to translators and back. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { canonicalLocale } from '../platform/locale.js';
import { checkSyntax } from '../templates/mustache.js';
import { checkWords, SOURCE_LOCALE } from './checks.js';
import { Lock, type State } from './lock.js';
import { notesOf } from './notes.js';
import { isPseudo } from './pseudo.js';
import { unitFaults } from './unit-checks.js';
import { mailFiles, mailPath, pagesPath, readLocale, type Unit } from './units.js';
import { readXliff, writeXliff, XliffError, type ImportedUnit } from './xliff.js';

/** All words of a locale beside their English, with the state that each translation has. */
export function exportXliff(templatesDir: string, locale: string): string {
  const english = readLocale(templatesDir, SOURCE_LOCALE).units;
  const own = readLocale(templatesDir, translatable(locale)).units;
  const lock = Lock.read(templatesDir);
  const units = [...english.values()].map((source) => {
    const target = own.get(source.id) ?? null;
    const state: State = target ? lock.state(locale, source) : 'initial';
    return { source, target, state, notes: notesOf(source) };
  });
  return writeXliff(SOURCE_LOCALE, locale, units);
}

export interface ImportReport {
  locale: string;
  /** Units whose translation is now the one of the file. */
  taken: number;
  /** Their ids. */
  accepted: string[];
  /** `line`: in the XLIFF file. */
  refused: { line: number; id: string; message: string }[];
  /** Without a translation in the file, or `initial`: left as they were. */
  untouched: number;
}

/**
 * Takes the translations of an XLIFF file that are right, and leaves the others as they were: sentence by sentence,
 * and each mail as a whole.
 * @throws XliffError if the file cannot be read at all
 */
export function importXliff(options: { templatesDir: string; shellsDir: string }, text: string): ImportReport {
  const { templatesDir } = options;
  const { locale: given, units } = readXliff(text);
  const locale = translatable(given);
  const english = readLocale(templatesDir, SOURCE_LOCALE).units;
  const own = readLocale(templatesDir, locale).units;
  const refusals = new Map<string, { line: number; id: string; message: string }>();
  const wanted = new Map<string, ImportedUnit & { target: string }>();
  let untouched = 0;
  for (const unit of units) {
    const source = english.get(unit.id);
    const fault = source ? faultOf(unit, source, locale) : 'is unknown: no mail and no page has it';
    const refuse = (message: string) => refusals.set(unit.id, { line: unit.line, id: unit.id, message });
    if (wanted.delete(unit.id) || refusals.has(unit.id)) refuse('is in the file twice');
    else if (unit.target === null || unit.state === 'initial') untouched++;
    else if (fault) refuse(fault);
    else wanted.set(unit.id, { ...unit, target: textOf(unit.target, source!) });
  }
  const stage = mkdtempSync(join(tmpdir(), 'postern-import-'));
  try {
    const taken = settle({ ...options, stage, locale, english, own, wanted, refusals });
    bringHome(stage, templatesDir, locale);
    record(templatesDir, locale, english, taken);
    const refused = [...refusals.values()].sort((a, b) => a.line - b.line);
    return { locale, taken: taken.length, accepted: taken.map(({ id }) => id), refused, untouched };
  } finally {
    rmSync(stage, { recursive: true });
  }
}

/** @throws XliffError if there is nothing to translate into it */
function translatable(locale: string): string {
  if (canonicalLocale(locale) === locale && locale !== SOURCE_LOCALE && !isPseudo(locale)) return locale;
  throw new XliffError(`is in "${locale}": a language to translate into is named by a tag like de or pt-BR`);
}

function faultOf({ target, source: given }: ImportedUnit, source: Unit, locale: string): string | null {
  if (given !== source.text) return 'was made of an English that has changed: export again';
  const unit = { ...source, text: textOf(target ?? '', source) };
  const file = mailFiles.find(({ key }) => key === source.whole);
  if (file) {
    const [problem] = checkSyntax(unit.text, '', file.vocabulary, file.parts);
    if (problem) return problem.message;
    if (source.format === 'line' && unit.text.includes('\n')) return 'must be one line';
  }
  const fault = unitFaults(unit, source, locale).find(({ severity }) => severity === 'error');
  return fault ? fault.message : null;
}

/** The blanks around a mail's words say nothing, and files differ in them. */
function textOf(target: string, { format }: Unit): string {
  return format === 'icu' ? target : target.trim();
}

interface Settlement {
  templatesDir: string;
  shellsDir: string;
  stage: string;
  locale: string;
  english: ReadonlyMap<string, Unit>;
  own: ReadonlyMap<string, Unit>;
  wanted: Map<string, ImportedUnit & { target: string }>;
  refusals: Map<string, { line: number; id: string; message: string }>;
}

/**
 * Writes what is wanted into the stage and checks it there, whole by whole, until nothing is left that is wrong.
 * @returns the units that are in it
 */
function settle(settlement: Settlement): ImportedUnit[] {
  const { templatesDir, shellsDir, stage, locale, english, wanted, refusals } = settlement;
  for (;;) {
    dropHalfMails(settlement);
    for (const name of ['content', 'pages', 'brands', 'samples', 'translations.json'])
      if (existsSync(join(templatesDir, name)))
        cpSync(join(templatesDir, name), join(stage, name), { recursive: true });
    removeNew(stage, templatesDir, locale);
    writeMails(settlement);
    writePages(settlement);
    const errors = checkWords({ templatesDir: stage, shellsDir, locales: [locale] }).filter(
      ({ severity }) => severity === 'error',
    );
    const wrong = [...wanted.values()].filter(({ id }) => {
      const { whole } = english.get(id)!;
      const error = errors.find(({ about }) => about === id || about === whole || about.startsWith(`${whole}/`));
      if (error) refusals.set(id, { line: wanted.get(id)!.line, id, message: error.message });
      return error !== undefined;
    });
    if (wrong.length === 0) return [...wanted.values()];
    for (const { id } of wrong) wanted.delete(id);
  }
}

/** A mail of which something was refused stays as it was, and so does one that would lack something. */
function dropHalfMails({ english, own, wanted, refusals }: Settlement): void {
  for (const { key } of mailFiles) {
    const parts = [...english.values()].filter(({ whole }) => whole === key);
    const culprit = parts.find(({ id }) => refusals.has(id) && !refusals.get(id)!.message.startsWith('is right, but'));
    const lacking = parts.find(({ id }) => !wanted.has(id) && !own.has(id));
    const reason = culprit ?? lacking;
    if (!reason) continue;
    const why = culprit ? `"${fieldOf(reason)}" is refused` : `"${fieldOf(reason)}" has no translation`;
    for (const { id } of parts) {
      const unit = wanted.get(id);
      if (!unit) continue;
      refusals.set(id, { line: unit.line, id, message: `is right, but ${why}: a mail is taken as a whole` });
      wanted.delete(id);
    }
  }
}

function fieldOf({ id, whole }: Unit): string {
  return id.slice(whole.length + 1);
}

/** Files that an earlier round made and this one may not. */
function removeNew(stage: string, templatesDir: string, locale: string): void {
  for (const path of pathsOf(locale))
    if (!existsSync(join(templatesDir, path))) rmSync(join(stage, path), { force: true });
}

function pathsOf(locale: string): string[] {
  return [...mailFiles.map(({ key }) => mailPath(key, locale)), pagesPath(locale)];
}

function writeMails({ stage, locale, own, wanted }: Settlement): void {
  for (const { key, shape } of mailFiles) {
    const names = Object.keys(shape);
    const isChanged = (id: string) => wanted.has(id) && wanted.get(id)!.target !== own.get(id)?.text;
    if (!names.some((name) => isChanged(`${key}/${name}`))) continue;
    const text = (name: string) => wanted.get(`${key}/${name}`)?.target ?? own.get(`${key}/${name}`)!.text;
    const fields = names.filter((name) => name !== 'body').map((name) => `${name}: ${yamlText(text(name))}\n`);
    const body = names.includes('body') ? `${text('body')}\n` : '';
    writeFileSync(join(stage, mailPath(key, locale)), `---\n${fields.join('')}---\n${body}`);
  }
}

/** A YAML scalar: in quotes, or line by line where there are several. */
function yamlText(text: string): string {
  if (!text.includes('\n')) return `'${text.replaceAll("'", "''")}'`;
  return `|\n${text.replace(/^(?=.)/gm, '  ')}`;
}

/** In the order and the groups of the English file. */
function writePages({ templatesDir, stage, locale, own, wanted }: Settlement): void {
  const isChanged = [...wanted.values()].some(
    ({ id, target }) => id.startsWith('pages/') && own.get(id)?.text !== target,
  );
  if (!isChanged) return;
  const english = readFileSync(join(templatesDir, pagesPath(SOURCE_LOCALE)), 'utf8');
  const lines = english.split('\n').flatMap((line) => {
    const key = /^\s*("(?:\\.|[^"\\])+")\s*:/.exec(line)?.[1];
    if (key === undefined) return [line];
    const id = `pages/${String(JSON.parse(key))}`;
    const sentence = wanted.get(id)?.target ?? own.get(id)?.text;
    return sentence === undefined ? [] : [`  ${key}: ${JSON.stringify(sentence)},`];
  });
  const text = lines
    .join('\n')
    .replace(/,(\s*\})/, '$1')
    .replace(/\n{3,}/g, '\n\n');
  writeFileSync(join(stage, pagesPath(locale)), text);
}

function bringHome(stage: string, templatesDir: string, locale: string): void {
  for (const path of pathsOf(locale)) {
    const [from, to] = [join(stage, path), join(templatesDir, path)];
    if (!existsSync(from)) continue;
    const text = readFileSync(from);
    if (existsSync(to) && readFileSync(to).equals(text)) continue;
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(`${to}.new`, text);
    renameSync(`${to}.new`, to);
  }
}

function record(
  templatesDir: string,
  locale: string,
  english: ReadonlyMap<string, Unit>,
  taken: readonly ImportedUnit[],
): void {
  if (taken.length === 0) return;
  const lock = Lock.read(templatesDir);
  for (const { id, state } of taken) lock.accept(locale, english.get(id)!, state);
  lock.save();
}
