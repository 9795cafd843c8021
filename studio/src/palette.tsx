import { useEffect, useId, useMemo, useState, type ReactNode } from 'react';
import { get, query, type Hit } from './api.js';
import { go } from './router.js';
import { useNames, useSession } from './session.js';
import { Dialog } from './ui.js';

interface Entry {
  id: string;
  href: string;
  what: ReactNode;
  where: string;
}

const MOST_PLACES = 8;
const WAIT_MS = 120;

/** One field that goes anywhere: to a text by its name, or to any words in any language. */
export function Palette({ onClose }: { onClose: () => void }) {
  const { board } = useSession();
  const { title, language } = useNames();
  const [wanted, setWanted] = useState('');
  const [hits, setHits] = useState<Hit[]>([]);
  const [answered, setAnswered] = useState('');
  const [failed, setFailed] = useState(false);
  const [at, setAt] = useState(0);
  const id = useId();

  useEffect(() => {
    setAt(0);
    if (wanted.trim().length < 2) return setHits([]);
    const ending = new AbortController();
    const timer = setTimeout(() => {
      get<{ hits: Hit[] }>(`search?${query({ q: wanted.trim() })}`, ending.signal).then(
        (found) => {
          setHits(found.hits);
          setAnswered(wanted);
          setFailed(false);
        },
        () => !ending.signal.aborted && setFailed(true),
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [wanted]);

  const places = useMemo(() => {
    if (board.state !== 'here' || !wanted.trim()) return [];
    const { keys, locales } = board.value;
    const parts = wanted.toLowerCase().trim().split(/\s+/);
    return keys
      .flatMap(({ key, title }) =>
        locales.map(({ tag, name }) => ({
          key,
          title,
          tag,
          name,
          said: `${key} ${title} ${tag} ${name}`.toLowerCase(),
        })),
      )
      .filter(({ said }) => parts.every((part) => said.includes(part)))
      .slice(0, MOST_PLACES)
      .map(({ key, title, tag, name }) => ({
        id: `${key}/${tag}`,
        href: `/studio/words/${key}/${tag}`,
        what: title,
        where: name,
      }));
  }, [board, wanted]);

  const entries: Entry[] = [
    ...places,
    ...hits.map(({ key, locale, line, text, ranges }, index) => ({
      id: `hit-${index}`,
      href: `/studio/words/${key}/${locale}?line=${line}`,
      what: <Marked text={text} ranges={ranges} />,
      where: `${title(key)} · ${language(locale)} · line ${line}`,
    })),
  ];
  const chosen = Math.min(at, entries.length - 1);
  const open = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    go(entry.href);
  };
  useEffect(() => {
    document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: 'nearest' });
  }, [chosen, id]);

  return (
    <Dialog title="Search all words" isHigh onClose={onClose}>
      <input
        className="palette__field"
        role="combobox"
        aria-expanded={entries.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={entries.length ? `${id}-${chosen}` : undefined}
        aria-label="Words, a mail or a language"
        placeholder="Words, a mail or a language"
        autoFocus
        autoComplete="off"
        spellCheck={false}
        value={wanted}
        onChange={(event) => setWanted(event.target.value)}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step) setAt((chosen + step + entries.length) % Math.max(1, entries.length));
          else if (event.key === 'Enter') open(entries[chosen]);
          else return;
          event.preventDefault();
        }}
      />
      <ul className="palette" role="listbox" id={`${id}-list`} aria-label="Found">
        {entries.map((entry, index) => (
          <li
            key={entry.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            onClick={() => open(entry)}
          >
            <span className="palette__what">{entry.what}</span>
            <span className="palette__where">{entry.where}</span>
          </li>
        ))}
      </ul>
      <p className="hint" role="status">
        {failed
          ? 'The search cannot be reached. Mails and languages are still found by name.'
          : wanted.trim().length < 2
            ? 'Type two letters or more. ↑ ↓ to choose, Enter to open, Escape to leave.'
            : entries.length === 0 && answered === wanted
              ? 'Nothing says that, in any language.'
              : `${entries.length} found`}
      </p>
    </Dialog>
  );
}

function Marked({ text, ranges }: { text: string; ranges: [number, number][] }) {
  const parts: ReactNode[] = [];
  let done = 0;
  for (const [from, to] of ranges) {
    parts.push(text.slice(done, from), <mark key={from}>{text.slice(from, to)}</mark>);
    done = to;
  }
  return (
    <bdi>
      {parts}
      {text.slice(done)}
    </bdi>
  );
}
