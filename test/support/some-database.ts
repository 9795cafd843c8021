import { basename } from 'node:path';
import { databases, type DatabaseKind } from './databases.js';
import { isLong } from './long.js';

/**
 * For what both databases do alike by the contract of `Database`: the short run tries it on one, half of the files on each,
 * and the long form on both. What rests on locks, races or plans takes `databases`.
 */
export const someDatabase: DatabaseKind[] = isLong ? databases : [databases[fileNumber() % databases.length]!];

/** The same number for the same test file, wherever the project lies. */
function fileNumber(): number {
  const { testPath = '' } = expect.getState();
  return [...basename(testPath)].reduce((sum, letter) => sum + letter.codePointAt(0)!, 0);
}
