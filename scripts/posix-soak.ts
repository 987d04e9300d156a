/**
 * `npm run soak:posix -- [SEEDS]`: every case of the calls that test/posix compares with local disks, with that many
 * seeds of random calls (4).
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const [seeds = '4'] = process.argv.slice(2);
const root = resolve(import.meta.dirname, '..');

const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/.bin/vitest'),
    'run',
    '--config',
    join(root, 'test/vitest.config.ts'),
    'test/posix/calls.test.ts',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PLATEFS_POSIX_EVERY: '1', PLATEFS_POSIX_SEEDS: seeds },
  },
);
process.exitCode = status ?? 1;
