import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const output = process.stdout;
const live = output.isTTY === true;
const coloured = live && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

/** `text` in that style, or as it is where colours are not wanted (NO_COLOR, a pipe, a dumb terminal). */
export function paint(style: Style, text: string): string {
  return coloured ? styleText(style, text) : text;
}

export function print(line = ''): void {
  output.write(`${line}\n`);
}

export function printError(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Runs one step of the start and says how long it took: `✓ Inbox   0.1 s`. A terminal sees the time run. */
export async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  const startedAt = Date.now();
  const line = (sign: string) => `  ${sign} ${name.padEnd(22)} ${paint('dim', seconds(startedAt))}`;
  const showProgress = () => output.write(`\r${line(paint('cyan', '·'))}`);
  const progress = live ? setInterval(showProgress, 100) : undefined;
  const finish = (sign: string) => {
    clearInterval(progress);
    print(`${live ? '\r' : ''}${line(sign)}`);
  };
  try {
    const result = await work();
    finish(paint('green', '✓'));
    return result;
  } catch (error) {
    finish(paint('red', '✗'));
    throw error;
  }
}

export function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

/** Rows of name, address and what it is for, in columns. */
export function printTable(rows: [name: string, address: string, purpose: string][]): void {
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  for (const [name, address, purpose] of rows) {
    const cells = [name.padEnd(width(0)), paint('cyan', address.padEnd(width(1))), paint('dim', purpose)];
    print(`  ${cells.join('   ')}`);
  }
}
