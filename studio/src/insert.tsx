import { useState } from 'react';
import type { Variable, Words } from './api.js';
import { exampleOf, pluralForms, pluralText } from './plural.js';
import { Button, Dialog, Empty, Field } from './ui.js';

interface InsertVariableProps {
  words: Pick<Words, 'vocabulary' | 'helpers' | 'parts'>;
  isSentences: boolean;
  onInsert: (text: string) => void;
  onClose: () => void;
}

/** All that these words may name, with what it is and how it looks. */
export function InsertVariable({ words, isSentences, onInsert, onClose }: InsertVariableProps) {
  const [wanted, setWanted] = useState('');
  const textOf = ({ name, kind }: Variable) => {
    if (isSentences) return `{${name}}`;
    if (kind === 'flag') return `{{#if ${name}}}{{/if}}`;
    return kind === 'time' ? `{{datetime ${name}}}` : `{{${name}}}`;
  };
  const entries = [
    ...words.vocabulary.map((one) => ({ text: textOf(one), about: one.about, sample: String(one.sample) })),
    ...words.helpers.map(({ about, example }) => ({ text: example, about, sample: '' })),
    ...(isSentences ? [] : words.parts).map((part) => {
      const { name, about = 'Words that all mails of this language share' } =
        typeof part === 'string' ? { name: part } : part;
      return { text: `{{> ${name}}}`, about, sample: '' };
    }),
  ].filter(({ text, about }) => `${text} ${about}`.toLowerCase().includes(wanted.toLowerCase().trim()));
  return (
    <Dialog title="Insert a variable" onClose={onClose}>
      <input
        type="search"
        className="palette__field"
        aria-label="Find a variable"
        placeholder="Find"
        autoFocus
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && entries[0]) onInsert(entries[0].text);
        }}
      />
      {entries.length === 0 && <Empty title="There is none like that" />}
      <ul className="variables">
        {entries.map(({ text, about, sample }) => (
          <li key={text}>
            <button type="button" onClick={() => onInsert(text)}>
              <code>{text}</code>
              <span>{about}</span>
              {sample && <span className="hint">{sample}</span>}
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}

interface InsertPluralProps {
  vocabulary: Variable[];
  locale: string;
  language: string;
  isSentences: boolean;
  onInsert: (text: string) => void;
  onClose: () => void;
}

/** Asks for each form that the language has, with a number that takes it. */
export function InsertPlural({ vocabulary, locale, language, isSentences, onInsert, onClose }: InsertPluralProps) {
  const counts = vocabulary.filter(({ kind }) => kind === 'count' || kind === 'number');
  const [name, setName] = useState(counts[0]?.name ?? '');
  const [words, setWords] = useState<Record<string, string>>({});
  const forms = pluralForms(locale);
  if (counts.length === 0)
    return (
      <Dialog title="Insert a plural" onClose={onClose}>
        <p>These words have no number to count by.</p>
      </Dialog>
    );
  const isWhole = forms.every((form) => words[form]?.trim());
  return (
    <Dialog title="Insert a plural" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isWhole)
            onInsert(
              pluralText(
                name,
                forms.map((form) => [form, words[form]!.trim()]),
                isSentences,
              ),
            );
        }}
      >
        <Field label="What is counted">
          {(ids) => (
            <select {...ids} value={name} onChange={(event) => setName(event.target.value)}>
              {counts.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name} – {one.about}
                </option>
              ))}
            </select>
          )}
        </Field>
        <p className="hint">
          {language} counts in {forms.length === 1 ? 'one form' : `${forms.length} forms`}. Write # where the number
          goes.
        </p>
        {forms.map((form) => {
          const example = exampleOf(locale, form);
          return (
            <Field key={form} label={`${form}${example === null ? '' : ` (like ${example})`}`}>
              {(ids) => (
                <input
                  {...ids}
                  lang={locale}
                  dir="auto"
                  value={words[form] ?? ''}
                  onChange={(event) => setWords({ ...words, [form]: event.target.value })}
                />
              )}
            </Field>
          );
        })}
        <Button type="submit" kind="primary" disabled={!isWhole}>
          Insert
        </Button>
      </form>
    </Dialog>
  );
}
