import { lazy, Suspense, type RefObject } from 'react';
import { call, place, type Words, type WordsKey } from './api.js';
import type { useAutosave } from './autosave.js';
import type { EditorHandle } from './code-editor.js';
import { PublishDialog, SubmitDialog, TestMailDialog, WhyDialog } from './decisions.js';
import { InsertPlural, InsertVariable } from './insert.js';

const ConflictDialog = lazy(() => import('./conflict.js'));
const GuideDialog = lazy(() => import('./guide.js'));
const ThreeWayDialog = lazy(() => import('./three-way.js'));

export interface Language {
  tag: string;
  name: string;
  dir: 'ltr' | 'rtl';
}

/** Which dialog is open. */
export type Open =
  | 'submit'
  | 'publish'
  | 'discard'
  | 'variable'
  | 'plural'
  | 'guide'
  | 'three-way'
  | { sample: number; brand: string }
  | null;

interface EditorDialogsProps {
  about: WordsKey;
  language: Language;
  words: Words;
  text: string;
  errors: number;
  open: Open;
  onOpen: (open: Open) => void;
  /** After what makes another editor of it. */
  onLeave: (said: string) => void;
  autosave: ReturnType<typeof useAutosave>;
  editor: RefObject<EditorHandle | null>;
}

export function EditorDialogs({
  about,
  language,
  words,
  text,
  errors,
  open,
  onOpen,
  onLeave,
  autosave,
  editor,
}: EditorDialogsProps) {
  const { key, kind, title } = about;
  const { tag: locale, name } = language;
  const { draft } = words;
  const { saving, flush } = autosave;
  const isSentences = kind === 'pages';
  const close = () => onOpen(null);
  const insert = (inserted: Parameters<EditorHandle['insert']>[0]) => {
    close();
    // Once the dialog has given the focus back.
    setTimeout(() => editor.current?.insert(inserted));
  };
  return (
    <>
      <Suspense>
        {saving.state === 'conflict' && (
          <ConflictDialog
            mine={text}
            conflict={saving.conflict}
            locale={locale}
            isSentences={isSentences}
            onSettled={async (merged) => {
              editor.current?.replace(merged);
              return autosave.settle(merged, saving.conflict.theirs?.version ?? 0);
            }}
          />
        )}
        {open === 'guide' && <GuideDialog about={about} onClose={close} />}
        {open === 'three-way' && (
          <ThreeWayDialog
            words={key}
            locale={locale}
            onTake={(merged) => {
              if (words.shipped) autosave.rebase(`shipped:${words.shipped.hash}`);
              editor.current?.replace(merged);
              close();
            }}
            onClose={close}
          />
        )}
      </Suspense>
      {open === 'variable' && (
        <InsertVariable words={words} isSentences={isSentences} onInsert={insert} onClose={close} />
      )}
      {open === 'plural' && (
        <InsertPlural
          vocabulary={words.vocabulary}
          locale={locale}
          language={name}
          isSentences={isSentences}
          onInsert={insert}
          onClose={close}
        />
      )}
      {open === 'submit' && (
        <SubmitDialog
          words={key}
          locale={locale}
          errors={errors}
          flush={flush}
          onDone={() => onLeave('Sent to review')}
          onClose={close}
        />
      )}
      {open === 'publish' && (
        <PublishDialog
          words={key}
          locale={locale}
          title={`Publish: ${title}, ${name}`}
          draft={draft}
          errors={errors}
          flush={flush}
          onDone={onLeave}
          onClose={close}
        />
      )}
      {open === 'discard' && (
        <WhyDialog
          title="Discard this draft?"
          about="What you wrote here is thrown away. What is published stays as it is."
          action="Discard draft"
          isDanger
          asksWhy={false}
          work={async () => {
            autosave.forget();
            await call('DELETE', place('drafts', key, locale));
          }}
          onDone={() => onLeave('The draft is gone')}
          onClose={close}
        />
      )}
      {open !== null && typeof open === 'object' && (
        <TestMailDialog words={key} locale={locale} text={text} {...open} onClose={close} />
      )}
    </>
  );
}
