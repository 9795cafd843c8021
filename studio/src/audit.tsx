import { useState } from 'react';
import { get, query } from './api.js';
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
                    <code>{action}</code>
                  </td>
                  <td>{subject.name ?? <code>{subject.id}</code>}</td>
                  <td>{detail}</td>
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
