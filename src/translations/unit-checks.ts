/** What a translated piece of words must keep of its source, whatever the language. */
import { argumentUses, parseSentence, sentenceFaults } from '../portal/sentences.js';
import { describeWords, replaceMustaches } from '../templates/mustache.js';
import type { Unit } from './units.js';

export interface Fault {
  severity: 'error' | 'warning';
  message: string;
  /** What is wrong, as it stands in the text. */
  needle?: string;
}

/** Sentences made of placeholders and signs, which no language needs to change. */
const SAME_IN_MANY = new Set(['pages/layout.title', 'pages/layout.errorTitle', 'pages/time.dayAndClock']);
/** So many words that two languages don't say the same by chance, as they do with "Ticket" or "Code". */
const WORDS_OF_CHANCE = 2;
// Phones offer the first number that looks like a code; and a code that stands in the words is not the reader's.
const LIKE_A_CODE = /\p{Nd}{4,}/u;

/**
 * Everything that is wrong with a unit of a locale, next to the English one.
 * @param source the English unit; the same as `unit` where English itself is checked
 */
export function unitFaults(unit: Unit, source: Unit, locale: string): Fault[] {
  const faults: Fault[] = [];
  const error = (message: string, needle?: string) =>
    faults.push({ severity: 'error', message, ...(needle === undefined ? {} : { needle }) });
  if (!unit.text.trim()) error('is empty: write the words, or take the key out');
  else if (unit.format === 'icu') sentenceChecks(unit.text, source.text, locale, error);
  else mailChecks(unit, source, locale, error);
  const same = faults.length === 0 && locale !== 'en' ? sameFault(unit, source) : null;
  return same ? [...faults, same] : faults;
}

type Report = (message: string, needle?: string) => void;

function sentenceChecks(text: string, source: string, locale: string, error: Report): void {
  const faults = sentenceFaults(text, source);
  for (const fault of faults) {
    const name = /\{(\w+)\}/.exec(fault)?.[0];
    error(fault, name?.slice(0, -1));
  }
  if (faults.length) return;
  const own = argumentUses(text);
  for (const name of argumentUses(source).keys())
    if (!own.has(name)) error(`lost {${name}}: put it where it belongs in the sentence`);
  const neverOne = new Set(pluralsOfSentence(source).flatMap(({ of, forms }) => (isNeverOne(forms) ? [of] : [])));
  for (const { of, forms } of pluralsOfSentence(text)) pluralChecks(forms, locale, neverOne.has(of), error);
  const unseen = /[\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/.exec(text)?.[0];
  if (unseen) error(`has the invisible sign U+${hex(unseen)}: take it out`, unseen);
  const tag = /<\/?[a-z][^>]*>/i.exec(text)?.[0];
  if (tag) error(`has the tag ${tag}, which would be shown as it is: take it out`, tag);
}

function mailChecks(unit: Unit, source: Unit, locale: string, error: Report): void {
  const own = describeWords(unit.text);
  const wanted = describeWords(source.text);
  for (const name of wanted.names) if (!own.names.has(name)) error(`lost ${name}: the English has it here`);
  for (const name of own.names)
    if (!wanted.names.has(name)) {
      const bare = name.replace(/[{}>\s]/g, '');
      const needle = (unit.text.match(/\{\{[^]*?\}\}/g) ?? []).find((mustache) => mustache.includes(bare));
      error(`has ${name}, and the English has none here: is it mixed up with another one?`, needle);
    }
  for (const forms of own.plurals) pluralChecks(forms, locale, false, error);
  if (unit.whole === 'access-code' || unit.id === '_frame/codeFooter') {
    const number = LIKE_A_CODE.exec(replaceMustaches(unit.text, () => ' '))?.[0];
    if (number) error(`has "${number}", which looks like a code: the layout alone writes the code`, number);
  }
}

/** English that names some numbers (`=0`) and has no form for one counts what is never one: hours, where minutes would do. */
function isNeverOne(forms: readonly string[]): boolean {
  return !forms.includes('one') && forms.some((form) => form.startsWith('='));
}

/** Each category that the language counts by needs a form, and no other may have one. */
function pluralChecks(forms: readonly string[], locale: string, neverOne: boolean, error: Report): void {
  const rules = new Intl.PluralRules(locale);
  const categories: string[] = rules.resolvedOptions().pluralCategories;
  const met = Array.from({ length: 99 }, (_, i) => rules.select(i + 2));
  const needed = neverOne ? categories.filter((category) => met.some((other) => other === category)) : categories;
  const missing = needed.filter((category) => !forms.includes(category));
  const other = forms.filter((form) => !form.startsWith('=') && !categories.includes(form));
  const all = [...categories].sort().join(', ');
  if (missing.length) error(`has a plural without ${missing.join(', ')}: ${locale} counts by ${all}`, 'plural');
  if (other.length)
    error(`has a plural with ${other.join(', ')}, which ${locale} never uses: it counts by ${all}`, 'plural');
}

function sameFault(unit: Unit, source: Unit): Fault | null {
  if (unit.text.trim() !== source.text.trim() || SAME_IN_MANY.has(unit.id)) return null;
  const text = unit.format === 'icu' ? wordsOfSentence(unit.text) : describeWords(unit.text).text;
  const words = text.match(/\p{L}[\p{L}\p{M}’'-]*/gu) ?? [];
  if (words.length === 0) return null;
  if (words.length > WORDS_OF_CHANCE) return { severity: 'error', message: 'is still in English: translate it' };
  return { severity: 'warning', message: 'is the same as in English: if that is right, accept it' };
}

interface IcuNode {
  type: number;
  value?: unknown;
  options?: Record<string, { value: IcuNode[] }>;
}

function nodesOf(nodes: readonly IcuNode[]): IcuNode[] {
  return nodes.flatMap((node) => [node, ...Object.values(node.options ?? {}).flatMap(({ value }) => nodesOf(value))]);
}

const PLURAL = 6;
const LITERAL = 0;

function pluralsOfSentence(text: string): { of: string; forms: string[] }[] {
  return nodesOf(sentenceNodes(text)).flatMap(({ type, value, options }) =>
    type === PLURAL && options ? [{ of: String(value), forms: Object.keys(options) }] : [],
  );
}

function wordsOfSentence(text: string): string {
  return nodesOf(sentenceNodes(text))
    .flatMap(({ type, value }) => (type === LITERAL ? [String(value)] : []))
    .join(' ');
}

function sentenceNodes(text: string): IcuNode[] {
  return parseSentence(text, 'en').getAst() as IcuNode[];
}

function hex(sign: string): string {
  return sign.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
}
