/** Dialogs in which somebody decides: review, publishing, taking back, a test mail. */
import { useEffect, useState, type ReactNode } from 'react';
import { call, get, place, query, type Segment, type Words } from './api.js';
import { useSession } from './session.js';
import { Button, Dialog, Diff, Failure, Field, Notice, useAction } from './ui.js';

interface WhyDialogProps {
  title: string;
  about: ReactNode;
  action: string;
  isDanger?: boolean;
  asksWhy?: boolean;
  work: (why: string) => Promise<void>;
  onDone: () => void;
  onClose: () => void;
}

/** Asks for the reason, which everybody can read later, and does it. */
export function WhyDialog({ title, about, action, isDanger, asksWhy = true, work, onDone, onClose }: WhyDialogProps) {
  const [why, setWhy] = useState('');
  const [missing, setMissing] = useState(false);
  const { busy, error, run } = useAction();
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setMissing(asksWhy && !why.trim());
          if (asksWhy && !why.trim()) return;
          void run(() => work(why.trim())).then((isDone) => isDone && onDone());
        }}
      >
        <div>{about}</div>
        {asksWhy && (
          <Field label="Why" hint="Shown in the history." error={missing ? 'Say in a few words why.' : undefined}>
            {(ids) => (
              <input {...ids} autoFocus maxLength={500} value={why} onChange={(event) => setWhy(event.target.value)} />
            )}
          </Field>
        )}
        <Failure error={error} />
        <p className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={isDanger ? 'danger' : 'primary'} busy={busy}>
            {action}
          </Button>
        </p>
      </form>
    </Dialog>
  );
}

interface DraftDiffProps {
  words: string;
  locale: string;
  /** Told the version of the draft that is shown: whoever publishes names it. */
  onShown?: (version: number) => void;
}

/** What the draft changes, word by word. */
export function DraftDiff({ words, locale, onShown }: DraftDiffProps) {
  const [segments, setSegments] = useState<Segment[] | null>(null);
  useEffect(() => {
    const ending = new AbortController();
    get<{ segments: Segment[]; version: number }>(
      `compare?${query({ key: words, locale, from: 'published', to: 'draft' })}`,
      ending.signal,
    ).then(
      (found) => {
        setSegments(found.segments);
        onShown?.(found.version);
      },
      () => undefined,
    );
    return () => ending.abort();
  }, [words, locale, onShown]);
  return segments && <Diff segments={segments} label="What changes" />;
}

interface DraftDialogProps {
  words: string;
  locale: string;
  errors: number;
  flush: () => Promise<boolean>;
  onClose: () => void;
}

export function SubmitDialog({
  words,
  locale,
  errors,
  flush,
  onDone,
  onClose,
}: DraftDialogProps & { onDone: () => void }) {
  const isSaved = useFlushed(flush);
  const [note, setNote] = useState('');
  const { busy, error, run } = useAction();
  return (
    <Dialog title="Ask for review" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run(() => call('POST', place('drafts', words, locale, 'submit'), { note: note.trim() })).then(
            (isDone) => isDone && onDone(),
          );
        }}
      >
        <Mend errors={errors} isSaved={isSaved} />
        <Field label="Note for the reviewer" hint="What changed, and what to look at.">
          {(ids) => (
            <textarea
              {...ids}
              rows={3}
              autoFocus
              maxLength={500}
              value={note}
              onChange={(event) => setNote(event.target.value)}
            />
          )}
        </Field>
        {isSaved && <DraftDiff words={words} locale={locale} />}
        <Failure error={error} />
        <p className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={errors > 0 || !isSaved}>
            Ask for review
          </Button>
        </p>
      </form>
    </Dialog>
  );
}

interface PublishDialogProps extends DraftDialogProps {
  title: string;
  draft: Words['draft'];
  onDone: (said: string) => void;
}

