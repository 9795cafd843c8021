import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../src/config.js';

const run = (command: string, args: string[], cwd: string) => execFileSync(command, args, { cwd, encoding: 'utf8' });

describe('the package of the gateway', () => {
  it('has what a gateway runs on, its command and its documents, and nothing else', () => {
    const [packed] = JSON.parse(run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], packageRoot)) as {
      files: { path: string }[];
    }[];
    const paths = packed!.files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        ...['dist/src/cli.js', 'dist/src/main.js', 'dist/studio/index.html', 'dist/templates/shells/code.html.hbs'],
        ...['dist/client/client.js', 'dist/client/client.cjs', 'dist/client/client.d.ts', 'dist/client/client.d.cts'],
        ...['templates/pages/en.json', 'templates/pages/assets/postern.css', 'templates/translations.json'],
        ...['README.md', 'docs/events.md', '.env.example', 'sources.example.yaml', 'LICENSE'],
      ]),
    );
    expect(paths.filter((path) => /(^|\/)(test|demo|data|scripts)\/|\.tsx?$|\.map$|\.env$|sqlite$/.test(path))).toEqual(
      paths.filter((path) => path.endsWith('.d.ts')),
    );
  });
});

describe('the package of the client', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-client-'));
  beforeAll(() => {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(packageRoot, 'dist', 'client'), join(folder, 'node_modules', 'postern-client'), 'dir');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('needs no other package', () => {
    const about = JSON.parse(readFileSync(join(packageRoot, 'dist', 'client', 'package.json'), 'utf8')) as object;
    expect(about).not.toHaveProperty('dependencies');
  });

  it.each([
    ['module', "import * as client from 'postern-client';"],
    ['commonjs', "const client = require('postern-client');"],
  ])('is loaded by a program of type %s', (type, line) => {
    const program = `${line}\nconsole.log(Object.keys(client).sort().join())`;
    expect(run(process.execPath, [`--input-type=${type}`, '--eval', program], folder).trim()).toBe(
      'PosternClient,PosternProblem,generateWebhookSecret,readNews,signWebhook,verifyWebhook',
    );
  });

  it('has types for both, without those of node or of a browser', () => {
    const files = ['mts', 'cts'].map((extension) => join(folder, `program.${extension}`));
    for (const file of files)
      writeFileSync(
        file,
        `import { PosternClient, readNews, type PosternEvent } from 'postern-client';
         declare const event: PosternEvent;
         export const sent: Promise<{ eventId: string }> = new PosternClient({ url: '', source: '', secret: '' }).send(event);
         export const number: string | undefined = readNews([], {}, '')?.news.data.ticket.number;
         // @ts-expect-error an account has an id
         event.data.requester = { kind: 'account', email: '' };`,
      );
    const program = ts.createProgram(files, {
      ...{ module: ts.ModuleKind.Node16, strict: true, noEmit: true, skipLibCheck: false, types: [] },
      ...{ target: ts.ScriptTarget.ES2022, lib: ['lib.es2022.d.ts'], preserveSymlinks: true },
    });
    expect(ts.getPreEmitDiagnostics(program).map(({ messageText }) => messageText)).toEqual([]);
  });
});
