/** Small parts that all pages share. */
import {
  useCallback,
  useEffect,
  useId,
  useRef,
  useState,
  type ButtonHTMLAttributes,
  type DependencyList,
  type ReactNode,
} from 'react';
import { ApiError, type Segment, type State } from './api.js';

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – Postern studio`;
  }, [title]);
}

export type Loaded<T> = { state: 'loading' } | { state: 'failed'; error: ApiError } | { state: 'here'; value: T };

/** Loads when `deps` change, and again by `reload`; what was there stays until the new is. */
export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, deps: DependencyList): [Loaded<T>, () => void] {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: 'loading' });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const ending = new AbortController();
    load(ending.signal).then(
      (value) => !ending.signal.aborted && setLoaded({ state: 'here', value }),
      (error: unknown) => !ending.signal.aborted && setLoaded({ state: 'failed', error: asApiError(error) }),
    );
    return () => ending.abort();
    // What it loads is named by `deps`.
  }, [...deps, turn]);
  return [loaded, useCallback(() => setTurn((last) => last + 1), [])];
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, 'error', error instanceof Error ? error.message : String(error));
}

/** One thing that is done on demand: whether it is under way, and what went wrong. */
export function useAction(): {
  busy: boolean;
  error: ApiError | null;
  run: (work: () => Promise<void>) => Promise<boolean>;
  clear: () => void;
} {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const run = useCallback(async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
      return true;
    } catch (problem) {
      setError(asApiError(problem));
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, error, run, clear: useCallback(() => setError(null), []) };
}

export function Waiting({ what, loaded, again }: { what: string; loaded: Loaded<unknown>; again: () => void }) {
  if (loaded.state === 'failed')
    return (
      <Notice kind="error" title={`${what} could not be loaded`}>
        <p>{loaded.error.message}</p>
        <Button onClick={again}>Try again</Button>
      </Notice>
    );
  return (
    <div className="skeleton" role="status">
      <span className="unseen">Loading {what.toLowerCase()}…</span>
      <i />
      <i />
      <i />
    </div>
  );
}

export function Button({
  kind = 'plain',
  busy = false,
  children,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: 'plain' | 'primary' | 'quiet' | 'danger'; busy?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      className={`button button--${kind} ${rest.className ?? ''}`}
      aria-busy={busy || undefined}
      onClick={(event) => !busy && rest.onClick?.(event)}
    >
      {children}
    </button>
  );
}

export function Notice({
  kind,
  title,
  children,
}: {
  kind: 'info' | 'warning' | 'error' | 'done';
  title: string;
  children?: ReactNode;
}) {
  return (
    <div className={`notice notice--${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Failure({ error }: { error: ApiError | null }) {
  if (!error) return null;
  return (
    <Notice kind="error" title={error.message}>
      {error.code === 'fresh-sign-in-required' && (
        <a className="button button--plain" href="/studio/oidc/start">
          Sign in with your organisation
        </a>
      )}
      {error.problems.length > 0 && (
        <ul>
          {error.problems.map((problem, index) => (
            <li key={index}>
              {problem.line ? `Line ${problem.line}: ` : ''}
              {problem.message}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}

export function Empty({ title, isPage, children }: { title: string; isPage?: boolean; children?: ReactNode }) {
  return (
    <div className="empty">
      {isPage ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  );
}

/** The browser's own dialog: it keeps the focus, Escape closes it, and the rest of the page is inert. */
export function Dialog({
  title,
  wide = false,
  isHigh = false,
  onClose,
  children,
}: {
  title: string;
  wide?: boolean;
  /** Keeps its upper edge where it is while what it holds grows. */
  isHigh?: boolean;
  /** Without it only what the dialog offers leads out. */
  onClose?: () => void;
  children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown?.showModal();
    // The browser takes the first control, which is the one that closes.
    const first = shown?.querySelector<HTMLElement>(
      ':scope > :not(header) :is(input, textarea, select), :scope > :is(input, textarea, select)',
    );
    first?.focus();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`dialog ${wide ? 'dialog--wide' : ''} ${isHigh ? 'dialog--high' : ''}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        {onClose && (
          <Button kind="quiet" aria-label="Close" onClick={onClose}>
            ✕
          </Button>
        )}
      </header>
      {children}
    </dialog>
  );
}

export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  children: (ids: {
    id: string;
    'aria-describedby': string | undefined;
    'aria-invalid': true | undefined;
  }) => ReactNode;
}) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {hint && (
        <p className="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p className="field__error" id={`${id}-error`}>
          {error}
        </p>
      )}
      {children({ id, 'aria-describedby': described, 'aria-invalid': error ? true : undefined })}
    </div>
  );
}

/** Differences word by word; by signs too, not by colour alone. */
export function Diff({ segments, label }: { segments: Segment[]; label: string }) {
  if (segments.every(({ kind }) => kind === 'same')) return <p className="hint">No difference: both say the same.</p>;
  return (
    <div className="diff" role="group" aria-label={label} tabIndex={0}>
      {shortened(segments).map(({ kind, text }, index) =>
        kind === 'same' ? (
          <span key={index}>{text}</span>
        ) : kind === 'added' ? (
          <ins key={index}>{text}</ins>
        ) : (
          <del key={index}>{text}</del>
        ),
      )}
    </div>
  );
}

const KEPT = 220;

/** Long stretches without a difference are left out: a change of one word is seen at once. */
function shortened(segments: Segment[]): Segment[] {
  return segments.map((segment, index) => {
    const { kind, text } = segment;
    if (kind !== 'same' || text.length <= 2 * KEPT) return segment;
    const start = index === 0 ? '' : text.slice(0, KEPT);
    const end = index === segments.length - 1 ? '' : text.slice(-KEPT);
    return { kind, text: `${start}\n⋯\n${end}` };
  });
}

export const stateNames: Record<State, string> = {
  shipped: 'Shipped',
  published: 'Edited',
  draft: 'Draft',
  submitted: 'In review',
  scheduled: 'Scheduled',
  stale: 'Behind English',
  missing: 'Missing',
  failing: 'Failing',
};

export const stateMeanings: Record<State, string> = {
  shipped: 'As it came with Postern; nobody here changed it',
  published: 'Changed here; guests read it',
  draft: 'Somebody is writing at it; guests read the version before',
  submitted: 'Waits for somebody to look at it',
  scheduled: 'Guests read it from a time on that somebody chose',
  stale: 'The English was changed after this was translated',
  missing: 'Not translated; guests read it in English',
  failing: 'Cannot be used; guests read the version before',
};

export const stateSigns: Record<State, string> = {
  shipped: '·',
  published: '✓',
  draft: '✎',
  submitted: '⇢',
  scheduled: '◷',
  stale: '↻',
  missing: '–',
  failing: '!',
};

export function StateMark({ state }: { state: State }) {
  return (
    <span className={`mark mark--${state}`} title={stateMeanings[state]}>
      <span aria-hidden="true">{stateSigns[state]}</span> {stateNames[state]}
    </span>
  );
}

const days = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

/** "3 hours ago", with the whole time to point at. */
export function Time({ at }: { at: string }) {
  const time = new Date(at);
  return (
    <time dateTime={at} title={days.format(time)}>
      {ago(time.getTime() - Date.now())}
    </time>
  );
}

function ago(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (Math.abs(seconds) < 60) return relative.format(seconds, 'second');
  if (Math.abs(seconds) < 3600) return relative.format(Math.round(seconds / 60), 'minute');
  if (Math.abs(seconds) < 86_400) return relative.format(Math.round(seconds / 3600), 'hour');
  return relative.format(Math.round(seconds / 86_400), 'day');
}

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
export const modifier = isMac ? '⌘' : 'Ctrl ';
