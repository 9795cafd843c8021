/** Where a line of the HTML part must not end. Subjects and text parts stay as they were typed: those are searched. */

const NO_BREAK = '\u00a0';
const NO_BREAK_HYPHEN = '\u2011';

/** Words of one letter and short prepositions, which no line may end with, by language. */
const LEANING: Readonly<Record<string, string>> = {
  pl: '[aiouwz]',
  ru: '[авикосуя]|на|по|не|за|от|до|из',
  uk: '[авзійоуя]|на|не|за|до|зі|та',
};
const AFTER_LEANING = new Map(
  Object.entries(LEANING).map(([language, words]) => [
    language,
    new RegExp(`(?<=(?<![\\p{L}\\p{M}\\p{N}'’-])(?:${words})) (?=\\S)`, 'giu'),
  ]),
);

/** "e-mail", "E-Mail", "e-posta": not in the middle of an address. */
const E_HYPHEN = /(?<![\p{L}\p{M}\p{N}/.@_])(e)-(?=\p{L})/giu;

/** @param text between two tags */
export function typeset(text: string, locale: string): string {
  const bound = text.replace(E_HYPHEN, `$1${NO_BREAK_HYPHEN}`);
  const space = AFTER_LEANING.get(new Intl.Locale(locale).language);
  return space ? bound.replace(space, NO_BREAK) : bound;
}

const NUMBER = '<bdi>\\{\\{~?\\s*ticketNumber\\s*~?\\}\\}</bdi>';
const BEFORE_NUMBER = new RegExp(` (?=${NUMBER})`, 'g');
const AROUND_NUMBER = new RegExp(`${BEFORE_NUMBER.source}|(?<=${NUMBER}) `, 'g');
/** Languages whose next word belongs to the number: 12345 numaralı, 12345 の, 12345 के. */
const FOLLOWED = new Set(['hi', 'ja', 'tr']);

/** @param html a printed heading. Alone on its second line, a ticket's number would be a riddle. */
export function typesetHeading(html: string, locale: string): string {
  return html.replace(FOLLOWED.has(new Intl.Locale(locale).language) ? AROUND_NUMBER : BEFORE_NUMBER, NO_BREAK);
}
