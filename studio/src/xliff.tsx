import { useState } from 'react';
import { call, type Locale } from './api.js';
import { useNames } from './session.js';
import { Button, Dialog, Failure, Field, Notice, useAction } from './ui.js';

interface Taken {
  accepted: string[];
  refused: { unit: string; line: number; message: string }[];
}

const LARGEST = 2 * 1024 * 1024;

/** All words of a language as a file for translators, and back into drafts. */
export function XliffDialog({
  locale,
  mayUpload,
  onClose,
  onUploaded,
}: {
  locale: Locale;
  mayUpload: boolean;
  onClose: () => void;
  onUploaded: () => void;
}) {
  const [file, setFile] = useState<File | null>(null);
  const [taken, setTaken] = useState<Taken | null>(null);
  const upload = useAction();
  const send = () =>
    upload.run(async () => {
      setTaken(null);
      if (!file) throw new Error('Choose the file first.');
      if (file.size > LARGEST) throw new Error('The file is larger than 2 MB. Send a part of it.');
      const form = new FormData();
      form.append('file', file);
      setTaken(await call<Taken>('POST', `xliff/${locale.tag}`, form));
      onUploaded();
    });
  return (
    <Dialog title={`${locale.name}: files for translators`} wide={taken !== null} onClose={onClose}>
      <p>
        XLIFF 2 is what translators’ programs read. It holds every sentence with the English one, and what each is for.
      </p>
      <p>
        <a className="button button--plain" href={`/studio/api/xliff/${locale.tag}`} download={`${locale.tag}.xlf`}>
          Download {locale.tag}.xlf
        </a>
      </p>
      {mayUpload && (
        <>
          <Field label="File that came back" hint="It becomes drafts. Nothing is published by it.">
            {(ids) => (
              <input
                {...ids}
                type="file"
                accept=".xlf,.xliff,application/xliff+xml"
                onChange={(event) => setFile(event.target.files?.[0] ?? null)}
              />
            )}
          </Field>
          <Button kind="primary" busy={upload.busy} onClick={() => void send()}>
            {upload.busy ? 'Reading it…' : 'Upload'}
          </Button>
        </>
      )}
      <Failure error={upload.error} />
      {taken && <Outcome {...taken} />}
    </Dialog>
  );
}

function Outcome({ accepted, refused }: Taken) {
  const { title } = useNames();
  return (
    <>
      <Notice
        kind={refused.length ? 'warning' : 'done'}
        title={`${accepted.length} taken into drafts, ${refused.length} refused`}
      />
      {refused.length > 0 && (
        <table className="list">
          <caption>Refused: mend these lines and upload the file again</caption>
          <thead>
            <tr>
              <th scope="col">Line</th>
              <th scope="col">Sentence</th>
              <th scope="col">What is wrong</th>
            </tr>
          </thead>
          <tbody>
            {refused.map(({ unit, line, message }) => (
              <tr key={`${unit}-${line}`}>
                <td>{line}</td>
                <td>{unit.replace(/^[^/]+/, title).replace('/', ' · ')}</td>
                <td>{message}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {accepted.length > 0 && (
        <details>
          <summary>Taken ({accepted.length})</summary>
          <ul className="units">
            {accepted.map((unit) => (
              <li key={unit}>{unit.replace(/^[^/]+/, title).replace('/', ' · ')}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
