import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { get, keepToken, may, type Board, type Me } from './api.js';
import { BoardPage } from './board.js';
import { cameFor } from './organisation.js';
import { Palette } from './palette.js';
import { go, Link, usePath } from './router.js';
import { SessionContext } from './session.js';
import { Button, Empty, modifier, useLoad, useTitle, Waiting } from './ui.js';

const EditorPage = lazy(() => import('./editor-page.js'));
const MatrixPage = lazy(() => import('./matrix.js'));
const HistoryPage = lazy(() => import('./history.js'));
const ReviewsPage = lazy(() => import('./reviews.js'));
const PeoplePage = lazy(() => import('./people.js'));
const AccountPage = lazy(() => import('./account.js'));
const BrandsPage = lazy(() => import('./brands.js'));
const AuditPage = lazy(() => import('./audit.js'));
const SentPage = lazy(() => import('./sent.js'));
const SignInPage = lazy(() => import('./sign-in.js'));
const EnrolPage = lazy(() => import('./enrol.js'));

/** All pages and who they are for. */
export function Studio() {
  const [path] = usePath().split('?');
  const [, , page = '', ...rest] = path!.replace(/\/$/, '').split('/').map(decodeURIComponent);
  if (page === 'sign-in') return <Door page={<SignInPage />} />;
  if (page === 'first' || page === 'invitation') return <Door page={<EnrolPage key={page} kind={page} />} />;
  return (
    <SignedIn>
      {(me) => (Object.hasOwn(ofWords, page) && !may(me, 'editor') ? ofWords[page] : pageOf(page, rest))}
    </SignedIn>
  );
}

function pageOf(page: string, [key = '', locale = '']: string[]): ReactNode {
  if (page === '') return <BoardPage />;
  if (page === 'words' && key && locale) return <EditorPage key={`${key}/${locale}`} words={key} locale={locale} />;
  if (page === 'matrix' && key) return <MatrixPage key={key} words={key} />;
  if (page === 'history' && key && locale) return <HistoryPage key={`${key}/${locale}`} words={key} locale={locale} />;
  const pages: Record<string, ReactNode> = {
    reviews: <ReviewsPage />,
    people: <PeoplePage />,
    account: <AccountPage />,
    brands: <BrandsPage />,
    audit: <AuditPage />,
    sent: <SentPage />,
  };
  return pages[page] ?? <NotThere />;
}

/** What stands in their place for those who have a role for one brand only: words belong to all brands. */
const ofWords: Record<string, ReactNode> = {
  '': <BrandsPage />,
  words: <NotYours />,
  matrix: <NotYours />,
  history: <NotYours />,
  reviews: <NotYours />,
};

function NotYours() {
  useTitle('Not for you');
  return (
    <Empty isPage title="Words belong to all brands">
      <p>Your role is for one brand. An admin can give you one for all.</p>
      <Link className="button button--primary" href="/studio/brands">
        To the brands
      </Link>
    </Empty>
  );
}

function NotThere() {
  useTitle('Not found');
  return (
    <Empty isPage title="There is no such page in the studio">
      <p>The address may be old or mistyped.</p>
      <Link className="button button--primary" href="/studio">
        To the board
      </Link>
    </Empty>
  );
}

function Door({ page }: { page: ReactNode }) {
  return (
    <main className="door" id="main">
      <p className="door__name">
        <Mark /> Postern studio
      </p>
      <Suspense fallback={<p role="status">Loading…</p>}>{page}</Suspense>
    </main>
  );
}

function Mark() {
  return (
    <svg className="logo" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <path d="M3 18V8a7 7 0 0 1 14 0v10h-4V9a3 3 0 0 0-6 0v9z" fill="currentColor" />
    </svg>
  );
}

