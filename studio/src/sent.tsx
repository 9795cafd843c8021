import { useState } from 'react';
import { get, query, type Preview } from './api.js';
import { PreviewFrame } from './preview.js';
import { Link } from './router.js';
import { useNames } from './session.js';
import { Button, Empty, Failure, Time, useAction, useLoad, useTitle, Waiting } from './ui.js';

interface Sent {
  id: string;
  key: string;
  locale: string;
  revision: string | null;
  state: string;
  createdAt: string;
  to: string;
}

/** What exactly somebody got: found by the ticket, filled in again from the words that were used. */
export default function SentPage() {
  useTitle('Sent');
  const [ticket, setTicket] = useState('');
  const [found, setFound] = useState<{ of: string; mails: Sent[] } | null>(null);
  const [open, setOpen] = useState<Sent | null>(null);
  const search = useAction();
  const { title, language } = useNames();
  return (
    <div className="page">
      <header className="page__head">
        <h1>Sent</h1>
        <p className="hint">
          What exactly left for a ticket, in the words of that moment. Each look is in the audit log.
        </p>
      </header>
      <form
        className="inline"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          void search.run(async () => {
            const mails = await get<Sent[]>(`sent?${query({ ticket: ticket.trim() })}`);
            setFound({ of: ticket.trim(), mails });
            setOpen(null);
          });
        }}
      >
        <input
          aria-label="Ticket number"
          placeholder="Ticket number"
          required
          value={ticket}
          onChange={(event) => setTicket(event.target.value)}
        />
        <Button type="submit" kind="primary" busy={search.busy}>
          Find
        </Button>
      </form>
      <Failure error={search.error} />
      {found?.mails.length === 0 && (
        <Empty title={`Nothing was sent for ${found.of}`}>
          <p>Look at the number: it is the one that the mails name.</p>
        </Empty>
      )}
      {found && found.mails.length > 0 && (
        <div className="sent">
          <ul className="rows">
            {found.mails.map((mail) => (
              <li key={mail.id}>
                <button
                  type="button"
                  className="rows__open"
                  aria-pressed={open?.id === mail.id}
                  onClick={() => setOpen(mail)}
                >
                  <strong>{title(mail.key)}</strong> {language(mail.locale)}
                  <span className="hint">
                    <Time at={mail.createdAt} /> · {mail.state} · {mail.to}
                  </span>
                </button>
              </li>
            ))}
          </ul>
          {open ? <Mail key={open.id} mail={open} /> : <p className="hint">Choose one to read it.</p>}
        </div>
      )}
    </div>
  );
}

function Mail({ mail }: { mail: Sent }) {
  const [loaded, again] = useLoad((signal) => get<Preview>(`sent/${encodeURIComponent(mail.id)}`, signal), [mail.id]);
  if (loaded.state !== 'here') return <Waiting what="The mail" loaded={loaded} again={again} />;
  return (
    <section aria-label="The mail">
      <h2>{loaded.value.subject}</h2>
      <p className="hint">
        Words: <code>{mail.revision ?? 'shipped'}</code> ·{' '}
        <Link href={`/studio/history/${mail.key}/${mail.locale}`}>their history</Link>
      </p>
      <PreviewFrame html={loaded.value.html} device="phone" scheme="light" title="The mail as it was sent" />
    </section>
  );
}
