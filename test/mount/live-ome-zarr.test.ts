import { existsSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { growing } from './growing-plate.ts';
import { eventually, mountProblem } from './harness.ts';
import type { PlateMount } from './plate-mount.ts';

/** The fields of well A01 as zarr-python sees them: shape, and which planes of time are not empty. */
async function fields(mount: PlateMount): Promise<Record<string, [number[], number[]]>> {
  const text = await mount.python(`
import zarr
well = zarr.open_group(mnt + '/plate.ome.zarr', mode='r')['A/1']
arrays = {image['path']: well[image['path'] + '/0'] for image in well.attrs['well']['images']}
print(json.dumps({path: [a.shape[:3], [int(t) for t in np.flatnonzero(a[:].any(axis=(1, 2, 3, 4)))]] for path, a in arrays.items()}))`);
  return JSON.parse(text) as Record<string, [number[], number[]]>;
}

const shows = (mount: PlateMount, expected: Record<string, [number[], number[]]>): Promise<void> =>
  eventually(
    `plate.ome.zarr has ${JSON.stringify(expected)}`,
    async () => JSON.stringify(await fields(mount)) === JSON.stringify(expected),
  );

describe.skipIf(mountProblem() !== undefined)('plate.ome.zarr of a plate that is still acquired', () => {
  it('has planes, time points and fields as they come, though all was looked for before', async () => {
    const { mount, arrive } = await growing((name) => name.includes('_t003') || name.includes('_s002'));
    await using _ = mount;
    await mount.mount();
    expect(await fields(mount)).toEqual({
      0: [
        [2, 1, 1],
        [0, 1],
      ],
    });
    for (const missing of ['A/1/1', 'A/1/1/.zattrs', 'A/1/0/0/2', 'A/1/p0', 'B', 'B/.zgroup'])
      expect((await mount.run('stat', [mount.path('plate.ome.zarr', missing)])).code).not.toBe(0);
    arrive('A01_s002_w1_z001_t001.tif');
    await shows(mount, {
      0: [
        [2, 1, 1],
        [0, 1],
      ],
      1: [[2, 1, 1], [0]],
    });
    expect((await mount.run('stat', [mount.path('plate.ome.zarr/A/1/1/0/1/0/0/0/0')])).code).not.toBe(0);
    arrive('A01_s002_w1_z001_t002.tif');
    await shows(mount, {
      0: [
        [2, 1, 1],
        [0, 1],
      ],
      1: [
        [2, 1, 1],
        [0, 1],
      ],
    });
    arrive('A01_s001_w1_z001_t003.tif');
    await shows(mount, {
      0: [
        [3, 1, 1],
        [0, 1, 2],
      ],
      1: [
        [3, 1, 1],
        [0, 1],
      ],
    });
    const found = (await mount.shell('cd plate.ome.zarr && find . -type f | sort')).trim().split('\n');
    expect(found.filter((path) => path.startsWith('./A/1/1/0/'))).toEqual([
      './A/1/1/0/.zarray',
      './A/1/1/0/0/0/0/0/0',
      './A/1/1/0/1/0/0/0/0',
    ]);
  });

  it('reads on what was opened, when the plate grows', async () => {
    const { mount, arrive, late } = await growing((name) => name.includes('_t003'));
    await using _ = mount;
    await mount.mount();
    const go = join(mount.folder, 'go');
    const answer = mount.python(
      `
import time
names = ['.zattrs', 'A/1/.zattrs', 'A/1/0/.zattrs', 'A/1/0/0/.zarray', 'A/1/0/0/1/0/0/0/0']
files = [os.open(mnt + '/plate.ome.zarr/' + name, os.O_RDONLY) for name in names]
sizes = [os.fstat(f).st_size for f in files]
first = [os.pread(f, size, 0) for f, size in zip(files, sizes)]
open(argv[0], 'w').close()
while os.path.exists(argv[0]): time.sleep(0.01)
for f in files: os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)
print([os.pread(f, size + 1, 0) for f, size in zip(files, sizes)] == first)
print(json.loads(first[3])['shape'][0], json.load(open(mnt + '/plate.ome.zarr/' + names[3]))['shape'][0])`,
      go,
    );
    await eventually('the files are open', () => existsSync(go));
    for (const name of late) arrive(name);
    await shows(mount, {
      0: [
        [3, 1, 1],
        [0, 1, 2],
      ],
      1: [
        [3, 1, 1],
        [0, 1, 2],
      ],
    });
    unlinkSync(go);
    expect(await answer).toBe('True\n2 3\n');
  });

  it('goes on with the same nodes when the daemon is killed', async () => {
    const { mount, arrive, late } = await growing((name) => name.includes('_t003'));
    await using _ = mount;
    await mount.mount();
    for (const name of late) arrive(name);
    await shows(mount, {
      0: [
        [3, 1, 1],
        [0, 1, 2],
      ],
      1: [
        [3, 1, 1],
        [0, 1, 2],
      ],
    });
    const list = 'cd plate.ome.zarr && find . -printf "%i %s %P\\n" | sort';
    const before = await mount.shell(list);
    process.kill((await mount.status()).pid, 'SIGKILL');
    // Listings are asked for anew each time: these are of the next daemon.
    expect(await mount.shell(list)).toBe(before);
    expect(await fields(mount)).toEqual({
      0: [
        [3, 1, 1],
        [0, 1, 2],
      ],
      1: [
        [3, 1, 1],
        [0, 1, 2],
      ],
    });
  });
});
