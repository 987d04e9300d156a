import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makePlate } from '../../scripts/plate-maker/plate-maker.ts';
import { eventually, mountProblem } from './harness.ts';
import { agePlate, PlateMount, PYTHON, SMALL_PLATE } from './plate-mount.ts';

const problem = mountProblem();

/** Writes a stack of `frames` planes whose pixels count on. */
async function writeStack(mount: PlateMount, path: string, frames: number): Promise<void> {
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
}

interface Made {
  readonly folder: string;
  readonly definition: string;
  /** Path of the plate that is mounted as `first plate`. */
  readonly plate: string;
}

/** A plate, a stack, a Zarr store, and a folder with a plate and a stack; and a definition that names all of them. */
async function makeSources(mount: PlateMount): Promise<Made> {
  const folder = join(mount.folder, 'data');
  mkdirSync(join(folder, 'several'), { recursive: true });
  const { root: plate } = await makePlate(join(folder, 'one'), SMALL_PLATE);
  const other = await makePlate(join(folder, 'other'), { ...SMALL_PLATE, wells: ['C03'] });
  renameSync(other.root, join(folder, 'several/inner'));
  await writeStack(mount, join(folder, 'grows.tif'), 2);
  await writeStack(mount, join(folder, 'several/still.tif'), 3);
  await mount.succeed(PYTHON, [
    '-c',
    `
import numpy as np, sys, zarr
zarr.open_group(sys.argv[1], mode='w').create_dataset('a/b', data=np.arange(12, dtype='int32').reshape(3, 4))
`,
    join(folder, 'store.zarr'),
  ]);
  writeFileSync(join(folder, 'several/notes.txt'), 'hello\n');
  agePlate(folder);
  const definition = join(folder, 'experiment.yaml');
  writeFileSync(
    definition,
    `sources:
  - path: ${plate}
    name: first plate
    names: '{well}/{field:03}_w{channel}_z{z:03}_t{t:03}{ext}'
  - grows.tif
  - { path: ./store.zarr, name: store }
  - { path: several, as: sources }
`,
  );
  return { folder, definition, plate };
}

const EVERYTHING = `
import h5py, tifffile
root = sorted(os.listdir(mnt))
assert root == sorted(['.platefs', 'first plate', 'grows.tif', 'store', 'several']), root
assert sorted(os.listdir(mnt + '/several')) == sorted(['.platefs', 'inner', 'still.tif', 'notes.txt']), os.listdir(mnt + '/several')
assert sorted(os.listdir(mnt + '/first plate/images')) == ['A01', 'B12']
assert len(os.listdir(mnt + '/first plate/images/A01')) == 16
assert len(os.listdir(mnt + '/several/inner/images')) == 16
assert np.array_equal(np.load(mnt + '/store/arrays/a/b.npy'), np.arange(12).reshape(3, 4))
assert tifffile.imread(mnt + '/several/still.tif/stacks/still.tif').shape == (3, 4, 5)
for name in ('first plate', 'several/inner'):
  for stack in os.listdir(mnt + '/' + name + '/stacks'):
    tifffile.imread(mnt + '/' + name + '/stacks/' + stack)
assert open(mnt + '/several/notes.txt').read() == 'hello\\n'
`.replace('h5py, ', '');

