import { once } from 'node:events';
import { rmSync } from 'node:fs';

export default async function teardown() {
  const started = globalThis.posternTestPostgres;
  if (!started) return;
  // One that has ended by itself never tells again.
  const ended = started.server.exitCode !== null || started.server.signalCode !== null;
  if (!ended) {
    started.server.kill('SIGINT');
    await once(started.server, 'exit');
  }
  rmSync(started.folder, { recursive: true, force: true });
}
