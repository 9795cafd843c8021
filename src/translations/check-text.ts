/** What is wrong with one text while somebody writes it: by the checks of `npm run templates:check`. */
import { loadBrand } from '../templates/brand.js';
import { type TemplateCatalogue, TemplateProblems } from '../templates/catalogue.js';
import { UNFINISHED } from '../templates/mustache.js';
import { sampleKinds } from '../templates/samples.js';
import { templateKeys, type TemplateKey } from '../templates/values.js';
import { wordsFile, type WordsKey, type WordsTexts } from '../templates/words-texts.js';
import { checkLocale, lengthFindings, SOURCE_LOCALE } from './checks.js';
import type { Lock } from './lock.js';
import { type Finding, type LocaleWords, readText } from './units.js';

/** Why a text is not even looked at; null if it is. */
export function lengthFault(key: WordsKey, text: string): string | null {
  const most = key === 'pages' ? LONGEST_TEXT : LONGEST_MAIL;
  return text.length > most ? `is longer than ${most} characters: say it shorter` : null;
}

export interface TextCheck {
  templatesDir: string;
  /** Of which English the shipped translations were made. */
  lock: Lock;
  catalogue: TemplateCatalogue;
  /** All texts as they count now. */
  texts: WordsTexts;
  key: WordsKey;
  locale: string;
  text: string;
  /** Fills in every mail that the frame stands around, not one of each kind: before it is published. */
  isThorough?: boolean;
}

/** A text larger than that is nobody's words. UTF-16 units. */
export const LONGEST_TEXT = 200_000;
/** The longest mail there is has 2,000; what Markdown does with deep nesting grows with its square. */
const LONGEST_MAIL = 10_000;

/**
 * Of what `checkText` found, what no draft may have: whatever could do harm or would lose the button with the link. What
 * is only not finished is kept: a mustache that is still being typed, a sentence that is still in English.
 */
export function refusalsIn(key: WordsKey, text: string, findings: readonly Finding[]): Finding[] {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (key === 'pages') return errors.filter(({ message }) => HARMFUL_SENTENCE.test(message));
  if (text.length > LONGEST_MAIL) return errors;
  const structural = new Set(readText(key, text, '').findings.map(({ message }) => message));
  const isUnfinished = (message: string) => message.startsWith(UNFINISHED) && !/\{\{[{&]|[^\P{Cc}\n\r\t]/u.test(text);
  return errors.filter(({ message }) => structural.has(message) && !isUnfinished(message));
}

const HARMFUL_SENTENCE =
  /wants \{|takes \{|cannot be read|has the tag|invisible sign|must be a sentence|is not JSON|must be an object|stands here twice|is unknown|is longer than/;

export function checkText(check: TextCheck): Finding[] {
  const { key, locale, text, texts } = check;
  const file = wordsFile(key, locale);
  const tooLong = lengthFault(key, text);
  if (tooLong !== null) return [finding(key, file, tooLong)];
  const own = readText(key, text, file);
  const findings = checkLocale(locale, own, sourceOf(check, own), check.lock).filter(
    ({ about }) => about !== 'translations.json', // what it says is about files
  );
  findings.push(...leftByMerge(key, file, text));
  if (key === 'pages' || findings.some(({ severity }) => severity === 'error')) return inOrder(findings);
  const catalogue = check.catalogue.over(texts.with(key, locale, text));
  return inOrder([...findings, ...filledIn(check, catalogue, own)]);
}

/** The English that the text is held against. English sentences may use what pages give, and that the shipped ones show. */
function sourceOf({ key, locale, texts }: TextCheck, own: LocaleWords): LocaleWords {
  if (locale === SOURCE_LOCALE && key !== 'pages') return own;
  const english = locale === SOURCE_LOCALE ? texts.shipped(key, SOURCE_LOCALE) : texts.read(key, SOURCE_LOCALE);
  return english === null ? own : readText(key, english, wordsFile(key, SOURCE_LOCALE));
}

function filledIn(
  { key, locale, isThorough, templatesDir }: TextCheck,
  catalogue: TemplateCatalogue,
  own: LocaleWords,
): Finding[] {
  const file = wordsFile(key, locale);
  if (key !== '_frame') {
    const found = rendered(catalogue, templatesDir, key as TemplateKey, locale);
    return found.length ? found : lengthFindings(catalogue, templatesDir, key as TemplateKey, locale, own.units);
  }
  const [problem] = catalogue.faults('_frame', locale);
  if (problem) return [{ ...problem, file, severity: 'error', about: key }];
  const tried = isThorough ? templateKeys : (['ticket-replied', 'access-code'] as const);
  return tried
    .filter((each) => catalogue.has(each, locale))
    .flatMap((each) => rendered(catalogue, templatesDir, each, locale));
}

function rendered(catalogue: TemplateCatalogue, templatesDir: string, key: TemplateKey, locale: string): Finding[] {
  const problems = catalogue.check([locale], [key]);
  if (problems.length) return problems.map((problem) => ({ ...problem, severity: 'error' as const, about: key }));
  try {
    for (const { values } of sampleKinds(templatesDir, key, loadBrand(templatesDir, 'default')))
      catalogue.render(key, locale, values);
    return [];
  } catch (error) {
    if (error instanceof TemplateProblems) throw error;
    return [finding(key, wordsFile(key, locale), `cannot be filled in: ${(error as Error).message}`)];
  }
}

/** A merge leaves these where both sides changed: a draft may keep them, nobody may be sent them. */
function leftByMerge(about: string, file: string, text: string): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    if (!/^(?:<{7} |={7}\r?$|>{7} )/.test(line)) return [];
    return [{ ...finding(about, file, 'is a mark of a merge: choose one side and take it out'), line: index + 1 }];
  });
}

function finding(about: string, file: string, message: string): Finding {
  return { file, line: 1, column: 1, message, severity: 'error', about };
}

function inOrder(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => a.line - b.line || a.column - b.column);
}
