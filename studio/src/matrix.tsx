import { useState } from 'react';
import { get, place, type Locale, type Words } from './api.js';
import { Link } from './router.js';
import { useSession } from './session.js';
import { Empty, StateMark, useLoad, useTitle, Waiting } from './ui.js';

/** One text in all languages, one below the other. */
export default function MatrixPage({ words }: { words: string }) {
  const { me, board, reloadBoard } = useSession();
  const [name, setName] = useState('');
  const about = board.state === 'here' ? board.value.keys.find(({ key }) => key === words) : undefined;
  useTitle(`${about?.title ?? words} in all languages`);
  if (board.state !== 'here')
    return (
      <div className="page">
        <Waiting what="The languages" loaded={board} again={reloadBoard} />
      </div>
    );
  const locales = board.value.locales.filter(({ tag, name: language }) =>
    `${tag} ${language}`.toLowerCase().includes(name.trim().toLowerCase()),
  );
  return (
    <div className="page">
      <header className="page__head">
        <p className="crumbs">
          <Link href="/studio">Board</Link> <span aria-hidden="true">/</span>
        </p>
        <h1>{about?.title ?? words}</h1>
        {me.settings.brands.length > 1 && (
          <Link href={`/studio/brands?mail=${encodeURIComponent(words)}`}>The same in each brand</Link>
        )}
      </header>
      <div className="filters" role="group" aria-label="Show">
        <input
          type="search"
          aria-label="Language"
          placeholder="Language"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {board.value.keys.map(({ key, title }) => (
          <Link
            key={key}
            className="chip"
            href={`/studio/matrix/${key}`}
            aria-current={key === words ? 'page' : undefined}
          >
            {title}
          </Link>
        ))}
      </div>
      {locales.length === 0 && <Empty title="There is no such language here" />}
      <ul className="matrix">
        {locales.map((locale) => (
          <li key={locale.tag}>
            <Row words={words} locale={locale} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Row({ words, locale }: { words: string; locale: Locale }) {
  const { board } = useSession();
  const [loaded, again] = useLoad(
    (signal) => get<Words>(place('words', words, locale.tag), signal),
    [words, locale.tag],
  );
  const cell = board.state === 'here' ? board.value.cells[words]?.[locale.tag] : undefined;
  return (
    <>
      <header>
        <h2>
          <Link href={`/studio/words/${words}/${locale.tag}`}>
            {locale.name} <code>{locale.tag}</code>
          </Link>
        </h2>
        {cell && <StateMark state={cell.state} />}
      </header>
      {loaded.state === 'here' ? (
        <pre lang={locale.tag} dir={locale.dir} tabIndex={0} aria-label={`${locale.name}, words`}>
          {loaded.value.draft?.text ?? loaded.value.text}
        </pre>
      ) : (
        <Waiting what="The words" loaded={loaded} again={again} />
      )}
    </>
  );
}
