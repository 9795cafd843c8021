import { useEffect, useState } from 'react';
import { get } from './api.js';
import { signInByPasskey } from './passkey.js';
import { usePath } from './router.js';
import { Button, Failure, Notice, useAction, useTitle } from './ui.js';

export default function SignInPage() {
  useTitle('Sign in');
  const asked = new URLSearchParams(usePath().split('?')[1] ?? '');
  const [hasOidc, setOidc] = useState(false);
  const { busy, error, run } = useAction();
  useEffect(() => {
    get<{ oidc: boolean }>('sign-in').then(
      ({ oidc }) => setOidc(oidc),
      () => setOidc(false),
    );
  }, []);
  const next = asked.get('next') ?? '/studio';
  return (
    <>
      <h1>Sign in</h1>
      {asked.get('problem') && (
        <Notice kind="error" title="That did not work.">
          {' '}
          Only people who were invited can come in. Ask an admin, or use your passkey.
        </Notice>
      )}
      <p>Your device asks for your fingerprint, your face or its PIN. There is no password.</p>
      <Failure error={error} />
      <Button
        kind="primary"
        autoFocus
        busy={busy}
        onClick={() =>
          void run(async () => {
            await signInByPasskey();
            // Only within the studio, whatever the address says.
            location.assign(/^\/studio(?:[/?]|$)/.test(next) ? next : '/studio');
          })
        }
      >
        {busy ? 'Waiting for your device…' : 'Sign in with a passkey'}
      </Button>
      {hasOidc && (
        <a className="button button--plain" href="/studio/oidc/start">
          Sign in with your organisation
        </a>
      )}
      <p className="hint">No passkey on this device? An admin can invite you again; then you make one here.</p>
    </>
  );
}
