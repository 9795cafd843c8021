import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { call, get, may, place, type Problem, type Words, type WordsKey } from './api.js';
import { keptText, useAutosave } from './autosave.js';
import { CodeEditor, type EditorHandle } from './code-editor.js';
import { EditorBar, EditorNotes, isLockedDraft } from './editor-bar.js';
import { EditorDialogs, type Language, type Open } from './editor-dialogs.js';
import { withMend } from './mends.js';
import { PreviewPane } from './preview.js';
import { useGuard, usePath } from './router.js';
import { useSession } from './session.js';
import { Button, useLoad, useTitle, Waiting } from './ui.js';

export default function EditorPage({ words: key, locale }: { words: string; locale: string }) {
  const [loaded, reload] = useLoad((signal) => get<Words>(place('words', key, locale), signal), [key, locale]);
  const [turn, setTurn] = useState(0);
  const { board } = useSession();
  const again = useCallback(() => {
    setTurn((last) => last + 1);
    reload();
  }, [reload]);
  if (loaded.state !== 'here')
    return (
      <div className="page">
        <Waiting what="These words" loaded={loaded} again={reload} />
      </div>
    );
  const known = board.state === 'here' ? board.value : null;
  const about = known?.keys.find((one) => one.key === key) ?? { key, title: key, kind: 'mail' as const };
  const language = known?.locales.find(({ tag }) => tag === locale) ?? {
    tag: locale,
    name: locale,
    dir: 'ltr' as const,
  };
  // Another draft or publication is another editor: its text, version and history begin anew.
  const which = `${turn} ${loaded.value.draft?.state} ${loaded.value.base} ${loaded.value.draft ? 'draft' : ''}`;
  return <Editor key={which} about={about} language={language} words={loaded.value} reload={again} />;
}

interface EditorProps {
  about: WordsKey;
  language: Language;
  words: Words;
  reload: () => void;
}

const CHECK_MS = 120;
/** After the last key. What is half typed is not told of as a mistake. */
const SETTLED_MS = 900;

function Editor({ about, language, words, reload }: EditorProps) {
  const { key, title, kind } = about;
  const { tag: locale, name, dir } = language;
  useTitle(`${title}, ${name}`);
  const { me, board, reloadBoard, say } = useSession();
  const desk = useMemo(() => ({ person: me.id, key, locale }), [me.id, key, locale]);
  const kept = useMemo(() => keptText(desk), [desk]);
  const { draft } = words;
  const begin = kept?.text ?? draft?.text ?? words.text;
  const isLocked = isLockedDraft(draft);
  const [text, setText] = useState(begin);
  const [found, setFound] = useState({ problems: words.problems, of: draft?.text ?? words.text });
  const problems = useMemo(() => found.problems.map((one) => withMend(one, found.of, words)), [found, words]);
  const [hasDraft, setHasDraft] = useState(draft !== null || kept !== null);
  const [open, setOpen] = useState<Open>(null);
  const [showsSource, setShowsSource] = useState(locale !== 'en');
  const editor = useRef<EditorHandle>(null);
  const autosave = useAutosave(desk, { version: kept?.version ?? draft?.version ?? 0, base: words.base }, () =>
    setHasDraft(true),
  );
  const { saving, changed, flush } = autosave;
  const isSentences = kind === 'pages';
  const cell = board.state === 'here' ? board.value.cells[key]?.[locale] : undefined;

  useEffect(() => {
    if (kept) changed(kept.text);
    // Once, at the start.
  }, []);

  const told = useRef(problems);
  told.current = problems;
  useEffect(() => {
    const ending = new AbortController();
    let later: ReturnType<typeof setTimeout>;
    const timer = setTimeout(
      () =>
        call<{ problems: Problem[] }>('POST', 'check', { key, locale, text }, ending.signal).then(
          (answer) => {
            const now = { problems: answer.problems, of: text };
            const isKnown = now.problems.every(({ message }) => told.current.some((one) => one.message === message));
            if (isKnown || text === begin) setFound(now);
            else later = setTimeout(() => setFound(now), SETTLED_MS - CHECK_MS);
          },
          () => undefined, // the save tells of what is wrong with the connection
        ),
      CHECK_MS,
    );
    return () => {
      clearTimeout(timer);
      clearTimeout(later);
      ending.abort();
    };
  }, [key, locale, text, begin]);

  // From the search: the line it was found on.
  const line = new URLSearchParams(usePath().split('?')[1] ?? '').get('line');
  useEffect(() => {
    if (line) editor.current?.goTo(Number(line));
  }, [line]);

  useGuard(
    saving.state === 'refused' || saving.state === 'conflict'
      ? 'Your last changes are not in the draft. Leave all the same? They stay in this browser.'
      : null,
  );

  const leave = (said: string) => {
    setOpen(null);
    say(said);
    reloadBoard();
    reload();
  };

  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (!(event.metaKey || event.ctrlKey) || event.altKey) return;
      if (event.key.toLowerCase() === 's') void flush().then((isSaved) => isSaved && say('Saved'));
      else if (event.key === 'Enter') setOpen(may(me, 'publisher') ? 'publish' : 'submit');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', pressed, true);
    return () => removeEventListener('keydown', pressed, true);
  }, [flush, me, say]);

  const errors = problems.filter(({ severity }) => severity === 'error').length;
  return (
    <div className="editor">
      <EditorBar
        about={about}
        language={language}
        draft={draft}
        hasDraft={hasDraft}
        shownState={hasDraft ? (draft?.state ?? 'draft') : (cell?.state ?? 'shipped')}
        saving={saving}
        onOpen={setOpen}
        onWithdrawn={() => leave('It is a draft again')}
      />
      <EditorNotes
        draft={draft}
        isFound={kept !== null && kept.text !== draft?.text}
        shippedChanged={cell?.shippedChanged ?? false}
        saving={saving}
        onCompare={() => setOpen('three-way')}
      />
      <div className={showsSource ? 'panes panes--three' : 'panes'}>
        {showsSource && (
          <section className="pane" aria-label="English">
            <header className="pane__head">
              <h2>English</h2>
              <Button kind="quiet" aria-label="Hide English" onClick={() => setShowsSource(false)}>
                Hide
              </Button>
            </header>
            <CodeEditor
              label="English words, to read"
              text={words.source}
              locale="en"
              isRtl={false}
              isSentences={isSentences}
              isReadOnly
            />
          </section>
        )}
        <section className="pane" aria-label="Words">
          <header className="pane__head">
            <h2>{name}</h2>
            <div role="toolbar" aria-label="Insert" className="pane__tools">
              <Button kind="quiet" disabled={isLocked} onClick={() => setOpen('variable')}>
                + Variable
              </Button>
              {kind === 'mail' && (
                <Button kind="quiet" disabled={isLocked} onClick={() => toButton(text, editor.current)}>
                  + Link button
                </Button>
              )}
              <Button kind="quiet" disabled={isLocked} onClick={() => setOpen('plural')}>
                + Plural
              </Button>
              <Button kind="quiet" onClick={() => editor.current?.find()}>
                Find
              </Button>
              <Button kind="quiet" title="How these words are written" onClick={() => setOpen('guide')}>
                Guide
              </Button>
              {!showsSource && locale !== 'en' && (
                <Button kind="quiet" onClick={() => setShowsSource(true)}>
                  English
                </Button>
              )}
            </div>
          </header>
          <CodeEditor
            ref={editor}
            label={`${title} in ${name}`}
            text={begin}
            locale={locale}
            isRtl={dir === 'rtl'}
            isSentences={isSentences}
            isReadOnly={isLocked}
            problems={problems}
            checked={found.of}
            words={words}
            onChange={(next) => {
              setText(next);
              changed(next);
            }}
          />
          <Problems
            problems={problems}
            errors={errors}
            isRefused={saving.state === 'refused' && saving.error.code === 'words-refused'}
            isFresh={found.of === text}
            editor={editor.current}
            isLocked={isLocked}
          />
          <p className="promise">{promiseOf(key, kind)}</p>
        </section>
        <PreviewPane
          words={key}
          locale={locale}
          kind={kind}
          text={text}
          onTestMail={(sample, brand) => setOpen({ sample, brand })}
        />
      </div>
      <EditorDialogs
        about={about}
        language={language}
        words={words}
        text={text}
        errors={errors}
        open={open}
        onOpen={setOpen}
        onLeave={leave}
        autosave={autosave}
        editor={editor}
      />
    </div>
  );
}