describe.skipIf(problem)(
  `a mount definition of several sources${problem ? ` (skipped: ${problem})` : ''}`,
  () => {
    it('shows each as the folder of its name, and keeps what is written in each', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const { folder, definition } = await makeSources(mount);
      const status = await mount.json<{
        output: string;
        state: string;
        plates: number;
        sources: { name: string }[];
      }>(['mount', definition, mount.mountpoint]);
      // Beside the definition; the state is found again by the definition's own path.
      expect(status.output).toBe(join(folder, 'experiment_platefs'));
      expect(status.state).toContain('/experiment.yaml-');
      expect(status.plates).toBe(2);
      expect(status.sources.map(({ name }) => name)).toEqual(['grows.tif', 'store', 'several/still.tif']);
      await mount.python(EVERYTHING);
      await mount.shell(`echo a > top.txt; echo b > 'first plate/b.txt'; echo c > store/arrays/c.txt
      echo d > several/d.txt; echo e > several/inner/images/e.txt; rm several/inner/images/C03_s001_w1_z001_t001.*`);
      await mount.umount();
      expect(readFileSync(join(folder, 'experiment_platefs/several/inner/images/e.txt'), 'utf8')).toBe('e\n');
      // In another order, with one more before the others.
      const text = readFileSync(definition, 'utf8').trim().split('\n').slice(1).join('\n');
      await writeStack(mount, join(folder, 'added.tif'), 2);
      writeFileSync(
        definition,
        `sources:\n  - added.tif\n  - { path: several, as: sources }\n${text.replace('\n  - { path: several, as: sources }', '')}\n`,
      );
      await mount.json(['mount', definition, mount.mountpoint]);
      expect(
        await mount.shell(
          "cat top.txt 'first plate/b.txt' store/arrays/c.txt several/d.txt several/inner/images/e.txt; ls several/inner/images | wc -l",
        ),
      ).toBe('a\nb\nc\nd\ne\n16\n');
      expect(await mount.shell('ls added.tif')).toContain('stacks');
      // Other names of one plate are refused once planes of the mount were changed.
      await mount.umount();
      writeFileSync(definition, readFileSync(definition, 'utf8').replace(/\n {4}names: .*/, ''));
      const told = await mount.platefs('mount', definition, mount.mountpoint);
      expect(told.code).not.toBe(0);
      expect(told.stderr).toContain('images/ was changed');
    });

    it('follows a source that changes, and outlives its daemon', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const { folder, definition, plate } = await makeSources(mount);
      await mount.json(['mount', definition, mount.mountpoint]);
      await mount.python(EVERYTHING);
      await mount.shell("echo kept > 'first plate/kept.txt'");
      for (let kill = 0; kill < 2; kill++) {
        process.kill((await mount.status()).pid, 'SIGKILL');
        await mount.python(EVERYTHING);
      }
      expect(await mount.shell("cat 'first plate/kept.txt'")).toBe('kept\n');
      await writeStack(mount, join(folder, 'grows.tif'), 5);
      await eventually(
        'the longer stack is there',
        async () =>
          (await mount.python(
            `
import tifffile
try: print(tifffile.imread(mnt + '/grows.tif/stacks/grows.tif').shape)
# What is opened while it changes fails, and shows nothing that is half old.
except OSError as error: print(error)
`,
          )) === '(5, 4, 5)\n',
      );
      const [plane = ''] = (await mount.shell("cd 'first plate/source'; find . -name '*_A01_s1_w1*' | sort"))
        .trim()
        .split('\n');
      renameSync(join(plate, plane), join(mount.folder, 'away.tif'));
      await eventually(
        'the plane is gone',
        async () => (await mount.shell("ls 'first plate/images/A01' | wc -l")) === '15\n',
      );
    });

    it('is told of by inspect, and refused as a whole where one source is none', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const { folder, definition } = await makeSources(mount);
      const report = await mount.json<{ sources: { name: string; planes?: number; sources?: object[] }[] }>([
        'inspect',
        definition,
      ]);
      expect(report.sources.map(({ name, planes }) => [name, planes])).toEqual([
        ['first plate', 32],
        ['grows.tif', undefined],
        ['store', undefined],
        ['several', undefined],
      ]);
      expect((await mount.platefs('inspect', definition)).stdout).toContain('first plate/\n  ');
      writeFileSync(join(folder, 'letter.doc'), 'x');
      writeFileSync(definition, `${readFileSync(definition, 'utf8')}  - letter.doc\n`);
      const told = await mount.platefs('mount', definition, mount.mountpoint);
      expect(told.code).toBe(1);
      expect(told.stderr).toContain(`${folder}/letter.doc is not a plate`);
      expect(mount.isMounted).toBe(false);
      const layout = await mount.platefs('mount', definition, mount.mountpoint, '--as', 'plate');
      expect(layout.code).toBe(2);
      expect(layout.stderr).toContain(
        `is said of one source; write  as: …  beside that one's path in ${definition}`,
      );
    });

    it('keeps what it read of one store apart from the same place of another', async () => {
      await using mount = await PlateMount.make({ plate: 'unset' });
      const stores = ['one', 'other'].map((name) => join(mount.folder, `${name}.zarr`));
      await mount.succeed(PYTHON, [
        '-c',
        `
import numcodecs, numpy as np, sys, zarr
for number, path in enumerate(sys.argv[1:]):
  group = zarr.open_group(path, mode='w')
  for i in range(6):
    texts = np.array([f'{"x" * (1 + 5 * number)}{i}{row}' for row in range(4)], dtype=object)
    group.create_dataset(f't{i}', data=texts, object_codec=numcodecs.VLenUTF8())
    group.create_dataset(f'n{i}', data=np.arange(12, dtype='i4').reshape(3, 4) + 100 * number + i)
`,
        ...stores,
      ]);
      agePlate(mount.folder);
      const definition = join(mount.folder, 'stores.yaml');
      writeFileSync(definition, JSON.stringify({ sources: stores }));
      await mount.json(mount.mountWords().map((word) => (word === 'unset' ? definition : word)));
      const wrong = await mount.python(`
wrong = []
for number, name in enumerate(('one.zarr', 'other.zarr')):
  for i in range(6):
    rows = open(f'{mnt}/{name}/tables/t{i}.csv').read().split()[1:]
    if [row.split(',')[-1] for row in rows] != [f'{"x" * (1 + 5 * number)}{i}{row}' for row in range(4)]: wrong.append([name, i, rows])
    array = np.load(f'{mnt}/{name}/arrays/n{i}.npy')
    if array[0, 0] != 100 * number + i: wrong.append([name, i, array.tolist()])
print(json.dumps(wrong))`);
      expect(JSON.parse(wrong)).toEqual([]);
    });
  },
);
