import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Child, ROOT, withChild } from './processes.js';

/** The reference points' own package, kept out of ours so that measuring them costs no user of the gateway anything. */
export const REFERENCE = join(ROOT, 'test/bench/reference');

const TSCONFIG = '{"compilerOptions":{"experimentalDecorators":true}}';

/** Installs the reference's packages and compiles the tutorial stack, where what is there is missing or out of date. Throws with the tool's words. */
export async function prepareReference(progress: (text: string) => void): Promise<void> {
  // npm writes this file last: without it an installation was cut short.
  if (!isNewer('node_modules/.package-lock.json', 'package-lock.json')) {
    progress('Installing the packages of the reference points, once: about half a minute.');
    await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  if (isNewer('tutorial.mjs', 'tutorial.ts')) return;
  const bundle = ['--bundle', '--platform=node', '--packages=external', '--format=esm', '--log-level=error'];
  const output = ['--outfile=tutorial.mjs', `--tsconfig-raw=${TSCONFIG}`];
  await run(join(REFERENCE, 'node_modules/.bin/esbuild'), ['tutorial.ts', ...bundle, ...output]);
}

function isNewer(made: string, source: string): boolean {
  const [target, origin] = [join(REFERENCE, made), join(REFERENCE, source)];
  return existsSync(target) && statSync(target).mtimeMs >= statSync(origin).mtimeMs;
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = new Child(command, args, { cwd: REFERENCE });
  await withChild(child, () => child.finish()).catch((error: Error) => {
    throw new Error(`${basename(command)} ${args[0]} ${error.message}`);
  });
}
