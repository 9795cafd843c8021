import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';
import { freePort, programSettings } from '../support/program.js';
import { closedPort } from '../support/scripted-http.js';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';

/** What an operator can mend is said in a sentence that names the setting, and nothing of ours stands around it. */
describe('a start that fails', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'postern-start-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function run(program: string, args: string[], changes: Record<string, string>) {
    const settings = programSettings({
      folder,
      port: await freePort(),
      databaseUrl: `sqlite:${join(folder, 'postern.sqlite')}`,
      mailUrl: 'smtp://127.0.0.1:1',
      secret: generateWebhookSecret(),
    });
    return new Promise<{ code: unknown; stderr: string }>((resolve) =>
      execFile(
        process.execPath,
        [join(packageRoot, 'dist', 'src', program), ...args],
        { cwd: folder, env: { ...settings, ...changes }, timeout: 30_000 },
        (error, _stdout, stderr) => resolve({ code: error?.code ?? 0, stderr }),
      ),
    );
  }
  const noFolder = () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    return { DATA_DIR: file };
  };
  const wrongBrand = () => {
    const file = join(folder, 'sources.yaml');
    writeFileSync(
      file,
      JSON.stringify({ sources: [{ name: 'a', secrets: [generateWebhookSecret()], brand: 'none' }] }),
    );
    return { SOURCES_FILE: file };
  };
  const noPostgres = async () => ({ DATABASE_URL: `postgres://u:secret-word@127.0.0.1:${await closedPort()}/p` });

  it.each<[string, () => Record<string, string> | Promise<Record<string, string>>, RegExp]>([
    [
      'Postgres is not there',
      noPostgres,
      /^Postern did not start\. DATABASE_URL: Postgres cannot be used \(.*ECONNREFUSED/,
    ],
    ['DATA_DIR is no folder', noFolder, /^Postern did not start\. DATA_DIR must be a folder that can be written/],
    [
      'the database file cannot be opened',
      () => ({ DATABASE_URL: `sqlite:${folder}` }),
      /^Postern did not start\. DATABASE_URL: the file .* cannot be opened/,
    ],
    ['a brand is not there', wrongBrand, /^Postern did not start\. There is no brand "none"/],
  ])('because %s says so', async (_what, changes, said) => {
    const { code, stderr } = await run('main.js', [], await changes());
    expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/\n\s+at |secret-word/);
    expect(code).toBe(1);
  });

  it('of a command says the same', async () => {
    const { code, stderr } = await run('cli.js', ['studio-link'], await noPostgres());
    expect(stderr).toMatch(/^DATABASE_URL: Postgres cannot be used/);
    expect([code, /\n\s+at /.test(stderr)]).toEqual([1, false]);
  });
});
