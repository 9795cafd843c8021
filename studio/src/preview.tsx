import { useEffect, useRef, useState } from 'react';
import { call, get, type ApiError, type Preview } from './api.js';
import { styleNonce } from './nonce.js';
import { previewDocument } from './preview-document.js';
import { useSession } from './session.js';
import { asApiError, Button } from './ui.js';

type Device = 'phone' | 'desktop';
type Look = 'light' | 'dark';

interface PreviewProps {
  words: string;
  locale: string;
  kind: 'mail' | 'frame' | 'pages';
  text: string;
  onTestMail?: (sample: number, brand: string) => void;
}

/** After the last key; then the server fills in, in a few milliseconds. */
const WAIT_MS = 25;
/** What is half typed is not told of as a mistake. */
const SETTLED_MS = 900;

/** The mail as it would leave, beside the words. */
export function PreviewPane({ words, locale, kind, text, onTestMail }: PreviewProps) {
  const { brands, brandNames, senderNames } = useSession().me.settings;
  const [device, setDevice] = useState<Device>('phone');
  const [scheme, setScheme] = useState<Look>('light');
  const [isText, setText] = useState(false);
  const [isRtl, setRtl] = useState(false);
  const [sample, setSample] = useState(0);
  const [brand, setBrand] = useState(brands[0] ?? 'default');
  const [samples, setSamples] = useState<{ about: string }[]>([]);
  const [shown, setShown] = useState<{ preview: Preview; of: string } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    get<{ about: string }[]>(`samples/${encodeURIComponent(words)}`).then(setSamples, () => setSamples([]));
  }, [words]);

  useEffect(() => {
    const ending = new AbortController();
    let late: ReturnType<typeof setTimeout>;
    const timer = setTimeout(() => {
      call<Preview>('POST', 'preview', { key: words, locale, text, brand, sample, mode: 'html' }, ending.signal).then(
        (preview) => {
          setShown({ preview, of: text });
          setError(null);
        },
        (problem: unknown) => {
          if (!ending.signal.aborted) late = setTimeout(() => setError(asApiError(problem)), SETTLED_MS);
        },
      );
    }, WAIT_MS);
    return () => {
      clearTimeout(timer);
      clearTimeout(late);
      ending.abort();
    };
  }, [words, locale, text, brand, sample, turn]);

  return (
    <section className="preview" aria-label="Preview">
      <div className="preview__tools" role="toolbar" aria-label="Preview as">
        <Choice
          name="Device"
          value={isText ? 'text' : device}
          choices={[
            ['phone', 'Phone'],
            ['desktop', 'Desktop'],
            ...(kind === 'pages' ? [] : ([['text', 'Text']] as const)),
          ]}
          onChoose={(chosen) => {
            setText(chosen === 'text');
            if (chosen !== 'text') setDevice(chosen);
          }}
        />
        <button
          type="button"
          className="toggle"
          aria-pressed={scheme === 'dark'}
          onClick={() => setScheme(scheme === 'dark' ? 'light' : 'dark')}
        >
          Dark
        </button>
        <button
          type="button"
          className="toggle"
          aria-pressed={isRtl}
          title="The same words, set from right to left"
          onClick={() => setRtl(!isRtl)}
        >
          RTL
        </button>
        {samples.length > 1 && (
          <select aria-label="Sample" value={sample} onChange={(event) => setSample(Number(event.target.value))}>
            {samples.map(({ about }, index) => (
              <option key={index} value={index}>
                {kind === 'pages' ? 'Page' : 'Sample'}: {about}
              </option>
            ))}
          </select>
        )}
        {brands.length > 1 && (
          <select aria-label="Brand" value={brand} onChange={(event) => setBrand(event.target.value)}>
            {brands.map((key) => (
              <option key={key} value={key}>
                {brandNames[key]}
              </option>
            ))}
          </select>
        )}
        {onTestMail && kind !== 'pages' && (
          <Button kind="quiet" onClick={() => onTestMail(sample, brand)}>
            Mail it to me
          </Button>
        )}
      </div>
      {shown?.preview.subject && <InboxLine from={senderNames[brand] ?? ''} preview={shown.preview} />}
      {error && (
        <p className="preview__stale" role="status">
          {shown ? 'This is how it was before the last changes.' : 'There is no preview yet.'}{' '}
          {error.code === 'words-refused' ? 'Mend what stands under the editor to see them.' : error.message}{' '}
          {error.status === 0 && (
            <Button kind="quiet" onClick={() => setTurn(turn + 1)}>
              Try again
            </Button>
          )}
        </p>
      )}
      {shown &&
        (isText ? (
          <pre className="preview__text" dir={isRtl ? 'rtl' : shown.preview.dir} lang={locale} tabIndex={0}>
            {shown.preview.text}
          </pre>
        ) : (
          <PreviewFrame
            html={shown.preview.html}
            of={shown.of}
            device={device}
            scheme={scheme}
            isRtl={isRtl}
            title={`Preview of ${words} in ${locale}`}
          />
        ))}
      {!shown && !error && <p className="preview__stale">Making the preview…</p>}
    </section>
  );
}

