import { ByOrganisation, ownPath } from './organisation.js';
import { signInByPasskey } from './passkey.js';
import { usePath } from './router.js';
import { Button, Failure, Notice, useAction, useTitle } from './ui.js';

export default function SignInPage() {
  useTitle('Sign in');
  const asked = new URLSearchParams(usePath().split('?')[1] ?? '');
  const { busy, error, run } = useAction();
  const next = asked.get('next') ?? '/studio';
  return (
    <>
      <h1>Sign in</h1>
      {asked.get('problem') && (
        <Notice kind="error" title="That did not work.">
          {' '}
          {asked.get('problem') === 'unreachable'
            ? 'Your organisation’s sign-in does not answer. Try again in a moment, or use your passkey.'
            : 'Only people who were invited come in, under the address that their organisation has for them. Ask an admin which one was invited, or use your passkey.'}
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
            location.assign(ownPath(next));
          })
        }
      >
        {busy ? 'Waiting for your device…' : 'Sign in with a passkey'}
      </Button>
      <ByOrganisation next={next} />
      <p className="hint">No passkey on this device? An admin can invite you again; then you make one here.</p>
    </>
  );
}
