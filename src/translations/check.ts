import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../config.js';
import { acceptLocale } from './accept.js';
import { checkWords } from './checks.js';
import { localesOf } from './units.js';
import { report } from './report.js';

const USAGE = `npm run templates:check                       all words of mails and pages, in every language
npm run templates:check -- --locale de        those of one language (several may be named)
npm run templates:check -- --accept de        the translations as they are were made of today's English
`;

const templatesDir = join(packageRoot, 'templates');
const shellsDir = join(packageRoot, 'dist', 'templates', 'shells');
process.exitCode = main();

/** @returns the exit code: 1 if anything is wrong, warnings aside */
function main(): number {
  const { values } = parseArgs({
    options: {
      locale: { type: 'string', multiple: true },
      accept: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return say(USAGE, 0);
  const there = localesOf(templatesDir);
  const named = [...(values.locale ?? []), ...(values.accept ?? [])];
  const unknown = named.find((locale) => !there.includes(locale));
  if (unknown !== undefined) return say(`There are no words in "${unknown}"; there are: ${there.join(', ')}\n`, 1);
  const from = performance.now();
  for (const locale of values.accept ?? []) {
    const { accepted, refused } = acceptLocale({ templatesDir, shellsDir }, locale);
    say(`${locale}: accepted ${accepted}${refused ? `, refused ${refused} that are wrong` : ''}\n`, 0);
  }
  const findings = checkWords({ templatesDir, shellsDir, ...(named.length ? { locales: named } : {}) });
  const isColoured = process.stdout.isTTY && process.stdout.hasColors();
  const seconds = (performance.now() - from) / 1000;
  return say(report(findings, named.length || there.length, seconds, isColoured), findings.some(isError) ? 1 : 0);
}

function isError({ severity }: { severity: string }): boolean {
  return severity === 'error';
}

function say(text: string, code: number): number {
  process.stdout.write(text);
  return code;
}
