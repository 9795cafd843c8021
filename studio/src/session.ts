import { createContext, useContext } from 'react';
import type { Board, Me } from './api.js';
import type { Loaded } from './ui.js';

export interface Session {
  me: Me;
  board: Loaded<Board>;
  reloadBoard: () => void;
  /** Shown for a few seconds, and read out. */
  say: (words: string) => void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('this page is for people who are signed in');
  return session;
}

/** What a key and a locale are called, once the board is there. */
export function useNames(): { title: (key: string) => string; language: (tag: string) => string } {
  const { board } = useSession();
  const { keys, locales } = board.state === 'here' ? board.value : { keys: [], locales: [] };
  return {
    title: (key) => keys.find((one) => one.key === key)?.title ?? key,
    language: (tag) => locales.find((one) => one.tag === tag)?.name ?? tag,
  };
}
