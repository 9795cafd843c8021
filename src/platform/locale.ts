/** Anybody may name endless tags and zones; only this many answers of each kind are kept. */
const KEPT_ANSWERS = 1000;
const LONGEST_KEPT = 64;

/** Remembers what Intl answers to a text: it takes some 20 µs, and most events ask of the same few. */
function remembering<T>(ask: (text: string) => T): (text: string) => T {
  const answers = new Map<string, T>();
  return (text) => {
    if (text.length > LONGEST_KEPT) return ask(text);
    const kept = answers.get(text);
    if (kept !== undefined) return kept;
    if (answers.size >= KEPT_ANSWERS) answers.clear();
    const answer = ask(text);
    answers.set(text, answer);
    return answer;
  };
}

/** The canonical form of a BCP 47 tag (`id_id` → `id-ID`), or null if it is none. */
export const canonicalLocale = remembering((tag: string): string | null => {
  try {
    return Intl.getCanonicalLocales(tag.trim().replaceAll('_', '-'))[0] ?? null;
  } catch {
    return null; // Intl has no other way to say that a tag is malformed
  }
});

/** How a locale answers to what was wanted. */
export type LocaleReason = 'exact' | 'language' | 'script' | 'family';

export interface LocaleMatch {
  locale: string;
  /**
   * `exact`: the one asked for; `language`: the same without its region or script; `script`: the one that the region
   * writes in (`zh-TW` → `zh-Hant`); `family`: the nearest kind of the same language (`es-MX` → `es-419`, `pt` → `pt-BR`).
   */
  reason: LocaleReason;
}

/** Where Spanish is that of Latin America (CLDR's parents of `es-419`). */
const LATIN_AMERICA = new Set('AR BO BR BZ CL CO CR CU DO EC GT HN MX NI PA PE PR PY SV US UY VE'.split(' '));

/**
 * The best of the available locales for what somebody wants: BCP 47 lookup (RFC 4647 3.4) over the whole list, and
 * for each tag, before the next one has its turn, its likely script and its language's other kinds as well.
 * @param wanted language tags, best first; what is no tag is passed over
 * @param available canonical tags; with several kinds of a language the order decides which one is its widest
 * @param isUsable asked of an available locale before it is taken
 * @returns null if none of them is there in any kind
 */
export function matchLocale(
  wanted: readonly (string | null | undefined)[],
  available: readonly string[],
  isUsable: (locale: string) => boolean = (locale) => available.includes(locale),
): LocaleMatch | null {
  for (const tag of wanted) {
    if (tag == null) continue;
    for (const step of stepsOf(tag)) if (isUsable(step.locale)) return step;
    const kind = writtenLanguage(tag);
    const relative = kind && available.find((other) => writtenLanguage(other) === kind && isUsable(other));
    if (relative) return { locale: relative, reason: 'family' };
  }
  return null;
}

/** A tag and what it falls back to, best first, each with its reason. Empty if it is no tag. */
const stepsOf = remembering((wanted: string): readonly LocaleMatch[] => {
  const tag = canonicalLocale(wanted);
  if (tag === null) return [];
  const { language, script, region } = new Intl.Locale(tag).maximize();
  const parts = new Intl.Locale(tag).baseName.split('-');
  const shorter = parts.map((_, cut) => parts.slice(0, parts.length - cut).join('-')).slice(0, -1);
  const steps: [string, LocaleReason][] = [
    [tag, 'exact'],
    ...shorter.map((each): [string, LocaleReason] => [each, 'language']),
    // Before the bare language: it tells Taiwan's Chinese from Beijing's.
    [`${language}-${script}-${region}`, 'script'],
    [`${language}-${script}`, 'script'],
  ];
  if (language === 'es' && region && LATIN_AMERICA.has(region)) steps.push(['es-419', 'family']);
  // A language that is written in several scripts is another one to its reader in each.
  if (writtenLanguage(tag) === writtenLanguage(language)) steps.push([language, 'language']);
  const first = new Map<string, LocaleReason>();
  for (const [locale, reason] of steps) if (!first.has(locale)) first.set(locale, reason);
  return [...first].map(([locale, reason]) => ({ locale, reason }));
});

/** Language and likely script of a tag, `zh-Hant`, or '' if it is none. */
const writtenLanguage = remembering((tag: string): string => {
  const canonical = canonicalLocale(tag);
  if (canonical === null) return '';
  const { language, script } = new Intl.Locale(canonical).maximize();
  return `${language}-${script}`;
});

/** The direction a language is written in. */
export function textDirection(tag: string): 'ltr' | 'rtl' {
  // A property on node 20, a method later.
  const locale = new Intl.Locale(tag) as Intl.Locale & {
    textInfo?: { direction: 'ltr' | 'rtl' };
    getTextInfo?: () => { direction: 'ltr' | 'rtl' };
  };
  return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? 'ltr';
}

/** True if Intl knows this IANA time zone. */
export const isTimeZone = remembering(
  (name: string) => name !== '' && name.length <= LONGEST_KEPT && isKnownToIntl(name),
);

function isKnownToIntl(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false; // a RangeError is how Intl says that it knows no such zone
  }
}
