import { MergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { useEffect, useRef, useState } from 'react';
import type { Conflict } from './api.js';
import { styleNonce } from './nonce.js';
import { highlighting } from './syntax.js';
import { Button, Dialog, Time } from './ui.js';

interface ConflictDialogProps {
  mine: string;
  conflict: Conflict;
  locale: string;
  isSentences: boolean;
  onSettled: (merged: string) => Promise<boolean>;
}

/** Two people wrote the same text: theirs to read, one's own to change, and nothing is lost. */
export default function ConflictDialog({ mine, conflict, locale, isSentences, onSettled }: ConflictDialogProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<MergeView>(null);
  const [busy, setBusy] = useState(false);
  const theirs = conflict.theirs ?? { text: mine, by: 'Somebody', at: null };
  useEffect(() => {
    const shared = [
      EditorView.cspNonce.of(styleNonce),
      lineNumbers(),
      EditorView.lineWrapping,
      highlighting(isSentences),
    ];
    const named = (label: string) =>
      EditorView.contentAttributes.of({ 'aria-label': label, lang: locale, tabindex: '0' });
    const made = new MergeView({
      parent: place.current!,
      a: { doc: theirs.text, extensions: [...shared, named(`Words of ${theirs.by}`), EditorState.readOnly.of(true)] },
      b: { doc: mine, extensions: [...shared, named('Your words')] },
      revertControls: 'a-to-b',
    });
    view.current = made;
    // Whoever was writing goes on writing, and presses no button by it.
    made.b.focus();
    return () => made.destroy();
    // Both as they were when the conflict showed.
  }, [conflict]);
  const settle = async (text: string) => {
    setBusy(true);
    await onSettled(text);
    setBusy(false);
  };
  return (
    <Dialog title={`${theirs.by} changed this too`} wide>
      <p>
        {theirs.at ? (
          <>
            They saved <Time at={theirs.at} />, after you began.
          </>
        ) : (
          'The draft was published or discarded.'
        )}{' '}
        Left is theirs, right is yours: take over what you want with the arrows, or write on the right. Nothing is saved
        until you choose.
      </p>
      <div className="merge__names" aria-hidden="true">
        <span>{theirs.by}</span>
        <span>You</span>
      </div>
      <div className="merge" ref={place} />
      <p className="dialog__actions">
        <Button busy={busy} onClick={() => void settle(theirs.text)}>
          Take theirs
        </Button>
        <Button kind="primary" busy={busy} onClick={() => void settle(view.current?.b.state.doc.toString() ?? mine)}>
          Save what is on the right
        </Button>
      </p>
    </Dialog>
  );
}
