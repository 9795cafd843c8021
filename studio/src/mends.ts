import type { Problem, Words } from './api.js';

const FIELD = /^["']?([a-z]+)["']?\s*:/;

/** The problem, with what brings a lost field back where the words that count have it. */
export function withMend(problem: Problem, text: string, words: Pick<Words, 'published' | 'shipped'>): Problem {
  const counting = words.published?.text ?? words.shipped?.text;
  if (problem.fix || counting === undefined) return problem;
  if (problem.message.startsWith('begin with a line ---'))
    return { ...problem, fix: { label: 'begin again', from: 0, to: text.length, insert: counting } };
  const missing = /^"([a-z]+)" is missing/.exec(problem.message)?.[1];
  const line = counting.split('\n').find((one) => FIELD.exec(one)?.[1] === missing);
  // What goes on in the lines below it is more than one click.
  if (missing === undefined || line === undefined || /[|>]\s*$/.test(line)) return problem;
  const lines = text.split('\n');
  const startOf = (index: number) => lines.slice(0, index).reduce((sum, one) => sum + one.length + 1, 0);
  const label = `put “${shortened(
    line
      .replace(FIELD, '')
      .replace(/^\s*['"]|['"]?\s*$/g, '')
      .trim(),
  )}” back`;
  const emptied = lines.findIndex((one) => FIELD.exec(one)?.[1] === missing);
  if (emptied >= 0) {
    const from = startOf(emptied);
    return { ...problem, fix: { label, from, to: from + lines[emptied]!.length, insert: line } };
  }
  const end = lines.findIndex((one, index) => index > 0 && /^---\s*$/.test(one));
  if (end < 0) return problem;
  return { ...problem, fix: { label, from: startOf(end), to: startOf(end), insert: `${line}\n` } };
}

function shortened(words: string): string {
  return words.length > 40 ? `${words.slice(0, 38).trimEnd()}…` : words;
}
