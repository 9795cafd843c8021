/** What each text is called, and what may stand in it, for those who write them. */
import type { ValueKind } from '../templates/mustache.js';
import { templateLayouts, wordsVocabulary } from '../templates/values.js';
import { frameParts } from '../templates/words.js';
import type { WordsKey } from '../templates/words-texts.js';
import { notesOf, sentenceValues } from '../translations/notes.js';

export const wordsTitles: Readonly<Record<WordsKey, string>> = {
  'ticket-created': 'Ticket received',
  'ticket-replied': 'Support replied',
  'ticket-info-requested': 'More information wanted',
  'ticket-resolved': 'Ticket resolved',
  'ticket-reopened': 'Ticket reopened',
  'ticket-closed': 'Ticket closed',
  'ticket-summary': 'Several updates',
  'access-code': 'Code',
  'link-renewed': 'Fresh link',
  _frame: 'Around every mail',
  pages: 'Guest pages',
};

export interface Explained {
  name: string;
  kind: ValueKind | 'value';
  about: string;
  sample: string;
}

export function vocabularyOf(key: WordsKey): { vocabulary: Explained[]; parts: string[] } {
  if (key === 'pages') {
    const vocabulary = Object.entries(sentenceValues).map(([name, about]) => explained(name, 'value', about));
    return { vocabulary, parts: [] };
  }
  const values =
    key === '_frame'
      ? { ...wordsVocabulary('notification'), ...wordsVocabulary('code') }
      : wordsVocabulary(templateLayouts[key]);
  const vocabulary = Object.entries(values).map(([name, kind]) => {
    const [note] = notesOf({ text: `{{${name}}}`, format: 'line' });
    return explained(name, kind, note?.text ?? '');
  });
  return { vocabulary, parts: key === '_frame' ? [] : [...frameParts] };
}

function explained(name: string, kind: Explained['kind'], about: string): Explained {
  return { name, kind, about, sample: /, like (.*?)(?:;.*)?$/.exec(about)?.[1] ?? '' };
}

export function helpersOf(key: WordsKey): { name: string; about: string; example: string }[] {
  if (key === 'pages')
    return [
      { name: 'plural', about: 'words by a number', example: '{count, plural, one {# message} other {# messages}}' },
      { name: 'number', about: 'a number as the language writes it', example: '{max, number}' },
    ];
  return [
    {
      name: 'if',
      about: 'words that are there only sometimes',
      example: '{{#if greetingName}}Hello {{greetingName}},{{else}}Hello,{{/if}}',
    },
    {
      name: 'plural',
      about: 'words by a number; # stands for it',
      example: '{{plural updateCount one="# update" other="# updates"}}',
    },
    { name: 'datetime', about: 'date and time in the reader’s language', example: '{{datetime occurredAt}}' },
    { name: 'eq', about: 'a comparison within a condition', example: '{{#if (eq updateCount 2)}}both{{/if}}' },
  ];
}
