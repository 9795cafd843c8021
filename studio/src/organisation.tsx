import { useEffect, useState } from 'react';
import { get } from './api.js';

const NEXT = 'after the organisation';

/** Leads to the organisation's own sign-in, where there is one, and from there to `next`. */
export function ByOrganisation({ next = '/studio' }: { next?: string }) {
  const [hasOidc, setOidc] = useState(false);
  useEffect(() => {
    get<{ oidc: boolean }>('sign-in').then(
      ({ oidc }) => setOidc(oidc),
      () => setOidc(false),
    );
  }, []);
  if (!hasOidc) return null;
  return (
    <a
      className="button button--plain"
      href="/studio/oidc/start"
      onClick={() => sessionStorage.setItem(NEXT, ownPath(next))}
    >
      Sign in with your organisation
    </a>
  );
}

/** Where somebody wanted to go who comes back from there; told once. */
export function cameFor(): string | null {
  const next = sessionStorage.getItem(NEXT);
  sessionStorage.removeItem(NEXT);
  return next && ownPath(next);
}

/** Only within the studio, whatever the address says. */
export function ownPath(next: string): string {
  return /^\/studio(?:[/?]|$)/.test(next) ? next : '/studio';
}
