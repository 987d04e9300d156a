/**
 * `npm run soak:crash -- [--kills 1000] [--seed N] [--histories N]`: kills daemons, supervisors and both under writing
 * programs, at named points, at random and for want of memory, in every durability mode, on disks that fail, while the
 * clock of the daemons jumps, until so many have died. After each kill the store is validated; after each round
 * everything acknowledged is compared, through a mount without the flags it had, and zarr-python reads every array. With
 * `--histories`, also plays so many random histories against the models. Stops at the first thing that is wrong.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DURABILITIES } from '../src/model/mount-definition.ts';
import { crashRound } from '../test/mount/crash-round.ts';
import { mountProblem } from '../test/mount/harness.ts';

const KILLS_A_ROUND = 25;
const ENDS = ['both', 'umount', 'supervisor'] as const;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    histories: { type: 'string', default: '0' },
  },
});
const problem = mountProblem();
if (problem !== undefined) {
  console.error(`nothing can be mounted here: ${problem}`);
  process.exit(process.env['CI'] ? 1 : 0);
}
const wanted = Number(values.kills);
const startMs = performance.now();
let kills = 0;
let oomKills = 0;
let operations = 0;
for (let round = 0; kills < wanted; round++) {
  const mode = DURABILITIES[round % DURABILITIES.length] ?? 'fsync';
  const end = ENDS[Math.floor(round / DURABILITIES.length) % ENDS.length] ?? 'both';
  const seed = Number(values.seed) * 1000 + round;
  const ended = await crashRound({
    seed,
    mode,
    end,
    kills: Math.min(KILLS_A_ROUND, Math.max(2, wanted - kills)),
  });
  kills += ended.kills;
  oomKills += ended.oomKills;
  operations += ended.operations;
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  console.log(
    `${kills} kills (${oomKills} for want of memory), ${operations} operations, nothing lost (${mode}, ${end}, seed ${seed}; ${seconds} s)`,
  );
}
if (Number(values.histories) > 0) {
  const root = resolve(import.meta.dirname, '..');
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/.bin/vitest'),
      'run',
      '--config',
      join(root, 'test/vitest.config.ts'),
      'test/mount/fault-points.test.ts',
      'test/model',
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, PLATEFS_MODEL_RUNS: values.histories } },
  );
  process.exitCode = status ?? 1;
}
