import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../config.js';
import { exportXliff, importXliff } from './exchange.js';
import { XliffError } from './xliff.js';

const USAGE = `npm run -s translations -- export --locale de > de.xlf     all words of one language, as XLIFF 2.1
npm run translations -- export --locale de --out de.xlf    the same into a file
npm run translations -- import de.xlf                      takes what is right, and tells what is not
`;

const templatesDir = join(packageRoot, 'templates');
const shellsDir = join(packageRoot, 'dist', 'templates', 'shells');
process.exitCode = main();

/** @returns the exit code: 1 if anything was refused */
function main(): number {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { locale: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean' } },
  });
  const [command, file] = positionals;
  try {
    if (command === 'export' && values.locale) return exportTo(values.locale, values.out);
    if (command === 'import' && file) return importFrom(file);
  } catch (error) {
    if (!(error instanceof XliffError)) throw error;
    process.stderr.write(`${file ?? values.locale} ${error.message}\n`);
    return 1;
  }
  process.stdout.write(USAGE);
  return values.help ? 0 : 1;
}

function exportTo(locale: string, out: string | undefined): number {
  const text = exportXliff(templatesDir, locale);
  if (out === undefined) process.stdout.write(text);
  else writeFileSync(out, text);
  return 0;
}

function importFrom(file: string): number {
  const { locale, taken, refused, untouched } = importXliff({ templatesDir, shellsDir }, readFileSync(file, 'utf8'));
  for (const { line, id, message } of refused) process.stdout.write(`${file}:${line}: ${id} ${message}\n`);
  process.stdout.write(`${locale}: taken ${taken}, refused ${refused.length}, left as they were ${untouched}\n`);
  return refused.length ? 1 : 0;
}
