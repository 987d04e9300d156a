import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from '../mount/harness.ts';
import { PlateMount, PYTHON } from '../mount/plate-mount.ts';

/**
 * The same system calls, by several users, in a mount and on local disks: results, errors, what stat(2) says and
 * which times move must be the same. Every group of calls that the public POSIX suites have is among them.
 */
const problem =
  mountProblem() ??
  (process.geteuid?.() === 0 ? undefined : 'only root can become other users') ??
  (existsSync('/dev/shm') ? undefined : '/dev/shm is missing');
/** Of so many cases that are like each other one is made; `npm run soak:posix` makes all. */
const EVERY = Number(process.env['PLATEFS_POSIX_EVERY'] ?? 9);
const SEEDS = Number(process.env['PLATEFS_POSIX_SEEDS'] ?? 1);
const RUN_TIMEOUT_MS = 100_000 + 400_000 / EVERY;

interface Comparison {
  /** Assertions by group. */
  readonly groups: Readonly<Record<string, number>>;
  /** How many differ, by the reason that src/vfs/README.md gives. */
  readonly refused: Readonly<Record<string, number>>;
  readonly different: readonly unknown[];
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

describe.skipIf(problem)(`system calls${problem === undefined ? '' : ` (skipped: ${problem})`}`, () => {
  it(
    'do in a mount what they do on a local disk',
    async () => {
      const disk = mkdtempSync(join(tmpdir(), 'pfs-calls-'));
      const memory = mkdtempSync('/dev/shm/pfs-calls-');
      try {
        for (let seed = 1; seed <= SEEDS; seed++) {
          await using mount = await PlateMount.start({ args: ['-o', 'allow_other'] });
          for (const folder of [disk, memory]) mkdirSync(join(folder, `${seed}`));
          await mount.shell('mkdir calls');
          const local = EVERY > 1 ? ['--some', join(disk, `${seed}`)] : [join(disk, `${seed}`)];
          const text = await mount.succeed(
            PYTHON,
            [
              join(import.meta.dirname, 'differential.py'),
              ...['--every', `${EVERY}`, '--seed', `${seed}`, '--calls', `${EVERY > 1 ? 1500 : 20_000}`],
              mount.path('calls'),
              join(memory, `${seed}`),
              ...local,
            ],
            { timeoutMs: RUN_TIMEOUT_MS, env: { PYTHONDONTWRITEBYTECODE: '1' } },
          );
          const { groups, refused, different } = JSON.parse(text) as Comparison;
          console.log(`${sum(groups)} assertions, ${sum(refused)} refused by design`, groups, refused);
          expect(different).toEqual([]);
          expect(sum(refused)).toBeLessThan(sum(groups) / 100);
          expect((await mount.umount()).code).toBe(0);
        }
      } finally {
        for (const folder of [disk, memory]) rmSync(folder, { recursive: true, force: true });
      }
    },
    RUN_TIMEOUT_MS * SEEDS,
  );
});
