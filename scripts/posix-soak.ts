/**
 * The tests of test/posix for as long as one likes:
 *
 *   npm run soak:posix -- [--seeds 4]                         all calls that are compared with local disks
 *   npm run soak:fsx -- [--operations 1000000] [--seeds 4]    random reads and writes of single files
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    operations: { type: 'string', default: '1000000' },
    seeds: { type: 'string', default: '4' },
  },
});
const { operations, seeds } = values;
const [what = 'calls'] = positionals;
if (what !== 'calls' && what !== 'fsx') throw new Error(`${what}: say calls or fsx`);
const root = resolve(import.meta.dirname, '..');
// Each seed does its share of the operations.
const share = String(Math.ceil(Number(operations) / Number(seeds)));

const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/.bin/vitest'),
    'run',
    '--config',
    join(root, 'test/vitest.config.ts'),
    `test/posix/${what}.test.ts`,
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      PLATEFS_POSIX_EVERY: '1',
      PLATEFS_POSIX_SEEDS: seeds,
      PLATEFS_FSX_OPERATIONS: share,
      PLATEFS_FSX_SEEDS: seeds,
    },
  },
);
process.exitCode = status ?? 1;
