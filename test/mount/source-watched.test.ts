import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually, mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON, SMALL_PLATE } from './plate-mount.ts';
import { cachedSum, directSum } from './read-sums.ts';
import { writeChunk, writeStore } from './store-of-planes.ts';

const problem = mountProblem();
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

/** What programs have read, and only `cat` goes on reading from the kernel's pages, changes on disk. */
async function expectSeen(mount: PlateMount, path: string, change: () => unknown): Promise<void> {
  const before = await cachedSum(mount, path);
  expect(await cachedSum(mount, path)).toBe(before);
  await change();
  await eventually(`${path} shows the new pixels, and nothing else`, async () => {
    const now = await cachedSum(mount, path);
    return now !== before && now === (await directSum(mount, path));
  });
}

describe.skipIf(problem)(`what was read and changes is seen without a look past the page cache${why}`, () => {
  it('a plane of a stack', async () => {
    await using mount = await PlateMount.start({ plate: SMALL_PLATE });
    const plane = mount.truth.planes.find(({ name }) => name === 'A01_s001_w2_z002_t002.tif');
    const path = join(mount.plate, plane?.source ?? '');
    await expectSeen(mount, 'stacks/A01_s001.tif', () => {
      const bytes = readFileSync(path);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 0xff;
      writeFileSync(path, bytes);
    });
  });

  it('a chunk of a plate that is an OME-Zarr', async () => {
    await using mount = await PlateMount.start({
      prepare: (root) => {
        rmSync(root, { recursive: true });
        writeStore(root);
      },
    });
    const files = [
      'stacks/A01_s001.tif',
      'images/A01_s001_w1_z002_t001.tif',
      'plate.ome.zarr/A/1/0/0/0/0/1/0/0',
    ];
    for (const [i, file] of files.entries())
      await expectSeen(mount, file, () => writeChunk(mount.plate, '0/1/0/0', 50 + i));
  });

  it.each(['auto', 'poll'])('files of a folder of stores and files, watched by %s', async (mode) => {
    await using mount = await PlateMount.make({
      args: ['--as', 'sources', '-o', `watch=${mode}`],
      prepare: (root) => {
        rmSync(root, { recursive: true });
        writeStore(join(root, 'store.zarr'));
      },
    });
    const at = (name: string): string => join(mount.plate, name);
    const python = (code: string): Promise<string> =>
      mount.succeed(PYTHON, ['-c', `import sys, numpy as np, h5py, tifffile\n${code}`, mount.plate]);
    await python(`
a = np.arange(3 * 64 * 64, dtype='u2').reshape(3, 64, 64)
tifffile.imwrite(sys.argv[1] + '/image.tif', a)
with h5py.File(sys.argv[1] + '/data.h5', 'w') as f: f.create_dataset('volume', data=a, chunks=(1, 64, 64))`);
    agePlate(mount.plate);
    await mount.mount();
    const stack = async (source: string): Promise<string> =>
      (
        await mount.shell(`find "$1" -name '*.tif' -path '*stacks*' ! -name '*.ome.tif' | head -1`, source)
      ).trim();
    const zarr = await stack('store.zarr');
    await expectSeen(mount, zarr, () => writeChunk(at('store.zarr'), '0/1/0/0', 99));
    // With the folders it lies in.
    await expectSeen(mount, zarr, () => writeChunk(at('store.zarr'), '1/1/0/0', 98));
    await expectSeen(mount, zarr, () => rmSync(at('store.zarr/0/0/0/0/0')));
    await expectSeen(mount, 'data.h5/arrays/volume.npy', () =>
      python(`with h5py.File(sys.argv[1] + '/data.h5', 'r+') as f: f['volume'][1, 5, 5] = 9`),
    );
    await expectSeen(mount, await stack('image.tif'), () =>
      python(`
a = tifffile.imread(sys.argv[1] + '/image.tif')
a[1, 5, 5] ^= 9
tifffile.imwrite(sys.argv[1] + '/image.tif', a)`),
    );
  });
});
