import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Nest and TypeORM read the types that decorators leave behind.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true }, jsx: { runtime: 'automatic' } },
  test: {
    globals: true,
    include: ['test/**/*.spec.ts'],
    // A worker loads the gateway once for all its files. Each file starts gateways of its own, and nothing of ours keeps
    // state in a module.
    pool: 'forks',
    isolate: false,
    // Tests wait for servers and browsers more than they compute: half as many again as there are cores.
    maxWorkers: Math.ceil(availableParallelism() * 1.5),
    // What has to be quick says so itself: this is for a machine that has much else to do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: './test/support/global-setup.mjs',
  },
});
