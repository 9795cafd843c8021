import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';

const folder = join(packageRoot, 'test', 'attacks', 'holes');

/** Debian has it wherever a compiler is; a user's machine may do without. */
const hasPatch = (() => {
  try {
    execFileSync('patch', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('planted holes', () => {
  it('are twenty or more', () => {
    expect(readdirSync(folder).length).toBeGreaterThanOrEqual(20);
  });

  (hasPatch ? it : it.skip).each(readdirSync(folder))('%s still fits the code', (name) => {
    const options = ['--dry-run', '--batch', '--forward', '--fuzz=1', '-p1', '-i', join(folder, name)];
    execFileSync('patch', options, { cwd: packageRoot, stdio: 'pipe' });
  });
});
