/**
 * `node scripts/crash-soak.ts [KILLS] [HISTORIES]`: the crash tests for as long as one likes. Kills daemons under
 * writing clients (2000 times unless said), and plays random histories against the model (20,000).
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const [kills = '2000', histories = '20000'] = process.argv.slice(2);
const root = resolve(import.meta.dirname, '..');

const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'node_modules/.bin/vitest'),
    'run',
    '--config',
    join(root, 'test/vitest.config.ts'),
    'test/mount/kill.test.ts',
    'test/mount/fault-points.test.ts',
    'test/model',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PLATEFS_KILLS: kills, PLATEFS_MODEL_RUNS: histories },
  },
);
process.exitCode = status ?? 1;
