import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Finding, Part } from './part.js';
import { Child, ROOT } from './processes.js';

/** What `node dist/test/bench/words-once.js` measures of one folder of templates, in a process of its own. */
export interface WordsFigures {
  startMs: number;
  loadedMib: number;
  renderUs: number;
  reactUs: number;
}

const SHELLS = join(ROOT, 'dist', 'templates', 'shells');
/** Those that are to come stand in for by Indonesian where nobody has translated them yet. */
const LOCALES = 'en id ms zh-Hans zh-Hant ja ko vi th hi ar he tr ru uk pl de nl fr it es es-419 pt-BR fil'.split(' ');
const ROUNDS = 7;

export const WORDS: Part = { name: 'words', title: `words in ${LOCALES.length} languages`, measure };

async function measure({ progress }: { progress: (text: string) => void }): Promise<Finding[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bench-words-'));
  try {
    const [one, all] = [templatesIn(join(folder, 'one'), ['en']), templatesIn(join(folder, 'all'), LOCALES)];
    const figures: { one: WordsFigures[]; all: WordsFigures[] } = { one: [], all: [] };
    for (let round = 1; round <= ROUNDS; round++) {
      progress(`round ${round} of ${ROUNDS}`);
      figures.one.push(await once(one));
      figures.all.push(await once(all));
    }
    return findings(figures.one, figures.all);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function findings(one: readonly WordsFigures[], all: readonly WordsFigures[]): Finding[] {
  const middle = (rounds: readonly WordsFigures[], figure: keyof WordsFigures) =>
    rounds.map((round) => round[figure]).sort((a, b) => a - b)[Math.floor(rounds.length / 2)]!;
  const ratio = middle(all, 'startMs') / middle(one, 'startMs');
  const [render, react] = [middle(one, 'renderUs'), middle(one, 'reactUs')];
  return [
    { figure: 'words_start_ms', title: 'start with one language, ms', value: middle(one, 'startMs') },
    { figure: 'words_start_ratio', title: 'start with all, by that with one', value: ratio, atMost: 1.3 },
    {
      figure: 'words_mib',
      title: 'memory of all, each rendered once, MiB',
      value: middle(all, 'loadedMib'),
      atMost: 60,
    },
    { figure: 'render_us', title: 'one whole mail, µs', value: render },
    { figure: 'react_email_us', title: 'the same by React Email, µs', value: react },
    {
      figure: 'render_share_percent',
      title: 'share of React Email’s time, %',
      value: (render / react) * 100,
      atMost: 1,
    },
  ];
}

/** A folder of templates with these locales alone. */
function templatesIn(folder: string, locales: readonly string[]): string {
  const own = join(ROOT, 'templates');
  const isThere = readdirSync(join(own, 'pages')).map((name) => basename(name, '.json'));
  for (const name of ['brands', 'samples']) cpSync(join(own, name), join(folder, name), { recursive: true });
  const isWords = (path: string) =>
    /[\\/]content[\\/][^\\/]+[\\/][^\\/]+\.hbs$|[\\/]pages[\\/][^\\/]+\.json$/.test(path);
  for (const name of ['content', 'pages'])
    cpSync(join(own, name), join(folder, name), { recursive: true, filter: (path) => !isWords(path) });
  const files = [
    ...readdirSync(join(own, 'content')).map((key) => join('content', key, 'x.hbs')),
    join('pages', 'x.json'),
  ];
  for (const file of files)
    for (const locale of locales) {
      const from = isThere.includes(locale) ? locale : 'id';
      const of = (name: string) => join(dirname(file), basename(file).replace('x', name));
      cpSync(join(own, of(from)), join(folder, of(locale)));
    }
  return folder;
}

async function once(templatesDir: string): Promise<WordsFigures> {
  const child = new Child(process.execPath, [
    '--expose-gc',
    join(ROOT, 'dist', 'test', 'bench', 'words-once.js'),
    templatesDir,
    SHELLS,
  ]);
  let output = '';
  child.process.stdout?.on('data', (text: string) => (output += text));
  await new Promise((done) => child.process.on('close', done));
  return JSON.parse(output) as WordsFigures;
}
