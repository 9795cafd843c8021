import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';

// The floors of docs/architecture.md: a file imports from its own room or from a lower floor, nothing else.

const root = join(import.meta.dirname, '..', '..');

/** Floor of every file and folder directly in src/. The ground floor is one room, and so are the files of the top one. */
const floors: Record<string, number> = {
  'main.ts': 5,
  'cli.ts': 5,
  'forecast-text.ts': 5,
  'keys.ts': 5,
  'erase.ts': 5,
  'studio-link.ts': 5,
  'app.module.ts': 5,
  'gateway.ts': 5,
  'entities.ts': 5,
  intake: 4,
  portal: 4,
  // The studio shows what the portal shows, and checks words as the translations do.
  studio: 4.5,
  translations: 4.2,
  // Whoever operates it looks at, and takes back, what every door let in.
  operations: 4.1,
  notifications: 3,
  delivery: 2,
  tickets: 1,
  templates: 1,
  access: 1,
  outbound: 1,
  client: 1,
  platform: 0,
  'config.ts': 0,
  settings: 0,
  'development-secrets.ts': 0,
  'sources.ts': 0,
  'mapping.ts': 0,
  'errors.ts': 0,
  'ids.ts': 0,
  'events.ts': 0,
};

/** Sources by their path from the root of the checkout, with `/`. */
type Sources = Record<string, string>;

/** Every break of the house rules, as `path: what`. */
function breaks(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, text]) => {
    const found = [...breaksOfImports(path, text), ...breaksInside(path, text)];
    return found.map((what) => `${path}: ${what}`);
  });
}

function breaksOfImports(path: string, text: string): string[] {
  return importsOf(text).flatMap((name) => breakOfImport(path, name) ?? []);
}

function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
}

function breakOfImport(path: string, name: string): string | null {
  if (/^react(-dom|-email)?(\/|$)/.test(name) && !path.startsWith('templates/layouts/')) return `imports ${name}`;
  if (!path.startsWith('src/')) return null;
  if (name === 'node:process' || name === 'process') return `imports ${name}`;
  if (!name.startsWith('.')) return null;
  const target = posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts');
  if (!target.startsWith('src/')) return `imports ${target}, which is outside of src/`;
  const [from, to] = [roomOf(path), roomOf(target)];
  if (from.floor === undefined || to.floor === undefined)
    return `imports ${target}: ${from.floor === undefined ? from.name : to.name} has no floor`;
  if (from.name === to.name || to.floor < from.floor) return null;
  return `imports ${target}, which is on ${to.floor > from.floor ? 'a higher' : 'the same'} floor`;
}

function roomOf(path: string): { name: string; floor: number | undefined } {
  const top = path.split('/')[1]!;
  const floor = floors[top];
  return floor === 0 || floor === 5 ? { name: `floor ${floor}`, floor } : { name: `src/${top}`, floor };
}

/** What a file may not say, wherever it stands. */
function breaksInside(path: string, text: string): string[] {
  if (!path.startsWith('src/')) return [];
  const found: string[] = [];
  if (/(^|\/)index\.tsx?$/.test(path)) found.push('is a barrel: enter a folder by the door that is named for it');
  if (roomOf(path).floor === undefined) found.push(`${roomOf(path).name} has no floor`);
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === 'forwardRef') found.push('uses forwardRef');
    if (ts.isIdentifier(node) && node.text === 'process' && !isMemberName(node))
      found.push(...breakOfProcess(path, node));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  return [...new Set(found)];
}

/** `a.process`, `{ process: 1 }` and a method called so are not the process, but `globalThis.process` is. */
function isMemberName({ parent, text }: ts.Identifier): boolean {
  if (ts.isMethodDeclaration(parent)) return parent.name.getText() === text;
  if (ts.isPropertyAccessExpression(parent) && parent.name.text === text)
    return parent.expression.getText() !== 'globalThis';
  return ts.isPropertyAssignment(parent) && parent.initializer.getText() !== text;
}

function breakOfProcess(path: string, node: ts.Identifier): string[] {
  const whole = ts.isPropertyAccessExpression(node.parent) && node.parent.name === node ? node.parent : node;
  const member = ts.isPropertyAccessExpression(whole.parent) ? whole.parent.name.text : null;
  if (member === null) return ['hands the whole process on: name the member that is used'];
  if (member === 'env' && path !== 'src/config.ts') return ['reads process.env: settings come from config.ts'];
  if (member === 'exit' && path !== 'src/main.ts') return ['calls process.exit: only main.ts ends the process'];
  return [];
}

function readSources(...folders: string[]): Sources {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
  );
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

