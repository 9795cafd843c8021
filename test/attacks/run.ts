// npm run test:attacks: all attacks and how many there were of each class. npm run test:attacks -- --help says more.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../src/config.js';
import { copyCode, planted, type Hole } from './holes.js';

const HELP = `npm run test:attacks -- [--holes yes|no|only] [--hole name,name]

Runs every attack against the running gateway and counts them by class. With --holes it then plants holes, one after the
other, each in a copy of the code of its own, and looks whether the attacks find it. Holes are the patches under
test/attacks/holes: none of them is a switch in the product.`;

/** Runs specs in a folder; the attacks that were refused, by class, and whether all of it passed. */
async function runSpecs(folder: string, specs: string[], more: string[] = []) {
  const scratch = mkdtempSync(join(tmpdir(), 'postern-attacks-'));
  const path = join(scratch, 'counted');
  const args = [join(folder, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...specs, ...more];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, POSTERN_ATTACKS: path, POSTERN_LONG: '1' },
    stdio: ['ignore', 'ignore', more.includes('--silent') ? 'ignore' : 'inherit'],
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').filter(Boolean) : [];
  rmSync(scratch, { recursive: true, force: true });
  const classes = new Map<string, number>();
  for (const line of lines) {
    const { attack, cases } = JSON.parse(line) as { attack: string; cases: number };
    classes.set(attack, (classes.get(attack) ?? 0) + cases);
  }
  return { passed: status === 0, classes };
}

/** Whether the attacks notice that this hole is there. */
async function isFound(hole: Hole): Promise<boolean> {
  const copy = planted(hole);
  try {
    return !(await runSpecs(copy.folder, [hole.spec], ['--bail=1', '--silent'])).passed;
  } finally {
    copy.remove();
  }
}

/** A hole counts as found only if the same attacks pass in a copy without it. */
async function checkCopy(specs: string[]): Promise<void> {
  const copy = copyCode();
  try {
    const { passed } = await runSpecs(copy.folder, specs, ['--silent']);
    if (!passed) throw new Error(`these fail without any hole, so they can tell of none: ${specs.join(', ')}`);
  } finally {
    copy.remove();
  }
}

function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => (/^[\d,]+$/.test(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

async function runAttacks(): Promise<boolean> {
  const { passed, classes } = await runSpecs(packageRoot, ['test/attacks', 'test/unit/http-client.spec.ts']);
  const rows = [...classes].sort(([a], [b]) => a.localeCompare(b));
  const all = rows.reduce((sum, [, cases]) => sum + cases, 0);
  const cells = [...rows, ['all', all] as const].map(([attack, cases]) => [attack, cases.toLocaleString('en')]);
  console.log(`\n${table(['Attack', 'Tried and refused'], cells)}\n`);
  if (!passed) console.log('At least one attack got through or could not be tried: its test says which.\n');
  return passed;
}

async function runHoles(holes: Hole[]): Promise<boolean> {
  await checkCopy([...new Set(holes.map(({ spec }) => spec))]);
  const rows: string[][] = [];
  for (const hole of holes) {
    const from = performance.now();
    const found = await isFound(hole);
    const seconds = Math.round((performance.now() - from) / 1000);
    process.stderr.write(
      `${rows.length + 1} of ${holes.length}: ${hole.what}: ${found ? 'found' : 'NOT FOUND'} (${seconds} s)\n`,
    );
    rows.push([hole.what, hole.spec.replace('test/attacks/', ''), found ? 'found' : 'NOT FOUND']);
  }
  const found = rows.filter(([, , result]) => result === 'found').length;
  console.log(`\n${table(['Planted hole', 'Looked for by', ''], rows)}\n\nfound ${found} of ${holes.length}\n`);
  return found >= holes.length - 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      holes: { type: 'string', default: 'yes' },
      hole: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(HELP);
  const folder = join(packageRoot, 'test', 'attacks', 'holes');
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.patch'))
    .sort();
  const wanted = values.hole?.split(',');
  const holes = names
    .filter((name) => !wanted || wanted.some((part) => name.includes(part)))
    .map((name) => holeOf(join(folder, name)));
  const refused = values.holes === 'only' || wanted ? true : await runAttacks();
  const found = values.holes === 'no' ? true : await runHoles(holes);
  process.exit(refused && found ? 0 : 1);
}

/** The head of a patch says what it opens and which attacks should notice. */
function holeOf(path: string): Hole {
  const text = readFileSync(path, 'utf8');
  const read = (key: string) => new RegExp(`^${key}: (.+)$`, 'm').exec(text)?.[1];
  const [what, spec] = [read('Hole'), read('Attacks')];
  if (!what || !spec) throw new Error(`${path} does not say "Hole: …" and "Attacks: test/attacks/….spec.ts"`);
  return { path, what, spec };
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
