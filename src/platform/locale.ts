/** The canonical form of a BCP 47 tag (`id_id` → `id-ID`), or null if it is none. */
export function canonicalLocale(tag: string): string | null {
  try {
    return Intl.getCanonicalLocales(tag.trim().replaceAll('_', '-'))[0] ?? null;
  } catch {
    return null; // Intl has no other way to say that a tag is malformed
  }
}

/**
 * A tag and its wider ones, best first: `zh-TW` → `zh-TW`, `zh-Hant-TW`, `zh-Hant`, `zh`. The likely script stands before
 * the bare language, since it tells Taiwan's Chinese from Beijing's. Empty if it is no tag.
 */
export function localeChain(wanted: string | null): string[] {
  const tag = canonicalLocale(wanted ?? '');
  if (tag === null) return [];
  const { language, script, region } = new Intl.Locale(tag).maximize();
  const parts = new Intl.Locale(tag).baseName.split('-');
  const shorter = parts.map((_, cut) => parts.slice(0, parts.length - cut).join('-'));
  return [
    ...new Set([tag, ...shorter.slice(0, -1), `${language}-${script}-${region}`, `${language}-${script}`, language]),
  ];
}

/** The direction a language is written in. */
export function textDirection(tag: string): 'ltr' | 'rtl' {
  // A property on node 20, a method later.
  const locale = new Intl.Locale(tag) as Intl.Locale & {
    textInfo?: { direction: 'ltr' | 'rtl' };
    getTextInfo?: () => { direction: 'ltr' | 'rtl' };
  };
  return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? 'ltr';
}

const zones = new Map<string, boolean>();
/** Anybody may name endless zones; only this many answers are kept. */
const KEPT_ZONES = 1000;

/** True if Intl knows this IANA time zone. */
export function isTimeZone(name: string): boolean {
  const kept = zones.get(name);
  if (kept !== undefined) return kept;
  if (zones.size >= KEPT_ZONES) zones.clear();
  const known = name !== '' && name.length <= 64 && isKnownToIntl(name);
  zones.set(name, known);
  return known;
}

function isKnownToIntl(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false; // a RangeError is how Intl says that it knows no such zone
  }
}