describe('the house', () => {
  it('has every import on its own floor or a lower one', () => {
    const sources = readSources('src', 'templates', 'demo');
    expect(Object.keys(sources)).toEqual(expect.arrayContaining(['src/main.ts', 'src/access/link.ts']));
    expect(breaks(sources)).toEqual([]);
  });

  it("lends the studio's pages only what needs nothing else, so that nothing of the server goes to browsers", () => {
    const pages = Object.entries(readSources('studio/src'));
    const lent = pages.flatMap(([path, text]) =>
      importsOf(text)
        .map((name) => posix.join(posix.dirname(path), name).replace(/\.js$/, '.ts'))
        .filter((target) => target.startsWith('src/')),
    );
    expect(lent).toContain('src/templates/palette.ts');
    for (const path of lent) expect(importsOf(readFileSync(join(root, path), 'utf8'))).toEqual([]);
  });

  it.each([
    ['upwards', 'src/tickets/ticket.ts', `import { Worker } from '../delivery/worker.js';`, 'a higher floor'],
    ['upwards as a type', 'src/access/a.ts', `import type { Planner } from '../notifications/planner.js';`, 'a higher'],
    ['upwards from the ground', 'src/ids.ts', `import { Link } from './access/link.js';`, 'a higher floor'],
    ['upwards from deep inside', 'src/platform/queue/q.ts', `import '../../delivery/worker.js';`, 'a higher floor'],
    ['to the top', 'src/intake/intake.ts', `import { entities } from '../entities.js';`, 'a higher floor'],
    ['sideways', 'src/access/link.ts', `import { Ticket } from '../tickets/ticket.entity.js';`, 'the same floor'],
    ['sideways at the edge', 'src/portal/p.ts', `import { Intake } from '../intake/intake.js';`, 'the same floor'],
    ['by passing on', 'src/tickets/t.ts', `export { Codes } from '../access/code.js';`, 'the same floor'],
    ['at run time', 'src/tickets/t.ts', `const m = await import('../portal/pages.js');`, 'a higher floor'],
    ['into a folder without a floor', 'src/main.ts', `import { help } from './helpers/h.js';`, 'has no floor'],
    ['of the demo', 'src/main.ts', `import { startInbox } from '../demo/inbox.js';`, 'outside of src/'],
    ['of a test', 'src/platform/clock.ts', `import { T } from '../../test/support/clock.js';`, 'outside of src/'],
    ['of a layout', 'src/templates/compile.ts', `import L from '../../templates/layouts/code.js';`, 'outside of src/'],
    ['of React', 'src/templates/compile.ts', `import { render } from 'react-email';`, 'imports react-email'],
    ['of React in the demo', 'demo/inbox.ts', `import { createElement } from 'react';`, 'imports react'],
    ['of React at run time', 'src/portal/p.ts', `await import('react-dom/server');`, 'imports react-dom/server'],
    ['of the process', 'src/access/a.ts', `import { env } from 'node:process';`, 'imports node:process'],
  ])('refuses an import %s', (_, path, text, what) => {
    expect(breaks({ [path]: text })).toEqual([expect.stringContaining(what)]);
  });

  it.each([
    ['a barrel', 'src/access/index.ts', `export {};`, 'is a barrel'],
    ['forwardRef', 'src/access/a.ts', `const M = forwardRef(() => Other);`, 'uses forwardRef'],
    ['the environment', 'src/delivery/d.ts', `const url = process.env.MAIL_URL;`, 'reads process.env'],
    ['the environment by name', 'src/delivery/d.ts', `const url = process.env['MAIL_URL'];`, 'reads process.env'],
    ['the environment by way of globalThis', 'src/ids.ts', `globalThis.process.env.A;`, 'reads process.env'],
    ['the environment taken apart', 'src/ids.ts', `const { env } = process;`, 'hands the whole process on'],
    ['the environment behind an index', 'src/ids.ts', `process['env'];`, 'hands the whole process on'],
    ['an end of the process', 'src/config.ts', `if (bad) process.exit(1);`, 'calls process.exit'],
    ['a folder nobody placed', 'src/helpers/h.ts', `export {};`, 'src/helpers has no floor'],
  ])('refuses %s', (_, path, text, what) => {
    expect(breaks({ [path]: text })).toEqual([expect.stringContaining(what)]);
  });

  it.each([
    ['downwards', 'src/portal/p.ts', `import { Links } from '../access/link.js';`],
    ['within a folder', 'src/intake/intake.ts', `import { read } from './sources/standard.js';`],
    ['on the ground floor', 'src/platform/platform.module.ts', `import { Config } from '../config.js';`],
    ['of a package', 'src/portal/p.ts', `import { z } from 'zod';`],
    [
      'that is only talked about',
      'src/ids.ts',
      `// import { x } from './main.js' and process.env\nexport const id = 1;`,
    ],
    ['of React in a layout', 'templates/layouts/l.tsx', `import { Html } from 'react-email';`],
  ])('allows an import %s', (_, path, text) => {
    expect(breaks({ [path]: text })).toEqual([]);
  });

  it.each([
    ['config.ts the environment', 'src/config.ts', `export const load = (from = process.env) => from;`],
    ['main.ts an end of the process', 'src/main.ts', `process.exit(0);`],
    ['all the rest of the process', 'src/delivery/d.ts', `process.stdout.write(process.versions.node);`],
  ])('allows %s', (_, path, text) => {
    expect(breaks({ [path]: text })).toEqual([]);
  });
});

describe('the lint rule against cycles', () => {
  /** What oxlint says of these files with the project's own settings. */
  function lint(files: Sources): string {
    const folder = mkdtempSync(join(tmpdir(), 'postern-lint-'));
    try {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
      const options = ['--config', join(root, '.oxlintrc.json'), '--format', 'unix', '.'];
      return execFileSync(process.execPath, [oxlint, ...options], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      return (error as { stdout?: string }).stdout || String(error); // oxlint ends with 1 when it found something
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  const c = `import { a } from '../a.js';\nexport const c = () => a;\n`;
  const b = `import { c } from './deep/c.js';\nexport const b = () => c;\n`;

  it('finds one over three files and two folders', () => {
    const a = `import { b } from './b.js';\nexport const a = () => b;\n`;
    expect(lint({ 'a.ts': a, 'b.ts': b, 'deep/c.ts': c })).toContain('import(no-cycle)');
  });

  it('is content with a chain', () => {
    expect(lint({ 'a.ts': `export const a = 1;\n`, 'b.ts': b, 'deep/c.ts': c })).not.toContain('no-cycle');
  });
});
