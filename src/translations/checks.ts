/** Everything that is wrong with the words of all locales: what `npm run templates:check` says. */
import { loadBrand } from '../templates/brand.js';
import { TemplateCatalogue, TemplateProblems } from '../templates/catalogue.js';
import { readSamples } from '../templates/samples.js';
import { templateKeys, type TemplateKey } from '../templates/values.js';
import { GuestPages } from '../portal/pages.js';
import { Lock } from './lock.js';
import { unitFaults } from './unit-checks.js';
import { type Finding, localesOf, type LocaleWords, readLocale, type Unit } from './units.js';

export interface CheckOptions {
  templatesDir: string;
  shellsDir: string;
  /** All by default; English is always read, because the others are held against it. */
  locales?: readonly string[];
}

export const SOURCE_LOCALE = 'en';

/** Longer ones are cut by the inboxes of phones. Characters, as people count them. */
const LONGEST_SUBJECT = 78;
const LONGEST_PREHEADER = 130;

/** Checks all words and renders every mail with every sample. @returns what was found, file by file, top to bottom */
export function checkWords({ templatesDir, shellsDir, locales }: CheckOptions): Finding[] {
  const english = readLocale(templatesDir, SOURCE_LOCALE);
  const lock = Lock.read(templatesDir);
  const wanted = (locales ?? localesOf(templatesDir)).filter((locale) => locale !== SOURCE_LOCALE);
  const isEnglishWanted = locales?.includes(SOURCE_LOCALE) ?? true;
  const findings = [
    ...(isEnglishWanted ? [...checkLocale(SOURCE_LOCALE, english, english, lock), ...pagesFindings(templatesDir)] : []),
    ...wanted.flatMap((locale) => checkLocale(locale, readLocale(templatesDir, locale), english, lock)),
  ];
  const catalogue = openCatalogue(templatesDir, shellsDir);
  if (Array.isArray(catalogue)) findings.push(...catalogue);
  else
    for (const locale of [...(isEnglishWanted ? [SOURCE_LOCALE] : []), ...wanted])
      findings.push(...rendered(catalogue, templatesDir, locale, findings));
  return inOrder(findings);
}

/** What is wrong with a locale's words next to the English ones. */
export function checkLocale(locale: string, own: LocaleWords, english: LocaleWords, lock: Lock): Finding[] {
  const findings = [...own.findings];
  const broken = new Set(own.findings.map(({ about }) => about));
  const translated = locale !== SOURCE_LOCALE;
  let unknown = 0;
  for (const source of english.units.values()) {
    const unit = own.units.get(source.id);
    if (!unit) {
      // What could not be read at all is told of already.
      if (!broken.has(source.whole) && !broken.has('pages')) findings.push(missing(source, own));
      continue;
    }
    if (broken.has(unit.whole)) continue;
    const age = translated ? lock.age(locale, source) : 'current';
    if (age === 'unknown') unknown++;
    for (const { severity, message, needle } of unitFaults(unit, source, locale)) {
      // Who accepted it has seen that it is the same.
      if (severity === 'warning' && age === 'current') continue;
      findings.push({
        severity,
        about: source.id,
        file: unit.file,
        ...unit.at(needle),
        message: `${nameOf(unit)} ${message}`,
      });
    }
    if (age === 'stale')
      findings.push({
        severity: 'warning',
        about: source.id,
        file: unit.file,
        ...unit.at(),
        message: `${nameOf(unit)} was made of an English that has changed: look at it again, then accept ${locale}`,
      });
  }
  for (const unit of own.units.values())
    if (!english.units.has(unit.id))
      findings.push({
        severity: 'error',
        about: unit.id,
        file: unit.file,
        ...unit.at(),
        message: `${nameOf(unit)} is unknown: no page says it; take it out`,
      });
  if (unknown)
    findings.push({
      severity: 'warning',
      about: 'translations.json',
      file: 'templates/translations.json',
      line: 0,
      column: 0,
      message: `does not know of which English ${unknown} pieces of ${locale} were made: look at them, then accept ${locale}`,
    });
  return findings;
}

