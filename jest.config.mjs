import { availableParallelism } from 'node:os';

// React and decorators need swc's transforms; everything else runs as the ESM it is.
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // Tests wait for servers and browsers more than they compute: half as many again as there are cores.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
  // A worker keeps what it loaded for each file, and the more it keeps the slower it gets: it makes room for a fresh one.
  workerIdleMemoryLimit: '600MB',
  testTimeout: 60_000,
  globalSetup: './test/support/global-setup.mjs',
  globalTeardown: './test/support/global-teardown.mjs',
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.tsx?$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', tsx: true, decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, react: { runtime: 'automatic' } },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};
