import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { may, type Board, type Cell, type Locale, type State, type WordsKey } from './api.js';
import { Link } from './router.js';
import { useNames, useSession } from './session.js';
import { Button, Empty, stateMeanings, stateNames, stateSigns, Time, useTitle, Waiting } from './ui.js';
import { XliffDialog } from './xliff.js';

const states = Object.keys(stateNames) as State[];

/** Every text in every language, by its state. */
export function BoardPage() {
  useTitle('Board');
  const { board, reloadBoard } = useSession();
  if (board.state !== 'here')
    return (
      <div className="page">
        <h1>Words</h1>
        <Waiting what="The board" loaded={board} again={reloadBoard} />
      </div>
    );
  return <Shown board={board.value} />;
}

function Shown({ board }: { board: Board }) {
  const { me, reloadBoard } = useSession();
  const [wanted, setWanted] = useState<ReadonlySet<State>>(new Set());
  const [name, setName] = useState('');
  const [xliff, setXliff] = useState<Locale | null>(null);
  const totals = useMemo(() => totalsOf(board), [board]);
  const isWanted = (cell: Cell) => wanted.size === 0 || wanted.has(cell.state);
  const said = name.trim().toLowerCase();
  const locales = board.locales.filter(
    ({ tag, name: language }) =>
      `${tag} ${language}`.toLowerCase().includes(said) &&
      board.keys.some(({ key }) => isWanted(cellOf(board, key, tag))),
  );
  return (
    <div className="page">
      <header className="page__head">
        <h1>Words</h1>
        <p className="hint">
          {board.keys.length} texts in {board.locales.length} languages. Choose one to edit it; arrow keys move.
        </p>
      </header>
      <Alarms board={board} />
      <div className="filters" role="group" aria-label="Show">
        <input
          type="search"
          aria-label="Language"
          placeholder="Language"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        {states.map((state) => (
          <button
            key={state}
            type="button"
            className={`chip chip--${state}`}
            aria-pressed={wanted.has(state)}
            title={stateMeanings[state]}
            disabled={!totals[state] && !wanted.has(state)}
            onClick={() => setWanted((last) => toggled(last, state))}
          >
            <span aria-hidden="true">{stateSigns[state]}</span> {stateNames[state]} <b>{totals[state] ?? 0}</b>
          </button>
        ))}
        {(wanted.size > 0 || name) && (
          <Button
            kind="quiet"
            onClick={() => {
              setWanted(new Set());
              setName('');
            }}
          >
            Show all
          </Button>
        )}
      </div>
      {locales.length === 0 ? (
        <Empty title="Nothing is like that">
          <p>No text of these languages is in that state.</p>
        </Empty>
      ) : (
        <Grid board={board} locales={locales} isWanted={isWanted} onXliff={setXliff} />
      )}
      {xliff && (
        <XliffDialog
          locale={xliff}
          mayUpload={may(me, 'editor')}
          onClose={() => setXliff(null)}
          onUploaded={reloadBoard}
        />
      )}
    </div>
  );
}

function Alarms({ board }: { board: Board }) {
  const { title, language } = useNames();
  if (board.alarms.length === 0) return null;
  return (
    <section className="alarms" aria-label="Alarms">
      {board.alarms.map(({ key, locale, message, since }) => (
        <p key={`${key}/${locale}`} role="alert">
          <strong>
            <Link href={`/studio/words/${key}/${locale}`}>
              {title(key)} in {language(locale)}
            </Link>
          </strong>{' '}
          {message} <Time at={since} />
        </p>
      ))}
    </section>
  );
}

interface GridProps {
  board: Board;
  locales: Locale[];
  isWanted: (cell: Cell) => boolean;
  onXliff: (locale: Locale) => void;
}

