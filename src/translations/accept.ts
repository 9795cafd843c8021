import { checkWords, SOURCE_LOCALE, type CheckOptions } from './checks.js';
import { Lock } from './lock.js';
import { readLocale } from './units.js';

/** Records that all translations of a locale are of today's English, but for those that are wrong. */
export function acceptLocale(
  options: Omit<CheckOptions, 'locales'>,
  locale: string,
): { accepted: number; refused: number } {
  const { templatesDir } = options;
  const findings = checkWords({ ...options, locales: [locale] }).filter(({ severity }) => severity === 'error');
  const wrong = new Set(findings.map(({ about }) => about));
  const english = readLocale(templatesDir, SOURCE_LOCALE).units;
  const own = readLocale(templatesDir, locale).units;
  const lock = Lock.read(templatesDir);
  let accepted = 0;
  let refused = 0;
  for (const source of english.values()) {
    if (!own.has(source.id)) continue;
    if (wrong.has(source.id) || wrong.has(source.whole)) refused++;
    else {
      // Whoever accepts has looked at it: no stale translation keeps the state that it had with another English.
      lock.accept(locale, source, lock.age(locale, source) === 'current' ? lock.state(locale, source) : 'translated');
      accepted++;
    }
  }
  lock.keepOnly(locale, new Set(english.keys()));
  lock.save();
  return { accepted, refused };
}
