import { Writable } from 'node:stream';
import type { LoggerService } from '@nestjs/common';
import { pino, type Logger as PinoLogger } from 'pino';
import { maskAddress } from './address.js';

// Code that logs masks what it logs. This is the net below it: an error text of a library may quote an address or a path.
// Each part is bounded by what an address may have (RFC 5321 4.5.3.1), so that a long line costs no more than its length.
const ADDRESS = /[^\s"'<>()\\,;:@]{1,64}@[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/gu;
const LINK = /(\/(?:t|files)\/|\bhandoff=|\bhof_(?=[A-Za-z0-9_-]{43}))[A-Za-z0-9._-]{8,}/g;

/** Takes addresses and link tokens out of a line. */
export function scrub(line: string): string {
  return line.replace(ADDRESS, (address) => maskAddress(address)).replace(LINK, '$1…');
}

/** Structured logs, one JSON line each. Give it objects with ids and states; never a body, code, token or whole address. */
export class Logger implements LoggerService {
  private readonly pino: PinoLogger;

  constructor(level: string, destination: { write(line: string): unknown } = process.stdout) {
    const scrubbed = new Writable({
      decodeStrings: false,
      write(line: string, _encoding, done) {
        destination.write(scrub(line));
        done();
      },
    });
    this.pino = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, scrubbed);
  }

  debug(message: string, fields: object | string = {}): void {
    this.pino.debug(asFields(fields), message);
  }
  verbose(message: string, fields: object | string = {}): void {
    this.pino.trace(asFields(fields), message);
  }
  info(message: string, fields: object = {}): void {
    this.pino.info(asFields(fields), message);
  }
  warn(message: string, fields: object | string = {}): void {
    this.pino.warn(asFields(fields), message);
  }
  /** `fields.error` may be an `Error`: its text and stack are logged. Nest itself passes a stack as text. */
  error(message: string, fields: object | string = {}): void {
    this.pino.error(asFields(fields), message);
  }
  /** Nest's own word for what it tells while it starts: of no interest to an operator. */
  log(message: string, fields: object | string = {}): void {
    this.pino.debug(asFields(fields), message);
  }
}

function asFields(fields: object | string): object {
  if (typeof fields === 'string') return { context: fields };
  const { error, ...rest } = fields as { error?: unknown };
  return error instanceof Error
    ? { ...rest, error: { name: error.name, message: error.message, stack: error.stack } }
    : fields;
}