function SignedIn({ children }: { children: (me: Me) => ReactNode }) {
  const [me, reload] = useLoad(async (signal) => {
    const found = await get<Me>('me', signal);
    keepToken(found);
    return found;
  }, []);
  useEffect(() => {
    const signedOut = () => {
      const here = location.pathname + location.search;
      go(`/studio/sign-in${here === '/studio' ? '' : `?next=${encodeURIComponent(here)}`}`, { replace: true });
    };
    addEventListener('signed-out', signedOut);
    return () => removeEventListener('signed-out', signedOut);
  }, []);
  useEffect(() => {
    if (me.state !== 'here') return;
    const next = cameFor();
    if (next !== null && location.pathname === '/studio') go(next, { replace: true });
  }, [me.state]);
  if (me.state === 'here') return <Frame me={me.value}>{children(me.value)}</Frame>;
  if (me.state === 'failed' && me.error.status === 401) return <p className="boot">Going to the sign-in…</p>;
  return (
    <main className="page" id="main">
      <h1>Postern studio</h1>
      <Waiting what="The studio" loaded={me} again={reload} />
    </main>
  );
}

function Frame({ me, children }: { me: Me; children: ReactNode }) {
  const hasWords = may(me, 'editor');
  const [board, reloadBoard] = useLoad((signal) => (hasWords ? get<Board>('board', signal) : noBoard), [hasWords]);
  const [said, setSaid] = useState('');
  const [palette, setPalette] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const say = useCallback((words: string) => {
    setSaid(words);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(''), 6000);
  }, []);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && !event.shiftKey && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        setPalette(hasWords);
      }
    };
    // Before the editor, which has keys of its own.
    addEventListener('keydown', pressed, true);
    return () => removeEventListener('keydown', pressed, true);
  }, [hasWords]);
  const session = useMemo(() => ({ me, board, reloadBoard, say }), [me, board, reloadBoard, say]);
  return (
    <SessionContext.Provider value={session}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <Bar me={me} waiting={board.state === 'here' ? submitted(board.value) : 0} search={() => setPalette(true)} />
      <Offline />
      <main id="main" tabIndex={-1}>
        <Suspense
          fallback={
            <div className="page">
              <Waiting what="The page" loaded={{ state: 'loading' }} again={reloadBoard} />
            </div>
          }
        >
          {children}
        </Suspense>
      </main>
      {palette && <Palette onClose={() => setPalette(false)} />}
      <p className="said" role="status">
        {said}
      </p>
    </SessionContext.Provider>
  );
}

/** Never there: nothing asks for it. */
const noBoard = new Promise<Board>(() => undefined);

function submitted({ cells }: Board): number {
  return Object.values(cells)
    .flatMap((ofKey) => Object.values(ofKey ?? {}))
    .filter((cell) => cell?.state === 'submitted').length;
}

function Bar({ me, waiting, search }: { me: Me; waiting: number; search: () => void }) {
  const [path] = usePath().split('?');
  const isAdmin = may(me, 'admin');
  const hasWords = may(me, 'editor');
  const pages: [string, string, boolean][] = [
    ['/studio', 'Board', hasWords],
    ['/studio/reviews', waiting > 0 ? `Reviews (${waiting})` : 'Reviews', hasWords],
    ['/studio/brands', 'Brands', true],
    ['/studio/sent', 'Sent', isAdmin],
    ['/studio/people', 'People', isAdmin],
    ['/studio/audit', 'Audit', isAdmin],
  ];
  return (
    <header className="bar">
      <Link className="bar__name" href="/studio">
        <Mark /> <span>Studio</span>
      </Link>
      <nav aria-label="Studio">
        {pages
          .filter(([, , isShown]) => isShown)
          .map(([href, name]) => (
            <Link key={href} href={href} aria-current={path === href ? 'page' : undefined}>
              {name}
            </Link>
          ))}
      </nav>
      {hasWords && (
        <Button className="bar__search" onClick={search}>
          Search all words <kbd>{modifier}K</kbd>
        </Button>
      )}
      <Link className="bar__me" href="/studio/account" aria-current={path === '/studio/account' ? 'page' : undefined}>
        {me.name}
      </Link>
    </header>
  );
}

function Offline() {
  const [isOffline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const changed = () => setOffline(!navigator.onLine);
    addEventListener('online', changed);
    addEventListener('offline', changed);
    return () => {
      removeEventListener('online', changed);
      removeEventListener('offline', changed);
    };
  }, []);
  if (!isOffline) return null;
  return (
    <p className="offline" role="status">
      You are offline. Go on writing: it is kept in this browser and saved when the connection is back.
    </p>
  );
}
