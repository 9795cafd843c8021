import { useEffect, useRef, useState } from 'react';
import { call, type Preview, type WordsKey } from './api.js';
import type { Brand } from './brands.js';
import { PreviewFrame } from './preview.js';
import { usePath } from './router.js';
import { useSession } from './session.js';

const replied: WordsKey = { key: 'ticket-replied', title: 'Support replied', kind: 'mail' };
const english = { tag: 'en', name: 'English' };

/** An edit of a brand is in mails from then on, so that all processes have seen it. */
const USED_AFTER_MS = 6500;

/** One mail in each brand, side by side, as they are saved. */
export function Across({ brands }: { brands: Brand[] }) {
  const { board } = useSession();
  const asked = new URLSearchParams(usePath().split('?')[1] ?? '');
  const [key, setKey] = useState(asked.get('mail') ?? replied.key);
  const [locale, setLocale] = useState(english.tag);
  const [scheme, setScheme] = useState<'light' | 'dark'>('light');
  const [mails, setMails] = useState<Record<string, Preview>>({});
  const head = useRef<HTMLElement>(null);
  const keys = board.state === 'here' ? board.value.keys : [replied];
  const locales = board.state === 'here' ? board.value.locales : [english];
  useEffect(() => {
    const ending = new AbortController();
    const load = () => {
      for (const { key: brand } of brands)
        call<Preview>('POST', 'preview', { key, locale, brand, sample: 0, mode: 'html' }, ending.signal).then(
          (mail) => setMails((last) => ({ ...last, [brand]: mail })),
          () => undefined, // the former one stays
        );
    };
    load();
    const newest = Math.max(0, ...brands.map(({ history }) => Date.parse(history?.[0]?.at ?? '') || 0));
    const wait = newest + USED_AFTER_MS - Date.now();
    const timer = wait > 0 ? setTimeout(load, Math.min(wait, USED_AFTER_MS)) : undefined;
    return () => {
      clearTimeout(timer);
      ending.abort();
    };
  }, [brands, key, locale]);
  const isAsked = asked.has('mail');
  useEffect(() => {
    if (isAsked) head.current?.scrollIntoView();
  }, [isAsked]);
  return (
    <section aria-label="The same mail in each brand">
      <header className="page__head page__head--second" ref={head}>
        <h2>The same mail in each brand</h2>
        <p className="hint">As it leaves now. What you save above is in it after six seconds.</p>
      </header>
      <div className="filters" role="group" aria-label="Show">
        <select aria-label="Mail" value={key} onChange={(event) => setKey(event.target.value)}>
          {keys.map((one) => (
            <option key={one.key} value={one.key}>
              {one.title}
            </option>
          ))}
        </select>
        <select aria-label="Language" value={locale} onChange={(event) => setLocale(event.target.value)}>
          {locales.map(({ tag, name }) => (
            <option key={tag} value={tag}>
              {name}
            </option>
          ))}
        </select>
        <button
          type="button"
          className="toggle"
          aria-pressed={scheme === 'dark'}
          onClick={() => setScheme(scheme === 'dark' ? 'light' : 'dark')}
        >
          Dark
        </button>
      </div>
      <div className="across">
        {brands.map(({ key: brand, name }) => (
          <figure key={brand}>
            <figcaption>{name}</figcaption>
            {mails[brand] && (
              <PreviewFrame html={mails[brand].html} device="phone" scheme={scheme} title={`A mail of ${name}`} />
            )}
          </figure>
        ))}
      </div>
    </section>
  );
}