function Grid({ board, locales, isWanted, onXliff }: GridProps) {
  const table = useRef<HTMLTableElement>(null);
  const [at, setAt] = useState<[row: number, column: number]>([0, 0]);
  const move = (event: KeyboardEvent) => {
    const [row, column] = at;
    const last = board.keys.length - 1;
    const steps: Record<string, [number, number]> = {
      ArrowDown: [row + 1, column],
      ArrowUp: [row - 1, column],
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      Home: [row, 0],
      End: [row, last],
      PageDown: [locales.length - 1, column],
      PageUp: [0, column],
    };
    const to = steps[event.key];
    if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next: [number, number] = [within(to[0], locales.length - 1), within(to[1], last)];
    setAt(next);
    table.current?.querySelector<HTMLElement>(`[data-at="${next.join('-')}"]`)?.focus();
  };
  const [row, column] = [Math.min(at[0], locales.length - 1), at[1]];
  return (
    <div className="heat__scroll">
      <table className="heat" role="grid" aria-label="States of all texts" ref={table} onKeyDown={move}>
        <thead>
          <tr>
            <th scope="col">Language</th>
            {board.keys.map((one) => (
              <th key={one.key} scope="col">
                <Link href={`/studio/matrix/${one.key}`} title="All languages of this text">
                  {one.title}
                </Link>
              </th>
            ))}
            <th scope="col">To do</th>
            <th scope="col">
              <span className="unseen">Files for translators</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {locales.map((locale, y) => (
            <tr key={locale.tag}>
              <th scope="row">
                <span>{locale.name}</span> <code>{locale.tag}</code>
              </th>
              {board.keys.map((one, x) => (
                <Square
                  key={one.key}
                  words={one}
                  locale={locale}
                  cell={cellOf(board, one.key, locale.tag)}
                  isDim={!isWanted(cellOf(board, one.key, locale.tag))}
                  at={`${y}-${x}`}
                  isEntry={y === row && x === column}
                  onFocus={() => setAt([y, x])}
                />
              ))}
              <td className="heat__counts">{toDo(board, locale.tag)}</td>
              <td>
                {/* English is what the others are translated from. */}
                {locale.tag !== 'en' && (
                  <Button
                    kind="quiet"
                    aria-label={`XLIFF of ${locale.name}`}
                    title="A file for translators, and back"
                    onClick={() => onXliff(locale)}
                  >
                    XLIFF
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface SquareProps {
  words: WordsKey;
  locale: Locale;
  cell: Cell;
  isDim: boolean;
  at: string;
  isEntry: boolean;
  onFocus: () => void;
}

function Square({ words, locale, cell, isDim, at, isEntry, onFocus }: SquareProps) {
  const said = [
    stateNames[cell.state],
    cell.problems > 0 && (cell.problems === 1 ? '1 problem' : `${cell.problems} problems`),
    cell.shippedChanged && 'the shipped words changed',
    cell.editedBy && `by ${cell.editedBy}`,
  ].filter(Boolean);
  return (
    <td className={isDim ? 'heat__dim' : undefined}>
      <Link
        className={`cell cell--${cell.state}`}
        href={`/studio/words/${words.key}/${locale.tag}`}
        aria-label={`${words.title}, ${locale.name}: ${said.join(', ')}`}
        title={said.join(', ')}
        data-at={at}
        tabIndex={isEntry ? 0 : -1}
        onFocus={onFocus}
      >
        <span aria-hidden="true">
          {stateSigns[cell.state]}
          {cell.shippedChanged && <sup>△</sup>}
          {cell.problems > 0 && <sup>{cell.problems}</sup>}
        </span>
      </Link>
    </td>
  );
}

const nothing: Cell = { state: 'missing', problems: 0, shippedChanged: false };

function cellOf(board: Board, key: string, locale: string): Cell {
  return board.cells[key]?.[locale] ?? nothing;
}

function totalsOf({ counts }: Board): Partial<Record<State, number>> {
  const totals: Partial<Record<State, number>> = {};
  for (const ofLocale of Object.values(counts))
    for (const [state, count] of Object.entries(ofLocale ?? {}) as [State, number][])
      totals[state] = (totals[state] ?? 0) + count;
  return totals;
}

/** States that somebody has something to do with. */
const OPEN: State[] = ['failing', 'missing', 'stale', 'draft', 'submitted'];

function toDo({ counts }: Board, locale: string): string {
  const said = OPEN.flatMap((state) => {
    const count = counts[locale]?.[state] ?? 0;
    return count > 0 ? [`${count} ${stateNames[state].toLowerCase()}`] : [];
  });
  return said.length ? said.join(', ') : '✓ all done';
}

function toggled(states: ReadonlySet<State>, state: State): ReadonlySet<State> {
  const next = new Set(states);
  if (!next.delete(state)) next.add(state);
  return next;
}

function within(index: number, last: number): number {
  return Math.max(0, Math.min(last, index));
}
