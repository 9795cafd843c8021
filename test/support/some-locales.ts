import { isLong } from './long.js';

/**
 * Both directions, long words and tall letters: what costs seconds a language is done for these, and for all
 * of them in the long form (`npm run test:languages`).
 */
const SCRIPTS = ['en', 'de', 'ar', 'hi'];

/** Of these locales the ones to try. */
export function someLocales(all: readonly string[]): string[] {
  return isLong ? [...all] : all.filter((locale) => SCRIPTS.includes(locale));
}
