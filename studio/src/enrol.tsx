import { useEffect, useState } from 'react';
import { call, type ApiError } from './api.js';
import { ByOrganisation } from './organisation.js';
import { deviceName, makePasskey } from './passkey.js';
import { Link } from './router.js';
import { asApiError, Button, Failure, Field, Notice, useAction, useTitle } from './ui.js';

interface Invited {
  email: string | null;
  name: string;
  roles: { brand: string; role: string }[];
  expiresAt: string;
}

const does: Record<string, string> = {
  editor: 'You write drafts of what guests read; somebody else publishes them.',
  publisher: 'You write what guests read, and publish it.',
  admin: 'You write and publish what guests read, and invite others.',
};

function doesOf([first]: Invited['roles']): string {
  return (first && does[first.role]) ?? '';
}

/** The operator's first start, or somebody who was invited: both make their first passkey. */
export default function EnrolPage({ kind }: { kind: 'first' | 'invitation' }) {
  useTitle(kind === 'first' ? 'Welcome' : 'You are invited');
  // It stands behind `#`, which no server and no log sees, and leaves the address bar at once.
  const [token] = useState(() => location.hash.slice(1));
  const [invited, setInvited] = useState<Invited | null>(null);
  const [refused, setRefused] = useState<ApiError | null>(null);
  const [person, setPerson] = useState({ name: '', email: '' });
  const { busy, error, run } = useAction();
  useEffect(() => {
    history.replaceState(null, '', location.pathname);
    // Another link opened in this tab.
    const another = () => location.reload();
    addEventListener('hashchange', another);
    return () => removeEventListener('hashchange', another);
  }, []);
  useEffect(() => {
    if (!token) return;
    call<Invited>('POST', 'invitation', { token }).then(setInvited, (problem: unknown) =>
      setRefused(asApiError(problem)),
    );
  }, [token]);
  if (!token || refused)
    return (
      <>
        <h1>This link does not work</h1>
        <Notice kind="error" title={refused?.message ?? 'It is incomplete.'} />
        <p>
          {kind === 'first'
            ? 'It works once, for 24 hours. Make a new one where Postern runs: npm run studio-link'
            : 'It works once, for seven days. Ask whoever invited you for a new one.'}
        </p>
        <Link className="button button--plain" href="/studio/sign-in">
          To the sign-in
        </Link>
      </>
    );
  if (!invited) return <p role="status">Opening your invitation…</p>;
  const asksWho = invited.email === null;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void run(async () => {
          await makePasskey({ token, ...(asksWho ? person : {}) }, deviceName());
          location.assign('/studio');
        });
      }}
    >
      <h1>{asksWho ? 'Welcome to the studio' : `Hello ${invited.name}`}</h1>
      <p>
        {asksWho
          ? 'You are the first one here and will be its admin. Say who you are, then make a passkey.'
          : `You are invited as ${invited.roles.map(({ role }) => role).join(', ')} under ${invited.email}. ${doesOf(invited.roles)} Make a passkey, and you are in.`}
      </p>
      {asksWho && (
        <>
          <Field label="Your name">
            {(ids) => (
              <input
                {...ids}
                required
                maxLength={100}
                autoComplete="name"
                autoFocus
                value={person.name}
                onChange={(event) => setPerson({ ...person, name: event.target.value })}
              />
            )}
          </Field>
          <Field label="Your e-mail address" hint="Test mails go there.">
            {(ids) => (
              <input
                {...ids}
                type="email"
                required
                autoComplete="email"
                value={person.email}
                onChange={(event) => setPerson({ ...person, email: event.target.value })}
              />
            )}
          </Field>
        </>
      )}
      <Failure error={error} />
      <Button type="submit" kind="primary" busy={busy}>
        {busy ? 'Waiting for your device…' : 'Make a passkey'}
      </Button>
      {!asksWho && <ByOrganisation />}
      <p className="hint">
        A passkey is kept by your device or your password manager. You sign in with your fingerprint, your face or a
        PIN.
      </p>
    </form>
  );
}