interface ProblemsProps {
  problems: Problem[];
  errors: number;
  /** The draft does not have what stands here. */
  isRefused: boolean;
  /** Nothing was typed since: each stands where it was found. */
  isFresh: boolean;
  editor: EditorHandle | null;
  isLocked: boolean;
}

function Problems({ problems, errors, isRefused, isFresh, editor, isLocked }: ProblemsProps) {
  const until = isRefused ? 'the draft stays as it was until this is mended' : 'it cannot be published like this';
  return (
    <section className="problems" aria-label="Problems">
      <p role="status" className={errors ? 'problems__sum problems__sum--error' : 'problems__sum'}>
        {problems.length === 0
          ? '✓ No problems'
          : `${problems.length === 1 ? '1 problem' : `${problems.length} problems`}${errors ? `: ${until}` : ''}`}
      </p>
      {problems.length > 0 && (
        <ul>
          {problems.map((problem, index) => (
            <li key={index} className={`problem problem--${problem.severity}`}>
              <button
                type="button"
                className="problem__place"
                onClick={() => editor?.goTo(problem.line, problem.column)}
              >
                <span className="unseen">{problem.severity}, go to </span>
                line {problem.line}
              </button>
              <span title={problem.message}>
                {problem.fix ? problem.message.replace(/; there are: .*$/, '') : problem.message}
              </span>
              {problem.fix && !isLocked && (
                <Button kind="quiet" disabled={!isFresh} onClick={() => editor?.apply(problem.fix!)}>
                  {problem.fix.label}
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** What these words cannot break, whatever is written. */
function promiseOf(key: string, kind: WordsKey['kind']): string {
  if (kind === 'pages') return 'Forms and buttons stand in the page itself: no words can remove them.';
  if (kind === 'frame') return 'These words stand around every mail. The link and the code are placed by the layout.';
  if (key === 'access-code') return 'The code cannot be lost: the layout places it in every mail, below your words.';
  return 'The link cannot be lost: the layout places the button and the address below your words, in every mail.';
}

/** The button itself is always there; its words are the field `button`. */
function toButton(text: string, editor: EditorHandle | null): void {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => /^["']?button["']?\s*:/.test(line));
  if (at >= 0) return editor?.goTo(at + 1, lines[at]!.length + 1);
  const end = lines.findIndex((line, index) => index > 0 && /^---\s*$/.test(line));
  if (end >= 0) {
    const next = [...lines.slice(0, end), 'button: ', ...lines.slice(end)];
    editor?.replace(next.join('\n'));
    editor?.goTo(end + 1, 9);
  }
}
