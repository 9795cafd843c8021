/** The forms that a language counts by, in the order in which people know them. */
export function pluralForms(locale: string): string[] {
  const order = ['zero', 'one', 'two', 'few', 'many', 'other'];
  const { pluralCategories } = new Intl.PluralRules(locale).resolvedOptions();
  return [...pluralCategories].sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

/** A number that takes a form, to show what it is for; null where none below 200 does. */
export function exampleOf(locale: string, form: string): number | null {
  const rules = new Intl.PluralRules(locale);
  for (let count = 0; count < 200; count++) if (rules.select(count) === form) return count;
  return null;
}

/** `{{plural updateCount one="# update" other="# updates"}}`, or as ICU for the sentences of pages. */
export function pluralText(
  name: string,
  forms: readonly (readonly [form: string, words: string])[],
  isIcu: boolean,
): string {
  if (isIcu) return `{${name}, plural, ${forms.map(([form, words]) => `${form} {${words}}`).join(' ')}}`;
  return `{{plural ${name} ${forms.map(([form, words]) => `${form}="${words.replaceAll('"', '”')}"`).join(' ')}}}`;
}
