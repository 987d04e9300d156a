import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { client, mountProblem } from './harness.ts';
import { metrics } from './metrics.ts';
import { hasProgram, PlateMount, PYTHON, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem() ?? (hasProgram('tiffcp') ? undefined : 'tiffcp is missing');
const why = problem === undefined ? '' : ` (skipped: ${problem})`;

const SIDE = 512;
const PLANE_BYTES = SIDE * SIDE * 2;
const PLATE = {
  ...SMALL_PLATE,
  wells: ['A01'],
  sites: 1,
  width: SIDE,
  height: SIDE,
  compression: 'lzw' as const,
};

const DEEP_BYTES = 32 * 256 * 256 * 2;
/** An array whose chunks hold 8 of its 32 planes. */
const WRITE_DEEP = `
import sys, numpy as np, h5py, zarr
a = (np.arange(32 * 256 * 256) % 4099).astype('u2').reshape(32, 256, 256)
if sys.argv[1].endswith('.h5'):
  with h5py.File(sys.argv[1], 'w') as f: f.create_dataset('deep', data=a, chunks=(8, 64, 64), compression='gzip', shuffle=True)
else:
  g = zarr.open_group(sys.argv[1], mode='w')
  g.create_dataset('deep', data=a, chunks=(8, 64, 64))
  scale = [{'type': 'scale', 'scale': [1, 1, 1]}]
  g.attrs['multiscales'] = [{'version': '0.4', 'axes': [{'name': n, 'type': 'space'} for n in 'zyx'],
    'datasets': [{'path': 'deep', 'coordinateTransformations': scale}]}]
`;

/** A plate of two wells, whose chunks hold 8 of the 32 planes of each; the second's are transposed, to tell them apart. */
const WRITE_PLATE = `
import sys, numpy as np, zarr
g = zarr.open_group(sys.argv[1], mode='w')
names = ['A', 'B']
g.attrs['plate'] = {'version': '0.4', 'name': 'deep', 'rows': [{'name': n} for n in names], 'columns': [{'name': '1'}],
  'wells': [{'path': n + '/1', 'rowIndex': r, 'columnIndex': 0} for r, n in enumerate(names)]}
a = (np.arange(32 * 256 * 256) % 4099).astype('u2').reshape(1, 1, 32, 256, 256)
for n in names:
  w = g.create_group(n + '/1')
  w.attrs['well'] = {'version': '0.4', 'images': [{'path': '0'}]}
  f = w.create_group('0')
  f.create_dataset('0', data=a + names.index(n), chunks=(1, 1, 8, 64, 64))
  f.attrs['multiscales'] = [{'version': '0.4', 'axes': [{'name': n, 'type': {'t': 'time', 'c': 'channel'}.get(n, 'space')} for n in 'tczyx'],
    'datasets': [{'path': '0', 'coordinateTransformations': [{'type': 'scale', 'scale': [1] * 5}]}]}]
`;

const LARGE_SIDE = 2304;
/** Two chunks beside each other, of 40 MiB each; of one plane, or of eight. */
const WRITE_LARGE = `
import sys, numpy as np, zarr
depth, side = int(sys.argv[2]), ${LARGE_SIDE}
width = side * 8 // depth
a = np.zeros((8 // depth * depth, side, width), 'u2') + np.arange(width).astype('u2') % 251
g = zarr.open_group(sys.argv[1], mode='w')
g.create_dataset('deep', data=a[:depth], chunks=(depth, side, width // 2))
scale = [{'type': 'scale', 'scale': [1, 1, 1]}]
g.attrs['multiscales'] = [{'version': '0.4', 'axes': [{'name': n, 'type': 'space'} for n in 'zyx'],
  'datasets': [{'path': 'deep', 'coordinateTransformations': scale}]}]
`;

/** Bytes decoded and served so far. */
async function figures(mount: PlateMount): Promise<{ decoded: number; served: number }> {
  const [decoded = 0, served = 0] = await metrics(
    mount,
    'platefs_decoded_bytes_total',
    'platefs_served_bytes_total',
  );
  return { decoded, served };
}

/** Stores every plane in LZW strips of so many rows. */
async function restrip(root: string, rows: number): Promise<void> {
  const script = `find "$0" -iname '*.tif' -exec sh -c 'tiffcp -c lzw -r ${rows} "$1" "$1x" && mv "$1x" "$1"' sh {} \\;`;
  const { code, stderr } = await client('sh', ['-ec', script, root]);
  expect(code, stderr).toBe(0);
}

describe.skipIf(problem)(`what reads of a stack decode${why}`, () => {
  it('is every strip once, however many clients read it at once, and by whatever pieces', async () => {
    await using mount = await PlateMount.start({ plate: PLATE, prepare: (root) => restrip(root, SIDE) });
    // Past the kernel's page cache, which would do for one client what another has read.
    const sums = await mount.shell(`for i in 1 2 3 4; do
      (dd if=stacks/A01_s001.tif bs=$((i * 24))k iflag=direct status=none | cksum) & done; wait`);
    expect(new Set(sums.trim().split('\n')).size).toBe(1);
    const { decoded, served } = await figures(mount);
    expect(served).toBeGreaterThan(4 * 8 * PLANE_BYTES);
    expect(decoded).toBe(8 * PLANE_BYTES);
  });

  it('of a small piece, is only the strips that hold it', async () => {
    await using mount = await PlateMount.start({ plate: PLATE, prepare: (root) => restrip(root, 8) });
    const middle = 4 * PLANE_BYTES + PLANE_BYTES / 2;
    await mount.shell(
      `dd if=stacks/A01_s001.tif bs=4k count=1 skip=$1 iflag=direct,skip_bytes status=none | cksum`,
      String(middle),
    );
    const { decoded } = await figures(mount);
    expect(decoded).toBeGreaterThan(0);
    expect(decoded).toBeLessThanOrEqual(2 * 8 * SIDE * 2);
  });

  it('is nothing for what was read before: stacks and tables come from the page cache', async () => {
    await using mount = await PlateMount.start({ plate: PLATE });
    await mount.shell('cat stacks/* tables/* > /dev/null');
    const { served } = await figures(mount);
    await mount.shell('cat stacks/* tables/* > /dev/null');
    expect((await figures(mount)).served).toBe(served);
  });

  it.each([
    ['array of an HDF5 file', 'data.h5', '*.npy', []],
    ['array of a store', 'store.zarr', '*.npy', ['--as', 'sources']],
    ['image of a store', 'store.zarr', '*.tif', ['--as', 'sources']],
  ])('is every chunk once where a chunk holds several planes: %s', async (_, name, pattern, words) => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const source = join(mount.folder, name);
    await mount.succeed(PYTHON, ['-c', WRITE_DEEP, source]);
    await mount.json([...mount.mountWords().map((word) => (word === 'unset' ? source : word)), ...words]);
    const found = await mount.shell(
      `find arrays stacks -name "$1" ! -name '*.ome.tif' 2> /dev/null || true`,
      pattern,
    );
    const [file = ''] = found.trim().split('\n');
    // Pieces that end within planes, past the kernel's page cache.
    await mount.shell(`dd if="$1" bs=200k iflag=direct status=none | cksum`, file);
    const { decoded, served } = await figures(mount);
    expect(served).toBeGreaterThan(DEEP_BYTES);
    expect(decoded).toBe(DEEP_BYTES);
  });

  it('is every chunk of a plate once where a chunk holds several planes', async () => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const source = join(mount.folder, 'plate.zarr');
    await mount.succeed(PYTHON, ['-c', WRITE_PLATE, source]);
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? source : word)));
    await mount.shell('dd if=stacks/A01_s001.tif bs=200k iflag=direct status=none | cksum');
    await mount.shell(
      'for f in images/B01_*; do dd if="$f" bs=48k iflag=direct status=none | cksum > /dev/null; done',
    );
    const { decoded, served } = await figures(mount);
    expect(served).toBeGreaterThan(2 * DEEP_BYTES);
    expect(decoded).toBe(2 * DEEP_BYTES);
  });

  it.each([1, 8])('is every chunk once where chunks are large and hold %i planes', async (depth) => {
    await using mount = await PlateMount.make({ plate: 'unset' });
    const source = join(mount.folder, 'large.zarr');
    await mount.succeed(PYTHON, ['-c', WRITE_LARGE, source, String(depth)]);
    const words = mount.mountWords().map((word) => (word === 'unset' ? source : word));
    await mount.json([...words, '--as', 'sources']);
    const found = await mount.shell(`find . -name '*.tif' ! -name '*.ome.tif'`);
    const [file = ''] = found.trim().split('\n');
    await mount.shell('dd if="$1" bs=1000k iflag=direct status=none | cksum', file);
    expect((await figures(mount)).decoded).toBe(8 * LARGE_SIDE * LARGE_SIDE * 2);
  });
});