function missing(source: Unit, own: LocaleWords): Finding {
  const sibling = [...own.units.values()].find(({ whole, format }) =>
    source.format === 'icu' ? format === 'icu' : whole === source.whole,
  );
  const file = sibling?.file ?? source.file;
  const message = `${nameOf(source)} is missing: translate "${shortened(source.text)}"`;
  return { severity: 'error', about: source.id, file, ...(sibling?.at() ?? { line: 1, column: 1 }), message };
}

/** What the start itself would say: pages whose markup asks for a sentence that English does not have. */
function pagesFindings(templatesDir: string): Finding[] {
  try {
    GuestPages.load({ templatesDir, defaultLocale: SOURCE_LOCALE });
    return [];
  } catch (error) {
    const lines = (error as Error).message.split('\n').slice(1);
    return lines.map((line) => ({
      severity: 'error' as const,
      about: 'pages',
      file: 'templates/pages',
      line: 0,
      column: 0,
      message: line.replace(/^- /, ''),
    }));
  }
}

function openCatalogue(templatesDir: string, shellsDir: string): TemplateCatalogue | Finding[] {
  try {
    return TemplateCatalogue.load({ templatesDir, shellsDir, defaultLocale: SOURCE_LOCALE, allowHttp: true });
  } catch (error) {
    if (!(error instanceof TemplateProblems)) throw error;
    return error.problems.map((problem) => ({ ...problem, severity: 'error' as const, about: 'mails' }));
  }
}

/** What only shows when values are filled in. Mails that `known` has an error of are left out. */
function rendered(
  catalogue: TemplateCatalogue,
  templatesDir: string,
  locale: string,
  known: readonly Finding[],
): Finding[] {
  const frame = `templates/content/_frame/${locale}.hbs`;
  const isBroken = (file: string) =>
    known.some((one) => one.severity === 'error' && one.file === file && one.line >= 0);
  const units = readLocale(templatesDir, locale).units;
  return templateKeys.flatMap((key) => {
    const file = `templates/content/${key}/${locale}.hbs`;
    if (isBroken(file) || isBroken(frame)) return [];
    const problems = catalogue.check([locale], [key]);
    if (problems.length) return problems.map((problem) => ({ ...problem, severity: 'error' as const, about: key }));
    return lengthFindings(catalogue, templatesDir, key, locale, units);
  });
}

/** Subjects and preheaders that inboxes would cut. */
export function lengthFindings(
  catalogue: TemplateCatalogue,
  templatesDir: string,
  key: TemplateKey,
  locale: string,
  units: ReadonlyMap<string, Unit>,
): Finding[] {
  const limits = { subject: LONGEST_SUBJECT, preheader: LONGEST_PREHEADER };
  const longest = new Map<keyof typeof limits, { length: number; about: string }>();
  for (const { about, values } of readSamples(templatesDir, key, loadBrand(templatesDir, 'default'))) {
    const mail = catalogue.render(key, locale, values);
    for (const name of ['subject', 'preheader'] as const) {
      const length = characters(mail[name]);
      if (length > limits[name] && length > (longest.get(name)?.length ?? 0)) longest.set(name, { length, about });
    }
  }
  return [...longest].map(([name, { length, about }]) => {
    const unit = units.get(`${key}/${name}`)!;
    const message = `"${name}" has ${length} characters for "${about}", and ${limits[name]} is the most: say it shorter`;
    return { severity: 'error' as const, about: unit.id, file: unit.file, ...unit.at(), message };
  });
}

const isolates = /[\u2066-\u2069]/gu;
const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

function characters(text: string): number {
  return [...graphemes.segment(text.replace(isolates, ''))].length;
}

function nameOf({ id, whole }: Unit): string {
  return `"${id === whole ? id.replace(/^pages\//, '') : id.slice(whole.length + 1)}"`;
}

function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}

function inOrder(findings: readonly Finding[]): Finding[] {
  const unique = new Map(findings.map((one) => [`${one.file}:${one.line}:${one.column}:${one.message}`, one]));
  return [...unique.values()].sort(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
  );
}
