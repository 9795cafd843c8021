import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';

/** A hole that a careless change could open: a patch, and the attacks that should notice it. */
export interface Hole {
  path: string;
  what: string;
  spec: string;
}

const PARTS = [
  'src',
  'demo',
  'templates',
  'test',
  'dist',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
  'ormconfig.ts',
];

interface Copy {
  folder: string;
  remove: () => void;
}

/** A copy of the code as it is. Remove it when done. */
export function copyCode(): Copy {
  const folder = mkdtempSync(join(tmpdir(), 'postern-hole-'));
  const isOurs = (name: string) => !name.includes(join('bench', 'reference', 'node_modules'));
  for (const part of PARTS) cpSync(join(packageRoot, part), join(folder, part), { recursive: true, filter: isOurs });
  symlinkSync(join(packageRoot, 'node_modules'), join(folder, 'node_modules'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The same with a hole in it. Throws if the patch no longer fits the code. */
export function planted({ path }: Pick<Hole, 'path'>): Copy {
  const copy = copyCode();
  const options = ['--batch', '--forward', '--fuzz=1', '--no-backup-if-mismatch', '-p1', '-i', path];
  try {
    execFileSync('patch', options, { cwd: copy.folder, stdio: 'pipe' });
  } catch (error) {
    copy.remove();
    const said = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    throw new Error(`the hole ${path} no longer fits the code: make the patch anew\n${said}`, { cause: error });
  }
  return copy;
}
