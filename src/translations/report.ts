import type { Finding } from './units.js';

const COLOURS = { error: 31, warning: 33, good: 32, bold: 1, quiet: 2 } as const;

/** Findings for people: file by file, each with its line and column, and the sum at the end. */
export function report(findings: readonly Finding[], locales: number, seconds: number, isColoured: boolean): string {
  const paint = (colour: keyof typeof COLOURS, text: string) =>
    isColoured ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
  const files = new Map<string, Finding[]>();
  for (const finding of findings) files.set(finding.file, [...(files.get(finding.file) ?? []), finding]);
  const blocks = [...files].map(([file, found]) => {
    const lines = found.map(({ severity, line, column, message }) => {
      const place = line ? `${file}:${line}:${column}` : file;
      return `  ${paint(severity, severity.padEnd(7))} ${paint('quiet', place)} ${message}\n`;
    });
    return `${paint('bold', file)}\n${lines.join('')}\n`;
  });
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const sum = `${counted(errors, 'error')} and ${counted(findings.length - errors, 'warning')}`;
  const time = paint('quiet', `(${counted(locales, 'language')}, ${seconds.toFixed(1)} s)`);
  return `${blocks.join('')}${paint(errors ? 'error' : findings.length ? 'warning' : 'good', sum)} ${time}\n`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
