import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { databases } from '../support/databases.js';
import { isLong } from '../support/long.js';
import { Scene, unharmed } from './scene.js';

const postgres = databases.filter(({ name }) => name === 'Postgres');
const RESTARTS = isLong ? 100 : 4;

(postgres.length > 0 ? describe : describe.skip)('rolling restarts', () => {
  it(
    `${RESTARTS} of them, of two processes in turn, at 50 events a second: nothing lost, doubled or refused`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'postern-rolling-'));
      const store = await postgres[0]!.create(folder);
      const scene = await Scene.open({ databaseUrl: () => store.url, programs: 2, eventsPerSecond: 50 });
      try {
        await scene.works();
        for (let restart = 0; restart < RESTARTS; restart++) {
          const program = scene.programs[restart % 2]!;
          expect([restart, await program.end('SIGTERM')]).toEqual([restart, 0]);
          await program.start();
          await scene.works(5);
        }
        expect(await scene.finish()).toEqual(unharmed);
        expect(scene.load.refused).toBe(0);
      } finally {
        await scene.close();
        await store.drop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    isLong ? 1_800_000 : 120_000,
  );
});
