import { defineConfig } from 'vitest/config';
import { NO_WRAPPER_TIER_UP } from '../src/daemon/daemon-flags.ts';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/fixtures/property-seed.ts'],
    pool: 'forks',
    // Worker threads of ours are TypeScript here, and what strips the types in each of them is WebAssembly.
    execArgv: [NO_WRAPPER_TIER_UP],
    // Tests of mounts mostly wait: for two cores one file at a time is too few.
    maxWorkers: 2,
    // They end what hangs; how busy a machine may be is no matter of tests.
    testTimeout: 400_000,
    hookTimeout: 400_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
