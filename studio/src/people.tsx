import { useState } from 'react';
import { call, get, type Role } from './api.js';
import { WhyDialog } from './decisions.js';
import { freshly } from './passkey.js';
import { useSession } from './session.js';
import { Button, Empty, Failure, Field, Time, useAction, useLoad, useTitle, Waiting } from './ui.js';

interface Person {
  id: string;
  name: string;
  email: string;
  roles: { brand: string; role: Role }[];
  passkeys: number;
  oidc: boolean;
  blocked: boolean;
  createdAt: string;
}

interface Invitation {
  id: string;
  name: string;
  email: string;
  roles: { brand: string; role: Role }[];
  createdAt: string;
  expiresAt: string;
}

const roles: Record<Role, string> = {
  editor: 'Editor: writes drafts',
  publisher: 'Publisher: publishes them too',
  admin: 'Admin: people and what was sent too',
};

export default function PeoplePage() {
  useTitle('People');
  const [loaded, reload] = useLoad(
    (signal) => get<{ people: Person[]; invitations: Invitation[] }>('people', signal),
    [],
  );
  const { say } = useSession();
  return (
    <div className="page">
      <header className="page__head">
        <h1>People</h1>
      </header>
      <div className="columns">
        <div>
          {loaded.state !== 'here' ? (
            <Waiting what="The people" loaded={loaded} again={reload} />
          ) : (
            <>
              <People people={loaded.value.people} reload={reload} />
              <h2>Invited</h2>
              {loaded.value.invitations.length === 0 ? (
                <p className="hint">Nobody who has not come yet.</p>
              ) : (
                <Invitations invitations={loaded.value.invitations} reload={reload} />
              )}
            </>
          )}
        </div>
        <Invite
          onDone={(said) => {
            say(said);
            reload();
          }}
        />
      </div>
    </div>
  );
}

function People({ people, reload }: { people: Person[]; reload: () => void }) {
  const { me } = useSession();
  const { error, run } = useAction();
  const [leaving, setLeaving] = useState<Person | null>(null);
  const change = (id: string, body: object) =>
    void run(() => freshly(() => call('PATCH', `people/${id}`, body))).then(reload);
  if (people.length === 0) return <Empty title="Nobody is here yet" />;
  return (
    <>
      <Failure error={error} />
      <div className="scroll" tabIndex={0} role="region" aria-label="People">
        <table className="list">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">May</th>
              <th scope="col">Signs in with</th>
              <th scope="col">
                <span className="unseen">Change</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {people.map((person) => (
              <tr key={person.id}>
                <th scope="row">
                  {person.name} {person.id === me.id && <span className="badge">you</span>}
                  {person.blocked && <span className="badge badge--danger">blocked</span>}
                  <span className="hint">{person.email}</span>
                </th>
                <td>
                  {(person.roles.length ? person.roles : [{ brand: '*', role: 'editor' as Role }]).map(
                    ({ brand, role }) => (
                      <label key={brand} className="role">
                        {brand === '*' ? 'All brands' : brand}
                        <select
                          aria-label={`Role of ${person.name}, ${brand === '*' ? 'all brands' : brand}`}
                          value={role}
                          onChange={(event) => change(person.id, { brand, role: event.target.value })}
                        >
                          {Object.keys(roles).map((one) => (
                            <option key={one}>{one}</option>
                          ))}
                        </select>
                      </label>
                    ),
                  )}
                </td>
                <td>
                  {person.passkeys === 1 ? '1 passkey' : `${person.passkeys} passkeys`}
                  {person.oidc && ', single sign-on'}
                </td>
                <td className="list__tools">
                  {person.id !== me.id && (
                    <>
                      <Button
                        kind="quiet"
                        aria-label={`${person.blocked ? 'Let in again' : 'Block'}: ${person.name}`}
                        onClick={() => change(person.id, { blocked: !person.blocked })}
                      >
                        {person.blocked ? 'Let in again' : 'Block'}
                      </Button>
                      <Button kind="quiet" aria-label={`Remove ${person.name}`} onClick={() => setLeaving(person)}>
                        Remove
                      </Button>
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {leaving && (
        <WhyDialog
          title={`Remove ${leaving.name}?`}
          about={<p>They are signed out at once. What they wrote stays, with their name.</p>}
          action="Remove"
          isDanger
          asksWhy={false}
          work={() => freshly(() => call('DELETE', `people/${leaving.id}`))}
          onDone={() => {
            setLeaving(null);
            reload();
          }}
          onClose={() => setLeaving(null)}
        />
      )}
    </>
  );
}

function Invitations({ invitations, reload }: { invitations: Invitation[]; reload: () => void }) {
  const { error, run } = useAction();
  return (
    <>
      <Failure error={error} />
      <table className="list">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">May</th>
            <th scope="col">Ends</th>
            <th scope="col">
              <span className="unseen">Change</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {invitations.map(({ id, name, email, roles: given, expiresAt }) => (
            <tr key={id}>
              <th scope="row">
                {name}
                <span className="hint">{email}</span>
              </th>
              <td>{given.map(({ brand, role }) => `${role}, ${brand === '*' ? 'all brands' : brand}`).join('; ')}</td>
              <td>
                <Time at={expiresAt} />
              </td>
              <td className="list__tools">
                <Button
                  kind="quiet"
                  aria-label={`Withdraw the invitation of ${name}`}
                  onClick={() => void run(() => call('DELETE', `people/invitations/${id}`)).then(reload)}
                >
                  Withdraw
                </Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Invite({ onDone }: { onDone: (said: string) => void }) {
  const { me } = useSession();
  const empty = { email: '', name: '', brand: '*', role: 'editor' as Role };
  const [person, setPerson] = useState(empty);
  const { busy, error, run } = useAction();
  return (
    <form
      className="card"
      aria-label="Invite somebody"
      onSubmit={(event) => {
        event.preventDefault();
        let isMailed = true;
        void run(async () => {
          const made = await freshly(() => call<{ mailed?: boolean }>('POST', 'people/invitations', person));
          isMailed = made.mailed !== false;
          if (!isMailed) throw new Error('The invitation is made, but no mail server took it. Invite again later.');
        }).then((isDone) => {
          if (!isDone) return;
          setPerson(empty);
          onDone(`We mailed an invitation to ${person.email}`);
        });
      }}
    >
      <h2>Invite somebody</h2>
      <Field label="E-mail address">
        {(ids) => (
          <input
            {...ids}
            type="email"
            required
            autoComplete="off"
            value={person.email}
            onChange={(event) => setPerson({ ...person, email: event.target.value })}
          />
        )}
      </Field>
      <Field label="Name">
        {(ids) => (
          <input
            {...ids}
            required
            maxLength={100}
            autoComplete="off"
            value={person.name}
            onChange={(event) => setPerson({ ...person, name: event.target.value })}
          />
        )}
      </Field>
      <Field label="Role">
        {(ids) => (
          <select
            {...ids}
            value={person.role}
            onChange={(event) => setPerson({ ...person, role: event.target.value as Role })}
          >
            {Object.entries(roles).map(([role, name]) => (
              <option key={role} value={role}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      {me.settings.brands.length > 1 && (
        <Field label="Brand">
          {(ids) => (
            <select
              {...ids}
              value={person.brand}
              onChange={(event) => setPerson({ ...person, brand: event.target.value })}
            >
              <option value="*">All brands</option>
              {me.settings.brands.map((brand) => (
                <option key={brand} value={brand}>
                  {me.settings.brandNames[brand]}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <Failure error={error} />
      <Button type="submit" kind="primary" busy={busy}>
        Send invitation
      </Button>
    </form>
  );
}
