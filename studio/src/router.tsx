import { createContext, useContext, useEffect, useState, type AnchorHTMLAttributes, type ReactNode } from 'react';

const Path = createContext('/studio');

/** What would not be saved if the page were left now. */
const guards = new Set<string>();

export function usePath(): string {
  return useContext(Path);
}

/** Goes to another page of the studio without loading it anew. */
export function go(to: string, { replace = false } = {}): void {
  if ([...guards].some((question) => !confirm(question))) return;
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  globalThis.dispatchEvent(new Event('moved'));
}

/** `question` is asked before another page is shown; before the tab is closed the browser asks its own. Null: none is. */
export function useGuard(question: string | null): void {
  useEffect(() => {
    if (question === null) return undefined;
    const beforeUnload = (event: BeforeUnloadEvent) => event.preventDefault();
    guards.add(question);
    addEventListener('beforeunload', beforeUnload);
    return () => {
      guards.delete(question);
      removeEventListener('beforeunload', beforeUnload);
    };
  }, [question]);
}

export function Router({ children }: { children: ReactNode }) {
  const [path, setPath] = useState(location.pathname + location.search);
  useEffect(() => {
    const moved = () => {
      setPath(location.pathname + location.search);
      scrollTo(0, 0);
    };
    addEventListener('popstate', moved);
    addEventListener('moved', moved);
    return () => {
      removeEventListener('popstate', moved);
      removeEventListener('moved', moved);
    };
  }, []);
  return <Path.Provider value={path}>{children}</Path.Provider>;
}

export function Link({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  return (
    <a
      href={href}
      {...rest}
      onClick={(event) => {
        rest.onClick?.(event);
        const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
        if (event.defaultPrevented || !isPlain) return;
        event.preventDefault();
        go(href);
      }}
    />
  );
}
