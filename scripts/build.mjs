// Builds everything into dist/: the program by tsc, the mails' shells by the layouts it compiled, the studio by Vite.
// With --if-needed it does nothing while dist/ is newer than what it was made of.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { makeClientPackage } from './client-package.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const sources = [
  'src',
  'studio',
  'templates',
  'demo',
  'test/bench',
  'test/attacks',
  'test/faults',
  'test/mails',
  'test/simulations',
  'test/support',
  'scripts/build.mjs',
  'scripts/client-package.mjs',
  'package.json',
  'tsconfig.json',
  'ormconfig.ts',
];
const startedAt = new Date();

if (process.argv.includes('--if-needed') && isFresh()) process.exit(0);

rmSync(stamp, { force: true });
await step('program', compile);
await step('leftovers', prune);
await step('mail layouts', renderShells);
await step('client', buildClient);
await step('studio', buildStudio);
writeFileSync(stamp, '');
// What was saved while the build ran is newer than the build.
utimesSync(stamp, startedAt, startedAt);

function isFresh() {
  if (!existsSync(stamp)) return false;
  const builtAt = statSync(stamp).mtimeMs;
  return sources.every((name) => newest(join(root, name)) <= builtAt);
}

/** Latest change of a file, or of anything in a folder; a folder's own time tells of deleted files. */
function newest(path) {
  if (!existsSync(path)) return 0;
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

async function step(name, work) {
  const from = performance.now();
  try {
    const said = await work();
    console.log(`  built ${name}${said ? ` (${said})` : ''} in ${((performance.now() - from) / 1000).toFixed(1)} s`);
  } catch (error) {
    console.error(`  The build stopped at "${name}": ${error instanceof Error ? error.message : error}`);
    process.exit(1);
  }
}

function compile() {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  if (!existsSync(compiler)) throw new Error('TypeScript is not installed; run "npm ci" first.');
  const options = [
    '-p',
    root,
    '--incremental',
    '--tsBuildInfoFile',
    join(dist, '.tsbuildinfo'),
    '--pretty',
    String(Boolean(process.stdout.isTTY)),
  ];
  const { status } = spawnSync(process.execPath, [compiler, ...options], { stdio: 'inherit', cwd: root });
  if (status !== 0) throw new Error('mend the type errors above, then build again.');
}

/** Removes what an earlier build made of sources that are gone: nothing may run that nobody can read. */
function prune() {
  let removed = 0;
  const visit = (folder) => {
    for (const entry of readdirSync(join(dist, folder), { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.js(?:\.map)?$/.test(entry.name)) {
        const source = path.replace(/\.js(?:\.map)?$/, '');
        if (['.ts', '.tsx', '.js'].some((extension) => existsSync(join(root, source + extension)))) continue;
        rmSync(join(dist, path));
        removed++;
      }
    }
  };
  for (const folder of ['src', 'templates', 'demo', 'test']) if (existsSync(join(dist, folder))) visit(folder);
  return removed ? `${removed} removed` : '';
}

/** A layout is a file of templates/layouts with a default export; beside it stands its text, <layout>.txt.hbs. */
async function renderShells() {
  const compiled = join(dist, 'templates', 'layouts');
  const shells = join(dist, 'templates', 'shells');
  mkdirSync(shells, { recursive: true });
  const load = (name) => import(pathToFileURL(join(compiled, name)).href);
  const { renderShell } = await load('parts.js');
  const made = [];
  for (const name of readdirSync(compiled)
    .filter((file) => file.endsWith('.js'))
    .sort()) {
    const layout = basename(name, '.js');
    const { default: Layout } = await load(name);
    if (!Layout) continue;
    writeWhole(join(shells, `${layout}.html.hbs`), await renderShell(Layout));
    writeWhole(
      join(shells, `${layout}.txt.hbs`),
      readFileSync(join(root, 'templates', 'layouts', `${layout}.txt.hbs`), 'utf8'),
    );
    made.push(layout);
  }
  if (made.length === 0) throw new Error('templates/layouts has no layout with a default export.');
  return made.join(', ');
}

/** The client's package. It stays as it is while what it is made of does. */
async function buildClient() {
  const made = join(dist, 'client', 'client.js');
  const madeOf = ['src/client', 'src/platform', 'docs/client.md', 'package.json', 'scripts/client-package.mjs'];
  const changedAt = Math.max(...madeOf.map((name) => newest(join(root, name))));
  if (existsSync(made) && changedAt <= statSync(made).mtimeMs) return 'unchanged';
  await makeClientPackage(root, join(dist, 'client'));
  return '';
}

/** The studio's pages, for the browser. They stay as they are while what they are made of does. */
async function buildStudio() {
  const page = join(dist, 'studio', 'index.html');
  const madeOf = ['studio', 'src/templates/palette.ts', 'package-lock.json'].map((name) => newest(join(root, name)));
  if (existsSync(page) && Math.max(...madeOf) <= statSync(page).mtimeMs) return 'unchanged';
  const { build } = await import('vite');
  await build({ configFile: join(root, 'studio', 'vite.config.js') });
  return '';
}

/** Whoever reads meanwhile finds the old shell or the new one, never half of one. */
function writeWhole(path, text) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
