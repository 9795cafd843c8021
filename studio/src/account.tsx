import { useState } from 'react';
import { call, get } from './api.js';
import { deviceName, freshly, makePasskey } from './passkey.js';
import { useSession } from './session.js';
import { Button, Failure, Time, useAction, useLoad, useTitle, Waiting } from './ui.js';

interface Passkey {
  id: string;
  name: string;
  backedUp: boolean;
  createdAt: string;
  lastUsedAt: string | null;
}

interface OwnSession {
  id: string;
  browser: string;
  current: boolean;
  createdAt: string;
  lastUsedAt: string;
}

export default function AccountPage() {
  const { me } = useSession();
  useTitle(me.name);
  return (
    <div className="page page--narrow">
      <header className="page__head">
        <h1>{me.name}</h1>
        <p className="hint">
          {me.email} ·{' '}
          {me.roles.map(({ brand, role }) => `${role}, ${brand === '*' ? 'all brands' : brand}`).join('; ')}
        </p>
        <Button
          onClick={() =>
            void call('POST', 'sign-out', {}).finally(() => {
              location.assign('/studio/sign-in');
            })
          }
        >
          Sign out
        </Button>
      </header>
      <Passkeys />
      <Sessions />
    </div>
  );
}

function Passkeys() {
  const [loaded, reload] = useLoad((signal) => get<Passkey[]>('passkeys', signal), []);
  const { busy, error, run } = useAction();
  const [naming, setNaming] = useState<{ id: string; name: string } | null>(null);
  return (
    <section className="card" aria-labelledby="passkeys">
      <h2 id="passkeys">Your passkeys</h2>
      <p className="hint">Two on different devices are better than one: you can come in when one is lost.</p>
      <Failure error={error} />
      {loaded.state !== 'here' ? (
        <Waiting what="Your passkeys" loaded={loaded} again={reload} />
      ) : (
        <ul className="rows">
          {loaded.value.map(({ id, name, backedUp, createdAt, lastUsedAt }) => (
            <li key={id}>
              {naming?.id === id ? (
                <form
                  className="inline"
                  onSubmit={(event) => {
                    event.preventDefault();
                    void run(() => call('PATCH', `passkeys/${id}`, { name: naming.name })).then((isDone) => {
                      if (!isDone) return;
                      setNaming(null);
                      reload();
                    });
                  }}
                >
                  <input
                    aria-label="Name"
                    autoFocus
                    required
                    maxLength={100}
                    value={naming.name}
                    onChange={(event) => setNaming({ id, name: event.target.value })}
                  />
                  <Button type="submit">Save</Button>
                </form>
              ) : (
                <span>
                  <strong>{name}</strong> {backedUp && <span className="badge">backed up</span>}
                  <span className="hint">
                    made <Time at={createdAt} />
                    {lastUsedAt && (
                      <>
                        , last used <Time at={lastUsedAt} />
                      </>
                    )}
                  </span>
                </span>
              )}
              <span className="rows__tools">
                <Button kind="quiet" aria-label={`Rename ${name}`} onClick={() => setNaming({ id, name })}>
                  Rename
                </Button>
                <Button
                  kind="quiet"
                  aria-label={`Remove ${name}`}
                  onClick={() => void run(() => freshly(() => call('DELETE', `passkeys/${id}`))).then(reload)}
                >
                  Remove
                </Button>
              </span>
            </li>
          ))}
        </ul>
      )}
      <Button kind="primary" busy={busy} onClick={() => void run(() => makePasskey({}, deviceName())).then(reload)}>
        Add a passkey
      </Button>
    </section>
  );
}

function Sessions() {
  const [loaded, reload] = useLoad((signal) => get<OwnSession[]>('sessions', signal), []);
  const { error, run } = useAction();
  return (
    <section className="card" aria-labelledby="sessions">
      <h2 id="sessions">Where you are signed in</h2>
      <Failure error={error} />
      {loaded.state !== 'here' ? (
        <Waiting what="Your sessions" loaded={loaded} again={reload} />
      ) : (
        <ul className="rows">
          {loaded.value.map(({ id, browser, current, createdAt, lastUsedAt }) => (
            <li key={id}>
              <span>
                <strong>{browser}</strong> {current && <span className="badge">here</span>}
                <span className="hint">
                  since <Time at={createdAt} />, last used <Time at={lastUsedAt} />
                </span>
              </span>
              {!current && (
                <Button
                  kind="quiet"
                  aria-label={`End ${browser}`}
                  onClick={() => void run(() => call('DELETE', `sessions/${id}`)).then(reload)}
                >
                  End
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
