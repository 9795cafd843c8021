/**
 * Every script and direction once: what costs seconds a language is done for these, and for all of them with
 * `POSTERN_LOCALES=all` (`npm run test:languages`).
 */
const SCRIPTS = ['en', 'id', 'de', 'ru', 'ar', 'he', 'hi', 'th', 'ja', 'ko', 'zh-Hant'];

/** Of these locales the ones to try. */
export function someLocales(all: readonly string[]): string[] {
  return process.env.POSTERN_LOCALES === 'all' ? [...all] : all.filter((locale) => SCRIPTS.includes(locale));
}
