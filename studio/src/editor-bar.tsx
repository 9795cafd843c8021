import { call, may, place, type Words, type WordsKey } from './api.js';
import type { Saving } from './autosave.js';
import type { Language, Open } from './editor-dialogs.js';
import { Link } from './router.js';
import { useSession } from './session.js';
import { Button, Failure, modifier, Notice, StateMark, Time, useAction } from './ui.js';

type Draft = Words['draft'];

export function isLockedDraft(draft: Draft): boolean {
  return draft?.state === 'submitted' || draft?.state === 'scheduled';
}

interface EditorBarProps {
  about: WordsKey;
  language: Language;
  draft: Draft;
  hasDraft: boolean;
  shownState: Parameters<typeof StateMark>[0]['state'];
  saving: Saving;
  onOpen: (open: Open) => void;
  onWithdrawn: () => void;
}

/** Which words these are, how they stand, and what may be done with them. */
export function EditorBar({
  about,
  language,
  draft,
  hasDraft,
  shownState,
  saving,
  onOpen,
  onWithdrawn,
}: EditorBarProps) {
  const { key, title } = about;
  const { tag: locale, name } = language;
  const { me } = useSession();
  const withdraw = useAction();
  return (
    <>
      <header className="editor__head">
        <p className="crumbs">
          <Link href="/studio">Board</Link> <span aria-hidden="true">/</span>{' '}
          <Link href={`/studio/matrix/${key}`}>{title}</Link> <span aria-hidden="true">/</span>
        </p>
        <h1>
          <span className="unseen">{title}, </span>
          {name} <code>{locale}</code>
        </h1>
        <StateMark state={shownState} />
        <SavingState saving={saving} draft={draft} />
        <span className="editor__actions">
          <Link className="button button--quiet" href={`/studio/history/${key}/${locale}`}>
            History
          </Link>
          {isLockedDraft(draft) ? (
            <Button
              busy={withdraw.busy}
              onClick={() =>
                void withdraw.run(async () => {
                  await call('POST', place('drafts', key, locale, 'withdraw'), {});
                  onWithdrawn();
                })
              }
            >
              Back to draft
            </Button>
          ) : (
            hasDraft && (
              <Button kind="quiet" onClick={() => onOpen('discard')}>
                Discard draft
              </Button>
            )
          )}
          {hasDraft && !isLockedDraft(draft) && <Button onClick={() => onOpen('submit')}>Ask for review</Button>}
          {hasDraft && may(me, 'publisher') && draft?.state !== 'scheduled' && (
            <Button kind="primary" title={`${modifier}Enter`} onClick={() => onOpen('publish')}>
              Publish…
            </Button>
          )}
        </span>
      </header>
      <Failure error={withdraw.error} />
    </>
  );
}

interface EditorNotesProps {
  draft: Draft;
  /** Words that this browser kept, of which no draft knows. */
  isFound: boolean;
  shippedChanged: boolean;
  saving: Saving;
  onCompare: () => void;
}

export function EditorNotes({ draft, isFound, shippedChanged, saving, onCompare }: EditorNotesProps) {
  return (
    <div className="editor__notes">
      {draft && isLockedDraft(draft) && (
        <Notice kind="info" title={draft.state === 'submitted' ? 'In review' : 'Scheduled'}>
          {' '}
          {draft.by} · <Time at={draft.at} />
          {draft.publishAt && <> · counts from {new Date(draft.publishAt).toLocaleString()}</>}
          {draft.note ? ` · “${draft.note}”` : ''}. Take it back to draft to change it.
        </Notice>
      )}
      {isFound && <Notice kind="info" title="Found in this browser: words that were never saved. Here they are." />}
      {shippedChanged && (
        <Notice kind="warning" title="A new version of Postern came with other words here.">
          {' '}
          Yours still count.{' '}
          <Button kind="quiet" onClick={onCompare}>
            Compare and merge
          </Button>
        </Notice>
      )}
      {saving.state === 'refused' && saving.error.code !== 'words-refused' && (
        <Notice kind="error" title="Not saved.">
          {' '}
          {saving.error.message.replace(/[^.]$/, '$&.')} Your draft is as it was before.
        </Notice>
      )}
    </div>
  );
}

function SavingState({ saving, draft }: { saving: Saving; draft: Words['draft'] }) {
  const said: Record<Saving['state'], string> = {
    unchanged: draft ? 'Saved' : 'No changes',
    waiting: 'Saving…',
    saving: 'Saving…',
    saved:
      saving.state === 'saved'
        ? `Saved ${saving.at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}`
        : '',
    offline: 'Kept in this browser',
    refused: saving.state === 'refused' ? refusedAs(saving) : '',
    conflict: 'Not saved',
  };
  const isCalm = saving.state === 'refused' && saving.isKept && saving.error.code === 'words-refused';
  return (
    <span className={`saving saving--${isCalm ? 'kept' : saving.state}`} role="status">
      {said[saving.state]}
    </span>
  );
}

/** Where to look; what is wrong stands under the editor. */
function refusedAs({ error, isKept }: Extract<Saving, { state: 'refused' }>): string {
  if (error.code !== 'words-refused' || !isKept) return 'Not saved';
  const line = error.problems[0]?.line;
  return line ? `Kept in this browser until line ${line} is mended` : 'Kept in this browser until it is mended';
}
