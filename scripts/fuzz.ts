import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/*
 * Looks for counterexamples that no one has seen yet: the tests that state properties, again and again with new seeds.
 * `npm run fuzz -- --rounds 20 test/unit/zarr`; stops at the first red round and says its seed.
 */
const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seed: { type: 'string' } },
  allowPositionals: true,
});
const folders =
  positionals.length > 0
    ? positionals
    : ['test/unit', 'test/conformance', 'test/model', 'test/mount/damaged-files.test.ts'];
const files = folders
  .flatMap((folder) => (folder.endsWith('.test.ts') ? [folder] : globSync(`${folder}/**/*.test.ts`)))
  .filter((file) => readFileSync(file, 'utf8').includes("from 'fast-check'"));
for (let round = 0; round < Number(values.rounds); round++) {
  const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));
  console.log(`round ${round + 1}: ${files.length} files, PLATEFS_TEST_SEED=${seed}`);
  const { status } = spawnSync(
    'npx',
    ['vitest', 'run', '--config', 'test/vitest.config.ts', '--reporter=dot', ...files],
    { stdio: 'inherit', env: { ...process.env, PLATEFS_TEST_SEED: seed } },
  );
  if (status !== 0) process.exit(status ?? 1);
}
