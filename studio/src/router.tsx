import { createContext, useContext, useEffect, useState, type AnchorHTMLAttributes, type ReactNode } from 'react';

const Path = createContext('/studio');

/** Asks each page that is being left; one that says no keeps the person there. */
const guards = new Set<() => boolean>();

export function usePath(): string {
  return useContext(Path);
}

/** Goes to another page of the studio without loading it anew. */
export function go(to: string, { replace = false } = {}): void {
  if ([...guards].some((mayLeave) => !mayLeave())) return;
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  globalThis.dispatchEvent(new Event('moved'));
}

/** `mayLeave` is asked before another page is shown, and before the tab is closed. */
export function useGuard(mayLeave: () => boolean): void {
  useEffect(() => {
    const beforeUnload = (event: BeforeUnloadEvent) => {
      if (!mayLeave()) event.preventDefault();
    };
    guards.add(mayLeave);
    addEventListener('beforeunload', beforeUnload);
    return () => {
      guards.delete(mayLeave);
      removeEventListener('beforeunload', beforeUnload);
    };
  }, [mayLeave]);
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
