import { useCallback, useEffect, useRef, useState } from 'react';
import { ApiError, call, place, type Conflict, type Problem } from './api.js';
import { asApiError } from './ui.js';

export type Saving =
  | { state: 'unchanged' }
  | { state: 'waiting' }
  | { state: 'saving' }
  | { state: 'saved'; at: Date }
  | { state: 'offline' }
  /** Refused as it stands; `isKept` if this browser keeps it until it can be saved. */
  | { state: 'refused'; error: ApiError; isKept: boolean }
  | { state: 'conflict'; conflict: Conflict };

const AFTER_LAST_KEY_MS = 800;
const AGAIN_MS = 4000;

interface Kept {
  text: string;
  version: number;
}

/** Whose words, and where: on a shared machine nobody saves another one's words as their own. */
export interface Desk {
  person: string;
  key: string;
  locale: string;
}

const keptAs = ({ person, key, locale }: Desk) => `words ${person} ${key}/${locale}`;

/** Answers of a server, or of what stands before it, that is there again in a moment. */
const TEMPORARY = [0, 429, 502, 503, 504];

/** What was typed here and never reached the server, if anything. */
export function keptText(desk: Desk): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(keptAs(desk)) ?? 'null') as Kept | null;
  } catch {
    return null; // somebody else's, or the browser keeps nothing
  }
}

export interface Autosave {
  saving: Saving;
  changed: (text: string) => void;
  /** True once all is saved; false where that did not work, and the person was told why. */
  flush: () => Promise<boolean>;
  /** Goes on with this text over that version, after a conflict. */
  settle: (text: string, version: number) => Promise<boolean>;
  /** From here on the words are made of these: shipped ones that were merged into them. Saved with the next change. */
  rebase: (base: string) => void;
  forget: () => void;
  version: () => number;
}

/** Saves the draft a moment after each change, one request at a time; until it is saved the browser keeps it too. */
export function useAutosave(
  desk: Desk,
  start: { version: number; base: string },
  onSaved: (problems: Problem[]) => void,
): Autosave {
  const { person, key, locale } = desk;
  const keptName = keptAs(desk);
  const [saving, setSaving] = useState<Saving>({ state: 'unchanged' });
  const now = useRef({ text: null as string | null, saved: null as string | null, ...start });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const underWay = useRef<Promise<boolean> | null>(null);
  const told = useRef(onSaved);
  told.current = onSaved;

  const save = useCallback(async (): Promise<boolean> => {
    clearTimeout(timer.current);
    if (underWay.current) await underWay.current;
    const { text, saved, version, base } = now.current;
    if (text === null || text === saved) return true;
    setSaving((last) => (last.state === 'refused' ? last : { state: 'saving' }));
    const work = call<{ version: number; problems: Problem[] }>('PUT', place('drafts', key, locale), {
      ...{ text, version, base },
    }).then(
      (answer) => {
        Object.assign(now.current, { version: answer.version, saved: text });
        if (now.current.text === text) {
          localStorage.removeItem(keptName);
          setSaving({ state: 'saved', at: new Date() });
        }
        told.current(answer.problems ?? []);
        return true;
      },
      (problem: unknown) => {
        const error = asApiError(problem);
        if (error.code === 'draft-conflict')
          setSaving({ state: 'conflict', conflict: error.body as unknown as Conflict });
        else if (TEMPORARY.includes(error.status)) {
          setSaving({ state: 'offline' });
          timer.current = setTimeout(() => void save(), AGAIN_MS);
        } else setSaving({ state: 'refused', error, isKept: keptText({ person, key, locale })?.text === text });
        return false;
      },
    );
    underWay.current = work;
    const isSaved = await work;
    underWay.current = null;
    return isSaved;
  }, [person, key, locale, keptName]);

  const changed = useCallback(
    (text: string) => {
      now.current.text = text;
      try {
        localStorage.setItem(keptName, JSON.stringify({ text, version: now.current.version }));
      } catch {
        // The browser keeps nothing: the server does in a moment.
      }
      // What was refused stays said until an answer says otherwise: nothing flickers while it is mended.
      setSaving((last) => (last.state === 'conflict' || last.state === 'refused' ? last : { state: 'waiting' }));
      clearTimeout(timer.current);
      timer.current = setTimeout(() => void save(), AFTER_LAST_KEY_MS);
    },
    [keptName, save],
  );

  useEffect(() => {
    const back = () => void save();
    addEventListener('online', back);
    return () => {
      removeEventListener('online', back);
      clearTimeout(timer.current);
      void save();
    };
  }, [save]);

  const forget = useCallback(() => {
    clearTimeout(timer.current);
    now.current.text = null;
    localStorage.removeItem(keptName);
  }, [keptName]);

  const settle = useCallback(
    (text: string, version: number) => {
      Object.assign(now.current, { text, version, saved: null });
      return save();
    },
    [save],
  );

  const rebase = useCallback((base: string) => Object.assign(now.current, { base, saved: null }), []);

  return { saving, changed, flush: save, settle, rebase, forget, version: () => now.current.version };
}
