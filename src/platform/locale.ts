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

/**
 * A tag and its wider ones, best first: `zh-TW` → `zh-TW`, `zh-Hant-TW`, `zh-Hant`, `zh`. The likely script stands before
 * the bare language, since it tells Taiwan's Chinese from Beijing's. Empty if it is no tag.
 */
export function localeChain(wanted: string | null): readonly string[] {
  return chainOf(wanted ?? '');
}

const chainOf = remembering((wanted: string): readonly string[] => {
  const tag = canonicalLocale(wanted);
  if (tag === null) return [];
  const { language, script, region } = new Intl.Locale(tag).maximize();
  const parts = new Intl.Locale(tag).baseName.split('-');
  const shorter = parts.map((_, cut) => parts.slice(0, parts.length - cut).join('-'));
  return [
    ...new Set([tag, ...shorter.slice(0, -1), `${language}-${script}-${region}`, `${language}-${script}`, language]),
  ];
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
