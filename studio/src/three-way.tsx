import { get, place, type ThreeWay } from './api.js';
import { Button, Dialog, Notice, useLoad, Waiting } from './ui.js';

interface ThreeWayProps {
  words: string;
  locale: string;
  onTake: (merged: string) => void;
  onClose: () => void;
}

const views = { base: 'Where you began', shipped: 'Shipped now', edited: 'Yours', merged: 'Both together' } as const;

/** What you began from, what came with the new version, what you wrote, and both together. */
export default function ThreeWayDialog({ words, locale, onTake, onClose }: ThreeWayProps) {
  const [loaded, again] = useLoad(
    (signal) => get<ThreeWay>(place('three-way', words, locale), signal),
    [words, locale],
  );
  return (
    <Dialog title="The shipped words changed" wide onClose={onClose}>
      {loaded.state !== 'here' ? (
        <Waiting what="The three versions" loaded={loaded} again={again} />
      ) : (
        <>
          <div className="three">
            {(['base', 'shipped', 'edited'] as const).map((name) => (
              <section key={name} aria-label={views[name]}>
                <h3>{views[name]}</h3>
                <pre tabIndex={0} lang={locale} dir="auto">
                  {loaded.value[name]}
                </pre>
              </section>
            ))}
          </div>
          <section aria-label={views.merged}>
            <h3>{views.merged}</h3>
            <pre className="three__merged" tabIndex={0} lang={locale} dir="auto">
              {loaded.value.merged}
            </pre>
          </section>
          {loaded.value.conflicts > 0 && (
            <Notice
              kind="warning"
              title={
                loaded.value.conflicts === 1
                  ? 'One place was changed by both: it is marked. Decide there.'
                  : `${loaded.value.conflicts} places were changed by both: they are marked. Decide there.`
              }
            />
          )}
          <p className="dialog__actions">
            <Button onClick={onClose}>Keep mine</Button>
            <Button kind="primary" onClick={() => onTake(loaded.value.merged)}>
              Put both into my draft
            </Button>
          </p>
        </>
      )}
    </Dialog>
  );
}
