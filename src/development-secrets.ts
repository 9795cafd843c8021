import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from './errors.js';
import { generateKey } from './platform/crypto.js';
import { generateWebhookSecret } from './platform/webhook-signature.js';

/** Keys and secrets of a development machine, kept in `DATA_DIR` so that links survive a restart. */
export class DevelopmentSecrets {
  /** Those made now that whoever started it needs. */
  readonly shown: { name: string; value: string }[] = [];
  private readonly file: string;
  private readonly known: Record<string, string>;
  private isChanged = false;

  /** @throws StartError if what was kept cannot be read */
  constructor(dataDir: string) {
    this.file = join(dataDir, 'development-secrets.json');
    this.known = readSecrets(this.file);
  }

  key(name: string): string {
    return this.knownOr(name, () => `dev:${generateKey()}`);
  }

  webhookSecret(name: string): string {
    const isNew = this.known[name] === undefined;
    const value = this.knownOr(name, generateWebhookSecret);
    if (isNew) this.shown.push({ name, value });
    return value;
  }

  /**
   * Writes down what was made.
   * @throws StartError if DATA_DIR cannot be written
   */
  keep(): void {
    if (!this.isChanged) return;
    try {
      mkdirSync(dirname(this.file), { recursive: true });
      writeFileSync(this.file, JSON.stringify(this.known, null, 2), { mode: 0o600 });
      chmodSync(this.file, 0o600);
    } catch (error) {
      throw new StartError(`DATA_DIR must be a folder that can be written (${(error as Error).message})`, {
        cause: error,
      });
    }
  }

  private knownOr(name: string, make: () => string): string {
    const known = this.known[name];
    if (known !== undefined) return known;
    this.isChanged = true;
    return (this.known[name] = make());
  }
}

function readSecrets(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  } catch (error) {
    throw new StartError(`${file} cannot be read (${(error as Error).message}); mend it, or remove it for new keys`, {
      cause: error,
    });
  }
}
