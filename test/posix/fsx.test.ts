import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountProblem } from '../mount/harness.ts';
import { PlateMount, PYTHON } from '../mount/plate-mount.ts';

/**
 * Random reads, writes, truncations, maps, holes and copies of single files, held against a model byte by byte: of a
 * new file, of a plane of the plate, of a file that landed, and while files land and memory is short.
 */
const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;
/** Operations on all files together; `npm run soak:fsx` does as many as it is told. */
const OPERATIONS = Number(process.env['PLATEFS_FSX_OPERATIONS'] ?? 10_000);
const SEEDS = Number(process.env['PLATEFS_FSX_SEEDS'] ?? 1);
const FILES = 8;
const RUN_TIMEOUT_MS = 120_000 + OPERATIONS * 20;

async function exercise(mount: PlateMount, file: string, seed: number, ...args: string[]): Promise<void> {
  const operations = String(Math.ceil(OPERATIONS / FILES));
  await mount.succeed(
    PYTHON,
    [
      join(import.meta.dirname, 'fsx.py'),
      ...['--seed', `${seed}`, '--operations', operations, ...args],
      mount.path(...file.split('/')),
    ],
    { timeoutMs: RUN_TIMEOUT_MS, env: { PYTHONDONTWRITEBYTECODE: '1' } },
  );
}

/** Every file's SHA-256, in the mount. */
const SUMS =
  'find . -type f -not -path "./.platefs/*" -not -name openhcs_metadata.json | LC_ALL=C sort | xargs -d "\\n" sha256sum';

describe.skipIf(problem)(`one file after any history of calls${why}`, () => {
  it.each([
    ['with passthrough', []],
    ['without', ['-o', 'nopassthrough']],
  ])(
    'holds what a model of its bytes holds, %s',
    async (_how, args) => {
      await using mount = await PlateMount.start({ args });
      await mount.shell('head -c 100000 /dev/urandom > landed');
      expect((await mount.flush()).kept).toEqual([]);
      for (let seed = 1; seed <= SEEDS; seed++)
        await Promise.all([
          exercise(mount, 'new', seed),
          exercise(mount, 'without maps', seed, '--no-maps'),
          exercise(mount, 'images/A01_s001_w1_z001_t001.tif', seed, '--start'),
          exercise(mount, 'landed', seed, '--start'),
        ]);
      const before = await mount.shell(SUMS);
      expect((await mount.umount()).code).toBe(0);
      await mount.mount();
      expect(await mount.shell(SUMS)).toBe(before);
    },
    RUN_TIMEOUT_MS * SEEDS,
  );

  it(
    'while files land, and memory is short',
    async () => {
      await using mount = await PlateMount.start({ args: ['--budget', '16MiB'] });
      let isOver = false;
      const landing = (async () => {
        // What is written while it lands is said to be kept; it lands later.
        while (!isOver) {
          await mount.flush();
          await new Promise((done) => setTimeout(done, 100));
        }
      })();
      try {
        for (let seed = 1; seed <= SEEDS; seed++)
          await Promise.all([
            exercise(mount, 'large', seed + 100, '--largest', `${12 << 20}`),
            exercise(mount, 'small', seed + 100),
            exercise(mount, 'images/A01_s001_w2_z001_t001.tif', seed + 100, '--start'),
            exercise(mount, 'without maps', seed + 100, '--no-maps', '--largest', `${4 << 20}`),
          ]);
      } finally {
        isOver = true;
        await landing;
      }
      const before = await mount.shell(SUMS);
      expect((await mount.umount()).code).toBe(0);
      await mount.mount();
      expect(await mount.shell(SUMS)).toBe(before);
    },
    RUN_TIMEOUT_MS * SEEDS,
  );
});
