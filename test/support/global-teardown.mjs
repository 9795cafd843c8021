import { once } from 'node:events';
import { rmSync } from 'node:fs';

export default async function teardown() {
  const started = globalThis.posternTestPostgres;
  if (!started) return;
  started.server.kill('SIGINT');
  await once(started.server, 'exit');
  rmSync(started.folder, { recursive: true, force: true });
}
