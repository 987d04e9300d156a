import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makePlate } from '../../scripts/plate-maker/plate-maker.ts';
import { eventually, mountProblem } from './harness.ts';
import { PlateMount, PYTHON, readTree, SHARED_DATA, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();
const hasData = existsSync(SHARED_DATA);
const why = problem ?? (hasData ? undefined : '../shared/data is absent');

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const data = (path: string): string => join(SHARED_DATA, path);

/** Paths of all files below a folder of the mount, but those of `.platefs` and of stores' chunks. */
async function filesIn(mount: PlateMount): Promise<string[]> {
  const text = await mount.shell(
    "find . -type f -not -path '*/.platefs/*' | sed 's#^[.]/##' | LC_ALL=C sort",
  );
  return text.trim().split('\n');
}

/** SHA-256 of each array of the mount, of its little-endian bytes in C order, by path below `folder`. */
async function arraySums(mount: PlateMount, folder: string): Promise<Record<string, string>> {
  const text = await mount.python(
    `
import hashlib
root = os.path.join(mnt, argv[0])
out = {}
for folder, _, names in os.walk(root):
  for name in names:
    path = os.path.join(folder, name)
    array = np.load(path)
    assert os.stat(path).st_size == len(open(path, 'rb').read()), path
    out[os.path.relpath(path, root)] = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
print(json.dumps(out))
`,
    folder,
  );
  return JSON.parse(text) as Record<string, string>;
}

/**
 * Asserts, in Python, that every stack and every OME-Zarr below `folder` has the pixels of the array of the same name.
 * @returns how many stacks there were.
 */
async function checkImages(mount: PlateMount, folder = ''): Promise<number> {
  const text = await mount.python(
    `
import tifffile, zarr
root = os.path.join(mnt, argv[0]) if argv[0] else mnt
count = 0
for folder, _, names in os.walk(os.path.join(root, 'stacks')):
  below = os.path.relpath(folder, os.path.join(root, 'stacks'))
  for name in names:
    stem = name[:-len('.ome.tif')] if name.endswith('.ome.tif') else name[:-len('.tif')]
    array = np.load(os.path.join(root, 'arrays', below, stem + '.npy'))
    stack = tifffile.imread(os.path.join(folder, name))
    assert np.array_equal(stack.reshape(array.shape), array), (name, stack.shape, array.shape)
    level = zarr.open(os.path.join(root, 'ome-zarr', below, stem + '.ome.zarr'), 'r')['0'][:]
    assert level.ndim == 5 and np.array_equal(level.reshape(array.shape), array), name
    count += 1
print(count)
`,
    folder,
  );
  return Number(text);
}

describe.skipIf(why)(
  `files and stores that are no plates${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    it('a TIFF is a stack, an array and itself', async () => {
      await using mount = await PlateMount.start({ plate: data('tiff-zoo/imagejs-color-5x5.tif') });
      expect(await filesIn(mount)).toEqual([
        'arrays/imagejs-color-5x5.npy',
        ...['.zattrs', '.zgroup', '0/.zarray', '0/0/0/0/0/0', '0/0/1/0/0/0', '0/0/2/0/0/0'].map(
          (path) => `ome-zarr/imagejs-color-5x5.ome.zarr/${path}`,
        ),
        ...[1, 2, 3].map((channel) => `previews/imagejs-color-5x5_w${channel}.png`),
        'source/imagejs-color-5x5.tif',
        'stacks/imagejs-color-5x5.ome.tif',
        'stacks/imagejs-color-5x5.tif',
      ]);
      await mount.python(
        `
import tifffile
truth = tifffile.imread(argv[0])
assert np.array_equal(np.moveaxis(np.load(mnt + '/arrays/imagejs-color-5x5.npy'), 0, -1), truth)
for kind in ('.tif', '.ome.tif'):
  stack = tifffile.imread(mnt + '/stacks/imagejs-color-5x5' + kind)
  assert np.array_equal(np.moveaxis(stack, 0, -1), truth), stack.shape
assert open(mnt + '/source/imagejs-color-5x5.tif', 'rb').read() == open(argv[0], 'rb').read()
`,
        mount.plate,
      );
      // What is written lands as everywhere; the file itself is fixed.
      await mount.shell(
        'echo seen > stacks/note.txt; mv arrays/imagejs-color-5x5.npy mine.npy; test -s mine.npy',
      );
      expect(
        (await mount.run('sh', ['-c', `echo x >> '${mount.path('source/imagejs-color-5x5.tif')}'`])).code,
      ).not.toBe(0);
      await mount.umount();
      expect(readFileSync(join(mount.output, 'stacks/note.txt'), 'utf8')).toBe('seen\n');
      await mount.mount();
      expect(await mount.shell('cat stacks/note.txt; ls arrays; ls mine.npy')).toBe('seen\nmine.npy\n');
    });

    it('a Zarr store is its arrays', async () => {
      const { arrays } = JSON.parse(readFileSync(data('zarr-arrays.truth.json'), 'utf8')) as {
        arrays: { path: string; dtype: string; sha256_array: string }[];
      };
      await using mount = await PlateMount.start({ plate: data('zarr-arrays/v2.zarr') });
      const sums = await arraySums(mount, 'arrays');
      const wanted = arrays.filter(
        ({ path, dtype }) => path.startsWith('v2.zarr/') && /^[<|][iuf]\d/.test(dtype),
      );
      expect(wanted.length).toBeGreaterThan(5);
      for (const { path, sha256_array } of wanted)
        expect({ path, sum: sums[`${path.slice('v2.zarr/'.length)}.npy`] }).toEqual({
          path,
          sum: sha256_array,
        });
      expect(await mount.shell('cd source; find . -type f | wc -l')).toBe(`${readTree(mount.plate).size}\n`);
    });

    it('an h5 of BigDataViewer is its images', async () => {
      await using mount = await PlateMount.start({ plate: data('bdv-h5/mri-stack-multilevel.h5') });
      expect(await filesIn(mount)).toContain('source/mri-stack-multilevel.h5');
      // The cells are unsigned numbers that the format types as signed.
      await mount.python(
        `
import h5py, zarr
cells = h5py.File(argv[0], 'r')['t00000/s00']
zarr_image = zarr.open(mnt + '/ome-zarr/s00.ome.zarr', 'r')
for level in range(4):
  truth = cells[str(level)]['cells'][:].view('uint16')
  assert np.array_equal(zarr_image[str(level)][:][0, 0], truth), level
assert np.array_equal(np.load(mnt + '/arrays/s00.npy').reshape(zarr_image['0'].shape), zarr_image['0'][:])
`,
        mount.plate,
      );
      expect(await checkImages(mount)).toBe(2);
    });

    it('an Imaris file is cropped to its true size', async () => {
      await using mount = await PlateMount.start({ plate: data('imaris-derived/derived.ims') });
      await mount.python(
        `
import h5py, tifffile
truth = h5py.File(argv[0], 'r')['DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data'][:27, :226, :186]
assert np.array_equal(tifffile.imread(mnt + '/stacks/DataSet.ome.tif'), truth)
`,
        mount.plate,
      );
      expect(await checkImages(mount)).toBe(2);
    });

    it('an AnnData file is its tables and matrices, and a file per gene and cell', async () => {
      await using mount = await PlateMount.start({ plate: data('h5ad/anndata-0.7.0.h5ad') });
      await mount.python(
        `
import csv, h5py, scipy.io
file = h5py.File(argv[0], 'r')
rows = lambda path: [row for row in csv.reader(open(mnt + path, newline='')) if row]
names = lambda group: [text.decode() for text in group['_index'][:]]
assert [row[0] for row in rows('/tables/obs.csv')[1:]] == names(file['obs'])
X = file['X']
dense = np.zeros(X.attrs['shape'])
for row in range(len(dense)):
  part = slice(X['indptr'][row], X['indptr'][row + 1])
  dense[row, X['indices'][part]] = X['data'][part]
assert np.array_equal(scipy.io.mmread(mnt + '/tables/X.mtx').todense(), dense)
assert np.array_equal(np.load(mnt + '/arrays/X.npy'), dense)
genes = names(file['var'])
assert sorted(os.listdir(mnt + '/tables/genes')) == sorted(gene + '.csv' for gene in genes)
for place, gene in enumerate(genes):
  table = rows('/tables/genes/' + gene + '.csv')[1:]
  assert [row[0] for row in table] == names(file['obs'])
  assert [float(row[1]) for row in table] == list(dense[:, place]), gene
for folder, _, files in os.walk(mnt + '/tables'):
  for name in files:
    path = os.path.join(folder, name)
    assert len(open(path, 'rb').read()) == os.stat(path).st_size, path
`,
        mount.plate,
      );
    });

    it('a folder of them shows each as a folder, and ordinary files as they are', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const folder = join(mount.folder, 'several');
      mkdirSync(join(folder, 'sub'), { recursive: true });
      const truth = await makePlate(join(mount.folder, 'made'), SMALL_PLATE);
      cpSync(truth.root, join(folder, 'plate1'), { recursive: true });
      cpSync(data('zarr-arrays/v2.zarr'), join(folder, 'v2.zarr'), { recursive: true });
      cpSync(data('tiff-zoo/imagejs-color-5x5.tif'), join(folder, 'colour.tif'));
      cpSync(data('bdv-h5/mri-stack-multilevel.h5'), join(folder, 'stack.h5'));
      cpSync(data('bdv-h5/mri-stack.h5'), join(folder, 'cut.h5'));
      truncateSync(join(folder, 'cut.h5'), 1000);
      writeFileSync(join(folder, 'notes.txt'), 'hello\n');
      writeFileSync(join(folder, 'sub/more.txt'), 'more\n');
      const words = mount.mountWords().map((word) => (word === 'unset' ? folder : word));
      const report = await mount.json<{
        sources: { name: string; title: string }[];
        plates: { name: string }[];
      }>(['inspect', folder]);
      expect(report.sources.map(({ name }) => name)).toEqual(['v2.zarr', 'colour.tif', 'stack.h5']);
      expect(report.plates.map(({ name }) => name)).toEqual(['plate1']);
      await mount.json(words);
      expect((await mount.shell('ls -A')).trim().split('\n').sort()).toEqual(
        ['.platefs', 'colour.tif', 'cut.h5', 'notes.txt', 'plate1', 'stack.h5', 'sub', 'v2.zarr'].sort(),
      );
      expect(await mount.shell('cat notes.txt sub/more.txt; ls -A stack.h5 plate1')).toContain(
        'hello\nmore\n',
      );
      expect(sha(Buffer.from(await mount.shell('cksum < cut.h5')))).toBe(
        sha(Buffer.from(await mount.succeed('sh', ['-c', `cksum < '${folder}/cut.h5'`]))),
      );
      expect(await mount.shell('cat .platefs/warnings.json')).toContain('cut.h5 is shown as it is');
      await mount.shell('cmp stack.h5/source/stack.h5 "$1/stack.h5"', folder);
      await mount.shell('cat plate1/images/* > /dev/null');
      expect(Number(await mount.shell('ls plate1/images | wc -l'))).toBe(32);
      expect(await checkImages(mount, 'colour.tif')).toBe(2);
      // Everything can be written over, in every part, and is found again at the next mount.
      await mount.shell(`echo mine > notes.txt; echo a > sub/a.txt; mkdir new; echo b > new/b.txt
      echo c > plate1/images/c.txt; echo d > stack.h5/d.txt; echo e > colour.tif/stacks/e.txt`);
      await mount.umount();
      expect(readFileSync(join(folder, 'notes.txt'), 'utf8')).toBe('hello\n');
      await mount.json(words);
      expect(
        await mount.shell(
          'cat notes.txt sub/a.txt new/b.txt plate1/images/c.txt stack.h5/d.txt colour.tif/stacks/e.txt',
        ),
      ).toBe('mine\na\nb\nc\nd\ne\n');
    });

    it('a source that changes is looked into again: other names, other bytes, and no old ones', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const path = join(mount.folder, 'grows.tif');
      const write = async (frames: number): Promise<void> => {
        await mount.succeed(PYTHON, [
          '-c',
          `
import numpy as np, os, sys, tifffile
frames = int(sys.argv[2])
tifffile.imwrite(sys.argv[1] + '.new', np.arange(frames * 20, dtype='uint16').reshape(frames, 4, 5), imagej=True, metadata={'axes': 'TYX'})
os.rename(sys.argv[1] + '.new', sys.argv[1])
`,
          path,
          String(frames),
        ]);
      };
      const shapeOf = (): Promise<string> =>
        mount.python("import tifffile\nprint(tifffile.imread(mnt + '/stacks/grows.ome.tif').shape)");
      await write(2);
      await mount.json(mount.mountWords().map((word) => (word === 'unset' ? path : word)));
      expect(await shapeOf()).toBe('(2, 4, 5)\n');
      await write(3);
      await eventually('the new frame is there', async () => (await shapeOf()) === '(3, 4, 5)\n');
      await mount.shell('cmp source/grows.tif "$1"', path);
      expect(await checkImages(mount)).toBe(2);
    });

    it('a daemon that is killed is not missed while files are read', async () => {
      await using mount = await PlateMount.start({ plate: data('bdv-h5/mri-stack-multilevel.h5') });
      const sums = async (): Promise<string> =>
        await mount.shell('find stacks arrays ome-zarr -type f | LC_ALL=C sort | xargs -d "\\n" cksum');
      const before = await sums();
      const reading = Promise.all([sums(), sums(), sums()]);
      for (let kill = 0; kill < 3; kill++) {
        process.kill((await mount.status()).pid, 'SIGKILL');
        expect(await sums()).toBe(before);
      }
      expect(await reading).toEqual([before, before, before]);
    });

    it('what can be no source is refused with a sentence', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const at = (name: string): string => join(mount.folder, name);
      cpSync(data('bdv-h5/mri-stack.h5'), at('cut.h5'));
      truncateSync(at('cut.h5'), 1000);
      writeFileSync(at('empty.tif'), '');
      writeFileSync(at('image.czi'), 'x');
      mkdirSync(at('nothing'));
      for (const [name, tag] of [
        ['cut.h5', 'bad-hdf5'],
        ['empty.tif', 'bad-tiff'],
        ['image.czi', 'not-a-plate'],
        ['nothing', 'empty-folder'],
        ['missing.h5', 'unreadable-source'],
      ] as const) {
        const told = await mount.platefs('mount', at(name), mount.mountpoint, '--json');
        expect(told.code, told.stdout).toBe(1);
        const { error } = JSON.parse(told.stdout) as { error: { tag: string; message: string } };
        expect(error.message).toContain(at(name));
        expect({ name, tag: error.tag }).toEqual({ name, tag });
      }
      await eventually('the mountpoint is free again', () => !mount.isMounted);
    });
  },
);
