import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makePlate } from '../../scripts/plate-maker/plate-maker.ts';
import { mountProblem } from './harness.ts';
import { PlateMount, PYTHON, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();

/** What every encoder gets something of: `argv[0]` is the folder. */
const MAKE_SOURCES = `
import sys, numpy as np, h5py, tifffile, zarr, numcodecs
folder = sys.argv[1]
random = np.random.default_rng(3)
pixels = random.integers(0, 60000, (2, 3, 70, 90)).astype('u2')
tifffile.imwrite(folder + '/stack.tif', pixels, compression='zlib')
store = zarr.open_group(folder + '/arrays.zarr', 'w')
store.array('image', pixels[0], chunks=(1, 33, 40), compressor=numcodecs.Blosc('lz4'))
store.array('names', np.array(['a', 'ö, "b"', ''] * 40, 'U9'), chunks=(50,))
# More than 4 GiB, of which nearly all is the fill value.
group = store.create_group('large')
axes = [{'name': 'z', 'type': 'space'}, {'name': 'y', 'type': 'space'}, {'name': 'x', 'type': 'space'}]
scale = {'type': 'scale', 'scale': [1, 1, 1]}
group.attrs['multiscales'] = [{'version': '0.4', 'axes': axes, 'datasets': [{'path': '0', 'coordinateTransformations': [scale]}]}]
large = group.create('0', shape=(68, 8192, 8192), chunks=(1, 2048, 2048), dtype='u1', fill_value=7, dimension_separator='/')
large[33, 4000:4100, 4000:4100] = 200
store.attrs['more'] = list(range(500))
with h5py.File(folder + '/cells.h5ad', 'w') as f:
  f.attrs['encoding-type'] = 'anndata'; f.attrs['encoding-version'] = '0.1.0'
  for name, count in (('obs', 60), ('var', 40)):
    g = f.create_group(name)
    g.attrs.update({'encoding-type': 'dataframe', 'encoding-version': '0.2.0', '_index': '_index', 'column-order': ['size']})
    text = g.create_dataset('_index', data=['%s%d' % (name, i) for i in range(count)], dtype=h5py.string_dtype())
    text.attrs.update({'encoding-type': 'string-array', 'encoding-version': '0.2.0'})
    g.create_dataset('size', data=random.random(count)).attrs.update({'encoding-type': 'array', 'encoding-version': '0.2.0'})
  dense = (random.random((60, 40)) < 0.2) * random.random((60, 40))
  x = f.create_group('X')
  x.attrs.update({'encoding-type': 'csr_matrix', 'encoding-version': '0.1.0', 'shape': dense.shape})
  x['indptr'] = np.concatenate(([0], np.cumsum((dense != 0).sum(1)))).astype('i4')
  x['indices'] = np.nonzero(dense)[1].astype('i4'); x['data'] = dense[np.nonzero(dense)]
  f.create_group('uns').create_dataset('answer', data=42)
`;

/**
 * Ranges of files of every kind, read one by one, in a random order, past the page cache and through it, are the
 * slices of what is read from the beginning to the end. Prints how many files of each kind there were.
 */
const READ_RANGES = `
import collections, errno, mmap, random
random.seed(int(argv[0]))
FILES, RANGES, AREA, LONGEST = 6, 12, 1 << 19, 150000
kinds = collections.defaultdict(list)
for top, folders, files in os.walk(mnt):
  # Nobody waits for previews and levels of 4 GiB.
  folders[:] = [one for one in folders if one not in ('.platefs', 'large.ome.zarr')]
  view = next((p for p in os.path.relpath(top, mnt).split('/') if p in ('images', 'stacks', 'previews', 'arrays', 'tables', 'source', 'ome-zarr', 'plate.ome.zarr')), 'other')
  for name in files:
    if view != 'previews' or 'large' not in top + name: kinds[view, '.' + name.split('.', 1)[1] if '.' in name[1:] else ''].append(os.path.join(top, name))
taken, counts = [], {}
for kind, paths in sorted(kinds.items()):
  paths.sort(); counts[' '.join(kind)] = len(paths)
  taken += random.sample(paths, min(FILES, len(paths)))
# The first, the last and a middle part of what is too large to be read whole.
areas = lambda size: [(0, size)] if size <= 4 * AREA else [(at, at + AREA) for at in (0, size // 2, size - AREA)]
wanted = []
for path in taken:
  size = os.stat(path).st_size
  for first, end in areas(size):
    for _ in range(RANGES):
      at = random.randrange(first, end + 1)
      count = min(random.choice((1, 100, 4096, LONGEST)), random.randrange(1, LONGEST), end - at if end < size else LONGEST)
      if count: wanted.append((path, at, count))
random.shuffle(wanted)
buffer = mmap.mmap(-1, LONGEST)
def direct(path, at, count):
  fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
  try: return bytes(buffer[:os.preadv(fd, [memoryview(buffer)[:count]], at)])
  except OSError as error:
    # A file of the disk that the kernel reads itself is read in whole blocks alone.
    if error.errno != errno.EINVAL: raise
  finally: os.close(fd)
seen = collections.defaultdict(list)
for path, at, count in wanted:
  got = direct(path, at, count) if random.random() < 0.5 else None
  if got is None:
    fd = os.open(path, os.O_RDONLY)
    got = os.pread(fd, count, at)
    os.close(fd)
  seen[path].append((at, count, got))
for path in taken:
  size = os.stat(path).st_size
  with open(path, 'rb') as file:
    for first, end in areas(size):
      file.seek(first); whole = file.read(end - first)
      assert len(whole) == end - first, path
      for at, count, got in seen[path]:
        if first <= at <= end: assert got == whole[at - first:at - first + count], (path, at, count, len(got))
print(json.dumps(counts))
`;

/** View and extension; chunks and what describes them have none. */
const KINDS = [
  ...['images .tif', 'previews .png', 'stacks .tif', 'stacks .ome.tif', 'stacks .ij.tif', 'arrays .npy'],
  ...['tables .csv', 'tables .tsv', 'tables .mtx', 'tables .json', 'other .json'],
  ...['ome-zarr ', 'plate.ome.zarr '],
];

describe.skipIf(problem)(`bytes of presented files${problem ? ` (skipped: ${problem})` : ''}`, () => {
  it('are the same in any pieces and any order, of every encoder', async () => {
    // Usual, but for the stack over 4 GiB, which is one file.
    await using mount = await PlateMount.make({ plate: 'unset', args: ['--profile', 'fiji'] });
    const folder = join(mount.folder, 'several');
    mkdirSync(folder);
    const made = await makePlate(join(mount.folder, 'made'), SMALL_PLATE);
    cpSync(made.root, join(folder, 'plate'), { recursive: true });
    await mount.succeed(PYTHON, ['-c', MAKE_SOURCES, folder]);
    await mount.json(mount.mountWords().map((word) => (word === 'unset' ? folder : word)));
    const counts = JSON.parse(
      await mount.python(READ_RANGES, String(fc.readConfigureGlobal().seed)),
    ) as Record<string, number>;
    for (const kind of KINDS) expect(counts[kind], kind).toBeGreaterThan(0);
  });
});