export function PublishDialog({ words, locale, title, draft, errors, flush, onDone, onClose }: PublishDialogProps) {
  const { me } = useSession();
  const isSaved = useFlushed(flush);
  const [why, setWhy] = useState('');
  const [when, setWhen] = useState<'now' | 'later'>('now');
  const [at, setAt] = useState('');
  const [missing, setMissing] = useState<{ why?: string | undefined; at?: string | undefined }>({});
  /** What was looked at: of words that changed since nobody publishes what they have not seen. */
  const [seen, setSeen] = useState<number | null>(null);
  const [look, setLook] = useState(0);
  const { busy, error, run } = useAction();
  // Whoever wrote at it asks somebody else: the server holds to it, this says so before.
  const isOwn = me.settings.secondPerson && (draft?.isOwn ?? true);
  const publish = () => {
    const time = at ? new Date(at) : null;
    const wrong = {
      why: why.trim() ? undefined : 'Say in a few words why.',
      at:
        when === 'later' && !(time && time.getTime() > Date.now()) ? 'Choose a time that is still to come.' : undefined,
    };
    setMissing(wrong);
    if (wrong.why || wrong.at) return;
    const body = { why: why.trim(), version: seen, ...(when === 'later' && time ? { at: time.toISOString() } : {}) };
    void run(() => call('POST', place('drafts', words, locale, 'publish'), body)).then((isDone) => {
      if (isDone) return onDone(when === 'later' ? 'Scheduled' : 'Published: the next mail says it');
      setLook(look + 1); // as it stands now, should it have changed
    });
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          publish();
        }}
      >
        <Mend errors={errors} isSaved={isSaved} />
        {isOwn && (
          <Notice kind="info" title="Somebody else publishes what you wrote.">
            {' '}
            Ask for review instead; two people look at every change here.
          </Notice>
        )}
        {isSaved && <DraftDiff key={look} words={words} locale={locale} onShown={setSeen} />}
        <Field label="Why" hint="Shown in the history." error={missing.why}>
          {(ids) => (
            <input {...ids} autoFocus maxLength={500} value={why} onChange={(event) => setWhy(event.target.value)} />
          )}
        </Field>
        <fieldset className="when">
          <legend>When</legend>
          <label>
            <input type="radio" name="when" checked={when === 'now'} onChange={() => setWhen('now')} /> Now: from the
            next mail on
          </label>
          <label>
            <input type="radio" name="when" checked={when === 'later'} onChange={() => setWhen('later')} /> Later, at a
            time of your own
          </label>
        </fieldset>
        {when === 'later' && (
          <Field
            label="Time"
            hint={`In your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`}
            error={missing.at}
          >
            {(ids) => (
              <input {...ids} type="datetime-local" value={at} onChange={(event) => setAt(event.target.value)} />
            )}
          </Field>
        )}
        <Failure error={error} />
        <p className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy} disabled={errors > 0 || !isSaved || isOwn || seen === null}>
            {when === 'later' ? 'Schedule' : 'Publish now'}
          </Button>
        </p>
      </form>
    </Dialog>
  );
}

/** The last changes are saved before anybody decides about them. Null while that runs. */
function useFlushed(flush: () => Promise<boolean>): boolean | null {
  const [isSaved, setSaved] = useState<boolean | null>(null);
  useEffect(() => {
    void flush().then(setSaved);
  }, [flush]);
  return isSaved;
}

function Mend({ errors, isSaved }: { errors: number; isSaved: boolean | null }) {
  if (isSaved === false)
    return <Notice kind="error" title="The last changes are not saved. Close this and look at what the editor says." />;
  if (errors > 0)
    return (
      <Notice kind="error" title={errors === 1 ? 'Mend the one error first.' : `Mend the ${errors} errors first.`}>
        {' '}
        The list below the editor names them.
      </Notice>
    );
  return null;
}

interface TestMailProps {
  words: string;
  locale: string;
  text: string;
  sample: number;
  brand: string;
  onClose: () => void;
}

export function TestMailDialog({ words, locale, text, sample, brand, onClose }: TestMailProps) {
  const { me, say } = useSession();
  return (
    <WhyDialog
      title="Mail it to me"
      about={
        <p>
          These words, with the sample you look at, go to <strong>{me.email}</strong>. The subject begins with [Test].
        </p>
      }
      action="Send"
      asksWhy={false}
      work={() => call('POST', 'test-mail', { key: words, locale, text, sample, brand })}
      onDone={() => {
        say(`A test mail is on its way to ${me.email}`);
        onClose();
      }}
      onClose={onClose}
    />
  );
}
