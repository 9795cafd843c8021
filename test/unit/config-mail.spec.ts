import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig } from '../../src/config.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'postern-test-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mail = (environment: Record<string, string>) =>
  loadConfig({ NODE_ENV: 'test', DATA_DIR: folder, ...environment }).mail;

function problems(environment: Record<string, string>): string {
  try {
    mail(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return '';
}

function keyFile(privateKey: KeyObject, type: 'pkcs1' | 'pkcs8' = 'pkcs8'): string {
  const file = join(folder, 'dkim.pem');
  writeFileSync(file, privateKey.export({ type, format: 'pem' }));
  return file;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const dkim = (file: string) => ({
  DKIM_DOMAIN: 'support.example',
  DKIM_SELECTOR: '2026a',
  DKIM_PRIVATE_KEY_FILE: file,
});

describe('MAIL_TLS', () => {
  it('is used where it is offered, unless it is required', () => {
    expect(mail({}).tls).toBe('opportunistic');
    expect(mail({ MAIL_TLS: 'required' }).tls).toBe('required');
    expect(problems({ MAIL_TLS: 'yes' })).toContain('MAIL_TLS must be one of opportunistic, required');
  });
});

describe('DKIM', () => {
  it('is off without its settings', () => expect(mail({}).dkim).toBeNull());

  it.each(['pkcs1', 'pkcs8'] as const)('takes an RSA key as %s', (type) => {
    const privateKey = rsa.export({ type: 'pkcs8', format: 'pem' });
    expect(mail(dkim(keyFile(rsa, type))).dkim).toEqual({ domain: 'support.example', selector: '2026a', privateKey });
  });

  it.each(['DKIM_DOMAIN', 'DKIM_SELECTOR', 'DKIM_PRIVATE_KEY_FILE'])('is refused without %s', (name) => {
    expect(problems({ ...dkim(keyFile(rsa)), [name]: '' })).toContain('are set together or not at all');
  });

  it.each<[string, () => string]>([
    ['that is not there', () => join(folder, 'nothing.pem')],
    ['of 1024 bits', () => keyFile(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)],
    ['of another kind', () => keyFile(generateKeyPairSync('ed25519').privateKey)],
    ['that is none', () => (writeFileSync(join(folder, 'dkim.pem'), 'nonsense'), join(folder, 'dkim.pem'))],
  ])('refuses a key %s', (_what, file) => {
    expect(problems(dkim(file()))).toContain('DKIM_PRIVATE_KEY_FILE must be a readable file with an RSA key');
  });

  it.each(['support example', '-a.example', 'a=b'])('refuses the domain %s', (domain) => {
    expect(problems({ ...dkim(keyFile(rsa)), DKIM_DOMAIN: domain })).toContain('DKIM_DOMAIN must be a domain name');
  });
});
