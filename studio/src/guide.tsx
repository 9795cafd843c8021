import type { WordsKey } from './api.js';
import { Dialog, modifier } from './ui.js';

type Row = [sign: string, about: string];

const fields: Row[] = [
  ['subject:', 'What a list of mails shows first.'],
  ['preheader:', 'The quieter words after it in the list. The mail itself does not show them.'],
  ['heading:', 'The large line at the top of the mail.'],
];
const button: Row = ['button:', 'The words on the button that opens the ticket.'];
const code: Row[] = [
  ['detail:', 'The line below the code.'],
  ['note:', 'The quiet words at the end. After “note: |” each line begins with two spaces.'],
];
const body: Row = [
  '---',
  'What stands below the second one is the text of the mail. An empty line begins a paragraph.',
];
const signs: Row[] = [
  ['{{ticketNumber}}', 'Is filled in for each reader. Never translate it; “+ Variable” lists all there are.'],
  ['{{> greeting}}', 'Words that all mails share. They are edited in “Around every mail”.'],
  [
    '{{#if guest}} … {{/if}}',
    'What stands between is for some readers only; after {{else}} comes what the others read.',
  ],
  ['**words**', 'Words in bold.'],
];
const shared: Row[] = [
  ['greeting:', 'The name before the colon says where the words stand. It stays as it is.'],
  ['check: |', 'After “|” come several lines, and each begins with two spaces.'],
];
const sentences: Row[] = [
  [
    '"landing.title": "Ticket {number}",',
    'On the left the name of a sentence, which stays as it is. On the right, between the quotation marks, what guests read.',
  ],
  ['{number}', 'Is filled in for each reader. Never translate it; “+ Variable” lists all there are.'],
  ['\\"', 'A quotation mark within a sentence.'],
  [',', 'Stands after each sentence but the last.'],
];

function rowsOf({ key, kind }: WordsKey): Row[] {
  if (kind === 'pages') return sentences;
  if (kind === 'frame') return [...shared, ...signs.filter(([sign]) => !sign.startsWith('{{>'))];
  return [...fields, ...(key === 'access-code' ? code : [button]), body, ...signs];
}

/** What the signs in the editor mean, for somebody who sees them for the first time. */
export default function GuideDialog({ about, onClose }: { about: WordsKey; onClose: () => void }) {
  return (
    <Dialog title="How these words are written" onClose={onClose}>
      <dl className="guide">
        {rowsOf(about).map(([sign, meaning]) => (
          <div key={sign}>
            <dt>
              <code>{sign}</code>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <p className="hint">
        What you write is a draft: nobody is mailed it until it is published, and nothing that is wrong can be
        published. {modifier}Z takes the last change back.
      </p>
    </Dialog>
  );
}
