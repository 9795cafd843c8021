// Makes the client a package of its own in dist/client: one file for import, one for require, their types, and no
// dependency. Whoever only sends events needs nothing of the gateway.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';

const PARTS = ['src/client/client.ts', 'src/platform/webhook-signature.ts'];

/**
 * @param {string} root the repository
 * @param {string} folder where the package goes
 * @throws if a type of the client cannot be declared
 */
export async function makeClientPackage(root, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  declareTypes(root, folder);
  const { build } = await import('vite');
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      outDir: folder,
      emptyOutDir: false,
      copyPublicDir: false,
      minify: false,
      target: 'node20',
      lib: {
        entry: join(root, PARTS[0]),
        formats: ['es', 'cjs'],
        fileName: (format) => `client.${format === 'es' ? 'js' : 'cjs'}`,
      },
      rolldownOptions: { external: [/^node:/] },
    },
  });
  const { version, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const about = {
    name: 'postern-client',
    version,
    description: 'Sends events to Postern and reads what it posts back.',
    license,
    type: 'module',
    sideEffects: false,
    exports: {
      import: { types: './client.d.ts', default: './client.js' },
      require: { types: './client.d.cts', default: './client.cjs' },
    },
    engines: { node: '>=20' },
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(about, null, 2)}\n`);
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  // Beside it is no other document that a link could lead to.
  const guide = readFileSync(join(root, 'docs', 'client.md'), 'utf8');
  writeFileSync(join(folder, 'README.md'), guide.replace(/\[([^\]]+)\]\((?!https?:)[^)]*\)/g, '$1'));
}

/** For each module system its own: TypeScript takes a declaration for what its name says. */
function declareTypes(root, folder) {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    root,
  );
  const program = ts.createProgram(
    PARTS.map((part) => join(root, part)),
    { ...options, types: ['node'], declaration: true, emitDeclarationOnly: true, sourceMap: false },
  );
  for (const part of PARTS) {
    const { diagnostics } = program.emit(program.getSourceFile(join(root, part)), (name, text) => {
      const flat = text.replace(/(['"])\.\.?\/(?:platform\/)?([\w-]+)\.js\1/g, "'./$2.js'");
      const module = basename(name, '.d.ts');
      writeFileSync(join(folder, `${module}.d.ts`), flat);
      writeFileSync(join(folder, `${module}.d.cts`), flat.replaceAll(".js'", ".cjs'"));
    });
    if (diagnostics.length > 0) throw new Error(ts.flattenDiagnosticMessageText(diagnostics[0].messageText, '\n'));
  }
}
