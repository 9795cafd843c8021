import { once } from 'node:events';
import { rmSync } from 'node:fs';

export default async function teardown() {
  await end(globalThis.posternTestPostgres, 'SIGINT');
  await end(globalThis.posternTestRedis, 'SIGTERM');
}

async function end(started, signal) {
  if (!started) return;
  const { server, folder } = started;
  // One that never ran, or has ended by itself, never tells again.
  const ended = server.pid === undefined || server.exitCode !== null || server.signalCode !== null;
  if (!ended) {
    server.kill(signal);
    await once(server, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
}
