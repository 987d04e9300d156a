import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON } from './plate-mount.ts';

const problem = mountProblem() ?? (existsSync(PYTHON) ? undefined : 'Debian python3 is missing');
const SIDE = 8192;
const SLICES = 40;

/** An OME-Zarr of one array, Zarr v2, without its chunks. */
function writeStore(path: string, shape: readonly number[], chunks: readonly number[], dtype: string): void {
  mkdirSync(join(path, '0'), { recursive: true });
  const axes = ['t', 'c', 'z', 'y', 'x'].slice(5 - shape.length).map((name) => ({ name }));
  const scale = shape.map((_, axis) => (axis >= shape.length - 2 ? 0.5 : 1));
  const datasets = [{ path: '0', coordinateTransformations: [{ type: 'scale', scale }] }];
  writeFileSync(join(path, '.zgroup'), '{"zarr_format":2}');
  writeFileSync(
    join(path, '.zattrs'),
    JSON.stringify({ multiscales: [{ version: '0.4', name: 'i', axes, datasets }] }),
  );
  const array = {
    zarr_format: 2,
    shape,
    chunks,
    dtype,
    compressor: null,
    fill_value: 0,
    order: 'C',
    filters: null,
  };
  writeFileSync(join(path, '0', '.zarray'), JSON.stringify({ ...array, dimension_separator: '.' }));
}

/** A chunk that is a hole in the disk but for its last pixel. */
function writeSparseChunk(path: string, sizeBytes: number, last: number): void {
  const fd = openSync(path, 'w');
  try {
    ftruncateSync(fd, sizeBytes);
    writeSync(fd, Uint8Array.of(last, 0), 0, 2, sizeBytes - 2);
  } finally {
    closeSync(fd);
  }
}

/** What stands in stacks/: whether it is below 4 GiB and a BigTIFF, its shape, and the last pixel; and what else there is. */
const LOOK = `
import tifffile
out = {}
for folder in ('stacks', 'images', 'previews'):
    d = os.path.join(mnt, folder)
    names = sorted(os.listdir(d)) if os.path.isdir(d) else []
    if folder != 'stacks':
        out[folder] = [len(names)] + names[:1]
        continue
    out[folder] = {}
    for n in names:
        p = os.path.join(d, n)
        size = os.stat(p).st_size
        with open(p, 'rb') as f:
            f.seek(size - 2)
            last = int.from_bytes(f.read(), 'little')
        with tifffile.TiffFile(p) as t:
            out[folder][n] = [size < 2**32, t.is_bigtiff, list(t.series[0].shape), last]
print(json.dumps(out))`;

describe.skipIf(problem !== undefined)('images of files and stores, through a mount', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'platefs-images-'));
    // 40 planes of 128 MiB, of which two are there.
    for (const store of ['one.zarr', 'other.zarr']) {
      mkdirSync(join(folder, store));
      writeFileSync(join(folder, store, '.zgroup'), '{"zarr_format":2}');
    }
    const large = join(folder, 'one.zarr/large');
    writeStore(large, [SLICES, SIDE, SIDE], [1, SIDE, SIDE], '<u2');
    for (const t of [31, 40]) writeSparseChunk(join(large, `0/${t - 1}.0.0`), 2 * SIDE * SIDE, t);
    const doubles = join(folder, 'other.zarr/doubles');
    writeStore(doubles, [2, 3, 4, 5], [1, 1, 4, 5], '<f8');
    for (let c = 0; c < 2; c += 1)
      for (let z = 0; z < 3; z += 1)
        writeFileSync(
          join(doubles, `0/${c}.${z}.0.0`),
          new Uint8Array(Float64Array.from({ length: 20 }, (_, i) => 100 * c + 10 * z + i / 3).buffer),
        );
    agePlate(folder);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    [
      'as usual',
      [],
      {
        'large.ome.tif': [false, true, [SLICES, SIDE, SIDE], 40],
        'large_z001-z031.tif': [true, false, [31, SIDE, SIDE], 31],
        'large_z032-z040.tif': [true, false, [9, SIDE, SIDE], 40],
      },
      [0],
      [1, 'large.png'],
    ],
    [
      'for Fiji',
      ['--profile', 'fiji'],
      {
        'large.ij.tif': [false, false, [SLICES, SIDE, SIDE], 40],
        'large.ome.tif': [false, true, [SLICES, SIDE, SIDE], 40],
      },
      [0],
      [1, 'large.png'],
    ],
    [
      'for old programs',
      ['-o', 'profile=legacy'],
      {
        'large_z001-z031.tif': [true, false, [31, SIDE, SIDE], 31],
        'large_z032-z040.tif': [true, false, [9, SIDE, SIDE], 40],
      },
      [0],
      [0],
    ],
    ['for CellProfiler', ['--profile', 'cellprofiler'], {}, [40, 'large_z001.tif'], [0]],
  ])('over 4 GiB appear %s in files that open', async (_, args, stacks, images, previews) => {
    await using mount = await PlateMount.start({ plate: join(folder, 'one.zarr'), args });
    expect(JSON.parse(await mount.python(LOOK))).toEqual({ stacks, images, previews });
  });

  it('hold doubles as they are or as asked, and have previews by the stated rule', async () => {
    const look = `
import tifffile, glob
from PIL import Image
out = sorted(os.path.relpath(p, mnt) for d in ('stacks', 'previews') for p in glob.glob(os.path.join(mnt, d, '*')))
truth = np.array([[[100 * c + 10 * z + i / 3 for i in range(20)] for z in range(3)] for c in range(2)]).reshape(2, 3, 4, 5)
for name in out:
    p = os.path.join(mnt, name)
    whole = open(p, 'rb').read()
    assert len(whole) == os.stat(p).st_size
    if name.endswith('.png'):
        plane = truth[int(name[-5]) - 1, 1]
        wanted = np.floor(255 * np.clip((plane / 2 - plane.min() / 2) / (plane.max() / 2 - plane.min() / 2), 0, 1) + 0.5)
        assert np.array_equal(np.array(Image.open(p)), wanted), name
    else:
        seen = tifffile.imread(p)
        if seen.shape[0] == 3: seen = seen.swapaxes(0, 1)
        assert seen.dtype == np.dtype(argv[0]) and np.array_equal(seen, truth.astype(argv[0])), (name, seen.dtype, seen.shape)
print(json.dumps(out))`;
    const previews = ['previews/doubles_w1.png', 'previews/doubles_w2.png'];
    await using mount = await PlateMount.start({ plate: join(folder, 'other.zarr') });
    expect(JSON.parse(await mount.python(look, '<f8'))).toEqual([...previews, 'stacks/doubles.ome.tif']);
    const { plate } = JSON.parse(await mount.shell('cat .platefs/warnings.json')) as {
      plate: { kind: string; message: string }[];
    };
    expect(plate.filter(({ kind }) => kind === 'not-shown')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('float64=float32') }),
    ]);
    await mount.umount();
    // Files follow what a mount asks, whatever was remembered of the source.
    await mount.mount('-o', 'float64=float32');
    expect(JSON.parse(await mount.python(look, '<f4'))).toEqual([
      ...previews,
      'stacks/doubles.ome.tif',
      'stacks/doubles.tif',
    ]);
  });
});
