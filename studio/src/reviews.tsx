import { useEffect, useState } from 'react';
import { call, get, may, place, type Board, type Words } from './api.js';
import { DraftDiff, PublishDialog } from './decisions.js';
import { Link } from './router.js';
import { useSession } from './session.js';
import { Button, Empty, Failure, Time, useAction, useLoad, useTitle, Waiting } from './ui.js';

/** What waits for somebody to look at it. */
export default function ReviewsPage() {
  useTitle('Reviews');
  const { board, reloadBoard } = useSession();
  // Somebody may have sent one since the board was loaded.
  useEffect(reloadBoard, [reloadBoard]);
  if (board.state !== 'here')
    return (
      <div className="page">
        <h1>Reviews</h1>
        <Waiting what="The reviews" loaded={board} again={reloadBoard} />
      </div>
    );
  const waiting = waitingOf(board.value);
  return (
    <div className="page page--narrow">
      <header className="page__head">
        <h1>Reviews</h1>
      </header>
      {waiting.length === 0 ? (
        <Empty title="Nothing waits for you">
          <p>Drafts that somebody sends to review show up here.</p>
        </Empty>
      ) : (
        waiting.map(({ key, locale, title, name }) => (
          <Review key={`${key}/${locale}`} words={key} locale={locale} title={title} name={name} />
        ))
      )}
    </div>
  );
}

function waitingOf({ keys, locales, cells }: Board) {
  return keys.flatMap(({ key, title }) =>
    locales
      .filter(({ tag }) => cells[key]?.[tag]?.state === 'submitted')
      .map(({ tag, name }) => ({ key, title, locale: tag, name })),
  );
}

function Review({ words, locale, title, name }: { words: string; locale: string; title: string; name: string }) {
  const { me, reloadBoard, say } = useSession();
  const [loaded, again] = useLoad((signal) => get<Words>(place('words', words, locale), signal), [words, locale]);
  const [publishes, setPublishes] = useState(false);
  const back = useAction();
  const draft = loaded.state === 'here' ? loaded.value.draft : null;
  return (
    <article className="review" aria-label={`${title}, ${name}`}>
      <header>
        <h2>
          <Link href={`/studio/words/${words}/${locale}`}>
            {title}, {name}
          </Link>
        </h2>
        {draft && (
          <p className="hint">
            {draft.by} · <Time at={draft.at} />
          </p>
        )}
      </header>
      {draft?.note && <blockquote>{draft.note}</blockquote>}
      {loaded.state === 'here' ? (
        <DraftDiff words={words} locale={locale} />
      ) : (
        <Waiting what="The draft" loaded={loaded} again={again} />
      )}
      <Failure error={back.error} />
      <p className="review__tools">
        <Link className="button button--quiet" href={`/studio/words/${words}/${locale}`}>
          Open with preview
        </Link>
        <Button
          busy={back.busy}
          onClick={() =>
            void back.run(async () => {
              await call('POST', place('drafts', words, locale, 'withdraw'), {});
              say('It is a draft again');
              reloadBoard();
            })
          }
        >
          Back to draft
        </Button>
        {may(me, 'publisher') && (
          <Button kind="primary" disabled={!draft} onClick={() => setPublishes(true)}>
            Publish…
          </Button>
        )}
      </p>
      {publishes && loaded.state === 'here' && (
        <PublishDialog
          title={`Publish: ${title}, ${name}`}
          words={words}
          locale={locale}
          draft={loaded.value.draft}
          errors={loaded.value.problems.filter(({ severity }) => severity === 'error').length}
          flush={nothingToSave}
          onDone={(said) => {
            setPublishes(false);
            say(said);
            reloadBoard();
          }}
          onClose={() => setPublishes(false)}
        />
      )}
    </article>
  );
}

const nothingToSave = () => Promise.resolve(true);