function Choice<T extends string>({
  name,
  value,
  choices,
  onChoose,
}: {
  name: string;
  value: T;
  choices: readonly (readonly [T, string])[];
  onChoose: (value: T) => void;
}) {
  return (
    <div className="choice" role="group" aria-label={name}>
      {choices.map(([choice, label]) => (
        <button key={choice} type="button" aria-pressed={choice === value} onClick={() => onChoose(choice)}>
          {label}
        </button>
      ))}
    </div>
  );
}

/** What a list of mails shows before it is opened. */
function InboxLine({ from, preview: { subject, preheader, dir } }: { from: string; preview: Preview }) {
  return (
    <div className="inbox" role="group" aria-label="In the inbox" dir={dir}>
      <span className="inbox__from">{from}</span>
      <strong>{subject}</strong>
      <span className="inbox__more">{preheader}</span>
    </div>
  );
}

const widths: Record<Device, number> = { phone: 375, desktop: 680 };

interface FrameProps {
  html: string;
  /** The words it shows, so that whoever measures knows when they came. */
  of?: string;
  device: Device;
  scheme: Look;
  isRtl?: boolean;
  title: string;
}

/** The next document loads behind the one that is shown and takes its place when it is whole: nothing flickers. */
export function PreviewFrame({ html, of = '', device, scheme, isRtl = false, title }: FrameProps) {
  const place = useRef<HTMLDivElement>(null);
  const [frames, setFrames] = useState<{ id: number; document: string; of: string }[]>([]);
  const [shown, setShown] = useState(0);
  const last = useRef(0);

  useEffect(() => {
    let isOver = false;
    void previewDocument(html, { nonce: styleNonce, scheme, dir: isRtl ? 'rtl' : undefined }).then((document) => {
      if (isOver) return;
      const id = ++last.current;
      setFrames((former) => [...former, { id, document, of }]);
    });
    return () => {
      isOver = true;
    };
  }, [html, of, scheme, isRtl]);

  useEffect(() => {
    const box = place.current!;
    const fit = () => box.style.setProperty('--scale', String(Math.min(1, (box.clientWidth - 2) / widths[device])));
    const watching = new ResizeObserver(fit);
    watching.observe(box);
    fit();
    return () => watching.disconnect();
  }, [device]);

  const current = frames.find(({ id }) => id === shown);
  return (
    <div className={`frames frames--${device} frames--${scheme}`} ref={place} data-shows={current?.of.length}>
      {frames.map(({ id, document }) => (
        <iframe
          key={id}
          sandbox=""
          title={title}
          srcDoc={document}
          className={id === shown ? 'frame' : 'frame frame--behind'}
          aria-hidden={id !== shown}
          tabIndex={id === shown ? 0 : -1}
          onLoad={() => {
            setShown((former) => Math.max(former, id));
            setFrames((all) => all.filter((one) => one.id >= id));
          }}
        />
      ))}
    </div>
  );
}
