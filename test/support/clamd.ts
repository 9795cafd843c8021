import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clamd } from '../../src/platform/clamd.js';
import { freePort } from './program.js';

const path = process.env.POSTERN_TEST_CLAMD;

/** `describe` for what needs a real clamd. Without one it is left out, and the run has said so by then. */
export const describeWithClamd = path ? describe : describe.skip;

/** The test file that every scanner knows, put together here so that no scanner takes offence at this one. */
export const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}', '$EICAR-STANDARD-', 'ANTIVIRUS-TEST-FILE!', '$H+H*'].join('');

/** A real clamd with one signature: that of the test file. */
export async function startClamd(
  settings: string[] = [],
): Promise<{ url: string; socketUrl: string; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-clamd-'));
  const port = await freePort();
  const socket = join(folder, 'clamd.sock');
  const content = Buffer.from(eicar);
  // A body signature (.ndb): in any file, at any place.
  writeFileSync(join(folder, 'test.ndb'), `Test.Eicar:0:*:${content.toString('hex')}\n`);
  writeFileSync(
    join(folder, 'test.hdb'),
    `${createHash('md5').update(content).digest('hex')}:${content.length}:Test.Hash\n`,
  );
  const lines = [`TCPSocket ${port}`, 'TCPAddr 127.0.0.1', `LocalSocket ${socket}`, `DatabaseDirectory ${folder}`];
  writeFileSync(join(folder, 'clamd.conf'), [...lines, 'Foreground true', ...settings, ''].join('\n'));
  const server = spawn(path!, ['--config-file', join(folder, 'clamd.conf')], { stdio: 'ignore' });
  const clamd = new Clamd({ host: '127.0.0.1', port });
  for (let attempt = 0; !(await clamd.ping()); attempt++) {
    if (attempt === 200 || server.exitCode !== null) throw new Error('clamd did not start');
    await new Promise((resolve) => setTimeout(resolve, 50)); // the server's own start, before any test
  }
  return {
    url: `tcp://127.0.0.1:${port}`,
    socketUrl: `unix:${socket}`,
    stop: async () => {
      if (server.exitCode !== null || server.signalCode !== null) return;
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
      if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What becomes of one connection, told each time something came in. */
export type ClamdScript = (socket: Socket, received: Buffer) => void;

/** A clamd that does what its script says. */
export interface ScriptedClamd {
  url: string;
  script: ClamdScript;
  close(): Promise<void>;
}

export async function startScriptedClamd(script: ClamdScript): Promise<ScriptedClamd> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined); // the client went away, as it may
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      scripted.script(socket, received);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const scripted: ScriptedClamd = {
    url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    script,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return scripted;
}

/** Whole commands: PING, or INSTREAM with the chunk of length zero at its end. */
export function isWhole(received: Buffer): boolean {
  if (received.subarray(0, 6).toString() === 'zPING\0') return true;
  let at = 'zINSTREAM\0'.length;
  while (at + 4 <= received.length) {
    const size = received.readUInt32BE(at);
    if (size === 0) return true;
    at += 4 + size;
  }
  return false;
}

/** Answers as clamd does, once a command is whole. */
export function answering(words: string): ClamdScript {
  return (socket, received) => {
    if (isWhole(received)) socket.end(received.subarray(0, 6).toString() === 'zPING\0' ? 'PONG\0' : words);
  };
}
