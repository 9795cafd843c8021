import { useState } from 'react';
import { get, query } from './api.js';
import { Link } from './router.js';
import { useNames, useSession } from './session.js';
import { Button, Empty, Failure, Time, useAction, useLoad, useTitle, Waiting } from './ui.js';

interface Entry {
  id: string;
  at: string;
  who: { id: string; name: string | null };
  action: string;
  subject: { id: string; name: string | null };
  detail: string;
}

interface Page {
  items: Entry[];
  nextCursor: string | null;
}

/** What was done, in words; what is not here says its own name. */
const done: Record<string, string> = {
  'words.published': 'Published words',
  'words.scheduled': 'Scheduled words',
  'words.rolled-back': 'Rolled words back',
  'words.submitted': 'Asked for review',
  'words.withdrawn': 'Took words back to draft',
  'words.draft-discarded': 'Discarded a draft',
  'words.imported': 'Took in a translators’ file',
  'words.test-mail': 'Mailed words to themselves',
  'brand.edited': 'Changed a brand',
  'brand.logo-set': 'Set a logo',
  'brand.logo-removed': 'Removed a logo',
  'brand.rolled-back': 'Rolled a brand back',
  'person.invited': 'Invited somebody',
  'person.changed': 'Changed what somebody may do',
  'person.removed': 'Removed somebody',
  'person.erased': 'Erased a person’s data',
  'person.signed-in': 'Signed in',
  'invitation.used': 'Came in by an invitation',
  'invitation.withdrawn': 'Withdrew an invitation',
  'passkey.added': 'Made a passkey',
  'passkey.removed': 'Removed a passkey',
  'studio-link.made': 'Made a link for the first sign-in',
  'sent.shown': 'Looked at a mail that was sent',
  'delivery.resent': 'Sent a mail again',
  'event.retried': 'Tried an event again',
  'keys.changed': 'Changed keys',
  'links.revoked': 'Took links back',
  'outbound.replayed': 'Posted to the source again',
  'suppression.released': 'Mails an address again',
};

export default function AuditPage() {
  useTitle('Audit');
  const [loaded, reload] = useLoad((signal) => get<Page>('audit', signal), []);
  const [older, setOlder] = useState<Page[]>([]);
  const more = useAction();
  if (loaded.state !== 'here')
    return (
      <div className="page">
        <h1>Audit</h1>
        <Waiting what="The log" loaded={loaded} again={reload} />
      </div>
    );
  const pages = [loaded.value, ...older];
  const cursor = pages.at(-1)!.nextCursor;
  const entries = pages.flatMap(({ items }) => items);
  const names = new Map(entries.flatMap(({ who, subject }) => [who, subject]).map(({ id, name }) => [id, name]));
  return (
    <div className="page">
      <header className="page__head">
        <h1>Audit</h1>
        <p className="hint">Who did what, newest first. Nothing can be changed or taken out here.</p>
      </header>
      {entries.length === 0 ? (
        <Empty title="Nothing was done yet" />
      ) : (
        <div className="scroll" tabIndex={0} role="region" aria-label="Entries">
          <table className="list">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">With</th>
                <th scope="col">Detail</th>
              </tr>
            </thead>
            <tbody>
              {entries.map(({ id, at, who, action, subject, detail }) => (
                <tr key={id}>
                  <td>
                    <Time at={at} />
                  </td>
                  <td>{who.name ?? <code>{who.id}</code>}</td>
                  <td>
                    {done[action]} <code className="hint">{action}</code>
                  </td>
                  <td>
                    <Subject {...subject} />
                  </td>
                  <td title={detail}>{inWords(detail, names)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Failure error={more.error} />
      {cursor && (
        <Button
          busy={more.busy}
          onClick={() =>
            void more.run(async () => {
              const page = await get<Page>(`audit?${query({ cursor })}`);
              setOlder((last) => [...last, page]);
            })
          }
        >
          Show older ones
        </Button>
      )}
    </div>
  );
}

/** Words lead to their history; ids of what has no page of its own are there to be copied. */
function Subject({ id, name }: Entry['subject']) {
  const { me } = useSession();
  const names = useNames();
  const [key = '', locale = ''] = id.split('/');
  if (locale)
    return (
      <Link href={`/studio/history/${key}/${locale}`}>
        {names.title(key)}, {names.language(locale)}
      </Link>
    );
  const known = name ?? me.settings.brandNames[id];
  return known === undefined ? <code>{id}</code> : <>{known}</>;
}

/** `*:editor` and ids of people and revisions, as somebody would say them. */
function inWords(detail: string, names: ReadonlyMap<string, string | null>): string {
  return detail
    .replace(/^rev_\w+; /, '')
    .replace(/\busr_\w+/g, (id) => names.get(id) ?? id)
    .replace(/(^|[\s,])(\*|[\w-]+):(editor|publisher|admin)\b/g, (_all, before: string, brand: string, role: string) =>
      [before, role, brand === '*' ? ' for all brands' : ` for ${brand}`].join(''),
    );
}
