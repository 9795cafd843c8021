import { createReadStream } from 'node:fs';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

/** Where clamd listens. */
export type ClamdAddress = { host: string; port: number } | { path: string };

/** `unknown`: nothing can be said of the file, and `reason` says why, for an operator. */
export type ClamdVerdict =
  { kind: 'clean' } | { kind: 'infected'; signature: string } | { kind: 'unknown'; reason: string };

export interface ClamdTimes {
  connectMs: number;
  /** From the last byte of the file to the answer, and at any other silence. */
  silenceMs: number;
  wholeMs: number;
}

const TIMES: ClamdTimes = { connectMs: 5000, silenceMs: 30_000, wholeMs: 90_000 };
/** Whoever asks for our health waits for nobody. */
const PING_TIMES: ClamdTimes = { connectMs: 2000, silenceMs: 2000, wholeMs: 2000 };
const CHUNK_BYTES = 64 * 1024;
/** Its answers are one line. */
const LONGEST_ANSWER = 4096;

/**
 * ClamAV's daemon by its INSTREAM command (clamd(8)): `zINSTREAM\0`, chunks each with its length before it (32 bits, network
 * order), a length of zero, and the answer ends with NUL. Whatever is not a plain OK is no OK.
 */
export class Clamd {
  constructor(
    private readonly address: ClamdAddress,
    private readonly times: ClamdTimes = TIMES,
  ) {}

  async scan(path: string): Promise<ClamdVerdict> {
    const said = await this.ask('zINSTREAM\0', path);
    if (!said.ok) return { kind: 'unknown', reason: said.reason };
    if (said.answer === 'stream: OK') return { kind: 'clean' };
    const signature = /^stream: (.{1,200}) FOUND$/.exec(said.answer)?.[1];
    if (signature !== undefined) return { kind: 'infected', signature };
    return { kind: 'unknown', reason: /size limit/i.test(said.answer) ? 'size limit' : 'not an answer to INSTREAM' };
  }

  async ping(): Promise<boolean> {
    const said = await new Clamd(this.address, PING_TIMES).ask('zPING\0', null);
    return said.ok && said.answer === 'PONG';
  }

  private ask(
    command: string,
    path: string | null,
  ): Promise<{ ok: true; answer: string } | { ok: false; reason: string }> {
    return new Promise((resolve) => {
      const socket = connect({ ...this.address, allowHalfOpen: false } as NetConnectOpts);
      const received: Buffer[] = [];
      let length = 0;
      const end = (said: { ok: true; answer: string } | { ok: false; reason: string }): void => {
        clearTimeout(connecting);
        clearTimeout(whole);
        socket.destroy();
        resolve(said);
      };
      const failed = (reason: string) => end({ ok: false, reason });
      const connecting = setTimeout(() => failed('no connection in time'), this.times.connectMs);
      const whole = setTimeout(() => failed('no answer in time'), this.times.wholeMs);
      socket.setTimeout(this.times.silenceMs, () => failed('silent'));
      socket.on('connect', () => {
        clearTimeout(connecting);
        socket.write(command);
        // It may answer and close before it has read everything (size limit): then its answer is what counts.
        if (path !== null) send(socket, path).catch((error: Error) => failed(`the file was not read: ${error.name}`));
      });
      socket.on('data', (chunk: Buffer) => {
        received.push(chunk);
        length += chunk.length;
        if (length > LONGEST_ANSWER) return failed('an endless answer');
        const nul = chunk.indexOf(0);
        if (nul === -1) return;
        const text = Buffer.concat(received).subarray(0, length - chunk.length + nul);
        end({ ok: true, answer: text.toString('latin1').trim() });
      });
      socket.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'connection failed'));
      socket.on('close', () => failed('closed without an answer'));
    });
  }
}

/** Ends early, and without an error, when the other side is gone: the socket's own events say so. */
async function send(socket: Socket, path: string): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    if (socket.destroyed) return;
    const size = Buffer.alloc(4);
    size.writeUInt32BE(chunk.length);
    socket.write(size);
    if (!socket.write(chunk)) await drained(socket);
  }
  if (!socket.destroyed) socket.write(Buffer.alloc(4));
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      socket.off('drain', go);
      socket.off('close', go);
      resolve();
    };
    socket.on('drain', go);
    socket.on('close', go);
  });
}
