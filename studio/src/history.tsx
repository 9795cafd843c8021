import { useState } from 'react';
import { call, get, may, place, query, type Publication, type Segment } from './api.js';
import { WhyDialog } from './decisions.js';
import { Link } from './router.js';
import { useNames, useSession } from './session.js';
import { Button, Diff, Empty, Time, useLoad, useTitle, Waiting } from './ui.js';

const kinds = { publish: 'Published', rollback: 'Rolled back', schedule: 'Scheduled' };

export default function HistoryPage({ words, locale }: { words: string; locale: string }) {
  const { me, reloadBoard, say } = useSession();
  const { title, language } = useNames();
  const [loaded, reload] = useLoad(
    (signal) => get<Publication[]>(place('history', words, locale), signal),
    [words, locale],
  );
  const [back, setBack] = useState<{ revision: string; said: string } | null>(null);
  useTitle(`History of ${title(words)}, ${language(locale)}`);
  return (
    <div className="page">
      <header className="page__head">
        <p className="crumbs">
          <Link href="/studio">Board</Link> <span aria-hidden="true">/</span>{' '}
          <Link href={`/studio/words/${words}/${locale}`}>
            {title(words)}, {language(locale)}
          </Link>{' '}
          <span aria-hidden="true">/</span>
        </p>
        <h1>History</h1>
      </header>
      {loaded.state !== 'here' ? (
        <Waiting what="The history" loaded={loaded} again={reload} />
      ) : (
        <Entries
          publications={loaded.value}
          words={words}
          locale={locale}
          onBack={may(me, 'publisher') ? (revision, said) => setBack({ revision, said }) : null}
        />
      )}
      {back && (
        <WhyDialog
          title={`Back to ${back.said}?`}
          about={<p>From the next mail on these words count again. What counts now stays in the history.</p>}
          action="Roll back"
          work={(why) => call('POST', place('words', words, locale, 'rollback'), { revision: back.revision, why })}
          onDone={() => {
            setBack(null);
            say('Rolled back: the next mail says it');
            reload();
            reloadBoard();
          }}
          onClose={() => setBack(null)}
        />
      )}
    </div>
  );
}

interface EntriesProps {
  publications: Publication[];
  words: string;
  locale: string;
  onBack: ((revision: string, said: string) => void) | null;
}

function Entries({ publications, words, locale, onBack }: EntriesProps) {
  const known = publications.filter(({ revision }) => revision !== null && revision !== 'shipped');
  const [from, setFrom] = useState('shipped');
  const [to, setTo] = useState(known[0]?.revision ?? 'published');
  const [segments, again] = useLoad(
    (signal) => get<{ segments: Segment[] }>(`compare?${query({ key: words, locale, from, to })}`, signal),
    [words, locale, from, to],
  );
  const choices = [
    ['shipped', 'Shipped with Postern'],
    ['published', 'Counts now'],
    ['draft', 'The draft'],
    ...known.map(({ revision, at, by }) => [revision!, `${new Date(at).toLocaleString()} by ${by}`] as const),
  ] as const;
  // What is scheduled does not count yet.
  const counting = publications.find(({ kind }) => kind !== 'schedule');
  return (
    <div className="history">
      <section aria-label="Publications">
        {publications.length === 0 && (
          <Empty title="Never edited">
            <p>The words are as they came with Postern.</p>
          </Empty>
        )}
        <ol className="timeline">
          {publications.map(({ publication, revision, kind, at, by, why }, index) => (
            <li key={publication}>
              <p>
                <strong>{kinds[kind]}</strong> by {by} · <Time at={at} />
                {publication === counting?.publication && <span className="badge">counts now</span>}
              </p>
              <p>{why}</p>
              <p className="timeline__tools">
                <Button
                  kind="quiet"
                  onClick={() => {
                    setFrom(publications[index + 1]?.revision ?? 'shipped');
                    setTo(revision ?? 'shipped');
                  }}
                >
                  Show what changed
                </Button>
                {onBack && publication !== counting?.publication && kind !== 'schedule' && (
                  <Button kind="quiet" onClick={() => onBack(revision ?? 'shipped', new Date(at).toLocaleString())}>
                    Roll back to this
                  </Button>
                )}
              </p>
            </li>
          ))}
          <li>
            <p>
              <strong>Shipped</strong> with Postern
            </p>
            {onBack && publications.length > 0 && (
              <p className="timeline__tools">
                <Button kind="quiet" onClick={() => onBack('shipped', 'the shipped words')}>
                  Roll back to this
                </Button>
              </p>
            )}
          </li>
        </ol>
      </section>
      <section aria-label="Compare">
        <div className="compare">
          <Side label="From" value={from} choices={choices} onChoose={setFrom} />
          <Side label="To" value={to} choices={choices} onChoose={setTo} />
        </div>
        {segments.state === 'here' ? (
          <Diff segments={segments.value.segments} label="Differences" />
        ) : (
          <Waiting what="The comparison" loaded={segments} again={again} />
        )}
      </section>
    </div>
  );
}

interface SideProps {
  label: string;
  value: string;
  choices: readonly (readonly [string, string])[];
  onChoose: (value: string) => void;
}

function Side({ label, value, choices, onChoose }: SideProps) {
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChoose(event.target.value)}>
        {choices.map(([id, name], index) => (
          <option key={index} value={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
